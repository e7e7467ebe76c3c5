"""A recorded graph as two lists of kernels, forward and backward, on arrays that stay where they are.

A graph spends time on calls, on new arrays and on passes over them; a program does not. It does the same arithmetic in
another order, so its numbers differ from NumPy's in the last digits.
"""

from typing import Any

import numpy as np

from backlight.autograd.native.emitting import Emitter, Size, UnsuitableError
from backlight.autograd.native.library import blas_threads, library
from backlight.autograd.native.lowering import LOWERINGS
from backlight.autograd.ops.attention import PackedIndex
from backlight.autograd.tensor import Tensor
from backlight.core import ConfigError, GraphError, IntArray


class Program:
    """The graph behind a loss, compiled to run forward and backward with other inputs.

    Args:
        end: the loss, as computed from `inputs`: a `cross_entropy`.
        inputs: what will differ from run to run: ids, targets, positions. Each must have been given to an op just as
            it is; what was computed from it outside the graph would be a constant here. None stands for nothing. Their
            shapes must stay, but with `PackedIndex` or a list of counts among them a batch may have any number of
            sequences of any lengths.
        backward: whether the backward pass is wanted too.

    Raises:
        UnsuitableError: the graph has an op, a dtype or a form without a kernel, or there are no kernels at all.
    """

    def __init__(self, end: Tensor, inputs: tuple[Any, ...], *, backward: bool = True) -> None:
        found = library()
        if found is None:
            raise UnsuitableError("the kernels were not built")
        self._run, self._kernels = found.run, found.kernels
        self._end = end
        self._inputs = inputs
        self._wants_backward = backward
        self._order = [node for node in reversed(end.ancestry()) if node._prev]
        self._places = next((at for at, one in enumerate(inputs) if isinstance(one, (PackedIndex, list))), None)
        self._threads = blas_threads()
        self._make(self._size(inputs))

    def forward(self, inputs: tuple[Any, ...]) -> float:
        """Compute the loss from other inputs and the parameters as they are now.

        Raises:
            ConfigError: an id is not in its table, or there is no target.
            GraphError: a parameter's array is another one than it was.
        """
        size = self._room if self._places is None else self._grown_for(inputs)
        if any(leaf.array is not array for leaf, array in self._leaves):
            raise GraphError("a program needs its parameters where they were; their arrays have been replaced.")
        for which, place in self._emitter.copies.items():
            given = inputs[which].reshape(-1)
            if len(given) != size.rows and len(given) != len(place):
                raise GraphError(f"a program is for inputs of {len(place)} ids, as recorded; got {len(given)}.")
            place[: len(given)] = given
        if self._places is not None:
            self._emitter.starts[: size.sequences + 1] = _starts(inputs[self._places])
            self._emitter.sizes[:] = size.sequences, size.positions
        for draw in self._emitter.draws:
            draw.generator.random(dtype=np.float32, out=draw.place[: draw.count(size)])
        if self._run(*self._forward, size.rows):
            raise ConfigError("ids must be in their tables, and at least one target must count; in this batch not so.")
        self._rows = size.rows
        return float(self._emitter.loss[0])

    def backward(self) -> None:
        """Write the loss's derivative to the gradient of every parameter, by the last `forward`."""
        self._run(*self._backward, self._rows)
        for leaf in self._emitter.learnt:
            leaf._grad = leaf._grad_home

    def _grown_for(self, inputs: tuple[Any, ...]) -> Size:
        """Return how much a batch holds, with room made for it."""
        size = self._size(inputs)
        if any(asked > has for asked, has in zip(size, self._room, strict=True)):
            rows, sequences, positions = map(max, size, self._room)
            self._make(Size(rows * 5 // 4, sequences, positions))  # a little more: the next one may be larger still
        return size

    def _size(self, inputs: tuple[Any, ...]) -> Size:
        rows = next(one.size for one in inputs if isinstance(one, np.ndarray))
        if self._places is None:
            shape = next(one.shape for one in inputs if isinstance(one, np.ndarray))
            return Size(rows, shape[0], rows // max(shape[0], 1))
        given = inputs[self._places]
        return Size(rows, *given.shape) if isinstance(given, PackedIndex) else Size(rows, len(given), given[0])

    def _make(self, room: Size) -> None:
        emitter = Emitter(self._end, self._inputs, room, self._threads, self._kernels)
        try:
            for node in self._order:
                LOWERINGS[_name(node)][0](emitter, node)
            for node in reversed(self._order) if self._wants_backward else ():
                LOWERINGS[_name(node)][1](emitter, node)
                emitter.done_with(node)
        except KeyError as unknown:
            raise UnsuitableError(f"the op {unknown}") from None
        if self._places is None:
            emitter.starts[:] = np.arange(room.sequences + 1) * room.positions
        self._emitter, self._room = emitter, room
        read = [self._inputs[which] for which in emitter.copies]
        if any(isinstance(one, np.ndarray) and not any(one is other for other in read) for one in self._inputs):
            raise UnsuitableError("an input that no op reads just as it is")
        leaves = {parent for node in self._order for parent in node._prev if not parent._prev}
        self._leaves = [(leaf, leaf.array) for leaf in leaves]
        self._steps = emitter.steps()
        self._forward, self._backward = ((s.__array_interface__["data"][0], len(s)) for s in self._steps)


def _name(node: Tensor) -> str:
    if node._op is None:
        raise UnsuitableError("a tensor that was written to")
    return node._op.name


def _starts(places: PackedIndex | list[int]) -> IntArray:
    """Return (B + 1,) where the rows of each sequence begin, or of each counted step.

    Raises:
        GraphError: a sequence has a gap.
    """
    if isinstance(places, list):
        return np.cumsum([0, *places])
    B, T = places.shape
    sequence, position = np.divmod(places.rows, T)
    starts = np.zeros(B + 1, np.int64)
    np.cumsum(np.bincount(sequence, minlength=B), out=starts[1:])
    if (position + starts[sequence] != np.arange(len(places.rows))).any():
        raise GraphError("a program needs sequences without gaps: the positions of each from the first on.")
    return starts
