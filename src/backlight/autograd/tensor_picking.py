"""Elements of a tensor picked by index, by size or by a mask, and put into place by index."""

from typing import Any, Self

import numpy as np

from backlight.autograd import ops, return_types
from backlight.autograd.ops.reduction import along
from backlight.autograd.tensor_base import Operand, TensorBase, apply, as_array
from backlight.autograd.tensor_functions import TensorFunctions
from backlight.autograd.tensor_math import Flag
from backlight.core import Array, GraphError, IndexingError, IntArray, ShapeError
from backlight.core.arguments import shown


class TensorPicking(TensorFunctions):
    """The methods of a tensor that pick elements or put them in place."""

    __slots__ = ()

    # -- by index ------------------------------------------------------------------------------------------------------

    def gather(self, dim: int, index: Operand) -> Self:
        """Return self[..., index, ...] along one axis, in the shape of the index.

        Args:
            dim: the axis.
            index: integers, with as many axes as this tensor, at most as long in the others.

        Raises:
            ShapeError: an index with another number of axes, or longer ones.
            IndexingError: an index out of range.
        """
        axis, indices = self._indices("gather", dim, index)
        source = self
        if self.array.ndim:
            near = tuple(slice(None) if at == axis else slice(n) for at, n in enumerate(indices.shape))
            if any(n != m for at, (n, m) in enumerate(zip(indices.shape, self.array.shape, strict=True)) if at != axis):
                source = apply(ops.Index, self, index=near)
        return self._named("Gather", apply(ops.PickAlong, source, indices=indices, axis=axis))

    def take_along_dim(self, indices: Operand, dim: int) -> Self:
        """Return self[..., indices, ...] along one axis; the same as `gather`."""
        return self.gather(dim, indices)

    def scatter(self, dim: int, index: Operand, src: Any) -> Self:
        """Return a copy with the elements of `src`, or one number, at these indices along an axis."""
        return self._scattered("Scatter", dim, index, src, add=False)

    def scatter_add(self, dim: int, index: Operand, src: Any) -> Self:
        """Return a copy with the elements of `src` added at these indices along an axis."""
        return self._scattered("ScatterAdd", dim, index, src, add=True)

    def _scattered(self, name: str, dim: int, index: Operand, src: Any, *, add: bool) -> Self:
        axis, indices = self._indices(name.lower(), dim, index)
        if isinstance(src, TensorBase):
            source: Self = src  # type: ignore[assignment]  # every tensor is a `Tensor`
            if source.array.shape != indices.shape:
                source = apply(ops.Index, source, index=tuple(map(slice, indices.shape)))
            ending = ""
        else:
            source, ending = self._holding(np.full(indices.shape, src, self.array.dtype)), "Backward1"
        where = along(indices, axis)
        return self._named(name + ending, apply(ops.AddIndex if add else ops.SetIndex, self, source, index=where))

    def _indices(self, name: str, dim: int, index: Operand) -> tuple[int, IntArray]:
        axis, indices = self._axis(dim), as_array(index)
        if indices.dtype.kind not in "iu":
            raise GraphError(f"{name} needs an index of integers; got {indices.dtype}. Call .long() first.")
        if indices.ndim != self.array.ndim:
            raise ShapeError(f"{name} needs an index with {self.array.ndim} axes; got shape {indices.shape}.")
        for at, (n, m) in enumerate(zip(indices.shape, self.array.shape, strict=True)):
            if at != axis and n > m:
                raise ShapeError(f"the index of {name} must fit into {self.array.shape}; got {indices.shape}.")
        length = (self.array.shape or (1,))[axis]
        if indices.size and (indices.min() < 0 or indices.max() >= length):
            raise IndexingError(
                f"the index of {name} must be in 0..{length - 1}; got {indices.min()}..{indices.max()}."
            )
        return axis, indices

    def index_select(self, dim: int, index: Operand) -> Self:
        """Return the slices with these indices (N,) along an axis."""
        return self._along(self._axis(dim), as_array(index).reshape(-1), "IndexSelect")

    def take(self, index: Operand) -> Self:
        """Return the elements with these indices among all elements, in the shape of the index."""
        return self._named("Take", apply(ops.Index, self.view(-1), index=as_array(index)))

    def repeat_interleave(self, repeats: Any, dim: int | None = None) -> Self:
        """Return each element `repeats` times, one after the other, along an axis or among all elements."""
        source, axis = (self.view(-1), 0) if dim is None else (self, self._axis(dim))
        times = as_array(repeats)
        places = np.repeat(np.arange(source.array.shape[axis]), times)
        return source._along(axis, places, "View" if times.ndim == 0 else "IndexSelect")

    # -- by a mask -----------------------------------------------------------------------------------------------------

    def masked_select(self, mask: Operand) -> Self:
        """Return the elements where the mask is true, (N,)."""
        shape = np.broadcast_shapes(self.array.shape, as_array(mask).shape)
        where = np.broadcast_to(as_array(mask).astype(np.bool_, copy=False), shape)
        return self._named("MaskedSelect", apply(ops.Index, self.expand(*shape), index=where))

    def where(self, condition: Operand, other: Operand) -> Self:
        """Return the elements of this tensor where the condition is true, and of the other elsewhere."""
        a, b = self._pair(other)
        return apply(ops.Where, a, b, condition=as_array(condition).astype(np.bool_, copy=False))

    def nonzero(self, *, as_tuple: bool = False) -> Any:
        """Return the indices of the elements that are not 0, (N, axes), or a tensor (N,) for each axis."""
        found = np.nonzero(np.atleast_1d(self.array))
        if as_tuple:
            return tuple(self._holding(part) for part in found)
        rows = np.stack(found, -1)
        return self._holding(rows if self.array.ndim else rows[:, :0])

    def argwhere(self) -> Self:
        """Return the indices of the elements that are not 0, (N, axes)."""
        made: Self = self.nonzero()
        return made

    # -- by size -------------------------------------------------------------------------------------------------------

    def _order(self, axis: int, *, descending: bool) -> Array:
        if not self.array.ndim:
            return np.zeros((), np.int64)
        if not descending:
            return np.argsort(self.array, axis=axis, kind="stable")
        # the last of the reversed comes first, so that equal elements keep their order
        reverse = np.flip(self.array, axis)
        last = self.array.shape[axis] - 1
        return np.flip(last - np.argsort(reverse, axis=axis, kind="stable"), axis)

    def sort(self, dim: int = -1, descending: Flag = False, stable: Flag = False) -> return_types.sort[Self]:
        """Return the elements in order along an axis, and their indices. Equal elements always keep their order."""
        del stable
        axis = self._axis(dim)
        order = self._order(axis, descending=descending)
        values = self._named("Sort", self._picked(order, axis))
        return return_types.sort(values, self._holding(np.ascontiguousarray(order)))

    def _picked(self, order: Array, axis: int) -> Self:
        return apply(ops.PickAlong, self, indices=order, axis=axis) if self.array.ndim else self.view()

    def argsort(self, dim: int = -1, descending: Flag = False, stable: Flag = False) -> Self:
        """Return the indices that put the elements in order along an axis."""
        return self.sort(dim, descending, stable).indices

    def topk(self, k: int, dim: int = -1, largest: Flag = True, sorted: Flag = True) -> return_types.topk[Self]:
        """Return the k largest (or smallest) elements along an axis, and their indices, in order.

        Of equal elements, the first come first; PyTorch does not specify their order.

        Raises:
            ShapeError: k is not in 0..n.
        """
        del sorted
        axis = self._axis(dim)
        length = (self.array.shape or (1,))[axis]
        if not isinstance(k, (int, np.integer)) or not 0 <= k <= length:
            raise ShapeError(f"k must be in 0..{length}, the length of the axis; got {shown(k)}.")
        order = self._order(axis, descending=bool(largest))
        kept = order[(*(slice(None),) * axis, slice(int(k)))] if self.array.ndim else order
        return return_types.topk(self._named("Topk", self._picked(kept, axis)), self._holding(kept.copy()))

    def median(self, dim: int | None = None, keepdim: Flag = False) -> Any:
        """Return the median, the lower of two, of all elements; or (values, indices) along an axis."""
        source, axis = (self.view(-1), 0) if dim is None else (self, self._axis(dim))
        length = source.array.shape[axis]
        if not length:
            raise ShapeError(f"median needs at least one element; got shape {self.array.shape}.")
        index = np.take(source._order(axis, descending=False), [(length - 1) // 2], axis)
        picked = apply(ops.PickAlong, source, indices=index, axis=axis)
        if dim is None:
            return self._named("Median", picked.view())
        if not keepdim:
            shape = tuple(n for at, n in enumerate(picked.array.shape) if at != axis)
            picked, index = apply(ops.Reshape, picked, shape=shape), index.reshape(shape)
        return return_types.median(self._named("MedianBackward1", picked), self._holding(index))

    def unique(
        self, sorted: Flag = True, return_inverse: Flag = False, return_counts: Flag = False, dim: int | None = None
    ) -> Any:
        """Return the different elements in order; on request also where each element went, and how often it occurs."""
        del sorted
        values, inverse, counts = np.unique(self.array, return_inverse=True, return_counts=True, axis=dim)
        inverse = inverse.reshape(self.array.shape if dim is None else -1)
        asked = ((values, True), (inverse, return_inverse), (counts, return_counts))
        made = tuple(self._holding(np.asarray(part)) for part, wanted in asked if wanted)
        return made if len(made) > 1 else made[0]

    def bincount(self, weights: Operand | None = None, minlength: int = 0) -> Self:
        """Return how often each integer from 0 on occurs, (largest + 1,) or longer; or the sum of its weights."""
        if self.array.dtype.kind not in "iu" or self.array.ndim != 1 or (self.array.size and self.array.min() < 0):
            raise GraphError(f"bincount needs integers from 0 on, (N,); got {shown(self)}.")
        shares = None if weights is None else as_array(weights)
        counts = np.bincount(self.array, shares, minlength)
        return self._holding(counts if shares is None or shares.dtype == counts.dtype else counts.astype(np.float64))

    # -- diagonals -----------------------------------------------------------------------------------------------------

    def diagonal(self, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Self:
        """Return the elements [i, i + offset] of two axes, along a new last axis."""
        a, b = self._axis(dim1), self._axis(dim2)
        rows, columns = self.array.shape[a], self.array.shape[b]
        count = max(min(rows + min(offset, 0), columns - max(offset, 0)), 0)
        at = np.arange(count)
        others = [axis for axis in range(self.array.ndim) if axis not in {a, b}]
        last = apply(ops.Permute, self, order=(*others, a, b))
        index = (*(slice(None),) * len(others), at - min(offset, 0), at + max(offset, 0))
        return self._named("Diagonal", apply(ops.Index, last, index=index))

    def diag(self, diagonal: int = 0) -> Self:
        """Return the diagonal of a matrix, or a matrix with these elements (N,) on its diagonal and 0 elsewhere."""
        if self.array.ndim == 2:
            return self._named("DiagonalBackward0_copy", self.diagonal(diagonal))
        if self.array.ndim != 1:
            raise ShapeError(f"diag needs one axis or two; got shape {self.array.shape}. Use diagonal().")
        size = len(self.array) + abs(diagonal)
        at = np.arange(len(self.array))
        empty = self._holding(np.zeros((size, size), self.array.dtype))
        index = (at - min(diagonal, 0), at + max(diagonal, 0))
        return self._named("DiagonalScatter", apply(ops.SetIndex, empty, self, index=index))

    def trace(self) -> Self:
        """Return the sum of the diagonal of a matrix."""
        return self._named("Trace", self.diagonal().sum())
