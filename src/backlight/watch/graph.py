"""What the graph shows of a network: how the loss was made, what it depends on, what lies between two layers."""

import math
from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Final

from backlight.core import Array
from backlight.watch.records import LossFacts, Reshape
from backlight.watch.views import moves_axes

MOST_NODES: Final = 200_000
"""A graph is read up to this many nodes."""

MOST_EXCHANGES: Final = 8
"""So many reshapes are named."""


class Graph(ABC):
    """The graphs of a framework: what the watching mechanism asks of them."""

    shape_ops: ClassVar[frozenset[str]]
    """Names of the ops that move numbers and change none."""

    holds_targets: ClassVar[bool]
    """Whether a loss's graph still holds its targets after the backward pass."""

    @abstractmethod
    def node(self, thing: Any) -> Any:
        """Return the node that a tensor is the result of; None if it has none, or is no tensor."""

    @abstractmethod
    def op_name(self, node: Any) -> str:
        """Return the name of a node's op."""

    @abstractmethod
    def parents(self, node: Any) -> Iterable[Any]:
        """Return the nodes that a node's gradient goes to."""

    @abstractmethod
    def leaf(self, node: Any) -> Any:
        """Return the tensor that a node without parents stands for; None for other nodes."""

    @abstractmethod
    def loss_kind(self, names: Sequence[str]) -> str:
        """Return what a loss is, by the names of the ops from it down to the model's output."""

    @abstractmethod
    def reduction(self, nodes: Sequence[Any], names: Sequence[str]) -> str | None:
        """Return "mean" or "sum", or None if the ops from the loss down to the output do not show which."""

    @abstractmethod
    def class_axis(self, nodes: Sequence[Any], names: Sequence[str], shape: Sequence[int]) -> int | None:
        """Return the axis of an output of this shape that has the classes of a cross-entropy; None if none has them.

        Args:
            nodes: from the loss down to the output.
            names: of their ops.
            shape: of the output.
        """

    @abstractmethod
    def reshape(self, node: Any) -> tuple[Sequence[int], Sequence[int]] | None:
        """Return the shapes before and after a reshape; None for a node of another op."""

    @abstractmethod
    def shape(self, node: Any) -> Sequence[int] | None:
        """Return the shape of a node's result; None if that is not known."""

    @abstractmethod
    def softmax_axis(self, node: Any) -> int | None:
        """Return the axis that a softmax or a log-softmax is taken over; None for a node of another op."""

    def breaking(self, node: Any) -> str:
        """Return the name of a node's op if it, or its slope, is not finite at 0 or below; else an empty text."""
        del node
        return ""

    def loss_input(self, node: Any) -> Any:
        """Return the tensor that a loss's op reads, if this is one and that is known; else None."""
        del node

    def known_targets(self, nodes: Sequence[Any]) -> Array | None:
        """Return the targets that a loss was given, if its graph holds them; None if not."""
        del nodes
        return None


_SCALES: Final = frozenset({"mean", "sum", "neg"})
_TAKES: Final = frozenset({"mul", "div", "gather", "index", "index_select", "masked_select", "masked_fill", "where"})
PRODUCTS: Final = frozenset({
    "mm", "bmm", "matmul", "baddbmm", "addmm", "addmv", "mv", "dot", "linear", "convolution", "embedding",
})  # fmt: skip
NO_LOGARITHMS: Final = PRODUCTS | {"softmax", "sigmoid"}
"""Ops whose results are no logarithms of probabilities: an `nll_loss` of them is no cross-entropy."""

_COMPARES: Final = frozenset({"sub", "rsub", "mse", "mse_loss", "l1_loss", "smoothl1_loss", "huber_loss"})

_CORES: Final = {
    "cross_entropy": ("nll_loss", "cross_entropy", "log_softmax"),
    "binary_cross_entropy": ("binary_cross_entropy",),
    "mse": ("mse", "pow"),
}


