"""Indexing. Where an element is selected several times, its gradient is the sum over all of them."""

import math
from functools import lru_cache
from typing import Any

import numpy as np

from backlight.autograd.op import Op, sum_to
from backlight.core import Array, IntArray

_ONE_HOT_LIMIT = 256
"""Up to this many rows, a product with a one-hot matrix is faster than `np.add.at`: benchmarks/scatter.py."""


def scatter_rows(dy: Array, rows: IntArray, count: int) -> Array:
    """Return (count, *D): row r is the sum of all `dy[i]` with `rows[i]` equal to r.

    Args:
        dy: (*rows.shape, *D).
        rows: (...) integers in 0..count - 1.
        count: the number of rows of the result.
    """
    flat_rows = rows.reshape(-1)
    dy_ND = dy.reshape(flat_rows.size, math.prod(dy.shape[rows.ndim :]))
    if count <= _ONE_HOT_LIMIT and dy.dtype.kind == "f":
        # the lookup is one_hot @ W, and its gradient with respect to W is one_hotᵀ @ dy
        summed = _identity(count, dy.dtype).take(flat_rows, axis=0).T @ dy_ND
    else:
        summed = np.zeros((count, dy_ND.shape[1]), dy.dtype)
        np.add.at(summed, flat_rows, dy_ND)
    return summed.reshape(count, *dy.shape[rows.ndim :])


@lru_cache(maxsize=16)
def _identity(size: int, dtype: np.dtype[Any]) -> Array:
    """Return the identity matrix: its rows are the one-hot vectors."""
    return np.eye(size, dtype=dtype)


class Index(Op):
    """y = a[index], with integers, slices, and integer or boolean arrays, as in NumPy."""

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
        else:  # integers and slices select each element at most once
            da[index] = dy
        return (da,)


class SetIndex(Op):
    """y = a, with y[index] = b: the elements that were overwritten get no gradient."""

    name = "set_index"
    formula = "y = a, but y[i] = b;  da = dy, but 0 at i;  db = dy[i]"

    @staticmethod
    def forward(a: Array, b: Array, *, index: Any) -> tuple[Array, Any]:
        y = a.copy()
        y[index] = b
        return y, (b.shape, index)

    @staticmethod
    def backward(dy: Array, saved: Any) -> tuple[Array, Array]:
        shape, index = saved
        da = dy.copy()
        da[index] = 0
        db = np.asarray(dy[index])
        return da, sum_to(db, shape[max(len(shape) - db.ndim, 0) :]).reshape(shape)


class AddIndex(Op):
    """y = a, with b added at index; where an index repeats, all of its elements are added."""

    name = "add_index"
    formula = "y = a, but y[i] += b;  da = dy;  db = dy[i]"

    @staticmethod
    def forward(a: Array, b: Array, *, index: Any) -> tuple[Array, Any]:
        y = a.copy()
        np.add.at(y, index, b)
        return y, (b.shape, index)

    @staticmethod
    def backward(dy: Array, saved: Any) -> tuple[Array, Array]:
        shape, index = saved
        return dy, sum_to(np.asarray(dy[index]), shape)


class Embed(Op):
    """y = W[ids]: each id selects its row of W, as one_hot(ids) @ W would.

    ids (...) in 0..R-1 and W (R, D) give y (..., D). Source: Bengio et al. 2003, section 2, the mapping C.
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
