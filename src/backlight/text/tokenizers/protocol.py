"""The interface of a vocabulary, of characters or of byte pairs."""

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from backlight.core import EncodedItems, IntArray


class TextVocabulary(Protocol):
    """Texts to ids and back, with id 0 for the boundary before and after an item.

    `Vocabulary` (characters) and `TokenVocabulary` (byte pairs) implement it.
    """

    @property
    def size(self) -> int:
        """V, the number of ids, including the boundary."""

    def encode(self, text: str) -> IntArray:
        """Return the ids of a text, in 1..V-1, without boundaries. Shape: (tokens,) int64."""

    def encode_items(self, items: Sequence[str], *, ends: bool = True) -> EncodedItems:
        """Encode many items at once; `ends` says whether the end of each item is a target."""

    def decode(self, ids: Iterable[int] | IntArray) -> str:
        """Return the text of (N,) ids in 0..V-1; boundaries are omitted."""

    def label(self, token: int) -> str:
        """Return a visible label of an id."""

    def to_json(self) -> dict[str, Any]:
        """Return plain values for JSON, from which the `from_json` of the class restores it."""
