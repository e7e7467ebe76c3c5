"""Elementwise functions: the gradient is dy times the function's derivative at each element."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from backlight.autograd.op import Op
from backlight.core import Array


class Exp(Op):
    """y = eᵃ, which is its own derivative; inf on overflow."""

    name = "exp"
    formula = "y = eᵃ;  da = dy y"

    @staticmethod
    def forward(a: Array) -> tuple[Array, Any]:
        with np.errstate(over="ignore"):
            y = np.exp(a)
        return y, y

    @staticmethod
    def backward(dy: Array, saved: Any) -> tuple[Array]:
        return (dy * saved,)


class Log(Op):
    """y = ln a; -inf at 0 and nan below, as in PyTorch."""

    name = "log"
    formula = "y = ln a;  da = dy / a"

    @staticmethod
    def forward(a: Array) -> tuple[Array, Any]:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.log(a), a

    @staticmethod
    def backward(dy: Array, saved: Any) -> tuple[Array]:
        with np.errstate(divide="ignore", invalid="ignore"):
            return (dy / saved,)


class Tanh(Op):
    """y = tanh a. Where y is near ±1, the derivative is near 0: a saturated unit passes almost no gradient."""

    name = "tanh"
    formula = "y = tanh a;  da = dy (1 - y²)"

    @staticmethod
    def forward(a: Array) -> tuple[Array, Any]:
        y = np.tanh(a)
        return y, y

    @staticmethod
    def backward(dy: Array, saved: Any) -> tuple[Array]:
        slope = np.asarray(saved * saved)
        np.subtract(1, slope, out=slope)
        slope *= dy
        return (slope,)


class ReLU(Op):
    """y = max(0, a). The derivative at 0 is defined as 0. A unit that is never above 0 gets no gradient."""

    name = "relu"
    formula = "y = max(0, a);  da = dy where a > 0, else 0"

    @staticmethod
    def forward(a: Array) -> tuple[Array, Any]:
        y = np.maximum(a, 0)
        return y, y

    @staticmethod
    def backward(dy: Array, saved: Any) -> tuple[Array]:
        return (dy * (saved > 0),)


class Sigmoid(Op):
    """y = 1 / (1 + e⁻ᵃ), computed from exp(-|a|), which cannot overflow and is accurate for large negative a."""

    name = "sigmoid"
    formula = "y = 1 / (1 + e⁻ᵃ);  da = dy y (1 - y)"

    @staticmethod
    def forward(a: Array) -> tuple[Array, Any]:
        e = np.exp(-np.abs(a))
        y = np.where(a >= 0, 1, e) / (1 + e)
        return y, y

    @staticmethod
    def backward(dy: Array, saved: Any) -> tuple[Array]:
        return (dy * saved * (1 - saved),)


class GELU(Op):
    """y = a Φ(a), with the tanh approximation of the normal distribution function Φ.

    Source: Hendrycks & Gimpel 2016, arXiv:1606.08415, section 2; `torch.nn.GELU(approximate="tanh")`.
    """

    name = "gelu"
    formula = "y = a/2 (1 + t), t = tanh(c (a + k a³));  da = dy [(1 + t)/2 + a/2 (1 - t²) c (1 + 3k a²)]"

    c = math.sqrt(2 / math.pi)
    k = 0.044715

    block = 1 << 15
    """Elements per block: the ten passes over a large array are faster if a block stays in the cache."""

    @staticmethod
    def forward(a: Array) -> tuple[Array, Any]:
        flat, t, y = a.reshape(-1), np.empty(a.size, a.dtype), np.empty(a.size, a.dtype)
        for start in range(0, a.size, GELU.block):
            here = slice(start, start + GELU.block)
            x, t_here, y_here = flat[here], t[here], y[here]
            np.multiply(x, x, out=t_here)
            t_here *= GELU.c * GELU.k
            t_here += GELU.c
            t_here *= x
            np.tanh(t_here, out=t_here)
            np.add(t_here, 1, out=y_here)
            y_here *= x
            y_here *= 0.5
        return y.reshape(a.shape), (a, t)

    @staticmethod
    def backward(dy: Array, saved: Any) -> tuple[Array]:
        a, t = saved
        flat, above, da = a.reshape(-1), dy.reshape(-1), np.empty(a.size, a.dtype)
        for start in range(0, a.size, GELU.block):
            here = slice(start, start + GELU.block)
            x, t_here, slope = flat[here], t[here], da[here]
            np.multiply(x, x, out=slope)
            slope *= 3 * GELU.c * GELU.k
            slope += GELU.c
            slope *= x
            slope *= 1 - t_here * t_here
            slope += t_here
            slope += 1
            slope *= above[here]
            slope *= 0.5
        return (da.reshape(a.shape),)


class Sqrt(Op):
    """y = √a, with an infinite derivative at 0."""

    name = "sqrt"
    formula = "y = √a;  da = dy / (2 y)"

    @staticmethod
    def forward(a: Array) -> tuple[Array, Any]:
        with np.errstate(invalid="ignore"):
            y = np.sqrt(a)
        return y, y

    @staticmethod
    def backward(dy: Array, saved: Any) -> tuple[Array]:
        with np.errstate(divide="ignore", invalid="ignore"):
            return (dy / (2 * saved),)


class Abs(Op):
    """y = |a|. The derivative at 0 is defined as 0."""

    name = "abs"
    formula = "y = |a|;  da = dy sign(a)"

    @staticmethod
    def forward(a: Array) -> tuple[Array, Any]:
        return np.abs(a), a

    @staticmethod
    def backward(dy: Array, saved: Any) -> tuple[Array]:
        return (dy * np.sign(saved),)


class Sin(Op):
    """y = sin a, in radians."""

    name = "sin"
    formula = "y = sin a;  da = dy cos a"

    @staticmethod
    def forward(a: Array) -> tuple[Array, Any]:
        return np.sin(a), a

    @staticmethod
    def backward(dy: Array, saved: Any) -> tuple[Array]:
        return (dy * np.cos(saved),)


class Cos(Op):
    """y = cos a, in radians."""

    name = "cos"
    formula = "y = cos a;  da = -dy sin a"

    @staticmethod
    def forward(a: Array) -> tuple[Array, Any]:
        return np.cos(a), a

    @staticmethod
    def backward(dy: Array, saved: Any) -> tuple[Array]:
        return (-dy * np.sin(saved),)


class Cast(Op):
    """y = a in another floating-point dtype; the gradient has the dtype of a."""

    name = "cast"
    formula = "y = a;  da = dy"
    keeps_arrays = False

    @staticmethod
    def forward(a: Array, *, dtype: Any, order: Any = "K") -> tuple[Array, Any]:
        return a.astype(dtype, order=order), a.dtype

    @staticmethod
    def backward(dy: Array, saved: Any) -> tuple[Array]:
        return (dy.astype(saved),)


class Step(Op):
    """y = f(a) for a function of steps, such as rounding: its derivative is 0 wherever it exists."""

    name = "step"
    formula = "y = f(a), constant between its steps;  da = 0"
    keeps_arrays = False

    @staticmethod
    def forward(a: Array, *, function: Callable[[Array], Array]) -> tuple[Array, Any]:
        return function(a), a.shape

    @staticmethod
    def backward(dy: Array, saved: Any) -> tuple[Array]:
        return (np.zeros(saved, dy.dtype),)
