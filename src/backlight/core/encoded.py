"""A list of items as one flat array of ids."""

from dataclasses import dataclass

from backlight.core.arrays import IntArray

BOUNDARY = 0
"""The id before an item's first character and after its last. No character has this id."""


@dataclass(frozen=True, slots=True)
class EncodedItems:
    """Items of different lengths, concatenated without boundaries between them.

    Attributes:
        ids: (characters,) ids in 1..V-1, in the smallest unsigned dtype that holds the vocabulary.
        starts: (items + 1,) int64; item i is `ids[starts[i]:starts[i + 1]]`.
        ends: whether the end of each item is a target: True for a list of items, False for a stream of text, which has
            no end.
    """

    ids: IntArray
    starts: IntArray
    ends: bool = True

    def __len__(self) -> int:
        """Return the number of items."""
        return len(self.starts) - 1

    @property
    def targets(self) -> int:
        """Number of targets: every character, and every end if `ends` is set."""
        return len(self.ids) + (len(self) if self.ends else 0)
