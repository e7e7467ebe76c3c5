"""The public `Tensor`: shapes, indexing and printing, on top of `tensor_base` and `tensor_math`."""

from collections.abc import Iterator, Sequence
from operator import index
from typing import Any, Self, overload

import numpy as np
from numpy.typing import DTypeLike

from backlight.autograd import ops
from backlight.autograd.grad_fn import GradFn, grad_fn_name, grad_fn_of
from backlight.autograd.graph import recording
from backlight.autograd.kinds import DType, Size, dtype_of
from backlight.autograd.printing import tensor_text
from backlight.autograd.tensor_base import Number, Operand, TensorBase, apply, as_array
from backlight.autograd.tensor_math import TensorMath
from backlight.core import Array, GraphError, IndexingError, OperandError, ShapeError
from backlight.core.arguments import is_finite, shown
from backlight.core.missing import TENSOR, Absent


class Tensor(TensorMath):
    """An n-dimensional array in a graph, with the part of PyTorch's interface that the lectures use.

    Args:
        data: a number, nested lists of numbers, an array (shared, not copied) or another tensor.
        dtype: a NumPy dtype; by default Python floats become float32 and an array keeps its dtype.
        requires_grad: whether `backward()` on a result of this tensor computes its gradient.
        label: a name for drawings of the graph.

    Attributes:
        array: the elements, as a NumPy array.
        data: the same elements as a tensor outside the graph. `p.data += ...` and `p.data = ...` change this tensor.
        grad: the gradient after `backward()`, a tensor of the same shape, or None.

    Raises:
        ShapeError: rows of different lengths, or elements that are not numbers.
        GraphError: `requires_grad` for integers.
    """

    __slots__ = ()

    # -- shape and dtype -----------------------------------------------------------------------------------------------

    @property
    def shape(self) -> Size:
        """The length of each axis."""
        return Size(self.array.shape)

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self.array.ndim

    @property
    def dtype(self) -> DType:
        """The type of the elements."""
        return dtype_of(self.array.dtype)

    @overload
    def size(self) -> Size: ...
    @overload
    def size(self, dim: int) -> int: ...
    def size(self, dim: int | None = None) -> Size | int:
        """Return the shape, or the length of one axis."""
        return Size(self.array.shape) if dim is None else self.array.shape[self._axis(dim)]

    def dim(self) -> int:
        """Return the number of axes."""
        return self.array.ndim

    def numel(self) -> int:
        """Return the number of elements."""
        return self.array.size

    nelement = numel

    def __len__(self) -> int:
        if not self.array.ndim:
            raise OperandError("len() needs at least one axis; got a scalar tensor. Use item().")
        return len(self.array)

    # -- conversion ----------------------------------------------------------------------------------------------------

    def item(self) -> Number:
        """Return the only element as a Python number.

        Raises:
            ShapeError: the tensor has no element or several.
        """
        if self.array.size != 1:
            raise ShapeError(f"item() needs a single element; got a tensor of shape {self.array.shape}. Use tolist().")
        number: Number = self.array.item()
        return number

    def tolist(self) -> Number | list[Any]:
        """Return nested lists of Python numbers, or a single number for a scalar tensor."""
        numbers: Number | list[Any] = self.array.tolist()
        return numbers

    def numpy(self) -> Array:
        """Return the array, in the tensor's shape. Changing it changes the tensor."""
        return self.array

    def storage(self) -> Self:
        """Return the memory that this tensor shares with its views, as a tensor with one axis."""
        array = self.array
        while isinstance(array.base, np.ndarray):
            array = array.base
        return self._holding(array.reshape(-1))

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> Array:
        return np.array(self.array, dtype, copy=copy)

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        if self.array.dtype.kind not in "iu":
            raise OperandError(f"an index must be an integer; got {self.array.dtype}.")
        return int(self.item())

    def __bool__(self) -> bool:
        return bool(self.item())

    def __format__(self, spec: str) -> str:
        try:
            return format(self.item(), spec) if self.array.ndim == 0 else format(str(self), spec)
        except ValueError:
            raise OperandError(
                f"a tensor of shape {self.array.shape} cannot be formatted as {spec!r}. Use item()."
            ) from None

    def __repr__(self) -> str:
        name = grad_fn_name(self)
        notes = [f"grad_fn=<{name}>"] if name else ["requires_grad=True"] if self._needs_grad else []
        return tensor_text(self.array, notes)

    # -- the graph -----------------------------------------------------------------------------------------------------

    @property
    def grad_fn(self) -> GradFn | None:
        """The step that computed this tensor, named as in PyTorch; None for a leaf."""
        return grad_fn_of(self)

    def detach(self) -> Self:
        """Return a tensor outside the graph that shares the array."""
        return self._holding(self.array)

    def clone(self) -> Self:
        """Return a differentiable copy."""
        return self._named("Clone", apply(ops.Cast, self, dtype=self.array.dtype))

    def contiguous(self) -> Self:
        """Return this tensor: `view` copies if needed, so memory layout does not matter."""
        return self

    # -- reshaping -----------------------------------------------------------------------------------------------------

    def view(self, *shape: int | Sequence[int]) -> Self:
        """Return the elements in another shape, given as `view(2, 3)` or `view((2, 3))`; one length may be -1."""
        return apply(ops.Reshape, self, shape=_spread(shape))

    def reshape(self, *shape: int | Sequence[int]) -> Self:
        """Return the elements in another shape; the same as `view`."""
        return apply(ops.Reshape, self, shape=_spread(shape))

    def flatten(self, start_dim: int = 0, end_dim: int = -1) -> Self:
        """Return the tensor with axes `start_dim` to `end_dim` joined."""
        start, end = self._axis(start_dim), self._axis(end_dim)
        shape = self.array.shape or (1,)
        return self.view(*shape[:start], int(np.prod(shape[start : end + 1])), *shape[end + 1 :])

    def unflatten(self, dim: int, sizes: Sequence[int]) -> Self:
        """Return the tensor with axis `dim` split into axes of these sizes."""
        at = self._axis(dim)
        return self.view(*self.array.shape[:at], *_spread((sizes,)), *self.array.shape[at + 1 :])

    def transpose(self, dim0: int, dim1: int) -> Self:
        """Return the tensor with two axes swapped."""
        a, b = self._axis(dim0), self._axis(dim1)
        order = list(range(self.array.ndim))
        if order:
            order[a], order[b] = b, a
        return self._named("Transpose", apply(ops.Permute, self, order=tuple(order)))

    def permute(self, *order: int | Sequence[int]) -> Self:
        """Return the tensor with its axes in another order, given as `permute(1, 0, 2)` or `permute((1, 0, 2))`."""
        return apply(ops.Permute, self, order=tuple(self._axis(axis) for axis in _spread(order)))

    def t(self) -> Self:
        """Return the transpose of a matrix; a tensor with fewer axes is unchanged.

        Raises:
            ShapeError: more than two axes.
        """
        if self.array.ndim > 2:
            raise ShapeError(f"t() needs at most 2 axes; got {self.array.shape}. Use transpose(dim0, dim1).")
        return self._named("T", self.transpose(0, 1)) if self.array.ndim == 2 else self

    @property
    def T(self) -> Self:
        """The tensor with its axes reversed: the transpose of a matrix."""
        return apply(ops.Permute, self, order=tuple(reversed(range(self.array.ndim))))

    @property
    def mT(self) -> Self:
        """The tensor with its last two axes swapped."""
        return self.transpose(-2, -1)

    def unsqueeze(self, dim: int) -> Self:
        """Return the tensor with a new axis of length 1 before axis `dim`."""
        at = self._axis(dim, new=1)
        return self._named("Unsqueeze", self.view(*self.array.shape[:at], 1, *self.array.shape[at:]))

    def squeeze(self, dim: int | None = None) -> Self:
        """Return the tensor without its axes of length 1, or without axis `dim` if its length is 1."""
        at = None if dim is None else self._axis(dim)
        kept = (n for i, n in enumerate(self.array.shape) if n != 1 or (at is not None and i != at))
        return self._named("SqueezeBackward0" if at is None else "SqueezeBackward1", self.view(*kept))

    def expand(self, *shape: int | Sequence[int]) -> Self:
        """Return the tensor with axes of length 1 repeated, without a copy; -1 keeps an axis.

        Raises:
            ShapeError: fewer axes than before, or an axis that is not of length 1 changes its length.
        """
        try:
            target = tuple(map(index, _spread(shape)))
        except TypeError:
            raise ShapeError(f"a shape must be made of whole numbers; got {shown(shape)}.") from None
        new = len(target) - self.array.ndim
        if new < 0 or -1 in target[:new]:
            raise ShapeError(f"expand keeps all axes and may add some in front; got {self.array.shape} to {target}.")
        lengths = (self.array.shape[i - new] if n == -1 else n for i, n in enumerate(target))
        return apply(ops.Expand, self, shape=tuple(lengths))

    def masked_fill(self, mask: Operand, value: float) -> Self:
        """Return the tensor with `value` wherever `mask` is true.

        Args:
            mask: booleans that can be broadcast to this tensor's shape.
            value: a number.

        Raises:
            ShapeError: more than one value, or a mask whose shape does not fit.
            GraphError: a value that an integer tensor cannot hold.
        """
        number: Any = value
        if not isinstance(number, (int, float)):
            array = as_array(number)
            if array.ndim:
                raise ShapeError(f"masked_fill takes one number; got an array of shape {array.shape}. Use where().")
            number = array.item()
        if self.array.dtype.kind != "f" and not (is_finite(number) and number == int(number)):
            raise GraphError(f"the value must fit the dtype {self.array.dtype}; got {number}. Call .float() first.")
        return apply(ops.MaskedFill, self, mask=as_array(mask).astype(np.bool_, copy=False), value=number)

    def tril(self, diagonal: int = 0) -> Self:
        """Return the lower triangle of the last two axes, with 0 above the `diagonal`-th diagonal."""
        return apply(ops.Triangle, self, k=diagonal, lower=True)

    def triu(self, diagonal: int = 0) -> Self:
        """Return the upper triangle of the last two axes, with 0 below the `diagonal`-th diagonal."""
        return apply(ops.Triangle, self, k=diagonal, lower=False)

    # -- indexing ------------------------------------------------------------------------------------------------------

    def __getitem__(self, at: Any) -> Self:
        plain = _plain_index(at)
        if isinstance(plain, np.ndarray) and plain.dtype.kind in "iu" and self.array.ndim == 2 and plain.ndim:
            rows = self.array.shape[0]
            if plain.size and (plain.min() < -rows or plain.max() >= rows):
                raise IndexingError(f"row indices must be in 0..{rows - 1}; got {plain.min()}..{plain.max()}.")
            return self._named("Index", apply(ops.Embed, self, ids=plain.astype(np.int64, copy=False) % max(rows, 1)))
        try:
            return apply(ops.Index, self, index=plain)
        except ShapeError as error:
            raise _outside(self, at, error.__cause__) from error

    def __setitem__(self, at: Any, value: Operand) -> None:
        if recording.on and self._needs_grad and not self._prev:
            raise GraphError(
                "a leaf that requires a gradient cannot be written to while its graph is recorded. "
                "Write to .data, use no_grad(), or use where()."
            )
        if recording.on and self._op is not None:
            self.array = self.array.copy()  # the backward pass may need the old values
        numbers = value if isinstance(value, (int, float)) else as_array(value)
        try:
            self.array[_plain_index(at)] = numbers
        except (IndexError, TypeError) as error:
            raise _outside(self, at, error) from error
        except (ValueError, OverflowError) as error:
            raise ShapeError(f"the assigned values must fit the indexed elements: {str(error).strip()}.") from error
        if recording.on and (self._prev or (isinstance(value, TensorBase) and value._needs_grad)):
            self._lose_history(value)

    def __iter__(self) -> Iterator[Self]:
        return (self[i] for i in range(len(self)))

    def unbind(self, dim: int = 0) -> tuple[Self, ...]:
        """Return the slices along an axis."""
        at = self._axis(dim)
        before = (slice(None),) * at
        return tuple(self[(*before, i)] for i in range(len(self) if not at else self.array.shape[at]))

    def split(self, split_size: int, dim: int = 0) -> tuple[Self, ...]:
        """Return slices of length `split_size` along an axis; the last may be shorter.

        Raises:
            ShapeError: `split_size` is not a whole number of at least 1.
        """
        at = self._axis(dim)
        if not isinstance(split_size, (int, np.integer)) or split_size < 1:
            raise ShapeError(f"split_size must be a whole number of at least 1; got {shown(split_size)}.")
        before = (slice(None),) * at
        starts = range(0, len(self) if not at else self.array.shape[at], int(split_size))
        return tuple(self[(*before, slice(i, i + split_size))] for i in starts)


