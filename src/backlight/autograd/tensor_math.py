"""Arithmetic, functions and reductions of tensors, under PyTorch's names."""

from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import DTypeLike

from backlight.autograd import ops
from backlight.autograd.graph import recording
from backlight.autograd.op import BROADCAST, Op
from backlight.autograd.tensor_base import TensorBase, as_array
from backlight.core import GraphError, ShapeError

Operand = Any  # a tensor, an array or a number
_KINDS = {"b": 0, "i": 1, "u": 1, "f": 2}
"""Booleans are among the integers, integers among the floats."""

Dim = int | tuple[int, ...] | None


class Extremum(NamedTuple):
    """What `max(dim)` and `min(dim)` return: the extreme numbers, and where along the axis they stand."""

    values: Any
    indices: Any


class TensorMath(TensorBase):
    """What a tensor can compute."""

    __slots__ = ()
    __array_priority__ = 1000  # `array * tensor` is ours to answer

    # -- two operands --------------------------------------------------------------------------------------------------

    def _pair(self, other: Operand) -> tuple[TensorBase, TensorBase]:
        """Return both operands as tensors of one kind of number: a float decides over an integer, as in PyTorch."""
        mine = self.array.dtype
        if isinstance(other, TensorBase):
            theirs = other.array.dtype
            if mine == theirs:
                return self, other
            if mine.kind == theirs.kind:  # one number does not widen an array
                alone, wide = not self.array.ndim, not other.array.ndim
                if alone == wide:
                    return self, other
                return (cast("Any", self).to(theirs), other) if alone else (self, cast("Any", other).to(mine))
            if mine.kind == "f":
                return self, self._holding(other.array.astype(mine))
            return (self._holding(self.array.astype(theirs)), other) if theirs.kind == "f" else (self, other)
        if isinstance(other, (bool, int, float)):  # a plain number takes the tensor's dtype, if that is of its kind
            needs = 2 if isinstance(other, float) else int(not isinstance(other, bool))
            if needs <= _KINDS[mine.kind]:
                return self, self._holding(np.asarray(other, mine))
            dtype = np.dtype(np.float32 if isinstance(other, float) else np.int64)
            return self._holding(self.array.astype(dtype)), self._holding(np.asarray(other, dtype))
        return self._pair(self._holding(as_array(other)))

    def _with(self, op: type[Op], other: Operand) -> Any:
        a, b = self._pair(other)
        return a._apply(op, b)

    def _after(self, op: type[Op], other: Operand) -> Any:
        a, b = self._pair(other)
        return b._apply(op, a)

    def __add__(self, other: Operand) -> Any:
        return self._with(ops.Add, other)

    def __radd__(self, other: Operand) -> Any:
        return self._after(ops.Add, other)

    def __sub__(self, other: Operand) -> Any:
        return self._with(ops.Sub, other)

    def __rsub__(self, other: Operand) -> Any:
        return self._after(ops.Sub, other)

    def __mul__(self, other: Operand) -> Any:
        return self._with(ops.Mul, other)

    def __rmul__(self, other: Operand) -> Any:
        return self._after(ops.Mul, other)

    def __truediv__(self, other: Operand) -> Any:
        return self._with(ops.Div, other)

    def __rtruediv__(self, other: Operand) -> Any:
        return self._after(ops.Div, other)

    def __matmul__(self, other: Operand) -> Any:
        return self._with(ops.MatMul, other)

    def __rmatmul__(self, other: Operand) -> Any:
        return self._after(ops.MatMul, other)

    def __pow__(self, other: Operand) -> Any:
        if isinstance(other, (int, float)):
            base = self.float() if self.array.dtype.kind != "f" and (isinstance(other, float) or other < 0) else self
            # Python's own number has no dtype that could widen the result
            return base._apply(ops.PowConstant, exponent=float(other) if isinstance(other, float) else int(other))
        return self._with(ops.Pow, other)

    def __rpow__(self, other: Operand) -> Any:
        return self._after(ops.Pow, other)

    def __neg__(self) -> Any:
        return self._apply(ops.Neg)

    # -- in place ------------------------------------------------------------------------------------------------------

    def _in_place(self, op: type[Op], other: Operand) -> Any:
        """Return self op other, written over self where no graph needs the old numbers."""
        if recording.on and self._needs_grad and not self._prev:
            raise GraphError(
                "a leaf that needs a gradient cannot be changed in place while its graph is recorded. "
                "Change .data, or work under no_grad()."
            )
        a, b = self._pair(other)
        result = a._apply(op, b)
        if result.shape != self.array.shape:
            raise ShapeError(f"in place, {op.name} keeps the shape {self.array.shape}; the result has {result.shape}.")
        if not np.can_cast(result.dtype, self.array.dtype, "same_kind"):
            raise GraphError(
                f"in place, {op.name} keeps the dtype {self.array.dtype}; the result has {result.dtype}. "
                "Call .float() first."
            )
        if result.requires_grad:
            return result
        self.array[...] = result.array
        return self

    def __iadd__(self, other: Operand) -> Any:
        return self._in_place(ops.Add, other)

    def __isub__(self, other: Operand) -> Any:
        return self._in_place(ops.Sub, other)

    def __imul__(self, other: Operand) -> Any:
        return self._in_place(ops.Mul, other)

    def __itruediv__(self, other: Operand) -> Any:
        return self._in_place(ops.Div, other)

    def zero_(self) -> Any:
        """Set every number to 0 in place."""
        self.array[...] = 0
        return self

    # -- comparison: tensors of booleans, no gradient ------------------------------------------------------------------

    def _compare(self, relation: Any, other: Operand) -> Any:
        # a plain number is compared as it is: 0.1 as a float32 would not be 0.1
        numbers = other if isinstance(other, (bool, int, float)) else as_array(other)
        try:
            return self._holding(np.asarray(relation(self.array, numbers)))
        except ValueError as error:
            raise ShapeError(
                f"a comparison needs shapes that fit: {BROADCAST}; got {self.array.shape} and {np.shape(numbers)}."
            ) from error

    def __eq__(self, other: object) -> Any:
        return NotImplemented if other is None or isinstance(other, str) else self._compare(np.equal, other)

    def __ne__(self, other: object) -> Any:
        return NotImplemented if other is None or isinstance(other, str) else self._compare(np.not_equal, other)

    def __lt__(self, other: Operand) -> Any:
        return self._compare(np.less, other)

    def __le__(self, other: Operand) -> Any:
        return self._compare(np.less_equal, other)

    def __gt__(self, other: Operand) -> Any:
        return self._compare(np.greater, other)

    def __ge__(self, other: Operand) -> Any:
        return self._compare(np.greater_equal, other)

    __hash__ = object.__hash__

    # -- functions of each number --------------------------------------------------------------------------------------

    def _floating(self) -> TensorBase:
        return self if self.array.dtype.kind == "f" else self.float()

    def exp(self) -> Any:
        """Return e to the power of each number."""
        return self._floating()._apply(ops.Exp)

    def log(self) -> Any:
        """Return natural logarithms: -inf at 0, nan below."""
        return self._floating()._apply(ops.Log)

    def log10(self) -> Any:
        """Return logarithms to base 10."""
        return self.log() * (1 / np.log(10.0))

    def tanh(self) -> Any:
        """Return hyperbolic tangents."""
        return self._floating()._apply(ops.Tanh)

    def relu(self) -> Any:
        """Return positive numbers as they are and 0 for the others."""
        return self._apply(ops.ReLU)

    def sigmoid(self) -> Any:
        """Return 1 / (1 + exp(-x))."""
        return self._floating()._apply(ops.Sigmoid)

    def gelu(self) -> Any:
        """Return x Φ(x), with the tanh approximation of Φ."""
        return self._floating()._apply(ops.GELU)

    def sqrt(self) -> Any:
        """Return square roots: nan below 0."""
        return self._floating()._apply(ops.Sqrt)

    def abs(self) -> Any:
        """Return absolute values."""
        return self._apply(ops.Abs)

    __abs__ = abs

    def sin(self) -> Any:
        """Return sines of angles in radians."""
        return self._floating()._apply(ops.Sin)

    def cos(self) -> Any:
        """Return cosines of angles in radians."""
        return self._floating()._apply(ops.Cos)

    def softmax(self, dim: int = -1) -> Any:
        """Return probabilities along `dim`: exp(x) divided by its sum."""
        return self._floating()._apply(ops.Softmax, axis=dim)

    def log_softmax(self, dim: int = -1) -> Any:
        """Return log probabilities along `dim`."""
        return self._floating()._apply(ops.LogSoftmax, axis=dim)

    def to(self, dtype: DTypeLike) -> Any:
        """Return the numbers in another dtype, gradients included between floating ones; "cpu" is where they are."""
        if (isinstance(dtype, str) and dtype == "cpu") or self.array.dtype == np.dtype(dtype):
            return self
        if np.dtype(dtype).kind == "f" and self.array.dtype.kind == "f":
            return self._apply(ops.Cast, dtype=np.dtype(dtype))
        return self._holding(self.array.astype(dtype))

    def float(self) -> Any:
        """Return the numbers as float32."""
        return self.to(np.float32)

    def double(self) -> Any:
        """Return the numbers as float64."""
        return self.to(np.float64)

    def int(self) -> Any:
        """Return the numbers as int32."""
        return self.to(np.int32)

    def long(self) -> Any:
        """Return the numbers as int64."""
        return self.to(np.int64)

    def bool(self) -> Any:
        """Return True where a number is not 0."""
        return self.to(np.bool_)

    # -- reductions: over all axes, or over `dim` (or `axis`); `keepdim` (or `keepdims`) leaves them, with length 1 ----

    def sum(self, dim: Dim = None, keepdim: Any = False, *, axis: Dim = None, keepdims: Any = None) -> Any:
        """Return the sum; of booleans and integers as int64."""
        settings = self._over(dim, axis, keepdim, keepdims)
        if self.array.dtype.kind != "f":
            return self._holding(np.asarray(np.sum(self.array, axis=settings["axes"], keepdims=settings["keepdims"])))
        return self._apply(ops.Sum, **settings)

    def mean(self, dim: Dim = None, keepdim: Any = False, *, axis: Dim = None, keepdims: Any = None) -> Any:
        """Return the mean. Raises GraphError for integers, as PyTorch does: say .float() first."""
        self._must_be_floating("mean")
        return self._apply(ops.Mean, **self._over(dim, axis, keepdim, keepdims))

    def var(
        self, dim: Dim = None, keepdim: Any = False, *, unbiased: Any = True, correction: Any = None,
        axis: Dim = None, keepdims: Any = None,
    ) -> Any:  # fmt: skip
        """Return the variance, divided by n - 1 unless `unbiased` is false or another `correction` is given."""
        self._must_be_floating("var")
        minus = int(unbiased) if correction is None else correction
        return self._apply(ops.Var, **self._over(dim, axis, keepdim, keepdims), correction=minus)

    def std(
        self, dim: Dim = None, keepdim: Any = False, *, unbiased: Any = True, correction: Any = None,
        axis: Dim = None, keepdims: Any = None,
    ) -> Any:  # fmt: skip
        """Return the standard deviation, with n - 1 unless `unbiased` is false or another `correction` is given."""
        self._must_be_floating("std")
        minus = int(unbiased) if correction is None else correction
        return self._apply(ops.Std, **self._over(dim, axis, keepdim, keepdims), correction=minus)

    def max(self, dim: Any = None, keepdim: Any = False, *, axis: Any = None, keepdims: Any = None) -> Any:
        """Return the largest number, or along one axis (values, indices)."""
        return self._extremum(np.argmax, self._over(dim, axis, keepdim, keepdims), largest=True)

    def min(self, dim: Any = None, keepdim: Any = False, *, axis: Any = None, keepdims: Any = None) -> Any:
        """Return the smallest number, or along one axis (values, indices)."""
        return self._extremum(np.argmin, self._over(dim, axis, keepdim, keepdims), largest=False)

    def _extremum(self, arg: Any, over: dict[str, Any], *, largest: Any) -> Any:
        if over["axes"] is None:
            return self._apply(ops.Extreme, **over, largest=largest)
        if len(over["axes"]) != 1:
            raise ShapeError(f"max and min go along one dim, or over all numbers; got dims {over['axes']}.")
        (axis,) = over["axes"]
        indices = self._argument(arg, axis, keepdim=True)
        picked = cast("TensorMath", self._apply(ops.PickAlong, indices=indices, axis=axis))
        if over["keepdims"]:
            return Extremum(picked, self._holding(indices))
        shape = tuple(size for at, size in enumerate(self.array.shape) if at != axis)
        return Extremum(picked._apply(ops.Reshape, shape=shape), self._holding(indices.reshape(shape)))

    def argmax(self, dim: Any = None, keepdim: Any = False) -> Any:
        """Return where the largest number stands: in the flattened tensor, or along `dim`."""
        return self._holding(np.asarray(self._argument(np.argmax, dim, keepdim=keepdim)))

    def argmin(self, dim: Any = None, keepdim: Any = False) -> Any:
        """Return where the smallest number stands: in the flattened tensor, or along `dim`."""
        return self._holding(np.asarray(self._argument(np.argmin, dim, keepdim=keepdim)))

    def _argument(self, arg: Any, dim: Any, *, keepdim: Any) -> Any:
        axis = None if dim is None else self._axis(dim)
        if not (self.array.size if axis is None else (self.array.shape or (1,))[axis]):
            raise ShapeError(f"an extreme needs at least one number; got shape {self.array.shape} and dim {dim}.")
        return arg(self.array, axis=axis, keepdims=keepdim)

    def all(self, dim: Any = None) -> Any:
        """Return whether all numbers are true."""
        return self._holding(np.asarray(np.all(self.array, axis=None if dim is None else self._axis(dim))))

    def any(self, dim: Any = None) -> Any:
        """Return whether any number is true."""
        return self._holding(np.asarray(np.any(self.array, axis=None if dim is None else self._axis(dim))))

    def cumsum(self, dim: Any) -> Any:
        """Return running sums along `dim`."""
        return self._apply(ops.CumSum, axis=dim)

    def _over(self, dim: Dim, axis: Dim, keepdim: Any, keepdims: Any) -> dict[str, Any]:
        """Return the ops' settings, with axes counted from the front."""
        given = dim if axis is None else axis
        keep = bool(keepdim if keepdims is None else keepdims)
        if given is None:
            return {"axes": None, "keepdims": keep}
        dims = given if isinstance(given, (tuple, list)) else (given,)
        return {"axes": tuple(self._axis(one) for one in dims) if self.array.ndim else None, "keepdims": keep}

    def _must_be_floating(self, name: str) -> None:
        if self.array.dtype.kind != "f":
            raise GraphError(f"{name} needs floating-point numbers; got {self.array.dtype}. Call .float() first.")


def as_operand(data: Any) -> TensorBase:
    """Return a tensor as it is, and anything else as a new one."""
    return data if isinstance(data, TensorBase) else TensorBase._holding(as_array(data))
