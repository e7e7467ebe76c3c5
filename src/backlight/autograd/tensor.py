"""The public `Tensor`: conversion, indexing and printing.

Its other methods come from the classes below it: `tensor_base` (the graph), `tensor_math` (arithmetic, reductions),
`tensor_shape`, `tensor_functions`, `tensor_picking` (elements by index and by size) and `tensor_in_place`.
"""

from collections.abc import Iterator
from typing import Any, Self, overload

import numpy as np
from numpy.typing import DTypeLike

from backlight.autograd import in_place, ops
from backlight.autograd.device import CPU, Device, check_device
from backlight.autograd.grad_fn import GradFn, grad_fn_name, grad_fn_of
from backlight.autograd.kinds import DType, Size, dtype_of
from backlight.autograd.printing import tensor_text
from backlight.autograd.tensor_base import Number, Operand, TensorBase, apply, as_array, as_dtype
from backlight.autograd.tensor_in_place import TensorInPlace
from backlight.autograd.tensor_shape import spread
from backlight.core import Array, BacklightError, GraphError, IndexingError, OperandError, ShapeError
from backlight.core.arguments import shown
from backlight.core.missing import Absent
from backlight.core.missing_tensor import TENSOR


class Tensor(TensorInPlace):
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

    @property
    def device(self) -> Device:
        """The device of the elements: always the CPU."""
        return CPU

    is_cuda = is_sparse = is_quantized = False

    def is_floating_point(self) -> bool:
        """Return whether the elements are floats."""
        return self.array.dtype.kind == "f"

    def is_complex(self) -> bool:
        """Return False: there are no complex numbers."""
        return False

    @property
    def itemsize(self) -> int:
        """Bytes per element."""
        return self.array.dtype.itemsize

    def element_size(self) -> int:
        """Return the bytes per element."""
        return self.array.dtype.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return self.array.nbytes

    def stride(self, dim: int | None = None) -> tuple[int, ...] | int:
        """Return how many elements of memory lie between neighbours along each axis, or along one."""
        steps = tuple(step // self.array.dtype.itemsize for step in self.array.strides)
        return steps if dim is None else steps[self._axis(dim)]

    def is_contiguous(self) -> bool:
        """Return whether the elements lie in memory in their order."""
        return self.array.flags.c_contiguous

    def data_ptr(self) -> int:
        """Return the address of the first element."""
        return int(self.array.__array_interface__["data"][0])

    def storage_offset(self) -> int:
        """Return how many elements of the memory that this tensor shares lie before its first."""
        return (self.data_ptr() - self.storage().data_ptr()) // self.array.dtype.itemsize

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

    def numpy(self, *, force: bool = False) -> Array:
        """Return the array, in the tensor's shape. Changing it changes the tensor.

        Args:
            force: whether to return it also for a tensor that requires a gradient, as `detach().numpy()` does.

        Raises:
            GraphError: the tensor requires a gradient.
        """
        if self._needs_grad and not force:
            raise GraphError(
                f"an array has no gradient, but this tensor of shape {self.array.shape} requires one. "
                "Write x.detach().numpy()."
            )
        return self.array

    def storage(self) -> Self:
        """Return the memory that this tensor shares with its views, as a tensor with one axis."""
        array = self.array
        while isinstance(array.base, np.ndarray):
            array = array.base
        return self._holding(array.reshape(-1))

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> Array:
        return np.array(self.numpy(), dtype, copy=copy)

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
        """Return the tensor with its elements in their order in memory: this one if they are, else a copy."""
        if self.array.flags.c_contiguous:
            return self
        return self._named("Clone", apply(ops.Cast, self, dtype=self.array.dtype, order="C"))

    # -- new tensors like this one -------------------------------------------------------------------------------------

    def new_tensor(self, data: Any, *, dtype: Any = None, requires_grad: bool = False, device: Any = None) -> Self:
        """Return a tensor with a copy of the data, in this tensor's dtype."""
        check_device(device)
        made = self._holding(np.array(as_array(data, self.array.dtype if dtype is None else dtype)))
        return made.requires_grad_(requires_grad)

    def new_full(self, size: Any, fill_value: float, *, dtype: Any = None, device: Any = None) -> Self:
        """Return a tensor of this shape that holds one number, in this tensor's dtype."""
        check_device(device)
        return self._holding(np.full(size, fill_value, as_dtype(self.array.dtype if dtype is None else dtype)))

    def new_zeros(self, *size: Any, dtype: Any = None, device: Any = None) -> Self:
        """Return a tensor of zeros, in this tensor's dtype."""
        return self.new_full(spread(size), 0, dtype=dtype, device=device)

    def new_ones(self, *size: Any, dtype: Any = None, device: Any = None) -> Self:
        """Return a tensor of ones, in this tensor's dtype."""
        return self.new_full(spread(size), 1, dtype=dtype, device=device)

    new_empty = new_zeros

    # -- indexing ------------------------------------------------------------------------------------------------------

    def __getitem__(self, at: Any) -> Self:
        plain = _plain_index(at)
        if isinstance(plain, np.ndarray) and plain.dtype.kind in "iu" and self.array.ndim == 2 and plain.ndim:
            rows = self.array.shape[0]
            if plain.size and (plain.min() < -rows or plain.max() >= rows):
                raise IndexingError(f"row indices must be in 0..{rows - 1}; got {plain.min()}..{plain.max()}.")
            return self._named("Index", apply(ops.Embed, self, ids=plain.astype(np.int64, copy=False) % max(rows, 1)))
        try:
            return self._view(ops.Index, index=plain)
        except ShapeError as error:
            raise _outside(self, at, error.__cause__) from error

    def __setitem__(self, at: Any, value: Operand) -> None:
        in_place.check_writable(self)
        numbers: Any = value if isinstance(value, (int, float)) else as_array(value)
        plain = _plain_index(at)
        try:
            in_place.write(self, numbers, plain, value if isinstance(value, TensorBase) else None)
        except (IndexError, TypeError) as error:
            raise _outside(self, at, error) from error
        except (ValueError, OverflowError) as error:
            if isinstance(error, BacklightError):
                raise
            raise ShapeError(f"the assigned values must fit the indexed elements: {str(error).strip()}.") from error

    def __iter__(self) -> Iterator[Self]:
        return (self[i] for i in range(len(self)))


TensorBase.plain = Tensor
for _name, _sentence in TENSOR.items():
    if not hasattr(Tensor, _name):
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
