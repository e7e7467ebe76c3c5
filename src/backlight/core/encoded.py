"""A list of items as one flat array of ids: what counting and batching work on."""

from dataclasses import dataclass

from backlight.core.arrays import IntArray

BOUNDARY = 0
"""The id before an item's first character and after its last. It is an id only: no character stands for it."""


@dataclass(frozen=True, slots=True)
class EncodedItems:
    """Items of different lengths, one after the other, without boundaries between them.

    Attributes:
        ids: (characters,) ids in 1..V-1, in the smallest unsigned dtype that holds the vocabulary.
        starts: (items + 1,) int64; item i is `ids[starts[i]:starts[i + 1]]`.
        ends: whether an item's end is something to predict. True for a list of items; False for a stream of text,
            which was cut off rather than finished.
    """

    ids: IntArray
    starts: IntArray
    ends: bool = True

    def __len__(self) -> int:
        """Return the number of items."""
        return len(self.starts) - 1

    @property
    def targets(self) -> int:
        """How many ids there are to predict: every character, and every end if ends count."""
        return len(self.ids) + (len(self) if self.ends else 0)
