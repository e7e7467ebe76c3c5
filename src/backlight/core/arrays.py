"""Types of arrays, and the records of ids: `EncodedItems` and `Batch`."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
FloatArray = NDArray[np.floating[Any]]
IntArray = NDArray[np.integer[Any]]
BoolArray = NDArray[np.bool_]

BOUNDARY = 0
"""The id before an item's first character and after its last. No character has this id."""

NOT_A_TARGET = -1
"""The id in `Batch.y` that marks padding: it has no loss and no gradient, and is not counted."""


def all_below(ids: IntArray, count: int) -> bool:
    """Return whether all ids, an array of any shape with at least one element, are in 0..count-1.

    Viewed as unsigned, a negative number is larger than any id, so one comparison checks both bounds.
    """
    return bool(np.maximum.reduce(ids.astype(np.int64, copy=False).view(np.uint64), axis=None) < count)


@dataclass(frozen=True, slots=True)
class EncodedItems:
    """Items of different lengths, concatenated without boundaries between them.

    Attributes:
        ids: (tokens,) ids in 1..V-1, in the smallest unsigned dtype that holds the vocabulary.
        starts: (items + 1,) int64; item i is `ids[starts[i]:starts[i + 1]]`.
        ends: whether the end of each item is a target: True for a list of items, False for a stream of text, which has
            no end.
        letters: number of characters in all items; None if each id is one.
    """

    ids: IntArray
    starts: IntArray
    ends: bool = True
    letters: int | None = None

    def __len__(self) -> int:
        """Return the number of items."""
        return len(self.starts) - 1

    @property
    def targets(self) -> int:
        """Number of targets: every character, and every end if `ends` is set."""
        return len(self.ids) + (len(self) if self.ends else 0)

    @property
    def characters(self) -> int:
        """Number of characters, and of ends if `ends` is set: that by which a loss is divided."""
        return (len(self.ids) if self.letters is None else self.letters) + (len(self) if self.ends else 0)


@dataclass(frozen=True, slots=True)
class Batch:
    """Inputs and targets.

    Attributes:
        x: (B, T) int64 ids.
        y: int64 ids. For windows (B,), the character after each row of `x`; for sequences (B, T), the character after
            each position, or `NOT_A_TARGET`.
    """

    x: IntArray
    y: IntArray
