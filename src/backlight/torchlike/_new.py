"""How every function that makes a tensor reads its shape, its device and its settings."""

from collections.abc import Sequence
from operator import index
from typing import Any, SupportsIndex

from numpy.typing import DTypeLike

from backlight.autograd import Tensor
from backlight.core import Array, ConfigError, ShapeError

Size = tuple[int, ...]
"""What `Tensor.shape` is."""


def new_tensor(array: Array, *, requires_grad: bool = False, device: str | None = None) -> Tensor:
    """Return a tensor on this array. Raises ConfigError for a device other than the CPU."""
    if device not in {None, "cpu"}:
        raise ConfigError(f"tensors live on the CPU only; got device={device!r}. Use device='cpu', or leave it out.")
    return Tensor(array, requires_grad=requires_grad)


def shape_from(
    lengths: tuple[Any, ...], size: Sequence[SupportsIndex] | SupportsIndex | None = None
) -> tuple[int, ...]:
    """Return the shape that was given as `f(2, 3)`, `f((2, 3))` or `f(size=(2, 3))`.

    Raises:
        ShapeError: a length that is negative or not an integer.
    """
    given: Any = lengths if size is None else size
    if isinstance(given, tuple) and len(given) == 1 and isinstance(given[0], Sequence):
        given = given[0]
    try:
        shape = tuple(index(length) for length in given) if isinstance(given, Sequence) else (index(given),)
    except TypeError:
        raise ShapeError(f"a shape is made of whole numbers; got {given!r}. Use int() or // for the lengths.") from None
    if any(length < 0 for length in shape):
        raise ShapeError(f"a new tensor needs lengths of 0 or more; got shape {shape}. Only view() works out a -1.")
    return shape


def dtype_or(dtype: DTypeLike | None, default: DTypeLike) -> DTypeLike:
    """Return the default where no dtype was given."""
    return default if dtype is None else dtype
