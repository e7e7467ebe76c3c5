"""What a model's text goes through, whatever its tokens are: characters or byte pairs."""

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from backlight.core import EncodedItems, IntArray


class TextVocabulary(Protocol):
    """Texts to ids and back, with id 0 for the boundary before and after an item.

    `Vocabulary` (characters) and `TokenVocabulary` (byte pairs) are such.
    """

    @property
    def size(self) -> int:
        """V: how many ids there are, the boundary included."""

    def encode(self, text: str) -> IntArray:
        """Return the ids of a text, in 1..V-1, without boundaries. Shape: (tokens,) int64."""

    def encode_items(self, items: Sequence[str], *, ends: bool = True) -> EncodedItems:
        """Encode many items at once; `ends` is whether each item's end is a target."""

    def decode(self, ids: Iterable[int] | IntArray) -> str:
        """Return the text of ids in 0..V-1; boundaries leave no trace."""

    def label(self, token: int) -> str:
        """Return a visible form of one id."""

    def to_json(self) -> dict[str, Any]:
        """Return plain values, fit for JSON, from which the class's `from_json` makes it again."""
