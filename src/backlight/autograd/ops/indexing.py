"""Picking out numbers by their place. Where a place is picked twice, its gradient is summed: two paths lead from it."""

import math
from functools import lru_cache
from typing import Any

import numpy as np

from backlight.autograd.op import Op
from backlight.core import Array, IntArray

_ONE_HOT_LIMIT = 256
"""Up to this many rows a product with a one-hot matrix sums faster than a scatter: benchmarks/scatter.py."""


def scatter_rows(dy: Array, rows: IntArray, count: int) -> Array:
    """Return (count, *D): row r is the sum of all `dy[i]` whose `rows[i]` is r. `dy` is (*rows.shape, *D)."""
    flat_rows = rows.reshape(-1)
    dy_ND = dy.reshape(flat_rows.size, math.prod(dy.shape[rows.ndim :]))
    if count <= _ONE_HOT_LIMIT and dy.dtype.kind == "f":
        # pulling a row out is one_hot @ W, and the gradient of that by W is one_hotᵀ @ dy
        summed = _identity(count, dy.dtype).take(flat_rows, axis=0).T @ dy_ND
    else:
        summed = np.zeros((count, dy_ND.shape[1]), dy.dtype)
        np.add.at(summed, flat_rows, dy_ND)
    return summed.reshape(count, *dy.shape[rows.ndim :])


@lru_cache(maxsize=16)
def _identity(size: int, dtype: np.dtype[Any]) -> Array:
    """Return the identity matrix, whose rows are the one-hot vectors."""
    return np.eye(size, dtype=dtype)


class Index(Op):
    """y = a[index] with ints, slices, integer or boolean arrays, as NumPy reads them."""

    name = "index"
    formula = "y = a[i];  da[i] += dy, summed where an index repeats"

    @staticmethod
    def forward(a: Array, *, index: Any) -> tuple[Array, Any]:
        return a[index], (a.shape, index)

    @staticmethod
    def backward(dy: Array, saved: Any) -> tuple[Array]:
        shape, index = saved
        da = np.zeros(shape, dy.dtype)
        parts = index if isinstance(index, tuple) else (index,)
        if any(isinstance(part, (np.ndarray, list)) for part in parts):
            np.add.at(da, index, dy)
        else:  # ints and slices name each place at most once
            da[index] = dy
        return (da,)


class Embed(Op):
    """y = W[ids]: each id pulls out its row of W, which is what one_hot(ids) @ W would do.

    ids (...) of 0..R-1 and W (R, D) give y (..., D). Source: Bengio et al. 2003, section 2, the mapping C.
    """

    name = "embed"
    formula = "y = W[ids] = onehot(ids) W;  dW = onehot(ids)ᵀ dy"

    @staticmethod
    def forward(weight: Array, *, ids: IntArray) -> tuple[Array, Any]:
        return weight.take(ids, axis=0), (weight.shape[0], ids)

    @staticmethod
    def backward(dy: Array, saved: Any) -> tuple[Array]:
        count, ids = saved
        return (scatter_rows(dy, ids, count),)
