"""The computation of a batched function: each group of nodes is one op on arrays, forward and backward."""

from collections.abc import Callable, Sequence
from functools import reduce
from math import isnan
from operator import methodcaller, truediv
from typing import Any, Final, Protocol

import numpy as np

from backlight.autograd.batching.execution_order import ExecutionOrder, NodeGroup
from backlight.autograd.batching.recording import PICK
from backlight.autograd.number import Value
from backlight.autograd.op import Op
from backlight.autograd.ops.arithmetic import Add, Div, Mul, Neg, Pow, PowConstant, Sub
from backlight.autograd.ops.elementwise import Cos, Exp, Log, ReLU, Sigmoid, Sin, Tanh
from backlight.core import BoolArray, DomainError, FloatArray, GraphError, IndexingError, IntArray

_OPS: Final[dict[str, type[Op]]] = {
    "+": Add, "-": Sub, "*": Mul, "/": Div, "**": Pow, "neg": Neg, "exp": Exp, "log": Log, "tanh": Tanh, "ReLU": ReLU,
    "sigmoid": Sigmoid, "sin": Sin, "cos": Cos,
}  # fmt: skip
"""The op on arrays for each op of a Value."""

_MAY_REFUSE: Final[dict[str, Callable[..., Value]]] = {
    "/": truediv, "log": methodcaller("log"), "sin": methodcaller("sin"), "cos": methodcaller("cos"), "**": pow,
}  # fmt: skip
"""The ops that are undefined for some numbers: a Value raises an error where an array gets inf or nan."""

_READ: Final[dict[str, Callable[..., FloatArray]]] = {"data": np.copy, "max": np.maximum, "min": np.minimum}
"""The ops that look at numbers."""

Store = tuple[FloatArray, FloatArray]
"""The numbers of the nodes that differ from example to example, (nodes, B), and of the shared ones, (nodes, 1)."""

Place = tuple[bool, int]
"""Where the numbers of a node are: whether it is shared, and its row in that part of a `Store`."""


