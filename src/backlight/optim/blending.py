"""One array moved by another, in place: what SGD's step, its velocity and a running average of the weights are."""

import numpy as np

from backlight.autograd.native import library
from backlight.core import ConfigError, FloatArray, ShapeError
from backlight.core.arguments import is_number, shown

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


def update_ema(average: FloatArray, data: FloatArray, decay: float) -> None:
    """Let an average, (P,), follow the weights, (P,), in place: average = decay average + (1 - decay) data.

    Args:
        average: exponentially weighted, over about the last 1 / (1 - decay) calls.
        data: the weights as they are now.
        decay: from 0, which takes the weights as they are, to 1.

    Raises:
        ConfigError: decay outside its range.
        ShapeError: not two arrays of one shape.
    Source: Polyak & Juditsky 1992, with an exponential window.
    """
    if not is_number(decay) or not 0 <= decay <= 1:
        raise ConfigError(f"decay must be from 0 to 1; got {shown(decay)}. Try 0.999.")
    fits = isinstance(average, np.ndarray) and isinstance(data, np.ndarray) and average.shape == data.shape
    if not fits or average.dtype.kind != "f" or data.dtype.kind != "f":
        kinds = f"{type(average).__name__} and {type(data).__name__}"
        raise ShapeError(f"an average and the weights are two float arrays of one shape; got {kinds}.")
    blend(average, data, keep=decay, take=1 - decay)
