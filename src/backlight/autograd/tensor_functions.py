"""More functions of tensors under PyTorch's names: arithmetic by name, rounding, logic, norms and products."""

from collections.abc import Callable
from typing import Any, Self

import numpy as np

from backlight.autograd import ops
from backlight.autograd.tensor_base import Operand, TensorBase, apply, as_array
from backlight.autograd.tensor_math import Dim, Flag
from backlight.autograd.tensor_shape import TensorShape
from backlight.core import Array, GraphError, ShapeError
from backlight.core.arguments import shown


class TensorFunctions(TensorShape):
    """Functions of all elements. Elementwise functions return the shape of their input, (...)."""

    __slots__ = ()

    # -- arithmetic by name --------------------------------------------------------------------------------------------

    def add(self, other: Operand, *, alpha: float = 1) -> Self:
        """Return self + alpha other."""
        return self + (other if alpha == 1 else self._as_operand(other) * alpha)

    def sub(self, other: Operand, *, alpha: float = 1) -> Self:
        """Return self - alpha other."""
        return self - (other if alpha == 1 else self._as_operand(other) * alpha)

    def mul(self, other: Operand) -> Self:
        """Return self x other."""
        return self * other

    def div(self, other: Operand, *, rounding_mode: str | None = None) -> Self:
        """Return self / other, rounded down with rounding_mode "floor" and towards 0 with "trunc"."""
        if rounding_mode is None:
            return self / other
        if rounding_mode in {"floor", "trunc"}:
            made = self / other
            made = self._named("DivBackward2", made.floor() if rounding_mode == "floor" else made.trunc())
            return made if self.array.dtype.kind == "f" else self._holding(made.array.astype(self.array.dtype))
        raise GraphError(f"rounding_mode must be None, 'floor' or 'trunc'; got {shown(rounding_mode)}.")

    subtract, multiply, divide, true_divide = sub, mul, div, div

    def pow(self, exponent: Operand) -> Self:
        """Return self to the power of the exponent."""
        return self**exponent

    def neg(self) -> Self:
        """Return -self."""
        return -self

    def matmul(self, other: Operand) -> Self:
        """Return the matrix product self @ other, (..., N, I) @ (..., I, O) -> (..., N, O)."""
        return self @ other

    def mm(self, mat2: Self) -> Self:
        """Return the product of two matrices, (N, I) and (I, O)."""
        return self._product("mm", mat2, 2, 2)

    def bmm(self, mat2: Self) -> Self:
        """Return the products of two batches of matrices, (B, N, I) and (B, I, O)."""
        return self._named("Bmm", self._product("bmm", mat2, 3, 3))

    def mv(self, vec: Self) -> Self:
        """Return the product of a matrix (N, I) and a vector (I,)."""
        return self._product("mv", vec, 2, 1)

    def dot(self, tensor: Self) -> Self:
        """Return the sum of the products of two vectors (N,)."""
        return self._named("Dot", self._product("dot", tensor, 1, 1))

    inner = dot

    def _product(self, name: str, other: Self, left: int, right: int) -> Self:
        shapes = self.array.shape, as_array(other).shape
        if (len(shapes[0]), len(shapes[1])) != (left, right) or (left == 3 and shapes[0][0] != shapes[1][0]):
            raise ShapeError(f"{name} needs tensors with {left} and {right} axes that fit; got {shapes}. Use a @ b.")
        if left == right == 1 and self.array.dtype.kind != "f":
            return (self * other).sum()
        return self @ other

    def outer(self, vec2: Self) -> Self:
        """Return the products of all pairs, (N,) and (M,) -> (N, M)."""
        return self.unsqueeze(1) * vec2

    def _as_operand(self, other: Any) -> Self:
        return other if isinstance(other, TensorBase) else self._holding(as_array(other))  # type: ignore[return-value]

    def __floordiv__(self, other: Operand) -> Self:
        a, b = self._pair(other)
        with np.errstate(divide="ignore", invalid="ignore"):
            return self._holding(np.asarray(np.floor_divide(a.array, b.array)))

    def __rfloordiv__(self, other: Operand) -> Self:
        return self._pair(other)[1] // self

    def __mod__(self, other: Operand) -> Self:
        a, b = self._pair(other)
        if a.array.dtype.kind == "f":
            return self._named("Remainder", a - b * (a // b))
        return self._holding(np.asarray(np.remainder(a.array, b.array)))

    def remainder(self, other: Operand) -> Self:
        """Return the remainder of self / other, with the sign of the divisor."""
        return self % other

    def floor_divide(self, other: Operand) -> Self:
        """Return self / other, rounded down."""
        return self // other

    # -- elementwise functions -----------------------------------------------------------------------------------------

    def square(self) -> Self:
        """Return the square of each element."""
        return self**2

    def reciprocal(self) -> Self:
        """Return 1 / x of each element."""
        return self._named("Reciprocal", 1 / self)

    def rsqrt(self) -> Self:
        """Return 1 / √x of each element."""
        return self._named("Rsqrt", 1 / self.sqrt())

    def log2(self) -> Self:
        """Return the logarithm to base 2 of each element."""
        return self._named("Log2", self.log() * float(1 / np.log(2)))

    def log1p(self) -> Self:
        """Return log(1 + x) of each element."""
        return self._named("Log1P", (self._floating() + 1).log())

    def erf(self) -> Self:
        """Return the error function of each element."""
        return apply(ops.Erf, self._floating())

    def silu(self) -> Self:
        """Return x / (1 + exp(-x)) of each element."""
        return self._named("Silu", self._floating() * self.sigmoid())

    def _stepped(self, name: str, function: Callable[[Array], Array]) -> Self:
        if self.array.dtype.kind != "f":
            return self._holding(function(self.array).astype(self.array.dtype))
        return self._named(name, apply(ops.Step, self, function=function))

    def round(self, *, decimals: int = 0) -> Self:
        """Return each element rounded to the nearest whole number, a half to the even one; or to some decimals."""
        return self._stepped("Round", lambda a: np.round(a, decimals))

    def floor(self) -> Self:
        """Return each element rounded down."""
        return self._stepped("Floor", np.floor)

    def ceil(self) -> Self:
        """Return each element rounded up."""
        return self._stepped("Ceil", np.ceil)

    def trunc(self) -> Self:
        """Return each element rounded towards 0."""
        return self._stepped("Trunc", np.trunc)

    def sign(self) -> Self:
        """Return -1, 0 or 1, the sign of each element."""
        return self._stepped("Sign", np.sign)

    def clamp(self, min: Operand | None = None, max: Operand | None = None) -> Self:
        """Return each element, but at least `min` and at most `max`.

        Raises:
            GraphError: neither is given.
        """
        if min is None and max is None:
            raise GraphError("clamp needs min or max, or both; got neither.")
        made = self
        for bound, beyond in ((min, np.less), (max, np.greater)):
            if bound is None:
                continue
            if isinstance(bound, TensorBase) or not isinstance(bound, (int, float)):
                limit = self._pair(bound)[1]
                made = apply(ops.Where, limit, made, condition=np.asarray(beyond(made.array, limit.array)))
            else:
                kept = made._pair(bound)[0]
                mask = np.asarray(beyond(kept.array, bound))
                made = apply(ops.MaskedFill, kept, mask=mask, value=bound)
        return self._named("ClampBackward1", made)

    clip = clamp

    def clamp_min(self, min: Operand) -> Self:
        """Return each element, but at least `min`."""
        return self.clamp(min=min)

    def clamp_max(self, max: Operand) -> Self:
        """Return each element, but at most `max`."""
        return self.clamp(max=max)

    def maximum(self, other: Self) -> Self:
        """Return the larger of two elements each."""
        return self._named("Maximum", self._chosen(other, np.greater))

    def minimum(self, other: Self) -> Self:
        """Return the smaller of two elements each."""
        return self._named("Minimum", self._chosen(other, np.less))

    def _chosen(self, other: Self, better: np.ufunc) -> Self:
        a, b = self._pair(other)
        own = np.asarray(better(a.array, b.array) | (a.array != a.array))  # nan is taken from either
        picked = apply(ops.Where, a, b, condition=own)
        if a.array.dtype.kind != "f":
            return picked
        # two equal elements share the gradient equally
        return apply(ops.Where, (a + b) * 0.5, picked, condition=np.asarray(a.array == b.array))

    def lerp(self, end: Self, weight: Operand) -> Self:
        """Return self + weight (end - self)."""
        return self._named("Lerp", self + (end - self) * weight)

    def tan(self) -> Self:
        """Return the tangent of each element, in radians."""
        return self._named("Tan", self.sin() / self.cos())

    def exp2(self) -> Self:
        """Return 2 to the power of each element."""
        return self._named("Exp2", 2 ** self._floating())

    absolute, negative = TensorShape.abs, neg

    def positive(self) -> Self:
        """Return this tensor."""
        return self

    # -- comparisons and logic: booleans, without gradients ------------------------------------------------------------

    def eq(self, other: Operand) -> Self:
        """Return where self == other."""
        return self == other

    def ne(self, other: Operand) -> Self:
        """Return where self != other."""
        return self != other

    def lt(self, other: Operand) -> Self:
        """Return where self < other."""
        return self < other

    def le(self, other: Operand) -> Self:
        """Return where self <= other."""
        return self <= other

    def gt(self, other: Operand) -> Self:
        """Return where self > other."""
        return self > other

    def ge(self, other: Operand) -> Self:
        """Return where self >= other."""
        return self >= other

    greater, less, not_equal, greater_equal, less_equal = gt, lt, ne, ge, le

    def isnan(self) -> Self:
        """Return where an element is not a number."""
        return self._holding(np.isnan(self.array))

    def isinf(self) -> Self:
        """Return where an element is infinite."""
        return self._holding(np.isinf(self.array))

    def isfinite(self) -> Self:
        """Return where an element is neither infinite nor nan."""
        return self._holding(np.isfinite(self.array))

    def nan_to_num(self, nan: float = 0.0) -> Self:
        """Return the tensor with another number in place of nan."""
        return self._named("NanToNum", apply(ops.MaskedFill, self, mask=np.isnan(self.array), value=nan))

    def _logic(self, function: np.ufunc, other: Operand) -> Self:
        a, b = self._pair(other)
        if a.array.dtype.kind == "f":
            raise GraphError(
                f"&, | and ^ need booleans or integers; got {a.array.dtype}. Compare first, as in (x > 0)."
            )
        return self._holding(np.asarray(function(a.array, b.array)))

    def __and__(self, other: Operand) -> Self:
        return self._logic(np.bitwise_and, other)

    def __or__(self, other: Operand) -> Self:
        return self._logic(np.bitwise_or, other)

    def __xor__(self, other: Operand) -> Self:
        return self._logic(np.bitwise_xor, other)

    __rand__, __ror__, __rxor__ = __and__, __or__, __xor__

    def __invert__(self) -> Self:
        if self.array.dtype.kind == "f":
            raise GraphError(f"~ needs booleans or integers; got {self.array.dtype}. Compare first, as in ~(x > 0).")
        return self._holding(np.asarray(~self.array))

    def logical_not(self) -> Self:
        """Return where an element is 0."""
        return self._holding(self.array == 0)

    def logical_and(self, other: Self) -> Self:
        """Return where neither element is 0."""
        return self._holding(np.logical_and(self.array, as_array(other)))

    def logical_xor(self, other: Self) -> Self:
        """Return where exactly one element is not 0."""
        return self._holding(np.logical_xor(self.array, as_array(other)))

    def equal(self, other: Self) -> bool:
        """Return whether both have the same shape and the same elements."""
        return np.array_equal(self.array, as_array(other))

    def logical_or(self, other: Self) -> Self:
        """Return where at least one element is not 0."""
        return self._holding(np.logical_or(self.array, as_array(other)))

    # -- reductions ----------------------------------------------------------------------------------------------------

    def logsumexp(self, dim: Dim, keepdim: Flag = False) -> Self:
        """Return the logarithm of the sum of exponentials over an axis or several, without overflow."""
        over = self._over(dim, None, keepdim=True, keepdims=None)
        with np.errstate(invalid="ignore"):
            largest = np.max(self.array, axis=over["axes"], keepdims=True, initial=-np.inf)
        shift = self._holding(np.where(np.isfinite(largest), largest, 0))
        made = (self - shift).exp().sum(dim, keepdim=True).log() + shift
        if not keepdim:
            shape = [n for axis, n in enumerate(made.array.shape) if axis not in over["axes"]]
            made = apply(ops.Reshape, made, shape=tuple(shape))
        return self._named("Logsumexp", made)

    def norm(self, p: Any = 2, dim: Dim = None, keepdim: Flag = False) -> Self:
        """Return the p-norm over all elements, or over an axis; p can be inf.

        Args:
            p: a number from 0 on, inf, or "fro", which is 2.
            dim: an axis or a tuple of axes; None for all.
            keepdim: whether the reduced axes stay, with length 1.

        Raises:
            GraphError: a tensor of integers, or another p.
        """
        self._must_be_floating("norm")
        power = 2 if p in {"fro", None} else p
        if not isinstance(power, (int, float)) or power < 0:
            raise GraphError(f"p must be a number of at least 0, or inf; got {shown(p)}.")
        if power == 2:
            total = (self * self).sum(dim, keepdim)
            zero = total.array == 0  # where the root has no derivative, PyTorch sets it to 0
            made = total.masked_fill(zero, 1.0).sqrt().masked_fill(zero, 0.0)
        elif power == np.inf:
            made = self.abs().amax(dim, keepdim)
        elif power == 0:
            made = self._holding((self.array != 0).astype(self.array.dtype)).sum(dim, keepdim)
        else:
            made = (self.abs() ** power).sum(dim, keepdim) ** (1 / power)
        return self._named("LinalgVectorNorm", made)

    def amax(self, dim: Dim = None, keepdim: Flag = False) -> Self:
        """Return the largest element over all axes, or over `dim`; equal ones share the gradient."""
        return self._named("Amax", apply(ops.Extreme, self, **self._over(dim, None, keepdim, None), largest=True))

    def amin(self, dim: Dim = None, keepdim: Flag = False) -> Self:
        """Return the smallest element over all axes, or over `dim`; equal ones share the gradient."""
        return self._named("Amin", apply(ops.Extreme, self, **self._over(dim, None, keepdim, None), largest=False))

    def prod(self, dim: int | None = None, keepdim: Flag = False) -> Self:
        """Return the product of all elements, or along an axis."""
        source = self.view(-1) if dim is None else self
        axis = 0 if dim is None else self._axis(dim)
        name = "ProdBackward0" if dim is None else "ProdBackward1"
        return self._named(name, apply(ops.Prod, source, axis=axis, keepdims=keepdim))

    def count_nonzero(self, dim: int | None = None) -> Self:
        """Return how many elements are not 0, in total or along an axis."""
        return self._holding(np.asarray(np.count_nonzero(self.array, axis=dim), np.int64))
