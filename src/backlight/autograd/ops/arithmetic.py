"""Sums, products and powers of two arrays, with broadcasting."""

from typing import Any

import numpy as np

from backlight.autograd.op import BROADCAST, Op, sum_to
from backlight.core import Array


class Add(Op):
    """y = a + b. Both summands get the gradient unchanged."""

    name = "add"
    formula = "y = a + b;  da = dy;  db = dy"
    fits = BROADCAST
    keeps_arrays = False

    @staticmethod
    def forward(a: Array, b: Array) -> tuple[Array, Any]:
        return a + b, (a.shape, b.shape)

    @staticmethod
    def backward(dy: Array, saved: Any) -> tuple[Array, Array]:
        a_shape, b_shape = saved
        return sum_to(dy, a_shape), sum_to(dy, b_shape)


class Sub(Op):
    """y = a - b."""

    name = "sub"
    formula = "y = a - b;  da = dy;  db = -dy"
    fits = BROADCAST
    keeps_arrays = False

    @staticmethod
    def forward(a: Array, b: Array) -> tuple[Array, Any]:
        return a - b, (a.shape, b.shape)

    @staticmethod
    def backward(dy: Array, saved: Any) -> tuple[Array, Array]:
        a_shape, b_shape = saved
        return sum_to(dy, a_shape), -sum_to(dy, b_shape)


class Mul(Op):
    """y = a b. The derivative with respect to one factor is the other factor."""

    name = "mul"
    formula = "y = a b;  da = dy b;  db = dy a"
    fits = BROADCAST

    @staticmethod
    def forward(a: Array, b: Array) -> tuple[Array, Any]:
        return a * b, (a, b)

    @staticmethod
    def used(saved: Any, needed: tuple[bool, ...]) -> Any:
        a, b = saved
        return (a if needed[1] else None, b if needed[0] else None)

    @staticmethod
    def backward(dy: Array, saved: Any) -> tuple[Array, Array]:
        a, b = saved
        return sum_to(dy * b, a.shape), sum_to(dy * a, b.shape)


class Div(Op):
    """y = a / b; ±inf or nan where b is 0. Two integers give float32, as in PyTorch."""

    name = "div"
    formula = "y = a / b;  da = dy / b;  db = -dy y / b"
    fits = BROADCAST

    @staticmethod
    def forward(a: Array, b: Array) -> tuple[Array, Any]:
        with np.errstate(divide="ignore", invalid="ignore"):
            y = a / b
        if a.dtype.kind != "f" and b.dtype.kind != "f":
            y = y.astype(np.float32)
        return y, (a.shape, b, y)

    @staticmethod
    def used(saved: Any, needed: tuple[bool, ...]) -> Any:
        _, b, y = saved
        return (b, y if needed[1] else None)

    @staticmethod
    def backward(dy: Array, saved: Any) -> tuple[Array, Array]:
        a_shape, b, y = saved
        with np.errstate(divide="ignore", invalid="ignore"):
            da = dy / b
            return sum_to(da, a_shape), -sum_to(da * y, b.shape)


class Pow(Op):
    """y = aᵇ; nan for a negative base with a fractional exponent. Where the base is 0, db is defined as 0."""

    name = "pow"
    formula = "y = aᵇ;  da = dy b aᵇ⁻¹;  db = dy y ln a"
    fits = BROADCAST

    @staticmethod
    def forward(a: Array, b: Array) -> tuple[Array, Any]:
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            y = a**b
        return y, (a, b, y)

    @staticmethod
    def backward(dy: Array, saved: Any) -> tuple[Array, Array]:
        a, b, y = saved
        # with b = 0, y is constant in a, also at a = 0, where aᵇ⁻¹ is infinite
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            da = dy * np.where(b == 0, 0, b * a ** np.where(b == 0, 1, b - 1))
            log_a = np.log(np.where(a == 0, 1, a))
        return sum_to(da, a.shape), sum_to(dy * y * log_a, b.shape)


class PowConstant(Op):
    """y = aⁿ with a constant n."""

    name = "pow_constant"
    formula = "y = aⁿ;  da = dy n aⁿ⁻¹"

    @staticmethod
    def forward(a: Array, *, exponent: float) -> tuple[Array, Any]:
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            if exponent == 3:  # as PyTorch does: NumPy's power takes about twenty times as long
                return a * a * a, (a, exponent)
            y = a * a if exponent == 2 else a**exponent
        return y, (a, exponent)

    @staticmethod
    def backward(dy: Array, saved: Any) -> tuple[Array]:
        a, exponent = saved
        if exponent == 0:  # constant, also at a = 0, where aⁿ⁻¹ is infinite
            return (np.zeros_like(dy),)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            slope = a if exponent == 2 else a ** (exponent - 1)
            return (dy * (exponent * slope),)


class Neg(Op):
    """y = -a."""

    name = "neg"
    formula = "y = -a;  da = -dy"
    keeps_arrays = False

    @staticmethod
    def forward(a: Array) -> tuple[Array, Any]:
        return -a, None

    @staticmethod
    def backward(dy: Array, saved: Any) -> tuple[Array]:
        del saved
        return (-dy,)
