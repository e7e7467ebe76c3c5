"""Losses that can be compared between tokenizers: per character and per byte.

A loss per token falls as tokens get shorter, for any model. The nats of the whole text, divided by its number of
characters or bytes, can be compared with those of any other model.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from backlight.core import DataError
from backlight.text.items import Items


@dataclass(frozen=True, slots=True)
class TextSize:
    """The length of a text in characters and bytes.

    If the ends of items are predicted, each counts as one character and one byte, like the line end in a file.

    Attributes:
        characters: number of code points.
        bytes: number of bytes in UTF-8.
    """

    characters: int
    bytes: int

    @classmethod
    def of(cls, items: Sequence[str], *, ends: bool = True) -> "TextSize":
        """Measure texts.

        Args:
            items: the texts.
            ends: whether the end of each item is predicted; False for a stream of text.
        """
        given = Items.of(items)
        extra = len(given) if ends else 0
        return cls(int(given.lengths().sum()) + extra, sum(map(len, given.raw())) + extra)

    def nats_per_character(self, nats: float) -> float:
        """Convert a loss to nats per character.

        Args:
            nats: the loss of the whole text, the sum over all targets.

        Raises:
            DataError: the text is empty.
        """
        return nats / self._some(self.characters)

    def bits_per_byte(self, nats: float) -> float:
        """Convert a loss to bits per byte: 8 for a uniform guess of bytes, and the rate of an ideal compressor.

        Args:
            nats: the loss of the whole text, the sum over all targets.

        Raises:
            DataError: the text is empty.
        """
        return nats / math.log(2) / self._some(self.bytes)

    @staticmethod
    def _some(count: int) -> int:
        if not count:
            raise DataError("a loss per character needs a text; got an empty one. Use a text with characters.")
        return count
