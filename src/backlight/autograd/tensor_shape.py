"""Shapes, indexing and the way out to plain numbers, under PyTorch's names."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from backlight.autograd import ops
from backlight.autograd.graph import recording
from backlight.autograd.tensor_base import TensorBase, as_array
from backlight.core import Array, GraphError, ShapeError


class TensorShape(TensorBase):
    """How a tensor can be arranged, cut up and read."""

    __slots__ = ()

    # -- what it is ----------------------------------------------------------------------------------------------------

    @property
    def shape(self) -> tuple[int, ...]:
        """The length of each axis."""
        return self.array.shape

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self.array.ndim

    @property
    def dtype(self) -> np.dtype[Any]:
        """The kind of numbers, as NumPy names it."""
        return self.array.dtype

    def size(self, dim: int | None = None) -> Any:
        """Return the shape, or the length of one axis."""
        return self.array.shape if dim is None else self.array.shape[self._axis(dim)]

    def dim(self) -> int:
        """Return the number of axes."""
        return self.array.ndim

    def numel(self) -> int:
        """Return how many numbers there are."""
        return self.array.size

    nelement = numel

    def __len__(self) -> int:
        if not self.array.ndim:
            raise TypeError("a tensor without axes is one number and has no length. Use item().")
        return len(self.array)

    # -- the way out ---------------------------------------------------------------------------------------------------

    def item(self) -> Any:
        """Return the one number as Python's own. Raises ShapeError if there are more."""
        if self.array.size != 1:
            raise ShapeError(f"item() is for a single number; got a tensor of shape {self.array.shape}. Use tolist().")
        return self.array.item()

    def tolist(self) -> Any:
        """Return nested lists of Python numbers."""
        return self.array.tolist()

    def numpy(self) -> Array:
        """Return the array itself: changing it changes the tensor."""
        return self.array

    def storage(self) -> Any:
        """Return the numbers as they lie in memory, which this tensor shares with its views: one axis."""
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
            raise TypeError(f"only an integer can be an index; got {self.array.dtype}.")
        return int(self.item())

    def __bool__(self) -> bool:
        return bool(self.item())

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if self.array.ndim == 0 else format(str(self), spec)

    def __repr__(self) -> str:
        numbers = np.array2string(
            self.array,
            precision=4,
            floatmode="fixed",
            suppress_small=True,
            separator=", ",
            prefix="tensor(",
            threshold=1000,
        )
        notes = (
            ""
            if self.array.dtype in {np.dtype(np.float32), np.dtype(np.int64), np.dtype(np.bool_)}
            else f", dtype={self.array.dtype}"
        )
        if self._op is not None:
            notes += f", grad_fn=<{self._op.__name__}>"
        elif self._needs_grad:
            notes += ", requires_grad=True"
        return f"tensor({numbers}{notes})"

    # -- history -------------------------------------------------------------------------------------------------------

    def detach(self) -> Any:
        """Return the same numbers outside the graph."""
        return self._holding(self.array)

    def clone(self) -> Any:
        """Return a copy that the gradient flows through."""
        return self._apply(ops.Cast, dtype=self.array.dtype)

    def contiguous(self) -> Any:
        """Return this tensor: `view` here copies where it must."""
        return self

    # -- arrangement ---------------------------------------------------------------------------------------------------

    def view(self, *shape: Any) -> Any:
        """Return the same numbers in another shape; one length may be -1."""
        target = tuple(shape[0]) if len(shape) == 1 and isinstance(shape[0], (tuple, list)) else shape
        return self._apply(ops.Reshape, shape=target)

    reshape = view

    def flatten(self, start_dim: int = 0, end_dim: int = -1) -> Any:
        """Return axes `start_dim` to `end_dim` as one."""
        start, end = self._axis(start_dim), self._axis(end_dim)
        shape = self.array.shape or (1,)
        return self.view(*shape[:start], int(np.prod(shape[start : end + 1])), *shape[end + 1 :])

    def unflatten(self, dim: int, sizes: tuple[int, ...]) -> Any:
        """Return axis `dim` cut into several axes."""
        at = self._axis(dim)
        return self.view(*self.array.shape[:at], *sizes, *self.array.shape[at + 1 :])

    def transpose(self, dim0: int, dim1: int) -> Any:
        """Return two axes swapped."""
        a, b = self._axis(dim0), self._axis(dim1)
        order = list(range(self.array.ndim))
        if order:
            order[a], order[b] = b, a
        return self._apply(ops.Permute, order=tuple(order))

    def permute(self, *order: Any) -> Any:
        """Return the axes in another order."""
        target = tuple(order[0]) if len(order) == 1 and isinstance(order[0], (tuple, list)) else order
        return self._apply(ops.Permute, order=tuple(self._axis(axis) for axis in target))

    def t(self) -> Any:
        """Return a matrix transposed; fewer axes stay as they are."""
        if self.array.ndim > 2:
            raise ShapeError(f"t() is for at most 2 axes; got {self.array.shape}. Use transpose(dim0, dim1).")
        return self.transpose(0, 1) if self.array.ndim == 2 else self

    @property
    def T(self) -> Any:
        """All axes in the opposite order: a matrix transposed."""
        return self._apply(ops.Permute, order=tuple(reversed(range(self.array.ndim))))

    @property
    def mT(self) -> Any:
        """The last two axes swapped."""
        return self.transpose(-2, -1)

    def unsqueeze(self, dim: int) -> Any:
        """Return the tensor with a new axis of length 1 before axis `dim`."""
        at = self._axis(dim, new=1)
        return self.view(*self.array.shape[:at], 1, *self.array.shape[at:])

    def squeeze(self, dim: int | None = None) -> Any:
        """Return the tensor without its axes of length 1, or without axis `dim` if its length is 1."""
        at = None if dim is None else self._axis(dim)
        return self.view(*(n for i, n in enumerate(self.array.shape) if n != 1 or (at is not None and i != at)))

    def expand(self, *shape: Any) -> Any:
        """Return axes of length 1 repeated, without a copy; -1 keeps an axis as it is."""
        target = tuple(shape[0]) if len(shape) == 1 and isinstance(shape[0], (tuple, list)) else shape
        new = len(target) - self.array.ndim
        return self._apply(
            ops.Expand, shape=tuple(self.array.shape[i - new] if n == -1 else n for i, n in enumerate(target))
        )

    def masked_fill(self, mask: Any, value: float) -> Any:
        """Return the numbers with `value` wherever `mask` is true."""
        if self.array.dtype.kind != "f" and float(value) != int(value if np.isfinite(value) else 0):
            raise GraphError(f"{self.array.dtype} cannot hold {value}. Call .float() before masked_fill().")
        return self._apply(ops.MaskedFill, mask=as_array(mask).astype(np.bool_, copy=False), value=value)

    def tril(self, diagonal: int = 0) -> Any:
        """Return the lower triangle of the last two axes, 0 above it."""
        return self._apply(ops.Triangle, k=diagonal, lower=True)

    def triu(self, diagonal: int = 0) -> Any:
        """Return the upper triangle of the last two axes, 0 below it."""
        return self._apply(ops.Triangle, k=diagonal, lower=False)

    # -- parts ---------------------------------------------------------------------------------------------------------

    def __getitem__(self, index: Any) -> Any:
        plain = _plain_index(index)
        if isinstance(plain, np.ndarray) and plain.dtype.kind in "iu" and self.array.ndim == 2 and plain.ndim:
            rows = self.array.shape[0]
            if plain.size and (plain.min() < -rows or plain.max() >= rows):
                raise IndexError(f"rows are numbered 0..{rows - 1}; got {plain.min()}..{plain.max()}.")
            return self._apply(ops.Embed, ids=plain.astype(np.int64, copy=False) % max(rows, 1))
        try:
            return self._apply(ops.Index, index=plain)
        except IndexError as error:
            raise IndexError(f"an index must lie inside the shape, {self.array.shape}: {error}.") from error

    def __setitem__(self, index: Any, value: Any) -> None:
        if recording.on and self._needs_grad and not self._prev:
            raise GraphError(
                "a leaf that needs a gradient cannot be written to while its graph is recorded. "
                "Write to .data, work under no_grad(), or use where()."
            )
        if recording.on and self._op is not None:
            self.array = self.array.copy()  # the graph may need the old numbers on the way back
        numbers = value if isinstance(value, (int, float)) else as_array(value)
        try:
            self.array[_plain_index(index)] = numbers
        except IndexError as error:
            raise IndexError(f"an index must lie inside the shape, {self.array.shape}: {error}.") from error
        except ValueError as error:
            raise ShapeError(f"what is written must fit the place: {str(error).strip()}.") from error
        if recording.on and (self._prev or (isinstance(value, TensorBase) and value._needs_grad)):
            self._lose_history(value)

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def unbind(self, dim: int = 0) -> tuple[Any, ...]:
        """Return the slices along an axis."""
        at = self._axis(dim)
        before = (slice(None),) * at
        return tuple(self[(*before, i)] for i in range(self.array.shape[at]))

    def split(self, size: int, dim: int = 0) -> tuple[Any, ...]:
        """Return pieces of `size` along an axis; the last may be shorter."""
        at = self._axis(dim)
        if size < 1:
            raise ShapeError(f"a piece is at least 1 long; got split({size}).")
        before = (slice(None),) * at
        return tuple(self[(*before, slice(i, i + size))] for i in range(0, self.array.shape[at], size))


def _plain_index(index: Any) -> Any:
    """Return an index without tensors, ranges or lists in it, as NumPy reads it."""
    if isinstance(index, tuple):
        return tuple(_plain_index(part) for part in index)
    if isinstance(index, TensorBase):
        return index.array if index.array.ndim else index.array.item()
    if isinstance(index, (range, list)):
        return np.asarray(index, None if len(index) else np.int64)
    return index
