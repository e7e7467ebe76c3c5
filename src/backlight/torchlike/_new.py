"""Reading the arguments that all functions that create tensors share: shape, dtype, device and numbers."""

from collections.abc import Sequence
from operator import index
from typing import Any, SupportsIndex

import numpy as np
from numpy.typing import DTypeLike

from backlight.autograd import Tensor
from backlight.autograd.device import check_device
from backlight.autograd.tensor_base import as_dtype
from backlight.core import Array, OperandError, ShapeError
from backlight.core.arguments import LARGEST, is_number, shown


def new_tensor(array: Array, *, requires_grad: bool = False, device: Any = None) -> Tensor:
    """Return a tensor that shares an array.

    Args:
        array: (...) numbers.
        requires_grad: whether the tensor requires a gradient.
        device: "cpu" or None.

    Raises:
        ConfigError: another device.
        GraphError: `requires_grad` for integers.
    """
    check_device(device)
    return Tensor(array, requires_grad=requires_grad)


def shape_from(
    lengths: tuple[Any, ...], size: Sequence[SupportsIndex] | SupportsIndex | None = None
) -> tuple[int, ...]:
    """Return the shape given as `f(2, 3)`, `f((2, 3))` or `f(size=(2, 3))`.

    Raises:
        ShapeError: a length that is negative, not an integer, or too large for memory.
    """
    given: Any = lengths if size is None else size
    if isinstance(given, tuple) and len(given) == 1 and isinstance(given[0], Sequence):
        given = given[0]
    try:
        shape = tuple(index(length) for length in given) if isinstance(given, Sequence) else (index(given),)
    except TypeError:
        raise ShapeError(
            f"a shape must be made of whole numbers; got {shown(given)}. Use int() or // for the lengths."
        ) from None
    if any(length < 0 for length in shape):
        raise ShapeError(f"a new tensor needs lengths of 0 or more; got shape {shape}. Only view() accepts -1.")
    if any(length > LARGEST for length in shape):
        raise ShapeError(f"a new tensor must fit into memory; got shape {shown(shape)}.")
    return shape


def dtype_or(dtype: DTypeLike | None, default: DTypeLike) -> np.dtype[Any]:
    """Return the given dtype, or the default. Raises OperandError for a dtype that is not numeric."""
    return as_dtype(default if dtype is None else dtype)


def whole(name: str, given: Any) -> int:
    """Return a whole number, given as an int or a tensor with a single element.

    Raises:
        OperandError: anything else.
    """
    try:
        return int(index(given))
    except (TypeError, ValueError):
        raise OperandError(f"{name} must be a whole number; got {shown(given)}.") from None


def real(name: str, given: Any) -> float:
    """Return a real number, given as a number or a tensor with a single element.

    Raises:
        OperandError: anything else.
    """
    number = given.item() if isinstance(given, Tensor) else given
    if not is_number(number):
        raise OperandError(f"{name} must be a number; got {shown(given)}.")
    try:
        return float(number)
    except OverflowError:
        raise OperandError(f"{name} must be at most 1.8e308; got {shown(given)}.") from None
