"""The interface of a vocabulary, of characters, words or byte pairs."""

from collections.abc import Iterable, Sequence
from typing import Any, Protocol, Self

from backlight.core import EncodedItems, IntArray


class TextVocabulary(Protocol):
    """Texts to ids and back, with id 0 for the boundary before and after an item.

    `Vocabulary` (characters), `PatternVocabulary` (words, atoms) and `TokenVocabulary` (byte pairs) implement it.
    """

    @property
    def size(self) -> int:
        """V, the number of ids, including the boundary."""

    def encode(self, text: str) -> IntArray:
        """Return the ids of a text, in 1..V-1, without boundaries. Shape: (tokens,) int64."""

    def encode_items(self, items: Sequence[str], *, ends: bool = True) -> EncodedItems:
        """Encode many items at once; `ends` says whether the end of each item is a target."""

    def begin(self, text: str) -> tuple[IntArray, bytes]:
        """Return the ids of the beginning of a text, (N,), and the rest, with which the next tokens must begin.

        A token at the end of the text may be cut off, and a model has not seen such an end.
        """

    def spelling(self, token: int) -> bytes:
        """Return the bytes for which a token stands; for the boundary, none."""

    def unknown(self, text: str) -> str:
        """Return the distinct characters of a text that cannot be encoded, sorted."""

    def grown(self, items: Sequence[str]) -> Self:
        """Return this vocabulary with what it needs to encode further texts. All tokens stay, but ids may change."""

    def decode(self, ids: Iterable[int] | IntArray) -> str:
        """Return the text of (N,) ids in 0..V-1; boundaries are omitted."""

    def label(self, token: int) -> str:
        """Return a visible label of an id."""

    def to_json(self) -> dict[str, Any]:
        """Return plain values for JSON, from which the `from_json` of the class restores it."""
