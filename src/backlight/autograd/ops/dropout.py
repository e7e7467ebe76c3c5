"""Dropout: some numbers become 0. Which ones is passed as booleans, or drawn by the op from a generator."""

from typing import Any, Protocol

import numpy as np

from backlight.autograd.op import Op
from backlight.core import Array, BoolArray


class RandomSource(Protocol):
    """What an op draws from: a `np.random.Generator`, whose name here would import `numpy.random`, which takes time."""

    def random(self, size: Any, dtype: Any) -> Any:
        """Return numbers evenly from 0 to 1."""


Keep = BoolArray | RandomSource
"""Which numbers stay, or what draws that."""


def keep_scale(keep: Keep, shape: tuple[int, ...], p: float, dtype: np.dtype[Any]) -> Array:
    """Return the factor of each number: 0 with probability p, else 1 / (1 - p)."""
    if not isinstance(keep, np.ndarray):
        # half the random bits of a float64: the probability is right to within 2⁻²⁴
        keep = keep.random(shape, np.float32) >= p
    scale: Array = keep * np.asarray(1 / (1 - p), dtype)
    return scale


class Dropout(Op):
    """y = x where it is kept, 0 elsewhere, scaled so that y is x on average.

    `keep` has x's shape and is true with probability 1 - p, or is the generator that draws it at each call.
    Source: Srivastava et al. 2014, section 10 for the scaling.
    """

    name = "dropout"
    formula = "y = x keep / (1 - p);  dx = dy keep / (1 - p)"

    @staticmethod
    def forward(x: Array, *, keep: Keep, p: float) -> tuple[Array, Any]:
        scale = keep_scale(keep, x.shape, p, x.dtype)
        return x * scale, scale

    @staticmethod
    def backward(dy: Array, saved: Any) -> tuple[Array]:
        return (dy * saved,)