TensorBase.plain = Tensor
for _name, _sentence in TENSOR.items():
    setattr(Tensor, _name, Absent("Tensor", _name, _sentence))


class Parameter(Tensor):
    """A tensor that a model owns and trains. It always starts with `requires_grad=True`."""

    __slots__ = ()

    def __init__(self, data: Any, *, label: str = "") -> None:
        super().__init__(data, requires_grad=True, label=label)

    def __repr__(self) -> str:
        return f"Parameter containing:\n{super().__repr__()}"


class Buffer(Tensor):
    """A tensor that is saved with a model but not trained, such as a running mean."""

    __slots__ = ()


def as_tensor(data: Operand) -> Tensor:
    """Return `data` as a tensor of its shape: a tensor unchanged, anything else converted as by `Tensor`."""
    return data if isinstance(data, Tensor) else Tensor._holding(as_array(data))


def _spread(given: tuple[Any, ...]) -> tuple[int, ...]:
    """Return the sizes given as `f(2, 3)` or as `f((2, 3))`, as one tuple."""
    return tuple(given[0]) if len(given) == 1 and isinstance(given[0], (tuple, list)) else given


def _plain_index(at: Any) -> Any:
    """Return an index for NumPy: tensors, ranges and lists become arrays."""
    if isinstance(at, tuple):
        return tuple(_plain_index(part) for part in at)
    if isinstance(at, TensorBase):
        return at.array if at.array.ndim else at.array.item()
    if isinstance(at, (range, list)):
        return as_array(at, None if len(at) else np.int64)
    return at


def _outside(tensor: Tensor, at: Any, reason: BaseException | None) -> IndexingError:
    return IndexingError(f"an index must be inside the shape, {tensor.array.shape}; got {shown(at)}: {reason}.")
