"""Shapes of tensors: views of the same elements, and their shape under PyTorch's names."""

from collections.abc import Sequence
from operator import index
from typing import Any, Self

import numpy as np

from backlight.autograd import ops
from backlight.autograd.tensor_base import Operand, apply, as_array
from backlight.autograd.tensor_math import TensorMath
from backlight.core import GraphError, ShapeError
from backlight.core.arguments import is_finite, shown


def spread(given: tuple[Any, ...]) -> tuple[int, ...]:
    """Return the sizes given as `f(2, 3)` or as `f((2, 3))`, as one tuple."""
    return tuple(given[0]) if len(given) == 1 and isinstance(given[0], (tuple, list)) else given


def _shape_of(other: Any) -> tuple[int, ...]:
    shape = getattr(other, "shape", None)
    if not isinstance(shape, tuple):
        raise ShapeError(f"the other must be a tensor, whose shape is taken; got {shown(other)}.")
    return shape


class TensorShape(TensorMath):
    """The methods of a tensor that give its elements in another shape."""

    __slots__ = ()

    # -- reshaping -----------------------------------------------------------------------------------------------------

    def view(self, *shape: int | Sequence[int]) -> Self:
        """Return the elements in another shape, given as `view(2, 3)` or `view((2, 3))`; one length may be -1."""
        return self._view(ops.Reshape, shape=spread(shape))

    def reshape(self, *shape: int | Sequence[int]) -> Self:
        """Return the elements in another shape; the same as `view`."""
        return self._view(ops.Reshape, shape=spread(shape))

    def flatten(self, start_dim: int = 0, end_dim: int = -1) -> Self:
        """Return the tensor with axes `start_dim` to `end_dim` joined."""
        start, end = self._axis(start_dim), self._axis(end_dim)
        shape = self.array.shape or (1,)
        return self.view(*shape[:start], int(np.prod(shape[start : end + 1])), *shape[end + 1 :])

    def unflatten(self, dim: int, sizes: Sequence[int]) -> Self:
        """Return the tensor with axis `dim` split into axes of these sizes."""
        at = self._axis(dim)
        return self.view(*self.array.shape[:at], *spread((sizes,)), *self.array.shape[at + 1 :])

    def transpose(self, dim0: int, dim1: int) -> Self:
        """Return the tensor with two axes swapped."""
        a, b = self._axis(dim0), self._axis(dim1)
        order = list(range(self.array.ndim))
        if order:
            order[a], order[b] = b, a
        return self._named("Transpose", self._view(ops.Permute, order=tuple(order)))

    def permute(self, *order: int | Sequence[int]) -> Self:
        """Return the tensor with its axes in another order, given as `permute(1, 0, 2)` or `permute((1, 0, 2))`."""
        return self._view(ops.Permute, order=tuple(self._axis(axis) for axis in spread(order)))

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
        return self._view(ops.Permute, order=tuple(reversed(range(self.array.ndim))))

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
            target = tuple(map(index, spread(shape)))
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

    def _along(self, axis: int, part: Any, name: str) -> Self:
        """Return the part of the tensor that an index picks along one axis."""
        return self._named(name, self._view(ops.Index, index=(*(slice(None),) * axis, part)))

    def unbind(self, dim: int = 0) -> tuple[Self, ...]:
        """Return the slices along an axis."""
        at = self._axis(dim)
        if not self.array.ndim:
            raise ShapeError("unbind needs at least one axis; got a scalar tensor. Use item().")
        return tuple(self._along(at, i, "Unbind") for i in range(self.array.shape[at]))

    def split(self, split_size: int | Sequence[int], dim: int = 0) -> tuple[Self, ...]:
        """Return slices along an axis, of length `split_size` (the last may be shorter) or of the given lengths.

        Raises:
            ShapeError: `split_size` is not a whole number of at least 1, or the lengths do not add up to the axis.
        """
        at = self._axis(dim)
        length = (self.array.shape or (1,))[at]
        if isinstance(split_size, (list, tuple)):
            whole = all(isinstance(size, (int, np.integer)) for size in split_size)
            sizes = [int(size) for size in split_size] if whole else []
            if not whole or sum(sizes) != length or any(size < 0 for size in sizes):
                raise ShapeError(f"the lengths of split must add up to {length}; got {shown(split_size)}.")
            name = "SplitWithSizes"
        else:
            if not isinstance(split_size, (int, np.integer)) or split_size < 1:
                raise ShapeError(f"split_size must be a whole number of at least 1; got {shown(split_size)}.")
            sizes = [int(split_size)] * -(-length // int(split_size))
            name = "Split"
        starts = np.cumsum([0, *sizes]).tolist()
        return tuple(self._along(at, slice(i, i + size), name) for i, size in zip(starts, sizes, strict=False))

    def chunk(self, chunks: int, dim: int = 0) -> tuple[Self, ...]:
        """Return at most `chunks` slices of equal length along an axis; the last may be shorter.

        Raises:
            ShapeError: `chunks` is not a whole number of at least 1.
        """
        if not isinstance(chunks, (int, np.integer)) or chunks < 1:
            raise ShapeError(f"chunks must be a whole number of at least 1; got {shown(chunks)}.")
        length = (self.array.shape or (1,))[self._axis(dim)]
        return self.split(max(-(-length // int(chunks)), 1), dim)

    def narrow(self, dim: int, start: int, length: int) -> Self:
        """Return `length` elements along an axis, from `start` on."""
        return self._along(self._axis(dim), slice(start, start + length), "Slice")

    def select(self, dim: int, index: int) -> Self:
        """Return the elements at one index of an axis, without that axis."""
        return self._along(self._axis(dim), int(index), "Select")

    def view_as(self, other: Self) -> Self:
        """Return the elements in the shape of another tensor."""
        return self.view(*_shape_of(other))

    def reshape_as(self, other: Self) -> Self:
        """Return the elements in the shape of another tensor; the same as `view_as`."""
        return self.view(*_shape_of(other))

    def expand_as(self, other: Self) -> Self:
        """Return the tensor with axes of length 1 repeated to the shape of another tensor."""
        return self.expand(*_shape_of(other))

    def broadcast_to(self, *shape: int | Sequence[int]) -> Self:
        """Return the tensor with axes of length 1 repeated; the same as `expand`."""
        return self.expand(*shape)

    def ravel(self) -> Self:
        """Return all elements along one axis."""
        return self.view(-1)

    def swapaxes(self, axis0: int, axis1: int) -> Self:
        """Return the tensor with two axes swapped; the same as `transpose`."""
        return self.transpose(axis0, axis1)

    swapdims = swapaxes

    def movedim(self, source: int, destination: int) -> Self:
        """Return the tensor with one axis moved to another place."""
        order = [axis for axis in range(self.array.ndim) if axis != self._axis(source)]
        order.insert(self._axis(destination), self._axis(source))
        return self.permute(*order)

    def repeat(self, *sizes: int | Sequence[int]) -> Self:
        """Return the tensor repeated along its axes, as often as given for each; new axes come first.

        Raises:
            ShapeError: fewer numbers than axes.
        """
        times = spread(sizes)
        new = len(times) - self.array.ndim
        if new < 0:
            raise ShapeError(f"repeat needs a number for each axis of {self.array.shape}; got {shown(times)}.")
        lengths = (1,) * new + self.array.shape
        paired = self.view(*(part for length in lengths for part in (1, length)))
        repeated = paired.expand(*(part for pair in zip(times, lengths, strict=True) for part in pair))
        return self._named("Repeat", repeated.view(*(n * length for n, length in zip(times, lengths, strict=True))))

    def tile(self, *sizes: int | Sequence[int]) -> Self:
        """Return the tensor repeated along its last axes."""
        times = spread(sizes)
        return self.repeat(*(1,) * max(self.array.ndim - len(times), 0), *times)

    def flip(self, *dims: int | Sequence[int]) -> Self:
        """Return a copy with the order of the elements reversed along these axes."""
        return self._reordered("Flip", {self._axis(dim): np.s_[::-1] for dim in spread(dims)})

    def roll(self, shifts: int | Sequence[int], dims: int | Sequence[int] | None = None) -> Self:
        """Return a copy with the elements moved along the axes (of all elements, without `dims`), and round the end."""
        if dims is None:
            return self._named("Roll", self.view(-1).roll(shifts, 0).view(*self.array.shape))
        steps = dict(zip(spread((dims,)), spread((shifts,)), strict=True))
        lengths = self.array.shape
        moved = {
            self._axis(dim): (np.arange(lengths[dim]) - step) % max(lengths[dim], 1) for dim, step in steps.items()
        }
        return self._reordered("Roll", moved)

    def _reordered(self, name: str, orders: dict[int, Any]) -> Self:
        """Return a copy with the elements of some axes in another order, given by an index for each."""
        made = self
        for axis, order in orders.items():
            places = np.arange(self.array.shape[axis])[order]
            made = apply(ops.Index, made, index=(*(slice(None),) * axis, places))
        return self._named(name, made)
