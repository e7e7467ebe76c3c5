"""The arrays of a program and its list of kernel calls, which the lowerings of the ops request."""

import math
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from backlight.autograd.ops.attention import PackedIndex
from backlight.autograd.tensor import Tensor
from backlight.core import Array, BacklightError, FloatArray, IntArray

STEP: Final = np.dtype([("op", "i8"), ("rows", "i8"), ("n", "i8", 8), ("f", "f4", 4), ("p", "u8", 24)])
"""A kernel call: `step` of step.h."""

MOST_COLUMNS: Final = 4096
"""The longest row that fits into the kernels' arrays on the stack."""

LANES: Final = 16
"""The most float32 numbers in a vector register."""

BLOCK: Final = 128
"""Rows of a block in which layer norm sums the gradients of its parameters: BLOCK of step.h."""

SCRATCH: Final = "scratch"
"""Stands for the scratch array that all kernels share; its contents are valid only during one call."""


class UnsuitableError(BacklightError):
    """There is no kernel for something in a graph. Caught by the caller, which then uses NumPy."""


def rows_of(array: Array) -> int:
    """Return the number of rows of an array (..., C)."""
    return math.prod(array.shape[:-1])


class BatchSize(NamedTuple):
    """The size of a batch: ids, sequences, longest length; with counts instead: ids, time steps, rows of the first."""

    rows: int
    sequences: int
    positions: int


class Draw(NamedTuple):
    """Uniform random numbers in 0..1 that are drawn before a step: the generator, the array (N,), and N for a batch."""

    generator: np.random.Generator
    target: FloatArray
    count: Callable[[BatchSize], int]


class Attended(NamedTuple):
    """The further arrays of an attention op; `drawn` only with dropout of the weights."""

    starts: IntArray
    sizes: IntArray
    weights: FloatArray
    drawn: FloatArray | None