def is_pure(kind: str, ops: Sequence[str]) -> bool:
    """Return whether a loss is of its kind and nothing else; see `LossFacts`.

    Args:
        kind: of the loss.
        ops: from the loss down to the output, both included, without those that only move numbers.
    """
    cores = _CORES.get(kind, ())
    squares = {at for at in range(len(ops)) if kind == "mse" and tuple(ops[at : at + 2]) == ("mul", "sub")}
    places = [at for at, op in enumerate(ops) if cores and (op.startswith(cores) or at in squares)]
    if not places:
        return False
    above, between = set(ops[: places[0]]), ops[places[-1] + 1 : -1]
    if kind == "cross_entropy":  # weights and what is picked out do not hide the targets: the gradient is checked
        return above <= _SCALES | _TAKES and not PRODUCTS & set(between)
    return above <= _SCALES and tuple(between) in ((), ("sub",))


def unchanged_sources(graph: Graph, node: Any, known: Mapping[Any, str]) -> Iterator[str]:
    """Yield the names of the known nodes from which numbers come to this one without being changed."""
    unread, seen = [node], {node}
    while unread:
        one = unread.pop()
        if one in known:
            yield known[one]
        elif graph.op_name(one) in graph.shape_ops:
            fresh = [parent for parent in graph.parents(one) if parent not in seen]
            seen.update(fresh)
            unread += fresh


def breaking_op(graph: Graph, loss: Any) -> str:
    """Return the op between a loss and the last matrix product below it that may give what is not finite.

    It is the nearest to the product; empty if there is none.
    """
    unread, seen, found = deque([graph.node(loss)]), {graph.node(loss)}, ""
    while unread and len(seen) < MOST_NODES:
        node = unread.popleft()
        if node is None or graph.op_name(node) in PRODUCTS:
            continue
        found = graph.breaking(node) or found
        fresh = [parent for parent in graph.parents(node) if parent not in seen]
        seen.update(fresh)
        unread += fresh
    return found


def mean_of_nothing(graph: Graph, loss: Any) -> str:
    """Return the op above all others that makes a loss of finite numbers NaN if there is nothing to take a mean of.

    That is the division of one number by another that has no graph, as a count of what is kept; the mean of a
    cross-entropy over its targets; or the mean of a tensor without numbers. Empty if there is none, or more than one.
    """
    unread, seen = deque([graph.node(loss)]), {graph.node(loss)}
    found: set[str] = set()
    while unread:
        node = unread.popleft()
        if node is None or math.prod(graph.shape(node) or ()) != 1:
            continue
        name, parents = graph.op_name(node), list(graph.parents(node))
        if name == "div" and len(parents) == 1:
            found.add("div")
        elif name.startswith(("nll_loss", "cross_entropy")) and graph.reduction([node], [name]) != "sum":
            found.add("cross_entropy")
        elif name == "mean" and any(0 in (graph.shape(one) or ()) for one in parents):
            found.add("mean")
        fresh = [one for one in parents if one not in seen]
        seen.update(fresh)
        unread += fresh
    return found.pop() if len(found) == 1 else ""


