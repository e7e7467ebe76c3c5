"""Names for the kinds of array that pass between the packages."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
FloatArray = NDArray[np.floating[Any]]
IntArray = NDArray[np.integer[Any]]
BoolArray = NDArray[np.bool_]


def all_below(ids: IntArray, count: int) -> bool:
    """Return whether all ids are in 0..count-1; there must be at least one.

    Seen as unsigned, a negative number is larger than any id: one comparison finds what is out of range on either side.
    """
    return bool(np.maximum.reduce(ids.astype(np.int64, copy=False).view(np.uint64), axis=None) < count)
