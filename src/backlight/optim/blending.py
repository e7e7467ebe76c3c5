"""Weighted sums of two arrays in place: the basis of SGD's step, its velocity and the averaging of weights."""

import numpy as np

from backlight.autograd.native import library
from backlight.core import ConfigError, FloatArray, ShapeError
from backlight.core.arguments import is_number, shown

BLOCK = 1 << 16
"""Elements per block, so that the blocks of both arrays stay in the cache from pass to pass."""


def blend(moved: FloatArray, by: FloatArray, *, keep: float, take: float) -> None:
    """Set moved = keep x moved + take x by, in place; with compiled kernels, in one pass.

    Args:
        moved: (P,), changed in place.
        by: (P,).
        keep: factor of `moved`.
        take: factor of `by`.
    """
    kernels = library()
    if kernels is not None and moved.dtype == by.dtype == np.float32:
        kernels.blend(moved, by, keep, take)
        return
    for start in range(0, moved.size, BLOCK):
        part = moved[start : start + BLOCK]
        if keep != 1:
            part *= keep
        part += take * by[start : start + BLOCK]


def update_ema(average: FloatArray, data: FloatArray, decay: float) -> None:
    """Update an exponential moving average in place: average = decay average + (1 - decay) data.

    Args:
        average: (P,) the average, over about the last 1 / (1 - decay) calls.
        data: (P,) the present weights.
        decay: from 0, which copies the weights, to 1, which keeps the average.

    Raises:
        ConfigError: decay outside its range.
        ShapeError: not two float arrays of the same shape.
    Source: Polyak & Juditsky 1992, with an exponential window.
    """
    if not is_number(decay) or not 0 <= decay <= 1:
        raise ConfigError(f"decay must be from 0 to 1; got {shown(decay)}. Try 0.999.")
    fits = isinstance(average, np.ndarray) and isinstance(data, np.ndarray) and average.shape == data.shape
    if not fits or average.dtype.kind != "f" or data.dtype.kind != "f":
        kinds = f"{type(average).__name__} and {type(data).__name__}"
        raise ShapeError(f"average and data must be two float arrays of the same shape; got {kinds}.")
    blend(average, data, keep=decay, take=1 - decay)