class LossGraph:
    """The graph below a loss.

    Args:
        graph: of the framework.
        loss: the loss, whose backward pass may be over.
        outputs: the tensors that the network returned.

    Attributes:
        reached: the leaves that the loss depends on, by their ids.
        output: the tensor that the loss was made of; None if that is not known.
        chain: the nodes from the loss down to the output: a shortest way.
    """

    def __init__(self, graph: Graph, loss: Any, outputs: Sequence[Any]) -> None:
        self._graph = graph
        self.reached: dict[int, Any] = {}
        self.chain: list[Any] = []
        self.output: Any = None
        self._ops: Counter[str] = Counter()
        self._single_softmaxes = 0
        self._exchanges: dict[Any, tuple[Sequence[int], Sequence[int]]] = {}
        self._above: dict[Any, Any] = {}  # a node to the one that it was reached from
        self._outputs = {node: one for one in outputs if (node := graph.node(one)) is not None}
        self._fallback: Any = None  # the node of what the loss's own op reads
        top = graph.node(loss)
        if top is not None:
            self._read(top)

    def _read(self, top: Any) -> None:
        graph = self._graph
        unread = deque([top])
        self._above[top] = None
        while unread and len(self._above) < MOST_NODES:
            node = unread.popleft()
            if self.output is None and node in self._outputs:
                self._end_at(node, self._outputs[node])
            leaf = graph.leaf(node)
            if leaf is not None:
                self.reached[id(leaf)] = leaf
                continue
            name = graph.op_name(node)
            self._ops[name] += 1
            self._single_softmaxes += "log" not in name and self._choices(node) == 1
            shapes = graph.reshape(node)
            if shapes is not None and len(self._exchanges) < MOST_EXCHANGES and moves_axes(*shapes):
                self._exchanges[node] = shapes
            if self._fallback is None:
                self._fallback = graph.loss_input(node)
            for parent in graph.parents(node):
                if parent not in self._above:
                    self._above[parent] = node
                    unread.append(parent)
        if self.output is None and self._fallback is not None:
            self._end_at(graph.node(self._fallback), self._fallback)

    def _end_at(self, node: Any, output: Any) -> None:
        self.output = output
        while node is not None:
            self.chain.append(node)
            node = self._above[node]
        self.chain.reverse()

    def facts(self) -> LossFacts:
        """Return how the loss was made of the network's output."""
        names = self._names()
        kind = self._graph.loss_kind(names)
        axis = self.class_axis()
        return LossFacts(
            kind=kind,
            pure=is_pure(kind, [name for name in names if name and name not in self._graph.shape_ops]),
            reduction=self._graph.reduction(self.chain, names),
            chain=tuple(name for name in names if name and name not in self._graph.shape_ops),
            classes=self.output.shape[axis] if kind == "cross_entropy" and axis is not None else None,
            ops=dict(self._ops),
            softmax_axis=axis if kind == "cross_entropy" else None,
            compared=self._compared(names),
            choices=next((n for node in self.chain if (n := self._choices(node)) is not None), None),
            single_softmaxes=self._single_softmaxes,
            output_shape=() if self.output is None else tuple(self.output.shape),
            exchanges=tuple(
                Reshape(before=tuple(before), after=tuple(after), in_loss=node in self.chain[:-1])
                for node, (before, after) in self._exchanges.items()
            ),
        )

    def class_axis(self) -> int | None:
        """Return the axis of the output that has the classes of a cross-entropy; None if none has."""
        if self.output is None or not self.output.shape:
            return None
        return self._graph.class_axis(self.chain, self._names(), self.output.shape)

    def _choices(self, node: Any) -> int | None:
        """Return how many numbers a softmax or log-softmax chooses between; None for a node of another op."""
        axis, shape = self._graph.softmax_axis(node), self._graph.shape(node)
        return None if axis is None or not shape else shape[axis]

    def _compared(self, names: Sequence[str]) -> int:
        """Return how many numbers are compared with one that was made of the whole output; 0 if none are."""
        sizes = [math.prod(self._graph.shape(node) or ()) for node in self.chain]
        if not sizes or sizes[-1] < 2:
            return 0
        one = max((at for at, size in enumerate(sizes) if size == 1), default=0)  # where all has become one number
        many = next((at for at in range(one - 1, -1, -1) if sizes[at] > 1), None)  # and where it is several again
        if many is None:
            return 0
        compares = names[many - 1] if names[many] == "expand" and many else names[many]
        return sizes[many] if compares in _COMPARES else 0

    def below(self) -> dict[int, Any]:
        """Return the leaves that the output depends on, by their id."""
        found: dict[int, Any] = {}
        unread = [] if self.output is None else [self._graph.node(self.output)]
        seen = set(unread)
        while unread and len(seen) < MOST_NODES:
            node = unread.pop()
            leaf = None if node is None else self._graph.leaf(node)
            if leaf is not None:
                found[id(leaf)] = leaf
            elif node is not None:
                fresh = [one for one in self._graph.parents(node) if one not in seen]
                seen.update(fresh)
                unread += fresh
        return found

    def targets(self) -> Array | None:
        """Return the targets, if the graph holds them; None if not."""
        return self._graph.known_targets(self.chain)

    def _names(self) -> list[str]:
        return [self._graph.op_name(node) for node in self.chain]
