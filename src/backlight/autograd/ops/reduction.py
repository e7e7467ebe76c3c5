"""Reductions: sums, means, variances, extremes.

`axes` is a tuple of axes that are not negative, or None for all; `keepdims` keeps them with length 1.
"""

import math
from typing import Any

import numpy as np

from backlight.autograd.op import Op
from backlight.core import Array

Axes = tuple[int, ...] | None


def _with_axes(reduced: Array, shape: tuple[int, ...], axes: Axes) -> Array:
    """Return a reduced array with its reduced axes restored, with length 1, so that it broadcasts against the input."""
    kept = [1 if axes is None or axis in axes else size for axis, size in enumerate(shape)]
    return reduced.reshape(kept)


def _count(shape: tuple[int, ...], axes: Axes) -> int:
    return math.prod(shape if axes is None else [shape[axis] for axis in axes])


class Sum(Op):
    """y = Σ a. Every summand gets the whole gradient."""

    name = "sum"
    formula = "y = Σ a;  da = dy, repeated"
    keeps_arrays = False

    @staticmethod
    def forward(a: Array, *, axes: Axes = None, keepdims: bool = False) -> tuple[Array, Any]:
        return np.sum(a, axis=axes, keepdims=keepdims), (a.shape, axes)

    @staticmethod
    def backward(dy: Array, saved: Any) -> tuple[Array]:
        shape, axes = saved
        return (np.broadcast_to(_with_axes(dy, shape, axes), shape),)


class Mean(Op):
    """y = Σ a / n. Every element gets 1/n of the gradient."""

    name = "mean"
    formula = "y = Σ a / n;  da = dy / n, repeated"
    keeps_arrays = False

    @staticmethod
    def forward(a: Array, *, axes: Axes = None, keepdims: bool = False) -> tuple[Array, Any]:
        return np.mean(a, axis=axes, keepdims=keepdims), (a.shape, axes)

    @staticmethod
    def backward(dy: Array, saved: Any) -> tuple[Array]:
        shape, axes = saved
        return (np.broadcast_to(_with_axes(dy, shape, axes) / _count(shape, axes), shape),)


class Var(Op):
    """y = Σ (a - mean)² / (n - correction).

    `correction` 1 is Bessel's correction, which makes the estimate unbiased and is PyTorch's default.
    The mean depends on `a` too, but its contribution is 0, since the deviations from it sum to 0.
    """

    name = "var"
    formula = "y = Σ (a - mean)² / (n - 1);  da = dy 2 (a - mean) / (n - 1)"

    @staticmethod
    def forward(a: Array, *, axes: Axes = None, keepdims: bool = False, correction: int = 1) -> tuple[Array, Any]:
        deviation = a - np.mean(a, axis=axes, keepdims=True)
        with np.errstate(divide="ignore", invalid="ignore"):
            scale = np.divide(1, np.asarray(_count(a.shape, axes) - correction, a.dtype))
            y = np.sum(deviation * deviation, axis=axes, keepdims=keepdims) * scale
        return y, (deviation, axes, scale)

    @staticmethod
    def backward(dy: Array, saved: Any) -> tuple[Array]:
        deviation, axes, scale = saved
        with np.errstate(invalid="ignore"):  # a single element gives inf x 0
            return (_with_axes(dy, deviation.shape, axes) * (2 * scale) * deviation,)


class Std(Op):
    """y = √var. Where all elements are equal, the derivative is undefined and is set to 0."""

    name = "std"
    formula = "y = √(Σ (a - mean)² / (n - 1));  da = dy (a - mean) / ((n - 1) y)"

    @staticmethod
    def forward(a: Array, *, axes: Axes = None, keepdims: bool = False, correction: int = 1) -> tuple[Array, Any]:
        variance, (deviation, _, scale) = Var.forward(a, axes=axes, keepdims=keepdims, correction=correction)
        y = np.sqrt(variance)
        return y, (deviation, axes, scale, y)

    @staticmethod
    def backward(dy: Array, saved: Any) -> tuple[Array]:
        deviation, axes, scale, y = saved
        slope = np.divide(dy * scale, y, out=np.zeros_like(y), where=y != 0)
        return (_with_axes(slope, deviation.shape, axes) * deviation,)


class Extreme(Op):
    """y = the largest (or smallest) element over the axes; tied elements share the gradient equally."""

    name = "extreme"
    formula = "y = max a;  da = dy / (how many are largest) there, else 0"

    @staticmethod
    def forward(a: Array, *, axes: Axes = None, keepdims: bool = False, largest: bool = True) -> tuple[Array, Any]:
        y = (np.max if largest else np.min)(a, axis=axes, keepdims=True)
        chosen = a == y
        return y if keepdims else np.squeeze(y, axes), (chosen, axes)

    @staticmethod
    def backward(dy: Array, saved: Any) -> tuple[Array]:
        chosen, axes = saved
        share = _with_axes(dy, chosen.shape, axes) / chosen.sum(axis=axes, keepdims=True)
        return ((chosen * share).astype(dy.dtype),)


class PickAlong(Op):
    """y = a[i] at indices i along an axis, as for `max(dim)` and `gather`: only these elements get the gradient."""

    name = "pick_along"
    formula = "y = a[i];  da[i] += dy, else 0"

    @staticmethod
    def forward(a: Array, *, indices: Array, axis: int) -> tuple[Array, Any]:
        return np.take_along_axis(a, indices, axis), (a.shape, indices, axis)

    @staticmethod
    def backward(dy: Array, saved: Any) -> tuple[Array]:
        shape, indices, axis = saved
        da = np.zeros(shape, dy.dtype)
        if indices.shape[axis] == 1:
            np.put_along_axis(da, indices, dy, axis)
        else:  # an index may repeat
            np.add.at(da, along(indices, axis), dy)
        return (da,)


def along(indices: Array, axis: int) -> tuple[Array, ...]:
    """Return the index of a[..., indices, ...] for indices (...) along one axis: an array for every axis."""
    places = np.ogrid[tuple(map(slice, indices.shape))]
    return tuple(indices if at == axis else place for at, place in enumerate(places))


class Prod(Op):
    """y = Π a along an axis. The derivative is the product of the others, computed without a division."""

    name = "prod"
    formula = "y = Π a;  daᵢ = dy Π_{j≠i} aⱼ"

    @staticmethod
    def forward(a: Array, *, axis: int, keepdims: bool = False) -> tuple[Array, Any]:
        return np.prod(a, axis=axis, keepdims=keepdims), (a, axis)

    @staticmethod
    def backward(dy: Array, saved: Any) -> tuple[Array]:
        a, axis = saved
        last = np.moveaxis(a, axis, -1)
        one = np.ones_like(last[..., :1])
        before = np.cumprod(np.concatenate((one, last[..., :-1]), -1), -1)
        after = np.cumprod(np.concatenate((one, last[..., :0:-1]), -1), -1)[..., ::-1]
        return (_with_axes(dy, a.shape, (axis,)) * np.moveaxis(before * after, -1, axis),)


class CumSum(Op):
    """y_i = a_0 + ... + a_i along an axis. An element contributes to every later sum."""

    name = "cumsum"
    formula = "yᵢ = Σ_{j≤i} aⱼ;  daⱼ = Σ_{i≥j} dyᵢ"
    keeps_arrays = False

    @staticmethod
    def forward(a: Array, *, axis: int) -> tuple[Array, Any]:
        return np.cumsum(a, axis), axis

    @staticmethod
    def backward(dy: Array, saved: Any) -> tuple[Array]:
        return (np.flip(np.cumsum(np.flip(dy, saved), saved), saved),)