class Work:
    """The whole computation, from leaves and inputs to outputs, and its backward pass.

    Raises:
        GraphError: a Value was computed by an op that `Value` does not define.
    """

    def __init__(self, order: ExecutionOrder) -> None:
        places: list[Place] = [(True, row) for row in range(len(order.leaves))]
        places += [(False, row) for row in range(order.inputs)]
        self._sizes = [order.inputs, len(order.leaves)]  # rows that differ from example to example, and shared rows
        place_of = dict(enumerate(places))
        self._pieces: list[_Piece] = []
        for step in order.steps:
            first = self._sizes[step.shared]
            self._sizes[step.shared] += len(step.nodes)
            for row, node in enumerate(step.nodes, first):
                place_of[node] = step.shared, row
            out = _Rows([place_of[node] for node in step.nodes])
            parents = [[place_of[node] for node in operand] for operand in step.parents]
            self._pieces.append(_piece(step, parents, out))
        self._leaves, self._inputs = len(order.leaves), order.inputs
        self._outputs = [place_of[node] for node in order.outputs]
        self._values: Store = np.empty((0, 0)), np.empty((0, 1))

    def forward(self, leaves: FloatArray, inputs: FloatArray) -> FloatArray:
        """Return the outputs (O, B) for the values of the leaves (L,) and of the inputs (I, B)."""
        size = inputs.shape[1]
        if self._values[0].shape != (self._sizes[0], size):
            self._values = np.empty((self._sizes[0], size)), np.empty((self._sizes[1], 1))
        values = self._values
        values[0][: self._inputs] = inputs
        values[1][: self._leaves, 0] = leaves
        with np.errstate(all="ignore"):  # as with Python floats, inf and nan raise no warning
            for piece in self._pieces:
                piece.forward(values)
        return np.stack([np.broadcast_to(values[shared][row], size) for shared, row in self._outputs])

    def backward(self, above: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the gradients of the leaves (L,) and of the inputs (I, B), given those of the outputs (O, B)."""
        gradients = np.zeros_like(self._values[0]), np.zeros_like(self._values[1])
        for (shared, row), gradient in zip(self._outputs, above, strict=True):
            gradients[shared][row] += gradient.sum() if shared else gradient
        with np.errstate(all="ignore"):
            for piece in reversed(self._pieces):
                piece.backward(gradients)
        return gradients[1][: self._leaves, 0], gradients[0][: self._inputs]


class _Rows:
    """Some rows of a `Store`, possibly with repetitions: reads and writes values, and adds to gradients."""

    __slots__ = ("_index", "_order", "_starts", "_to", "shared")

    def __init__(self, places: Sequence[Place]) -> None:
        self.shared = places[0][0]
        rows = np.array([row for _, row in places])
        follow = len(rows) == 1 or bool((np.diff(rows) == 1).all())
        self._index: slice | IntArray = slice(int(rows[0]), int(rows[-1]) + 1) if follow else rows
        # += with a repeated index adds only once: sort the rows, and sum each run of equal ones
        self._order: IntArray = np.argsort(rows, kind="stable")
        self._to, self._starts = np.unique(rows[self._order], return_index=True)
        if len(self._to) == len(rows):
            self._order = np.empty(0, np.int64)

    def take(self, values: Store) -> FloatArray:
        """Return the rows' numbers, (nodes, B) or (nodes, 1)."""
        return values[self.shared][self._index]

    def put(self, values: Store, numbers: FloatArray) -> None:
        """Set the rows' numbers, (nodes, B) or (nodes, 1)."""
        values[self.shared][self._index] = numbers

    def add(self, gradients: Store, more: FloatArray) -> None:
        """Add to the rows, (nodes, B) or (nodes, 1)."""
        if len(self._order):
            gradients[self.shared][self._to] += np.add.reduceat(more[self._order], self._starts, axis=0)
        else:
            gradients[self.shared][self._index] += more


class _Piece(Protocol):
    """The computation of one group. `backward` refers to the last `forward`."""

    def forward(self, values: Store) -> None: ...

    def backward(self, gradients: Store) -> None: ...


def _piece(step: NodeGroup, parents: list[list[Place]], out: _Rows) -> _Piece:
    if step.op == "dot":
        return _Dot(parents, out)
    if step.op == "sum":
        return _Sum(parents, out)
    if step.op == PICK:
        return _Pick(step.by, parents, out)
    if step.op in _READ:
        return _Reading(step.op, parents, out)
    exponent = step.op.removeprefix("**")
    if step.op in _OPS:
        return _Pointwise(step.op, {}, parents, out)
    try:
        return _Pointwise("**", {"exponent": float(exponent)}, parents, out)
    except ValueError:
        raise GraphError(
            f"a batched function must use the ops of Value; got one computed by {step.op!r}. Compose it of those ops."
        ) from None


class _Pointwise:
    """An elementwise op of Value."""

    def __init__(self, name: str, settings: dict[str, float], parents: list[list[Place]], out: _Rows) -> None:
        self._op = PowConstant if settings else _OPS[name]
        self._settings = settings
        self._parents = [_Rows(places) for places in parents]
        self._out = out
        self._may_refuse = _MAY_REFUSE.get(name)
        self._saved: Any = None

    def forward(self, values: Store) -> None:
        operands = [rows.take(values) for rows in self._parents]
        y, self._saved = self._op.forward(*operands, **self._settings)
        if self._may_refuse is not None:
            doubtful = ~np.isfinite(y)
            if self._op is Pow:
                doubtful |= operands[0] < 0
            if doubtful.any():
                _decide(self._may_refuse, operands, list(self._settings.values()), doubtful, shared=self._out.shared)
        self._out.put(values, y)

    def backward(self, gradients: Store) -> None:
        above = self._out.take(gradients)
        for rows, gradient in zip(self._parents, self._op.backward(above, self._saved), strict=True):
            rows.add(gradients, gradient)


class _Sum:
    """A sum of n nodes; the shared ones are summed once for all examples."""

    def __init__(self, parents: list[list[Place]], out: _Rows) -> None:
        self._out = out
        self._parts = [
            (len(terms), _Rows([place for places in terms for place in places]))
            for shared in (False, True)
            if (terms := [places for places in parents if places[0][0] == shared])
        ]

    def forward(self, values: Store) -> None:
        sums = [np.add.reduce(_split(rows.take(values), count), axis=0) for count, rows in self._parts]
        self._out.put(values, sums[0] if len(sums) == 1 else sums[0] + sums[1])

    def backward(self, gradients: Store) -> None:
        above = self._out.take(gradients)
        for count, rows in self._parts:
            own = above.sum(axis=1, keepdims=True) if rows.shared else above
            rows.add(gradients, np.broadcast_to(own, (count, *own.shape)).reshape(-1, own.shape[1]))


class _Pick:
    """One of several nodes for each example: that with the number of an input."""

    def __init__(self, by: int, parents: list[list[Place]], out: _Rows) -> None:
        self._by = by
        self._items = [_Rows(places) for places in parents]
        self._out = out
        self._chosen: IntArray = np.empty(0, np.int64)

    def forward(self, values: Store) -> None:
        numbers = values[False][self._by]
        wrong = ~((numbers >= 0) & (numbers < len(self._items)))
        if wrong.any():
            example = int(wrong.argmax())
            raise IndexingError(
                f"example {example}: an index must be in 0..{len(self._items) - 1}; got {numbers[example]:g}."
            )
        self._chosen = numbers.astype(np.int64)
        picked = np.empty((len(self._items[0].take(values)), len(numbers)))
        for item, rows in enumerate(self._items):
            here = self._chosen == item
            if here.any():
                numbers_of_item = rows.take(values)
                picked[:, here] = numbers_of_item if rows.shared else numbers_of_item[:, here]
        self._out.put(values, picked)

    def backward(self, gradients: Store) -> None:
        above = self._out.take(gradients)
        for item, rows in enumerate(self._items):
            own = np.where(self._chosen == item, above, 0.0)
            rows.add(gradients, own.sum(axis=1, keepdims=True) if rows.shared else own)


class _Reading:
    """Numbers that were read: `.data`, or max or min of such. No gradient flows through them."""

    def __init__(self, op: str, parents: list[list[Place]], out: _Rows) -> None:
        self._function = _READ[op]
        self._parents = [_Rows(places) for places in parents]
        self._out = out

    def forward(self, values: Store) -> None:
        self._out.put(values, reduce(self._function, (rows.take(values) for rows in self._parents)))

    def backward(self, gradients: Store) -> None:
        pass


class _Dot:
    """Neurons with shared weights and the same inputs: Y = W X + b, with W (nodes, n) and X (n, B)."""

    def __init__(self, parents: list[list[Place]], out: _Rows) -> None:
        bias, *factors = parents
        self._count = len(factors) // 2
        self._out = out
        self._bias = _Rows(bias)
        self._weights = _Rows([place for neuron in zip(*factors[: self._count], strict=True) for place in neuron])
        self._inputs = _Rows([place[0] for place in factors[self._count :]])
        self._saved: tuple[FloatArray, FloatArray] = np.empty(0), np.empty(0)

    def forward(self, values: Store) -> None:
        W, X = self._weights.take(values).reshape(-1, self._count), self._inputs.take(values)
        self._saved = W, X
        self._out.put(values, W @ X + self._bias.take(values))

    def backward(self, gradients: Store) -> None:
        W, X = self._saved
        above = self._out.take(gradients)
        self._bias.add(gradients, above if not self._bias.shared else above.sum(axis=1, keepdims=True))
        self._weights.add(gradients, (above @ X.T).reshape(-1, 1))
        self._inputs.add(gradients, W.T @ above)


def _split(array: FloatArray, count: int) -> FloatArray:
    return array.reshape(count, -1, array.shape[1])


def _decide(
    op: Callable[..., Value], operands: list[FloatArray], settings: list[float], where: BoolArray, *, shared: bool
) -> None:
    """Compute doubtful results with Values, and raise their error with the number of the example."""
    spread = np.broadcast_arrays(*operands, where)[:-1]
    for node, example in np.argwhere(where).tolist():
        numbers = [float(operand[node, example]) for operand in spread]
        if any(map(isnan, numbers)):
            continue
        try:
            op(*map(Value, numbers), *settings)
        except DomainError as error:
            raise DomainError(str(error) if shared else f"example {example}: {error}") from None