class Emitter:
    """Allocates the arrays of every node of a graph and collects the kernel calls that compute them.

    Args:
        end: the loss.
        inputs: what differs from run to run. With `PackedIndex` or a list of counts among them, the batch is packed:
            every array but the parameters has one row for each id, and their number differs from run to run.
        room: the size of the largest batch that must fit.
        threads: how many threads the kernels may use.
        kernels: the names of the compiled kernels, in the order of the table in kernels.c.

    Attributes:
        learnt: the parameters that get gradients.
        copies: the inputs that ops read, by number, each with the array (N,) into which it is copied before a run.
        draws: the random numbers of dropout, in the order of the ops.
        starts: (B + 1,) the first row of each sequence; with counts, (T + 1,) the first row of each time step.
        sizes: [B, T]; with counts, [T, rows of the first step].
        loss: (1,).

    Raises:
        UnsuitableError: there is no kernel for something in the graph.
    """

    def __init__(
        self, end: Tensor, inputs: tuple[Any, ...], room: BatchSize, threads: int, kernels: tuple[str, ...]
    ) -> None:
        self.end = end
        self._number_of = {name: number for number, name in enumerate(kernels)}
        self.learnt: list[Tensor] = []
        self.copies: dict[int, IntArray] = {}
        self.draws: list[Draw] = []
        self.starts = np.zeros(room.sequences + 1, np.int64)
        self.sizes = np.array([room.sequences, room.positions])
        self.loss = np.zeros(1, np.float32)
        self.count = np.zeros(1, np.int64)
        self._inputs = inputs
        self._threads = threads
        self._packed = any(isinstance(given, (PackedIndex, list)) for given in inputs)
        self._ids = next(given.size for given in inputs if isinstance(given, np.ndarray))
        self._room = room
        self._numbers: dict[Tensor, FloatArray] = {end: self.loss}
        self._gradients: dict[Tensor, FloatArray] = {}
        self._written: set[Tensor] = set()
        self._free: dict[int, list[FloatArray]] = {}
        self._buffers: dict[tuple[Tensor, str], FloatArray] = {}
        self._attended: dict[Tensor, Attended] = {}
        self._scratch = 0
        self._held: list[Array] = []
        self._forward: list[_Emitted] = []
        self._backward: list[_Emitted] = []

    # -- for lowering.py -----------------------------------------------------------------------------------------------

    def numbers(self, node: Tensor) -> FloatArray:
        """Return the array of a node's values."""
        if not node._prev:
            if node.array.dtype != np.float32 or not node.array.flags.c_contiguous:
                raise UnsuitableError("a parameter that is not contiguous float32")
            return node.array
        if node not in self._numbers:
            self._numbers[node] = _zeros(self._rows(node) * self._columns(node))
        return self._numbers[node]

    def same_numbers(self, y: Tensor, x: Tensor) -> None:
        """Let y share the array of x, in another shape."""
        self._rows(y)
        self._numbers[y] = self.numbers(x)

    def gradient(self, node: Tensor) -> FloatArray:
        """Return the array of a node's gradient, complete when the kernels of all nodes that use it have run."""
        return self._gradients[node]

    def gradient_for(self, node: Tensor | None) -> tuple[FloatArray | None, int]:
        """Return the array for a node's gradient, and 1 if a kernel must add to it, 0 if it must overwrite it."""
        if node is None or not node._needs_grad:
            return None, 0
        add = int(node in self._written)
        self._written.add(node)
        if not add:
            self._gradients[node] = self._new_gradient(node)
        return self._gradients[node], add

    def hand_on(self, y: Tensor, x: Tensor, *, period: int = 0, copied: bool = False) -> None:
        """Add the gradient of y to that of x, for y = x + ...

        Args:
            y: a node.
            x: a parent of y.
            period: the number of rows of x if it was repeated, else 0: the gradient is summed over the repetitions.
            copied: whether x must not take over the array of y's gradient, since another parent will.
        """
        if not x._needs_grad:
            return
        if x._prev and x not in self._written and not copied:
            self._written.add(x)
            self._gradients[x] = self._gradients.pop(y)
            return
        dx, add = self.gradient_for(x)
        self.backward("add_back", y, n=(y.array.shape[-1], add, period), p=(self._gradients[y], dx))

    def input(self, node: Tensor, setting: str) -> IntArray:
        """Return the array (N,) into which the ids of a setting are copied at each run."""
        ids = node._settings[setting]
        number = next((number for number, given in enumerate(self._inputs) if given is ids), None)
        if number is None or ids.dtype.kind not in "iu":
            raise UnsuitableError("ids that are not an input")
        if number not in self.copies:
            self.copies[number] = np.zeros(self._room.rows if self._packed else ids.size, np.int64)
        return self.copies[number]

    def each_row(self, node: Tensor, which: str, columns: int) -> FloatArray:
        """Return an array that a node saves for the backward pass, with `columns` numbers for each of its rows."""
        return self._buffer(node, which, self._rows(node) * columns)

    def each_column(self, node: Tensor, which: str) -> FloatArray:
        """Return an array that a node saves for the backward pass, with one number for each of its columns."""
        return self._buffer(node, which, self._columns(node))

    def drawn(self, node: Tensor) -> FloatArray:
        """Return the array of random numbers that decide which of a node's elements are dropped."""
        size = self._rows(node) * self._columns(node)
        if (node, "drawn") not in self._buffers:
            columns = self._columns(node)
            count = (lambda batch: batch.rows * columns) if self._packed else (lambda _: size)
            self._draw(node, size, count)
        return self._buffers[node, "drawn"]

    def attended(self, node: Tensor) -> Attended:
        """Return the further arrays of an attention op, and reserve the scratch memory that it needs."""
        if node not in self._attended:
            _, B, T = self._room
            heads, width = node._settings["heads"], -(-T // LANES) * LANES
            self._scratch = max(self._scratch, self._threads * 2 * T * width)
            if node._settings.get("keep") is not None:
                self._draw(node, B * heads * T * T, lambda batch: batch.sequences * heads * batch.positions**2)
            weights = _zeros(B * heads * T * width)
            self._attended[node] = Attended(self.starts, self.sizes, weights, self._buffers.get((node, "drawn")))
        return self._attended[node]

    def scratch_for_blocks(self, node: Tensor, columns: int) -> str:
        """Reserve scratch memory for `columns` numbers for each block of a node's rows."""
        self._scratch = max(self._scratch, -(-self._rows(node) // BLOCK) * columns)
        return SCRATCH

    def is_input(self, given: Any) -> bool:
        """Return whether an object is one of the inputs, which differ from run to run."""
        return any(given is other for other in self._inputs)

    def buffer(self, array: FloatArray) -> FloatArray:
        """Return an array of the model that a kernel changes in place, such as running statistics."""
        if array.dtype != np.float32 or not array.flags.c_contiguous:
            raise UnsuitableError("a buffer that is not contiguous float32")
        return array

    def forward(self, kernel: str, node: Tensor, **arguments: Any) -> None:
        """Add a kernel call to the forward pass, for all rows of the node. The arguments are those of `_Emitted`."""
        self._forward.append(_Emitted(kernel, self._rows_now(node), **arguments))

    def backward(self, kernel: str, node: Tensor, **arguments: Any) -> None:
        """Add a kernel call to the backward pass, as `forward` does."""
        self._backward.append(_Emitted(kernel, self._rows_now(node), **arguments))

    # -- for program.py ------------------------------------------------------------------------------------------------

    def done_with(self, node: Tensor) -> None:
        """Free the array of a node's gradient for other nodes, once it has been propagated."""
        gradient = self._gradients.pop(node, None)
        if gradient is not None:
            self._free.setdefault(gradient.size, []).append(gradient)

    def steps(self) -> tuple[Array, Array]:
        """Return the kernel calls, forward and backward, as arrays of `STEP`; valid as long as this emitter exists."""
        scratch = _zeros(self._scratch)
        return self._encoded(self._forward, scratch), self._encoded(self._backward, scratch)

    def _encoded(self, emitted: "list[_Emitted]", scratch: FloatArray) -> Array:
        steps = np.zeros(len(emitted), STEP)
        for step, call in zip(steps, emitted, strict=True):
            assert call.kernel in self._number_of, (  # noqa: S101  (a mistake in this package)
                f"lowering.py emits {call.kernel!r}, which is not in the table of kernels.c; add it and build again"
            )
            step["op"], step["rows"] = self._number_of[call.kernel], call.rows
            step["n"][: len(call.n)] = call.n
            step["f"][: len(call.f)] = call.f
            for slot, array in enumerate(call.p):
                given = scratch if isinstance(array, str) else array
                if given is not None:
                    self._held.append(given)
                    step["p"][slot] = given.__array_interface__["data"][0]
        return steps

    # -- sizes and arrays ----------------------------------------------------------------------------------------------

    def _rows(self, node: Tensor) -> int:
        """Return how many rows the arrays of a node must have."""
        rows = rows_of(node.array)
        if not self._packed:
            return rows
        if rows != self._ids:
            raise UnsuitableError("an array in a packed batch that does not have one row for each id")
        return self._room.rows

    def _rows_now(self, node: Tensor) -> int:
        """Return the rows of a kernel call; 0 for those of the batch."""
        self._rows(node)
        return 0 if self._packed else rows_of(node.array)

    def _columns(self, node: Tensor) -> int:
        columns = node.array.shape[-1] if node.array.ndim else 0
        if not 1 <= columns <= MOST_COLUMNS:
            raise UnsuitableError(f"rows of {columns} numbers")
        return columns

    def _new_gradient(self, node: Tensor) -> FloatArray:
        if not node._prev:
            home = node._grad_home
            if home is None or home.dtype != np.float32 or not home.flags.c_contiguous:
                raise UnsuitableError("a parameter whose gradient is not part of a flat array")
            self.learnt.append(node)
            return home
        size = self._rows(node) * self._columns(node)
        free = self._free.get(size)
        return free.pop() if free else _zeros(size)

    def _buffer(self, node: Tensor, which: str, size: int) -> FloatArray:
        if (node, which) not in self._buffers:
            self._buffers[node, which] = _zeros(size)
        return self._buffers[node, which]

    def _draw(self, node: Tensor, size: int, count: Callable[[BatchSize], int]) -> None:
        generator = node._settings["keep"]
        if not isinstance(generator, np.random.Generator):
            raise UnsuitableError("dropout with a given mask")
        self.draws.append(Draw(generator, self._buffer(node, "drawn", size), count))


class _Emitted(NamedTuple):
    """A kernel call before it is encoded: whole numbers n, float numbers f, arrays p (or `SCRATCH`)."""

    kernel: str
    rows: int
    n: tuple[int, ...] = ()
    f: tuple[float, ...] = ()
    p: Sequence[Array | str | None] = ()


def _zeros(size: int) -> FloatArray:
    """Return float32 zeros at an address that is a multiple of 64: a load across a cache line takes twice as long."""
    room = np.zeros(size + 16, np.float32)
    start = -room.__array_interface__["data"][0] // 4 % 16
    return room[start : start + size]
