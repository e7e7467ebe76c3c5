"""Losses that compare between tokenizers: per character and per byte.

A loss per token falls when tokens get shorter, whatever the model knows. The nats of the whole text, divided by its
characters or its bytes, can be compared with those of any other model.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from backlight.core import DataError
from backlight.text.items import Items


@dataclass(frozen=True, slots=True)
class TextSize:
    """How long a text is in the units of a loss.

    Where the ends of items are predicted, each counts as one character and as one byte, the line end of a file.

    Attributes:
        characters: code points.
        bytes: of UTF-8.
    """

    characters: int
    bytes: int

    @classmethod
    def of(cls, items: Sequence[str], *, ends: bool = True) -> "TextSize":
        """Measure texts.

        Args:
            items: the texts.
            ends: whether each item's end is predicted too; False for a stream of text.
        """
        given = Items.of(items)
        extra = len(given) if ends else 0
        return cls(int(given.lengths().sum()) + extra, sum(map(len, given.raw())) + extra)

    def nats_per_character(self, nats: float) -> float:
        """Return a loss per character.

        Args:
            nats: of the whole text: the sum over all targets, not their mean.

        Raises:
            DataError: the text is empty.
        """
        return nats / self._some(self.characters)

    def bits_per_byte(self, nats: float) -> float:
        """Return a loss in bits per byte: 8 for a uniform guess, and what a compressor could reach.

        Args:
            nats: of the whole text: the sum over all targets, not their mean.

        Raises:
            DataError: the text is empty.
        """
        return nats / math.log(2) / self._some(self.bytes)

    @staticmethod
    def _some(count: int) -> int:
        if not count:
            raise DataError("a loss is shared out over the characters of a text; got an empty one. Give it some text.")
        return count
