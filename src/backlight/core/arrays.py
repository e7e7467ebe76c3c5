"""Types of arrays for annotations."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
FloatArray = NDArray[np.floating[Any]]
IntArray = NDArray[np.integer[Any]]
BoolArray = NDArray[np.bool_]


def all_below(ids: IntArray, count: int) -> bool:
    """Return whether all ids, an array of any shape with at least one element, are in 0..count-1.

    Viewed as unsigned, a negative number is larger than any id, so one comparison checks both bounds.
    """
    return bool(np.maximum.reduce(ids.astype(np.int64, copy=False).view(np.uint64), axis=None) < count)
