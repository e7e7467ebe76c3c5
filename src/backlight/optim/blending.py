"""One array moved by another, in place: what SGD's step, its velocity and an average of the weights are."""

import numpy as np

from backlight.autograd.native import library
from backlight.core import FloatArray

BLOCK = 1 << 16
"""Numbers at a time, so that a block of each array stays in the cache from pass to pass."""


def blend(moved: FloatArray, by: FloatArray, *, keep: float, take: float) -> None:
    """Replace an array, (P,), by keep x itself + take x another one, (P,): in one pass where there are kernels."""
    kernels = library()
    if kernels is not None and moved.dtype == by.dtype == np.float32:
        kernels.blend(moved, by, keep, take)
        return
    for start in range(0, moved.size, BLOCK):
        part = moved[start : start + BLOCK]
        if keep != 1:
            part *= keep
        part += take * by[start : start + BLOCK]
