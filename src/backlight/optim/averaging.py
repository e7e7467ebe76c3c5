"""A running average of the weights, which is judged and kept in place of the last ones."""

import numpy as np

from backlight.autograd.native import library
from backlight.core import FloatArray

BLOCK = 1 << 16
"""Numbers at a time, so that a block of each array stays in the cache from pass to pass."""


def move_average(average: FloatArray, data: FloatArray, decay: float) -> None:
    """Let an average, (P,), follow the weights, (P,), in place: average = decay average + (1 - decay) data.

    Args:
        average: exponentially weighted, over about the last 1 / (1 - decay) calls.
        data: the weights as they are now.
        decay: from 0, which takes the weights as they are, to 1.
    Source: Polyak & Juditsky 1992, with an exponential window.
    """
    kernels = library()
    if kernels is not None and average.dtype == data.dtype == np.float32:
        kernels.average(average, data, decay)
        return
    for start in range(0, average.size, BLOCK):
        here = slice(start, start + BLOCK)
        part = average[here]
        part *= decay
        part += (1 - decay) * data[here]
