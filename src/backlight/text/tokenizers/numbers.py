"""The vocabulary of token files whose tokenizer is not known: ids are shown as the numbers that they are."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from backlight.core import BOUNDARY, EncodedItems, IntArray, VocabularyError
from backlight.text.ids import check_range, checked_ids
from backlight.text.vocabulary import BOUNDARY_MARKS

FORMAT: Final = "backlight.numbers"
VERSION: Final = 1
NAME: Final = "numbers"


@dataclass(frozen=True)
class NumberVocabulary:
    """Tokens without a text. The id of token t is t + 1; the boundary, 0, does not occur in the files.

    Attributes:
        tokens: the number of tokens.
    """

    tokens: int

    @property
    def size(self) -> int:
        """V, the number of tokens and the boundary."""
        return self.tokens + 1

    def encode(self, text: str) -> IntArray:
        """Return no ids for no text. Shape: (0,) int64.

        Raises:
            VocabularyError: there is a text.
        """
        return self.encode_items([text]).ids

    def encode_items(self, items: Sequence[str], *, ends: bool = True) -> EncodedItems:
        """Encode empty items.

        Raises:
            VocabularyError: an item is not empty.
        """
        if any(items):
            raise VocabularyError(
                "a text needs the tokenizer with which the token files were made; this model has none. Train again with"
                " tokenizer.json beside the files."
            )
        return EncodedItems(np.zeros(0, np.int64), np.zeros(len(items) + 1, np.int64), ends, 0)

    def begin(self, text: str) -> tuple[IntArray, bytes]:
        """Return the ids of no text, and no rest; see `TextVocabulary`."""
        return self.encode(text), b""

    def spelling(self, token: int) -> bytes:
        """Return the number of a token and a space; nothing for the boundary.

        Raises:
            VocabularyError: the id is not in 0..V-1.
        """
        check_range(np.asarray(token), self.size)
        return b"" if token == BOUNDARY else b"%d " % (token - 1)

    def unknown(self, text: str) -> str:
        """Return the distinct characters of a text, sorted: none can be encoded."""
        return "".join(sorted(set(text)))

    def grown(self, items: Sequence[str]) -> "NumberVocabulary":
        """Return this vocabulary for no text. Raises VocabularyError for any other."""
        self.encode_items(items)
        return self

    def decode(self, ids: Iterable[int] | IntArray) -> str:
        """Return the numbers of (N,) ids in 0..V-1, with a space after each; boundaries are omitted.

        Raises:
            VocabularyError: ids are not whole numbers, or not in 0..V-1.
        """
        return "".join(self.spelling(token).decode() for token in checked_ids(ids, self.size).tolist())

    def label(self, token: int) -> str:
        """Return the number of a token.

        Raises:
            VocabularyError: the id is not in 0..V-1.
        """
        return self.spelling(token).decode().strip() or BOUNDARY_MARKS[-1]

    def to_json(self) -> dict[str, Any]:
        """Return plain values for JSON, from which `from_json` restores the vocabulary."""
        return {"format": FORMAT, "version": VERSION, "tokens": self.tokens}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "NumberVocabulary":
        """Return the vocabulary that `to_json` describes.

        Raises:
            VocabularyError: the values are damaged, or were written by another version.
        """
        tokens = values.get("tokens")
        if values.get("version") != VERSION or not isinstance(tokens, int) or tokens < 1:
            raise VocabularyError(f"a vocabulary must be what to_json returned; got {values!r}. Train again.")
        return cls(tokens)
