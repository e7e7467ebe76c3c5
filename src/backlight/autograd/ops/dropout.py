"""Dropout: set some elements to 0. The mask is passed as booleans, or drawn by the op from a generator."""

from typing import Any, Protocol

import numpy as np

from backlight.autograd.op import Op
from backlight.core import Array, BoolArray


class RandomSource(Protocol):
    """What an op draws from: an `np.random.Generator`, not named here because importing `numpy.random` takes time."""

    def random(self, size: Any, dtype: Any) -> Any:
        """Return random numbers, uniform in 0..1."""


Keep = BoolArray | RandomSource
"""A mask that is true for the elements that stay, or the generator that draws it."""


def keep_scale(keep: Keep, shape: tuple[int, ...], p: float, dtype: np.dtype[Any]) -> Array:
    """Return the factor of each element: 0 where it is dropped, else 1 / (1 - p).

    Args:
        keep: the mask in this shape, or a generator that draws it with probability 1 - p.
        shape: the shape of the result.
        p: the probability of dropping an element.
        dtype: the dtype of the result.
    """
    if not isinstance(keep, np.ndarray):
        # float32 takes half as many random bits as float64; the probability is exact to within 2⁻²⁴
        keep = keep.random(shape, np.float32) >= p
    scale: Array = keep * np.asarray(1 / (1 - p), dtype)
    return scale


class Dropout(Op):
    """y = x / (1 - p) where `keep` is true, else 0. The scaling keeps the expected value.

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
