"""The arrays of a program, and its list of steps: what the lowering of each op asks for."""

import math
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from backlight.autograd.ops.attention import PackedIndex
from backlight.autograd.tensor import Tensor
from backlight.core import Array, BacklightError, FloatArray, IntArray

STEP: Final = np.dtype([("op", "i8"), ("rows", "i8"), ("n", "i8", 8), ("f", "f4", 4), ("p", "u8", 24)])
"""`step` of kernels.c."""

MOST_COLUMNS: Final = 4096
"""The longest row that the kernels' own sums have room for."""

LANES: Final = 16
"""The most numbers that a processor takes at a time."""

PANEL: Final = 2 * LANES * 192
"""What a product needs to arrange a part of its right side in: TERMS of products.h, for the widest lanes."""

SCRATCH: Final = "scratch"
"""Stands for an array that all kernels may use, none of them for longer than it runs."""


class UnsuitableError(BacklightError):
    """There is no kernel for something in a graph. Never seen by a user: NumPy does the work."""


def rows_of(array: Array) -> int:
    """Return how many rows (..., C) has."""
    return math.prod(array.shape[:-1])


class Size(NamedTuple):
    """How much a batch holds: ids, sequences, positions of the longest one; or ids, steps, rows of the first one."""

    rows: int
    sequences: int
    positions: int


class Draw(NamedTuple):
    """Numbers to be drawn before a step, evenly from 0 to 1: by whom, where to, and how many for a batch."""

    generator: np.random.Generator
    place: FloatArray
    count: Callable[[Size], int]


class Attended(NamedTuple):
    """What an attention works on besides numbers and gradients; `drawn` only if weights are dropped."""

    starts: IntArray
    sizes: IntArray
    weights: FloatArray
    drawn: FloatArray | None


