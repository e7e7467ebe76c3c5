"""Reshaping, joining and masking: the gradient is rearranged in the opposite way."""

from typing import Any

import numpy as np

from backlight.autograd.op import BROADCAST, Op, sum_to
from backlight.core import Array, ShapeError


class Reshape(Op):
    """y = the elements in the same order and another shape."""

    name = "reshape"
    formula = "y = a, reshaped;  da = dy, reshaped back"
    keeps_arrays = False

    @staticmethod
    def forward(a: Array, *, shape: tuple[int, ...]) -> tuple[Array, Any]:
        return a.reshape(shape), a.shape

    @staticmethod
    def backward(dy: Array, saved: Any) -> tuple[Array]:
        return (dy.reshape(saved),)


class Permute(Op):
    """y = a with its axes in another order."""

    name = "permute"
    formula = "y = a, axes permuted;  da = dy, axes permuted back"
    keeps_arrays = False

    @staticmethod
    def forward(a: Array, *, order: tuple[int, ...]) -> tuple[Array, Any]:
        return a.transpose(order), order

    @staticmethod
    def backward(dy: Array, saved: Any) -> tuple[Array]:
        return (dy.transpose(np.argsort(saved)),)


class Expand(Op):
    """y = a repeated along axes of length 1, without copying."""

    name = "expand"
    formula = "y = a, repeated;  da = Σ dy over the repeats"
    fits = "only an axis of length 1 can be repeated, and new axes come first"
    keeps_arrays = False

    @staticmethod
    def forward(a: Array, *, shape: tuple[int, ...]) -> tuple[Array, Any]:
        return np.broadcast_to(a, shape), a.shape

    @staticmethod
    def backward(dy: Array, saved: Any) -> tuple[Array]:
        return (sum_to(dy, saved),)


class Concatenate(Op):
    """y = arrays joined along an axis."""

    name = "cat"
    formula = "y = [a, b, ...];  da, db, ... = dy, split at the joints"
    fits = "all shapes must be equal except along the joined axis"
    keeps_arrays = False

    @staticmethod
    def forward(*arrays: Array, axis: int) -> tuple[Array, Any]:
        y = np.concatenate(arrays, axis)
        return y, (np.cumsum([array.shape[axis] for array in arrays[:-1]]), axis)

    @staticmethod
    def backward(dy: Array, saved: Any) -> tuple[Array, ...]:
        seams, axis = saved
        return tuple(np.split(dy, seams, axis))


class Stack(Op):
    """y = arrays of the same shape, stacked along a new axis."""

    name = "stack"
    formula = "y = [a, b, ...] on a new axis;  da = dy[0], db = dy[1], ..."
    fits = "all shapes must be equal"
    keeps_arrays = False

    @staticmethod
    def forward(*arrays: Array, axis: int) -> tuple[Array, Any]:
        return np.stack(arrays, axis), axis

    @staticmethod
    def backward(dy: Array, saved: Any) -> tuple[Array, ...]:
        return tuple(np.moveaxis(dy, saved, 0))


class Where(Op):
    """y = a where the condition is true, else b."""

    name = "where"
    formula = "y = a if c else b;  da = dy if c else 0;  db = 0 if c else dy"
    fits = BROADCAST + ", also those of the condition"

    @staticmethod
    def forward(a: Array, b: Array, *, condition: Array) -> tuple[Array, Any]:
        return np.where(condition, a, b), (a.shape, b.shape, condition)

    @staticmethod
    def backward(dy: Array, saved: Any) -> tuple[Array, Array]:
        a_shape, b_shape, condition = saved
        zero = np.zeros((), dy.dtype)
        return sum_to(np.where(condition, dy, zero), a_shape), sum_to(np.where(condition, zero, dy), b_shape)


class MaskedFill(Op):
    """y = a, with a constant where the mask is true. Overwritten elements get no gradient."""

    name = "masked_fill"
    formula = "y = v if mask else a;  da = 0 if mask else dy"
    fits = BROADCAST + ", also those of the mask"

    @staticmethod
    def forward(a: Array, *, mask: Array, value: float) -> tuple[Array, Any]:
        return np.where(mask, np.asarray(value, a.dtype), a), (a.shape, mask)

    @staticmethod
    def backward(dy: Array, saved: Any) -> tuple[Array]:
        shape, mask = saved
        return (sum_to(np.where(mask, np.zeros((), dy.dtype), dy), shape),)


class Triangle(Op):
    """y = a on and below (or above) the k-th diagonal of the last two axes, 0 elsewhere.

    Raises:
        ShapeError: fewer than two axes.
    """

    name = "triangle"
    formula = "y = a inside the triangle, else 0;  da = dy inside, else 0"
    keeps_arrays = False

    @staticmethod
    def forward(a: Array, *, k: int = 0, lower: bool = True) -> tuple[Array, Any]:
        if a.ndim < 2:
            raise ShapeError(
                f"tril and triu need at least two axes; got shape {a.shape}. Add an axis with unsqueeze()."
            )
        keep = np.tril if lower else np.triu
        return keep(a, k), (keep, k)

    @staticmethod
    def backward(dy: Array, saved: Any) -> tuple[Array]:
        keep, k = saved
        return (keep(dy, k),)
