"""Matrix products: nearly all of the arithmetic of a neural network."""

import math
from typing import Any

import numpy as np

from backlight.autograd.op import Op, ones, sum_to
from backlight.core import Array


def _rows(a: Array) -> Array:
    """Return a (..., I) as a matrix (N, I)."""
    return a.reshape(math.prod(a.shape[:-1]), a.shape[-1])


class MatMul(Op):
    """y = a b over the last two axes; earlier axes broadcast. A vector is a row on the left, a column on the right."""

    name = "matmul"
    formula = "y = a b;  da = dy bᵀ;  db = aᵀ dy"
    fits = "a's last axis must be as long as b's second to last (or only) axis, and earlier axes must broadcast"

    @staticmethod
    def forward(a: Array, b: Array) -> tuple[Array, Any]:
        if a.ndim > 2 and b.ndim == 2:  # one large product instead of one for each leading index
            return (_rows(a) @ b).reshape(*a.shape[:-1], b.shape[1]), (a, b)
        return np.matmul(a, b), (a, b)

    @staticmethod
    def used(saved: Any, needed: tuple[bool, ...]) -> Any:
        a, b = saved
        return (a if needed[1] else None, b if needed[0] else None)

    @staticmethod
    def backward(dy: Array, saved: Any) -> tuple[Array, Array]:
        a, b = saved
        if a.ndim > 2 and b.ndim == 2:
            dy_NO = _rows(dy)
            return (dy_NO @ b.T).reshape(a.shape), _rows(a).T @ dy_NO
        a_2d = a[None, :] if a.ndim == 1 else a
        b_2d = b[:, None] if b.ndim == 1 else b
        if b.ndim == 1:
            dy = dy[..., None]
        if a.ndim == 1:
            dy = dy[..., None, :]
        da = sum_to(dy @ b_2d.swapaxes(-1, -2), a_2d.shape)
        db = sum_to(a_2d.swapaxes(-1, -2) @ dy, b_2d.shape)
        return da.reshape(a.shape), db.reshape(b.shape)


class Linear(Op):
    """y = x W + b, with x (..., I), W (I, O) and b (O,). Leading axes are joined to get one matrix product."""

    name = "linear"
    formula = "y = x W + b;  dx = dy Wᵀ;  dW = xᵀ dy;  db = Σ dy"
    fits = "x (..., I), W (I, O) and b (O,)"

    @staticmethod
    def forward(x: Array, weight: Array, bias: Array) -> tuple[Array, Any]:
        x_NI = x if x.ndim == 2 else x.reshape(-1, x.shape[-1])
        y_NO = x_NI @ weight
        y_NO += bias
        y = y_NO if x.ndim == 2 else y_NO.reshape(*x.shape[:-1], weight.shape[1])
        return y, (x_NI, weight, x.shape)

    @staticmethod
    def used(saved: Any, needed: tuple[bool, ...]) -> Any:
        x_NI, weight, _ = saved
        return (x_NI if needed[1] else None, weight if needed[0] else None)

    @staticmethod
    def backward(dy: Array, saved: Any) -> tuple[Array, Array, Array]:
        x_NI, weight, x_shape = saved
        dy_NO = dy if dy.ndim == 2 else dy.reshape(-1, dy.shape[-1])
        dx_NI = dy_NO @ weight.T
        return dx_NI.reshape(x_shape), x_NI.T @ dy_NO, ones(len(dy_NO), dy_NO.dtype) @ dy_NO