class Emitter:
    """Gives every node of a graph its places in memory, and collects the kernels that fill them.

    Args:
        end: the loss.
        inputs: what differs from run to run. With `PackedIndex` or a list of counts among them, every array but the
            parameters has as many rows as the batch has ids, and how many those are differs as well.
        room: the largest batch that there must be room for.
        threads: how many BLAS may use.
        kernels: the names of the compiled kernels, each at its place.

    Attributes:
        learnt: the parameters that get gradients.
        copies: the inputs that ops read, by number: where each is to be copied.
        draws: in the order of the ops.
        starts: (B + 1,) where each sequence begins among the rows; of counted steps, (T + 1,) where each step begins.
        sizes: [B, T]; of counted steps how many there are, and the rows of the first.
        loss: (1,).

    Raises:
        UnsuitableError: there is no kernel for something.
    """

    def __init__(
        self, end: Tensor, inputs: tuple[Any, ...], room: Size, threads: int, kernels: tuple[str, ...]
    ) -> None:
        self.end = end
        self._places = {name: place for place, name in enumerate(kernels)}
        self.learnt: list[Tensor] = []
        self.copies: dict[int, IntArray] = {}
        self.draws: list[Draw] = []
        self.starts = np.zeros(room.sequences + 1, np.int64)
        self.sizes = np.array([room.sequences, room.positions])
        self.loss = np.zeros(1, np.float32)
        self.count = np.zeros(1, np.int64)
        self._inputs = inputs
        self.threads = threads
        self._ragged = any(isinstance(one, (PackedIndex, list)) for one in inputs)
        self._ids = next(one.size for one in inputs if isinstance(one, np.ndarray))
        self._room = room
        self._numbers: dict[Tensor, FloatArray] = {end: self.loss}
        self._gradients: dict[Tensor, FloatArray] = {}
        self._written: set[Tensor] = set()
        self._free: dict[int, list[FloatArray]] = {}
        self._buffers: dict[tuple[Tensor, str], FloatArray] = {}
        self._attended: dict[Tensor, Attended] = {}
        self._scratch = PANEL
        self._held: list[Array] = []
        self._forward: list[_Emitted] = []
        self._backward: list[_Emitted] = []

    # -- what the lowering of an op asks for ---------------------------------------------------------------------------

    def numbers(self, node: Tensor) -> FloatArray:
        """Return where a node's numbers are."""
        if not node._prev:
            if node.array.dtype != np.float32 or not node.array.flags.c_contiguous:
                raise UnsuitableError("a parameter that is not of float32, or not in one piece")
            return node.array
        if node not in self._numbers:
            self._numbers[node] = _zeros(self._rows(node) * self._columns(node))
        return self._numbers[node]

    def same_numbers(self, y: Tensor, x: Tensor) -> None:
        """Store a node's numbers where another's are, in another shape."""
        self._rows(y)
        self._numbers[y] = self.numbers(x)

    def gradient(self, node: Tensor) -> FloatArray:
        """Return where the gradient of a node is, once all that is made of it has pushed."""
        return self._gradients[node]

    def gradient_for(self, node: Tensor | None) -> tuple[FloatArray | None, int]:
        """Return where a gradient for a node is to be written, and 1 if it is to be added to what is there."""
        if node is None or not node._needs_grad:
            return None, 0
        add = int(node in self._written)
        self._written.add(node)
        if not add:
            self._gradients[node] = self._new_gradient(node)
        return self._gradients[node], add

    def hand_on(self, y: Tensor, x: Tensor, *, period: int = 0, copied: bool = False) -> None:
        """Let the gradient of y be, or be part of, that of x: summed over every `period` rows, if x was repeated."""
        if not x._needs_grad:
            return
        if x._prev and x not in self._written and not copied:
            self._written.add(x)
            self._gradients[x] = self._gradients.pop(y)
            return
        dx, add = self.gradient_for(x)
        self.backward("add_back", y, n=(y.array.shape[-1], add, period), p=(self._gradients[y], dx))

    def input(self, node: Tensor, setting: str) -> IntArray:
        """Return where the ids of a setting are copied at each run."""
        given = node._settings[setting]
        which = next((at for at, one in enumerate(self._inputs) if one is given), None)
        if which is None or given.dtype.kind not in "iu":
            raise UnsuitableError("ids that are not an input")
        if which not in self.copies:
            self.copies[which] = np.zeros(self._room.rows if self._ragged else given.size, np.int64)
        return self.copies[which]

    def each_row(self, node: Tensor, which: str, columns: int) -> FloatArray:
        """Return an array that a node keeps for the backward pass, `columns` numbers for each of its rows."""
        return self._buffer(node, which, self._rows(node) * columns)

    def each_column(self, node: Tensor, which: str) -> FloatArray:
        """Return an array that a node keeps for the backward pass, one number for each of its columns."""
        return self._buffer(node, which, self._columns(node))

    def drawn(self, node: Tensor) -> FloatArray:
        """Return where the numbers are that decide which of a node's are dropped."""
        size = self._rows(node) * self._columns(node)
        if (node, "drawn") not in self._buffers:
            columns = self._columns(node)
            count = (lambda batch: batch.rows * columns) if self._ragged else (lambda _: size)
            self._draw(node, size, count)
        return self._buffers[node, "drawn"]

    def attended(self, node: Tensor) -> Attended:
        """Return what an attention works on, and see to it that there is scratch enough."""
        if node not in self._attended:
            _, B, T = self._room
            heads, width = node._settings["heads"], -(-T // LANES) * LANES
            self._scratch = max(self._scratch, PANEL + 2 * T * width)
            if node._settings.get("keep") is not None:
                self._draw(node, B * heads * T * T, lambda batch: batch.sequences * heads * batch.positions**2)
            weights = _zeros(B * heads * T * width)
            self._attended[node] = Attended(self.starts, self.sizes, weights, self._buffers.get((node, "drawn")))
        return self._attended[node]

    def is_input(self, given: Any) -> bool:
        """Return whether something differs from run to run."""
        return any(given is one for one in self._inputs)

    def held(self, array: FloatArray) -> FloatArray:
        """Return an array of somebody else's that a kernel changes in place."""
        if array.dtype != np.float32 or not array.flags.c_contiguous:
            raise UnsuitableError("a buffer that is not of float32, or not in one piece")
        return array

    def forward(self, kernel: str, node: Tensor, **what: Any) -> None:
        """Add a kernel to the forward pass; it has as many rows as the node."""
        self._forward.append(_Emitted(kernel, self._rows_now(node), **what))

    def backward(self, kernel: str, node: Tensor, **what: Any) -> None:
        """Add a kernel to the backward pass."""
        self._backward.append(_Emitted(kernel, self._rows_now(node), **what))

    # -- what the program asks for -------------------------------------------------------------------------------------

    def done_with(self, node: Tensor) -> None:
        """Reuse the array of a node's gradient: it has been passed on."""
        gradient = self._gradients.pop(node, None)
        if gradient is not None:
            self._free.setdefault(gradient.size, []).append(gradient)

    def steps(self) -> tuple[Array, Array]:
        """Return the kernels forward and backward, as kernels.c reads them; valid as long as this emitter lives."""
        scratch = _zeros(self._scratch)
        return self._encoded(self._forward, scratch), self._encoded(self._backward, scratch)

    def _encoded(self, emitted: "list[_Emitted]", scratch: FloatArray) -> Array:
        steps = np.zeros(len(emitted), STEP)
        for step, one in zip(steps, emitted, strict=True):
            assert one.kernel in self._places, (  # noqa: S101  (a kernel that only we can forget)
                f"lowering.py emits {one.kernel!r}, which is not in the table of kernels.c; add it and build again"
            )
            step["op"], step["rows"] = self._places[one.kernel], one.rows
            step["n"][: len(one.n)] = one.n
            step["f"][: len(one.f)] = one.f
            for slot, array in enumerate(one.p):
                given = scratch if isinstance(array, str) else array
                if given is not None:
                    self._held.append(given)
                    step["p"][slot] = given.__array_interface__["data"][0]
        return steps

    # -- within --------------------------------------------------------------------------------------------------------

    def _rows(self, node: Tensor) -> int:
        """Return how many rows there must be room for."""
        rows = rows_of(node.array)
        if not self._ragged:
            return rows
        if rows != self._ids:
            raise UnsuitableError("in a batch of sequences of unequal length, an array with other rows than ids")
        return self._room.rows

    def _rows_now(self, node: Tensor) -> int:
        self._rows(node)
        return 0 if self._ragged else rows_of(node.array)

    def _columns(self, node: Tensor) -> int:
        columns = node.array.shape[-1] if node.array.ndim else 0
        if not 1 <= columns <= MOST_COLUMNS:
            raise UnsuitableError(f"rows of {columns} numbers")
        return columns

    def _new_gradient(self, node: Tensor) -> FloatArray:
        if not node._prev:
            home = node._grad_home
            if home is None or home.dtype != np.float32 or not home.flags.c_contiguous:
                raise UnsuitableError("a parameter whose gradient has no place of its own")
            self.learnt.append(node)
            return home
        size = self._rows(node) * self._columns(node)
        free = self._free.get(size)
        return free.pop() if free else _zeros(size)

    def _buffer(self, node: Tensor, which: str, size: int) -> FloatArray:
        if (node, which) not in self._buffers:
            self._buffers[node, which] = _zeros(size)
        return self._buffers[node, which]

    def _draw(self, node: Tensor, size: int, count: Callable[[Size], int]) -> None:
        generator = node._settings["keep"]
        if not isinstance(generator, np.random.Generator):
            raise UnsuitableError("dropped numbers that are given")
        self.draws.append(Draw(generator, self._buffer(node, "drawn", size), count))


class _Emitted(NamedTuple):
    """A kernel with its arguments, before it is encoded."""

    kernel: str
    rows: int
    n: tuple[int, ...] = ()
    f: tuple[float, ...] = ()
    p: Sequence[Array | str | None] = ()


def _zeros(size: int) -> FloatArray:
    """Return float32 zeros that begin at a multiple of 64 bytes: a load across such a border takes twice as long."""
    room = np.zeros(size + 16, np.float32)
    start = -room.__array_interface__["data"][0] // 4 % 16
    return room[start : start + size]
