"""New tensors: from numbers, filled with one number, or evenly spaced.

The arguments are PyTorch's. A shape is given as integers or as a tuple. `dtype` is a NumPy dtype or one of
`backlight.torchlike.dtypes`, and `device` can only be "cpu".
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from backlight.autograd import Tensor, as_array
from backlight.core import Array, ConfigError, ShapeError
from backlight.core.arguments import LARGEST, shown
from backlight.torchlike._fused import fma32, fma64
from backlight.torchlike._new import dtype_or, new_tensor, real, shape_from, whole


def tensor(data: Any, *, dtype: DTypeLike | None = None, requires_grad: bool = False, device: Any = None) -> Tensor:
    """Return a tensor with a copy of the data.

    Args:
        data: a number, nested lists, an array or a tensor.
        dtype: by default int64 for Python's ints, float32 for floats, bool for bools; an array keeps its dtype.
        requires_grad: whether the tensor requires a gradient.
        device: "cpu" or None.

    Raises:
        ShapeError: rows of different lengths, or elements that are not numbers.
        ConfigError: a device other than the CPU.
        GraphError: `requires_grad` for integers.
    """
    return new_tensor(np.array(as_array(data, dtype)), requires_grad=requires_grad, device=device)


def as_tensor(data: Any, dtype: DTypeLike | None = None, device: Any = None) -> Tensor:
    """Return the data as a tensor of its shape: a tensor unchanged, an array shared, anything else copied.

    Args: see `tensor`.
    """
    if isinstance(data, Tensor) and dtype_or(dtype, data.dtype) == data.dtype:
        return data
    return new_tensor(as_array(data, dtype), device=device)


def from_numpy(ndarray: Array) -> Tensor:
    """Return a tensor that shares an array of any shape: changing one changes the other."""
    return new_tensor(ndarray)


def is_tensor(obj: Any) -> bool:
    """Return whether an object is a tensor."""
    return isinstance(obj, Tensor)


def zeros(
    *lengths: Any,
    size: Any = None,
    dtype: DTypeLike | None = None,
    requires_grad: bool = False,
    device: Any = None,
) -> Tensor:
    """Return a tensor of zeros.

    Args:
        lengths: the shape, as integers or as one tuple.
        size: the shape, by keyword.
        dtype: float32 by default.
        requires_grad: whether the tensor requires a gradient.
        device: "cpu" or None.

    Raises:
        ShapeError: a negative length.
    """
    array = np.zeros(shape_from(lengths, size), dtype_or(dtype, np.float32))
    return new_tensor(array, requires_grad=requires_grad, device=device)


def ones(
    *lengths: Any,
    size: Any = None,
    dtype: DTypeLike | None = None,
    requires_grad: bool = False,
    device: Any = None,
) -> Tensor:
    """Return a tensor of ones in the given shape. Args: and Raises: see `zeros`."""
    array = np.ones(shape_from(lengths, size), dtype_or(dtype, np.float32))
    return new_tensor(array, requires_grad=requires_grad, device=device)


def empty(
    *lengths: Any,
    size: Any = None,
    dtype: DTypeLike | None = None,
    requires_grad: bool = False,
    device: Any = None,
) -> Tensor:
    """Return a tensor with uninitialised elements. Args: and Raises: see `zeros`."""
    array = np.empty(shape_from(lengths, size), dtype_or(dtype, np.float32))
    return new_tensor(array, requires_grad=requires_grad, device=device)


def full(
    size: Any,
    fill_value: float,
    *,
    dtype: DTypeLike | None = None,
    requires_grad: bool = False,
    device: Any = None,
) -> Tensor:
    """Return a tensor filled with one number.

    Args:
        size: the shape.
        fill_value: the number.
        dtype: by default int64 for an int, float32 for a float, bool for a bool.
        requires_grad: whether the tensor requires a gradient.
        device: "cpu" or None.

    Raises:
        ShapeError: a negative length, or several numbers.
    """
    number = as_array(fill_value, dtype)
    if number.ndim:
        raise ShapeError(f"full takes one number; got an array of shape {number.shape}.")
    array = np.full(shape_from((), size), number)
    return new_tensor(array, requires_grad=requires_grad, device=device)


def eye(
    n: int,
    m: int | None = None,
    *,
    dtype: DTypeLike | None = None,
    requires_grad: bool = False,
    device: Any = None,
) -> Tensor:
    """Return an (n, m) matrix with ones on the diagonal and zeros elsewhere; m is n by default. Args: see `zeros`."""
    rows, columns = shape_from((n, n if m is None else m))
    array = np.eye(rows, columns, dtype=dtype_or(dtype, np.float32))
    return new_tensor(array, requires_grad=requires_grad, device=device)


def zeros_like(input: Tensor, *, dtype: DTypeLike | None = None, requires_grad: bool = False) -> Tensor:
    """Return zeros in the shape and dtype of a tensor. Args: see `zeros`."""
    like = as_array(input)
    return zeros(size=like.shape, dtype=dtype_or(dtype, like.dtype), requires_grad=requires_grad)


def ones_like(input: Tensor, *, dtype: DTypeLike | None = None, requires_grad: bool = False) -> Tensor:
    """Return ones in the shape and dtype of a tensor. Args: see `zeros`."""
    like = as_array(input)
    return ones(size=like.shape, dtype=dtype_or(dtype, like.dtype), requires_grad=requires_grad)


def empty_like(input: Tensor, *, dtype: DTypeLike | None = None, requires_grad: bool = False) -> Tensor:
    """Return uninitialised elements in the shape and dtype of a tensor. Args: see `zeros`."""
    like = as_array(input)
    return empty(size=like.shape, dtype=dtype_or(dtype, like.dtype), requires_grad=requires_grad)


def full_like(
    input: Tensor, fill_value: float, *, dtype: DTypeLike | None = None, requires_grad: bool = False
) -> Tensor:
    """Return a tensor filled with one number, in the shape and dtype of another. Args: see `full`."""
    like = as_array(input)
    return full(like.shape, fill_value, dtype=dtype_or(dtype, like.dtype), requires_grad=requires_grad)


def arange(
    start: float,
    end: float | None = None,
    step: float = 1,
    *,
    dtype: DTypeLike | None = None,
    requires_grad: bool = False,
    device: Any = None,
) -> Tensor:
    """Return (N,) numbers start, start + step, ... below `end`. `arange(end)` starts from 0.

    Args:
        start: the first number, or `end` if it is the only argument.
        end: the bound, which is not included.
        step: the difference between two numbers.
        dtype: by default int64 if all bounds are ints, else float32.
        requires_grad: whether the tensor requires a gradient.
        device: "cpu" or None.

    Raises:
        ConfigError: a step of 0 or of the wrong sign, or a bound that is not finite.
        ShapeError: too many numbers for memory.
    """
    bounds = (0, start, step) if end is None else (start, end, step)
    first, last, stride = (bound.item() if isinstance(bound, Tensor | np.generic) else bound for bound in bounds)
    if not all(map(math.isfinite, (real("a bound of arange", bound) for bound in (first, last, stride)))):
        raise ConfigError(f"arange needs finite bounds; got arange({first}, {last}, {stride}).")
    if stride == 0 or (last - first) / stride < 0:
        raise ConfigError(
            f"the step of arange must lead from start to end; got arange({first}, {last}, {stride}). Change its sign."
        )
    if (last - first) / stride > LARGEST:
        raise ShapeError(f"a new tensor must fit into memory; got {shown((last - first) / stride)} numbers.")
    integers = all(isinstance(bound, int) for bound in (first, last, stride))
    array = np.arange(first, last, stride)
    kind = dtype_or(dtype, np.int64 if integers else np.float32)
    return new_tensor(array.astype(kind), requires_grad=requires_grad, device=device)


def linspace(
    start: float,
    end: float,
    steps: int,
    *,
    dtype: DTypeLike | None = None,
    requires_grad: bool = False,
    device: Any = None,
) -> Tensor:
    """Return (steps,) evenly spaced numbers from `start` to `end`, both included.

    As in PyTorch, the first half is computed from the start and the second from the end, each number rounded once.

    Args:
        start: the first number.
        end: the last number.
        steps: how many numbers.
        dtype: float32 (the default) or float64.
        requires_grad: whether the tensor requires a gradient.
        device: "cpu" or None.

    Raises:
        ConfigError: a negative `steps`, or another dtype.
        ShapeError: too many numbers for memory.
    """
    kind, steps = dtype_or(dtype, np.float32), whole("steps", steps)
    start, end = real("start", start), real("end", end)
    if steps > LARGEST:
        raise ShapeError(f"a new tensor must fit into memory; got {shown(steps)} steps.")
    if steps < 0 or kind not in {np.dtype(np.float32), np.dtype(np.float64)}:
        raise ConfigError(f"linspace needs steps >= 0 and float32 or float64; got steps={steps}, dtype={kind}.")
    array = _spaced32(start, end, steps) if kind == np.float32 else _spaced64(start, end, steps)
    return new_tensor(array, requires_grad=requires_grad, device=device)


def logspace(
    start: float, end: float, steps: int, base: float = 10.0, *, dtype: Any = None, requires_grad: bool = False,
    device: Any = None,
) -> Tensor:  # fmt: skip
    """Return (steps,) numbers from base ** start to base ** end, whose logarithms are evenly spaced. See `linspace`."""
    powers = linspace(start, end, steps, dtype=np.float64).array
    with np.errstate(over="ignore"):
        array = np.power(real("base", base), powers).astype(dtype_or(dtype, np.float32))
    return new_tensor(array, requires_grad=requires_grad, device=device)


def _legacy(kind: str, doc: str) -> Callable[..., Tensor]:
    def made(*given: Any) -> Tensor:
        if len(given) == 1 and not isinstance(given[0], int):
            return tensor(as_array(given[0]), dtype=np.dtype(kind))
        return zeros(*given, dtype=np.dtype(kind)) if given else zeros(0, dtype=np.dtype(kind))

    made.__doc__ = (
        f"Return a tensor of {doc}: of these numbers, or of zeros in this shape, as in PyTorch's old constructor."
    )
    return made


FloatTensor, DoubleTensor = _legacy("float32", "float32"), _legacy("float64", "float64")
IntTensor, LongTensor = _legacy("int32", "int32"), _legacy("int64", "int64")
BoolTensor, ByteTensor = _legacy("bool", "booleans"), _legacy("uint8", "uint8")


def _spaced32(start: float, end: float, steps: int) -> Array:
    first, last = np.float32(start), np.float32(end)
    step = (last - first) / np.float32(max(steps - 1, 1))
    at = np.arange(steps, dtype=np.float32)
    half = steps // 2 or steps
    return np.concatenate((fma32(at[:half], step, first), fma32(at[: steps - half][::-1], -step, last)))


def _spaced64(start: float, end: float, steps: int) -> Array:
    first, last = float(start), float(end)
    step = (last - first) / max(steps - 1, 1)
    at = np.arange(steps, dtype=np.float64)
    half = steps // 2 or steps
    return np.concatenate((fma64(at[:half], step, first), fma64(at[: steps - half][::-1], -step, last)))
