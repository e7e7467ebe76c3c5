"""Arithmetic, elementwise functions and reductions of tensors, under PyTorch's names."""

import math
from collections.abc import Callable
from typing import Any, Self, overload

import numpy as np

from backlight.autograd import in_place, ops, return_types
from backlight.autograd.device import DEVICES, Device, check_device
from backlight.autograd.kinds import TYPE_NAMES
from backlight.autograd.op import BROADCAST, Op
from backlight.autograd.return_types import Picked
from backlight.autograd.tensor_base import Operand, TensorBase, apply, as_array, as_dtype
from backlight.core import Array, ConfigError, DomainError, GraphError, OperandError, ShapeError
from backlight.core.arguments import check_flag, shown

Dim = int | tuple[int, ...] | None

Flag = bool
"""An alias of `bool`, which inside the class names a method."""

_KINDS = {"b": 0, "i": 1, "u": 1, "f": 2}
"""The order of type promotion: booleans, integers, floats."""


class TensorMath(TensorBase):
    """The operations of a tensor. Elementwise functions return the shape of their input, (...)."""

    __slots__ = ()
    __array_priority__ = 1000  # `array * tensor` calls this class's __rmul__, not NumPy's

    # -- two operands --------------------------------------------------------------------------------------------------

    def _pair(self, other: Any) -> tuple[Self, Self]:
        """Return both operands as tensors, converted by PyTorch's type promotion: an integer to the float's dtype."""
        mine = self.array.dtype
        if isinstance(other, TensorBase):
            tensor: Self = other  # type: ignore[assignment]  # every tensor is a `Tensor`
            theirs = tensor.array.dtype
            if mine == theirs:
                return self, tensor
            if mine.kind == theirs.kind:  # a scalar does not widen an array's dtype
                alone, wide = not self.array.ndim, not tensor.array.ndim
                if alone == wide:
                    return self, tensor
                return (self.to(theirs), tensor) if alone else (self, tensor.to(mine))
            if mine.kind == "f":
                return self, self._holding(tensor.array.astype(mine))
            return (self._holding(self.array.astype(theirs)), tensor) if theirs.kind == "f" else (self, tensor)
        if isinstance(other, (bool, int, float)):  # a Python number takes the tensor's dtype if that can hold its kind
            needs = 2 if isinstance(other, float) else int(not isinstance(other, bool))
            try:
                if needs <= _KINDS[mine.kind]:
                    return self, self._holding(np.asarray(other, mine))
                dtype = np.dtype(np.float32 if isinstance(other, float) else np.int64)
                return self._holding(self.array.astype(dtype)), self._holding(np.asarray(other, dtype))
            except OverflowError:
                raise DomainError(f"{shown(other)} is too large for a tensor. Numbers end at 2**63 or 1e308.") from None
        return self._pair(self._holding(as_array(other)))

    def _with(self, op: type[Op], other: Operand) -> Self:
        a, b = self._pair(other)
        return apply(op, a, b)

    def _after(self, op: type[Op], other: Operand) -> Self:
        a, b = self._pair(other)
        return apply(op, b, a)

    def __add__(self, other: Operand) -> Self:
        return self._with(ops.Add, other)

    def __radd__(self, other: Operand) -> Self:
        return self._after(ops.Add, other)

    def __sub__(self, other: Operand) -> Self:
        return self._with(ops.Sub, other)

    def __rsub__(self, other: Operand) -> Self:
        return self._named("RsubBackward1", self._after(ops.Sub, other))

    def __mul__(self, other: Operand) -> Self:
        return self._with(ops.Mul, other)

    def __rmul__(self, other: Operand) -> Self:
        return self._after(ops.Mul, other)

    def __truediv__(self, other: Operand) -> Self:
        return self._with(ops.Div, other)

    def __rtruediv__(self, other: Operand) -> Self:
        return self._named("Mul", self._after(ops.Div, other))  # PyTorch multiplies by the reciprocal

    def __matmul__(self, other: Operand) -> Self:
        a, b = self._pair(other)
        if (a is not self or b is not other) and isinstance(other, TensorBase):  # one of them was converted
            check_kinds("@", self.array, other.array)
        return apply(ops.MatMul, a, b)

    def __rmatmul__(self, other: Operand) -> Self:
        return self._after(ops.MatMul, other)

    def __pow__(self, other: Operand) -> Self:
        if isinstance(other, (int, float)):
            base = self.float() if self.array.dtype.kind != "f" and (isinstance(other, float) or other < 0) else self
            # a Python number has no dtype that could widen the result's
            return apply(ops.PowConstant, base, exponent=float(other) if isinstance(other, float) else int(other))
        return self._with(ops.Pow, other)

    def __rpow__(self, other: Operand) -> Self:
        return self._named("PowBackward2", self._after(ops.Pow, other))

    def __neg__(self) -> Self:
        return apply(ops.Neg, self)

    # -- in place ------------------------------------------------------------------------------------------------------

    def _in_place(self, op: type[Op], other: Operand) -> Self:
        """Write self op other into self."""
        in_place.check_writable(self)
        return in_place.become(self, self._with(op, other))

    def __iadd__(self, other: Operand) -> Self:
        return self._in_place(ops.Add, other)

    def __isub__(self, other: Operand) -> Self:
        return self._in_place(ops.Sub, other)

    def __imul__(self, other: Operand) -> Self:
        return self._in_place(ops.Mul, other)

    def __itruediv__(self, other: Operand) -> Self:
        return self._in_place(ops.Div, other)

    # -- comparisons: tensors of booleans, without gradients -----------------------------------------------------------

    def _compare(self, relation: np.ufunc, other: object) -> Self:
        # a Python number is compared without conversion: 0.1 as a float32 would not be 0.1
        numbers = other if isinstance(other, (bool, int, float)) else as_array(other)
        try:
            return self._holding(np.asarray(relation(self.array, numbers)))
        except OverflowError:
            raise DomainError(f"a number to compare must be below 2**63 or 1e308; got {shown(other)}.") from None
        except ValueError as error:
            raise ShapeError(
                f"a comparison needs compatible shapes: {BROADCAST}; got {self.array.shape} and {np.shape(numbers)}."
            ) from error

    # as in PyTorch and NumPy, == compares elementwise, where Python would return a single bool
    def __eq__(self, other: object) -> Self:  # type: ignore[override]
        return NotImplemented if other is None or isinstance(other, str) else self._compare(np.equal, other)

    def __ne__(self, other: object) -> Self:  # type: ignore[override]
        return NotImplemented if other is None or isinstance(other, str) else self._compare(np.not_equal, other)

    def __lt__(self, other: Operand) -> Self:
        return self._compare(np.less, other)

    def __le__(self, other: Operand) -> Self:
        return self._compare(np.less_equal, other)

    def __gt__(self, other: Operand) -> Self:
        return self._compare(np.greater, other)

    def __ge__(self, other: Operand) -> Self:
        return self._compare(np.greater_equal, other)

    __hash__ = object.__hash__

    # -- elementwise functions -----------------------------------------------------------------------------------------

    def _floating(self) -> Self:
        return self if self.array.dtype.kind == "f" else self.float()

    def exp(self) -> Self:
        """Return e to the power of each element."""
        return apply(ops.Exp, self._floating())

    def log(self) -> Self:
        """Return the natural logarithm of each element: -inf at 0, nan below."""
        return apply(ops.Log, self._floating())

    def log10(self) -> Self:
        """Return the logarithm to base 10 of each element."""
        return self._named("Log10", self.log() * (1 / math.log(10.0)))

    def tanh(self) -> Self:
        """Return the hyperbolic tangent of each element."""
        return apply(ops.Tanh, self._floating())

    def relu(self) -> Self:
        """Return max(0, x) of each element."""
        return apply(ops.ReLU, self)

    def sigmoid(self) -> Self:
        """Return 1 / (1 + exp(-x)) of each element."""
        return apply(ops.Sigmoid, self._floating())

    def gelu(self) -> Self:
        """Return x Φ(x) of each element, with the tanh approximation of Φ."""
        return apply(ops.GELU, self._floating())

    def sqrt(self) -> Self:
        """Return the square root of each element: nan below 0."""
        return apply(ops.Sqrt, self._floating())

    def abs(self) -> Self:
        """Return the absolute value of each element."""
        return apply(ops.Abs, self)

    __abs__ = abs

    def sin(self) -> Self:
        """Return the sine of each element, in radians."""
        return apply(ops.Sin, self._floating())

    def cos(self) -> Self:
        """Return the cosine of each element, in radians."""
        return apply(ops.Cos, self._floating())

    def softmax(self, dim: int = -1) -> Self:
        """Return probabilities along `dim`: exp(x) divided by its sum, in x's shape."""
        return apply(ops.Softmax, self._floating(), axis=self._axis(dim))

    def log_softmax(self, dim: int = -1) -> Self:
        """Return log probabilities along `dim`, in nats and in x's shape."""
        return apply(ops.LogSoftmax, self._floating(), axis=self._axis(dim))

    # -- reductions ----------------------------------------------------------------------------------------------------
    # over all axes, or over `dim` (NumPy's name: `axis`); `keepdim` (`keepdims`) keeps the reduced axes with length 1

    def sum(self, dim: Dim = None, keepdim: Flag = False, *, axis: Dim = None, keepdims: Flag | None = None) -> Self:
        """Return the sum over all axes, or over `dim`; of booleans and integers as int64.

        Args:
            dim: an axis or a tuple of axes; None for all.
            keepdim: whether the reduced axes stay, with length 1.
            axis: NumPy's name of `dim`.
            keepdims: NumPy's name of `keepdim`.
        """
        settings = self._over(dim, axis, keepdim, keepdims)
        if self.array.dtype.kind != "f":
            return self._holding(np.asarray(np.sum(self.array, axis=settings["axes"], keepdims=settings["keepdims"])))
        return apply(ops.Sum, self, **settings)

    def mean(self, dim: Dim = None, keepdim: Flag = False, *, axis: Dim = None, keepdims: Flag | None = None) -> Self:
        """Return the mean over all axes, or over `dim`. Args: see `sum`.

        Raises:
            GraphError: a tensor of integers, which PyTorch refuses too; call .float() first.
        """
        self._must_be_floating("mean")
        return apply(ops.Mean, self, **self._over(dim, axis, keepdim, keepdims))

    def var(
        self, dim: Dim = None, keepdim: Flag = False, *, unbiased: Flag = True, correction: float | None = None,
        axis: Dim = None, keepdims: Flag | None = None,
    ) -> Self:  # fmt: skip
        """Return the variance over all axes, or over `dim`: the sum of squared deviations over n - 1.

        Args:
            dim: see `sum`.
            keepdim: see `sum`.
            unbiased: whether to divide by n - 1, or by n.
            correction: divide by n - correction instead.
            axis: see `sum`.
            keepdims: see `sum`.

        Raises:
            GraphError: a tensor of integers.
        """
        self._must_be_floating("var")
        minus = int(unbiased) if correction is None else correction
        return apply(ops.Var, self, **self._over(dim, axis, keepdim, keepdims), correction=minus)

    def std(
        self, dim: Dim = None, keepdim: Flag = False, *, unbiased: Flag = True, correction: float | None = None,
        axis: Dim = None, keepdims: Flag | None = None,
    ) -> Self:  # fmt: skip
        """Return the standard deviation over all axes, or over `dim`: the square root of `var`. Args: see `var`."""
        self._must_be_floating("std")
        minus = int(unbiased) if correction is None else correction
        return apply(ops.Std, self, **self._over(dim, axis, keepdim, keepdims), correction=minus)

    @overload
    def max(self) -> Self: ...
    @overload
    def max(self, dim: int, keepdim: Flag = False) -> Picked[Self]: ...
    @overload
    def max(self, *, axis: int, keepdims: Flag = False) -> Picked[Self]: ...
    def max(
        self, dim: Dim = None, keepdim: Flag = False, *, axis: Dim = None, keepdims: Flag | None = None
    ) -> Self | Picked[Self]:
        """Return the largest element, or (values, indices) along one axis. Args: see `sum`.

        Raises:
            ShapeError: no elements, or several axes.
        """
        return self._extremum(np.argmax, self._over(dim, axis, keepdim, keepdims), largest=True)

    @overload
    def min(self) -> Self: ...
    @overload
    def min(self, dim: int, keepdim: Flag = False) -> Picked[Self]: ...
    @overload
    def min(self, *, axis: int, keepdims: Flag = False) -> Picked[Self]: ...
    def min(
        self, dim: Dim = None, keepdim: Flag = False, *, axis: Dim = None, keepdims: Flag | None = None
    ) -> Self | Picked[Self]:
        """Return the smallest element, or (values, indices) along one axis. Args: see `sum`.

        Raises:
            ShapeError: no elements, or several axes.
        """
        return self._extremum(np.argmin, self._over(dim, axis, keepdim, keepdims), largest=False)

    def _extremum(self, arg: Callable[..., Array], over: dict[str, Any], *, largest: Flag) -> Self | Picked[Self]:
        if over["axes"] is None:
            self._must_have_numbers(None)
            return apply(ops.Extreme, self, **over, largest=largest)
        if len(over["axes"]) != 1:
            raise ShapeError(f"max and min take one dim, or none for all elements; got dims {over['axes']}.")
        (axis,) = over["axes"]
        indices = self._argument(arg, axis, keepdim=True)
        name, kind = ("MaxBackward0", return_types.max) if largest else ("MinBackward0", return_types.min)
        picked = self._named(name, apply(ops.PickAlong, self, indices=indices, axis=axis))
        if over["keepdims"]:
            return kind(picked, self._holding(indices))
        shape = tuple(size for at, size in enumerate(self.array.shape) if at != axis)
        return kind(self._named(name, apply(ops.Reshape, picked, shape=shape)), self._holding(indices.reshape(shape)))

    def argmax(self, dim: int | None = None, keepdim: Flag = False) -> Self:
        """Return the index of the largest element in the flattened tensor, or the indices along `dim`."""
        return self._holding(np.asarray(self._argument(np.argmax, dim, keepdim=keepdim)))

    def argmin(self, dim: int | None = None, keepdim: Flag = False) -> Self:
        """Return the index of the smallest element in the flattened tensor, or the indices along `dim`."""
        return self._holding(np.asarray(self._argument(np.argmin, dim, keepdim=keepdim)))

    def _argument(self, arg: Callable[..., Array], dim: int | None, *, keepdim: Flag) -> Array:
        axis = None if dim is None else self._axis(dim)
        self._must_have_numbers(axis)
        return arg(self.array, axis=axis, keepdims=keepdim)

    def all(self, dim: int | None = None) -> Self:
        """Return whether all elements are true, in total or along `dim`."""
        return self._holding(np.asarray(np.all(self.array, axis=None if dim is None else self._axis(dim))))

    def any(self, dim: int | None = None) -> Self:
        """Return whether any element is true, in total or along `dim`."""
        return self._holding(np.asarray(np.any(self.array, axis=None if dim is None else self._axis(dim))))

    def cumsum(self, dim: int) -> Self:
        """Return cumulative sums along `dim`, in x's shape."""
        return apply(ops.CumSum, self, axis=self._axis(dim))

    def _over(self, dim: Dim, axis: Dim, keepdim: Flag, keepdims: Flag | None) -> dict[str, Any]:
        """Return the settings of a reduction op, with axes that are not negative."""
        given = dim if axis is None else axis
        keep: Any = keepdim if keepdims is None else keepdims
        if keep is not True and keep is not False:
            check_flag(keepdim=keep)
        if given is None:
            return {"axes": None, "keepdims": keep}
        dims = given if isinstance(given, (tuple, list)) else (given,)
        return {"axes": tuple(map(self._axis, dims)) if self.array.ndim else None, "keepdims": keep}

    def _must_be_floating(self, name: str) -> None:
        if self.array.dtype.kind != "f":
            raise GraphError(f"{name} needs floating-point numbers; got {self.array.dtype}. Call .float() first.")

    def _must_have_numbers(self, axis: int | None) -> None:
        if not (self.array.size if axis is None else (self.array.shape or (1,))[axis]):
            raise ShapeError(f"max and min need at least one element; got shape {self.array.shape} and dim {axis}.")

    # -- dtypes: last in the class, since some methods have the names of Python's types --------------------------------

    def to(self, *target: Any, **settings: Any) -> Self:
        """Return the tensor in another dtype; differentiable between floating-point dtypes.

        As in PyTorch it can be called as `to(dtype)`, `to(device)`, `to(device, dtype)` and `to(other)`.

        Args:
            target: a dtype; a device, which must be the CPU; or a tensor whose dtype is taken.
            settings: `dtype`, `device`, and `copy`, whether to copy in any case; `non_blocking` and `memory_format`
                change nothing.

        Raises:
            ConfigError: a device other than the CPU.
            OperandError: not a dtype, or an unknown argument.
        """
        copy = settings.pop("copy", False)
        for name in ("non_blocking", "memory_format"):
            settings.pop(name, None)
        dtype, device = settings.pop("dtype", None), settings.pop("device", None)
        if "other" in settings:
            target = (*target, settings.pop("other"))
        if settings:
            raise OperandError(f"to() takes dtype, device, other and copy; got {', '.join(settings)}.")
        for one in target:
            if isinstance(one, TensorBase):
                dtype = one.array.dtype
            elif isinstance(one, Device) or (isinstance(one, str) and one.partition(":")[0] in DEVICES):
                device = one
            elif not isinstance(one, (bool, type(None))):  # PyTorch's positional non_blocking
                dtype = one
        check_device(device)
        kind = self.array.dtype if dtype is None else as_dtype(dtype)
        if self.array.dtype == kind:
            return apply(ops.Cast, self, dtype=kind) if copy else self
        if kind.kind == "f" and self.array.dtype.kind == "f":
            return apply(ops.Cast, self, dtype=kind)
        return self._holding(self.array.astype(kind))

    def type(self, dtype: Any = None) -> Any:
        """Return the tensor in another dtype; without one, the name of its type, such as "torch.FloatTensor"."""
        if dtype is None:
            return f"torch.{TYPE_NAMES.get(self.array.dtype.name, self.array.dtype.name)}"
        if isinstance(dtype, str) and dtype.startswith("torch."):
            dtype = next((name for name, old in TYPE_NAMES.items() if f"torch.{old}" == dtype), dtype)
        return self.to(dtype=getattr(dtype, "kind_of_elements", dtype))

    def type_as(self, other: Self) -> Self:
        """Return the tensor in the dtype of another."""
        return self.to(as_array(other).dtype)

    def cpu(self) -> Self:
        """Return this tensor, which is on the CPU."""
        return self

    def cuda(self, device: Any = None, non_blocking: Flag = False) -> Self:
        """Refuse: there is no GPU support.

        Raises:
            ConfigError: always.
        """
        del non_blocking
        check_device(Device("cuda") if device is None else device)
        raise ConfigError(f"device must be 'cpu', as Backlight has no GPU support; got {shown(device)}. Leave it out.")

    def pin_memory(self) -> Self:
        """Return this tensor: its memory is never copied to a GPU."""
        return self

    def float(self) -> Self:
        """Return the tensor as float32."""
        return self.to(np.float32)

    def double(self) -> Self:
        """Return the tensor as float64."""
        return self.to(np.float64)

    def short(self) -> Self:
        """Return the tensor as int16."""
        return self.to(np.int16)

    def byte(self) -> Self:
        """Return the tensor as uint8."""
        return self.to(np.uint8)

    def int(self) -> Self:
        """Return the tensor as int32."""
        return self.to(np.int32)

    def long(self) -> Self:
        """Return the tensor as int64."""
        return self.to(np.int64)

    def bool(self) -> Self:
        """Return True where an element is not 0."""
        return self.to(np.bool_)


def check_kinds(name: str, a: Array, b: Array) -> None:
    """Refuse a product of integers and floats of any shapes, as PyTorch does.

    Args:
        name: the function's name, for the message.
        a: one factor.
        b: the other factor.

    Raises:
        GraphError: one factor is of floats, the other is not.
    """
    if (a.dtype.kind == "f") != (b.dtype.kind == "f"):
        raise GraphError(f"{name} needs two floating-point factors; got {a.dtype} and {b.dtype}. Call .float() on one.")
