"""Random numbers for arrays that exist already: those of initial weights, dropout masks and seeds of data loaders.

They are drawn in the order of memory, so a transposed array is filled as in PyTorch. `distributions` draws new arrays.
The algorithms are those of ATen/core/DistributionsHelper.h and ATen/native/cpu/DistributionTemplates.h.
"""

import math
from collections.abc import Callable

import numpy as np

from backlight.core.arrays import Array, BoolArray, FloatArray
from backlight.torchlike import distributions
from backlight.torchlike._fused import fma32, fma64
from backlight.torchlike.generator import Generator


def uniform(like: Array, low: float, high: float, generator: Generator) -> FloatArray:
    """Draw uniform numbers from [low, high), as `Tensor.uniform_(low, high)`: u (high - low) + low, rounded once.

    Args:
        like: (...) float32 or float64, whose shape, dtype and order of memory the result has.
        low: the lower bound.
        high: the upper bound.
        generator: advanced by one draw per number.
    """

    def draw(count: int) -> FloatArray:
        u = distributions.rand(count, generator, like.dtype)
        if like.dtype == np.float32:
            first = np.float32(low)
            return fma32(u, np.float32(high) - first, first)
        return fma64(u, float(high) - float(low), float(low))

    return _in_order_of_memory(like, draw)


def normal(like: Array, mean: float, std: float, generator: Generator) -> FloatArray:
    """Draw normal numbers, as `Tensor.normal_(mean, std)`. Args: see `uniform` and `distributions.normal`."""
    return _in_order_of_memory(like, lambda count: distributions.normal(mean, std, count, generator, like.dtype))


def bernoulli(like: Array, p: float, generator: Generator) -> BoolArray:
    """Draw True with probability p, as `Tensor.bernoulli_(p)` and dropout: whether a draw x / 2**53 is below p.

    Args:
        like: (...) numbers, whose shape and order of memory the result has.
        p: the probability, the same for all elements.
        generator: advanced by two draws per element, whatever the dtype.
    """
    high, low = divmod(math.ceil(p * 2**53), 2**32)  # x is below p 2**53 if it is below the next integer

    def draw(count: int) -> BoolArray:
        words = generator.words(2 * count).reshape(count, 2)  # the high word first
        top = words[:, 0] & np.uint32(2**21 - 1)
        below: BoolArray = top < high
        tied = np.flatnonzero(top == high)
        below[tied] = words[tied, 1] < low
        return below

    return _in_order_of_memory(np.empty_like(like, np.bool_), draw)


def bernoulli_each(p: FloatArray, generator: Generator) -> BoolArray:
    """Draw True with the probability of each element, as `torch.bernoulli(p)`.

    Args:
        p: (...) probabilities, float32 or float64: a draw of the same dtype is compared with each.
        generator: advanced by one draw per float32, by two per float64.
    """
    drawn: BoolArray = _in_order_of_memory(p, lambda count: distributions.rand(count, generator, p.dtype)) < p
    return drawn


def random63(generator: Generator) -> int:
    """Draw an integer from [0, 2**63), as `torch.empty((), dtype=torch.int64).random_()`."""
    return int(generator.random64(1)[0]) % 2**63


def _in_order_of_memory(like: Array, draw: Callable[[int], Array]) -> Array:
    """Return an array of this shape, dtype and order of memory, filled by `draw(count)` in that order."""
    filled: Array = np.empty_like(like)
    filled.ravel(order="K")[:] = draw(like.size)  # a view, since an array made by empty_like has no gaps
    return filled
