"""A recorded graph as two lists of kernel calls, forward and backward, on arrays that are allocated once.

A program saves the Python calls, the new arrays and the separate passes over memory of a graph. It does the same
arithmetic in another order, so its results differ from NumPy's in the last digits.
"""

from typing import Any

import numpy as np

from backlight.autograd.native.emitting import BatchSize, Emitter, UnsuitableError
from backlight.autograd.native.library import library
from backlight.autograd.native.lowering import LOWERINGS
from backlight.autograd.ops.attention import PackedIndex
from backlight.autograd.tensor import Tensor
from backlight.core import ConfigError, GraphError, IntArray
from backlight.core.threads import kernel_threads


class Program:
    """The graph of a loss, compiled to run forward and backward with other inputs.

    Args:
        end: the loss, a `cross_entropy`, as computed from `inputs`.
        inputs: what differs from run to run: ids, targets, positions, or None for an unused one. Each must have been
            passed to an op unchanged; anything computed from it outside the graph would be a constant of the program.
            Shapes must stay the same. If a `PackedIndex` or a list of counts is among the inputs, a batch may have any
            number of sequences of any lengths.
        backward: whether the program needs a backward pass.

    Raises:
        UnsuitableError: the graph has an op, a dtype or a form without a kernel, or there are no kernels at all.
    """

    def __init__(self, end: Tensor, inputs: tuple[Any, ...], *, backward: bool = True) -> None:
        found = library()
        if found is None:
            raise UnsuitableError("the kernels were not built")
        self._run, self._uniform, self._kernels = found.run, found.uniform, found.kernels
        self._inputs = inputs
        self._wants_backward = backward
        self._order = _form([node for node in reversed(end.ancestry()) if node._prev])
        self._packing = next((i for i, given in enumerate(inputs) if isinstance(given, (PackedIndex, list))), None)
        self._threads = kernel_threads()
        self._make(self._size(inputs))

    def forward(self, inputs: tuple[Any, ...]) -> float:
        """Return the loss, in nats, for other inputs and the present values of the parameters.

        Raises:
            ConfigError: an id is out of range, or there is no target.
            GraphError: the array of a parameter has been replaced, or the inputs have another size.
        """
        size = self._room if self._packing is None else self._grown_for(inputs)
        if any(leaf.array is not array for leaf, array in self._leaves):
            raise GraphError("a program needs the arrays of its parameters to stay the same; one has been replaced.")
        for number, target in self._emitter.copies.items():
            given = inputs[number].reshape(-1)
            if len(given) != size.rows and len(given) != len(target):
                raise GraphError(f"a program needs inputs of {len(target)} ids, as recorded; got {len(given)}.")
            target[: len(given)] = given
        if self._packing is not None:
            self._emitter.starts[: size.sequences + 1] = _starts(inputs[self._packing])
            self._emitter.sizes[:] = size.sequences, size.positions
        for draw in self._emitter.draws:
            self._uniform(draw.generator, draw.target[: draw.count(size)])
        if self._run(*self._forward, size.rows, self._threads):
            raise ConfigError("ids must be in range and at least one target must not be -1; this batch violates that.")
        self._rows = size.rows
        return float(self._emitter.loss[0])

    def backward(self) -> None:
        """Set the gradient of every parameter to the derivative of the loss of the last `forward`."""
        self._run(*self._backward, self._rows, self._threads)
        for leaf in self._emitter.learnt:
            leaf._grad = leaf._grad_home

    def _grown_for(self, inputs: tuple[Any, ...]) -> BatchSize:
        """Return the size of a batch, after growing the arrays if it does not fit."""
        size = self._size(inputs)
        if any(asked > has for asked, has in zip(size, self._room, strict=True)):
            rows, sequences, positions = map(max, size, self._room)
            self._make(BatchSize(rows * 5 // 4, sequences, positions))  # a quarter more, so that growth is rare
        return size

    def _size(self, inputs: tuple[Any, ...]) -> BatchSize:
        ids = next(given for given in inputs if isinstance(given, np.ndarray))
        rows = ids.size
        if self._packing is None:
            return BatchSize(rows, len(ids), rows // max(len(ids), 1))
        given = inputs[self._packing]
        return (
            BatchSize(rows, *given.shape) if isinstance(given, PackedIndex) else BatchSize(rows, len(given), given[0])
        )

    def _make(self, room: BatchSize) -> None:
        emitter = Emitter(self._order[-1], self._inputs, room, self._threads, self._kernels)
        try:
            for node in self._order:
                LOWERINGS[_name(node)][0](emitter, node)
            for node in reversed(self._order) if self._wants_backward else ():
                LOWERINGS[_name(node)][1](emitter, node)
                emitter.done_with(node)
        except KeyError as unknown:
            raise UnsuitableError(f"the op {unknown}") from None
        if self._packing is None:
            emitter.starts[:] = np.arange(room.sequences + 1) * room.positions
        self._emitter, self._room = emitter, room
        read = [self._inputs[number] for number in emitter.copies]
        if any(isinstance(given, np.ndarray) and not any(given is other for other in read) for given in self._inputs):
            raise UnsuitableError("an input that no op reads unchanged")
        leaves = {parent for node in self._order for parent in node._prev if not parent._prev}
        self._leaves = [(leaf, leaf.array) for leaf in leaves]
        self._steps = emitter.steps()
        self._forward, self._backward = ((s.__array_interface__["data"][0], len(s)) for s in self._steps)


def _form(order: list[Tensor]) -> list[Tensor]:
    """Return copies of the nodes of a graph that have the shapes of its arrays but not their memory.

    A program may have to allocate its arrays again, long after the graph that was recorded is gone.

    Args:
        order: the nodes but the leaves, each after those that it was computed from. Leaves stay as they are.

    Raises:
        UnsuitableError: a tensor of the graph was changed in place.
    """
    made: dict[Tensor, Tensor] = {}
    for node in order:
        if hasattr(node, "_before"):
            raise UnsuitableError("a tensor of the graph was changed in place, so several share its memory")
        copy = made[node] = Tensor._holding(np.broadcast_to(np.zeros((), node.array.dtype), node.array.shape))
        copy._op, copy._settings, copy._needs_grad = node._op, node._settings, node._needs_grad
        copy._prev = tuple(made.get(parent, parent) for parent in node._prev)
    return list(made.values())


def _name(node: Tensor) -> str:
    if node._op is None:
        raise UnsuitableError("a tensor that was written to by index")
    return node._op.name


def _starts(packing: PackedIndex | list[int]) -> IntArray:
    """Return the first row of each sequence, (B + 1,); with counts, of each time step, (T + 1,).

    Raises:
        GraphError: a sequence has a gap.
    """
    if isinstance(packing, list):
        return np.cumsum([0, *packing])
    B, T = packing.shape
    sequence, position = np.divmod(packing.rows, T)
    starts = np.zeros(B + 1, np.int64)
    np.cumsum(np.bincount(sequence, minlength=B), out=starts[1:])
    if (position + starts[sequence] != np.arange(len(packing.rows))).any():
        raise GraphError("a program needs sequences without gaps; got a sequence with missing positions.")
    return starts
