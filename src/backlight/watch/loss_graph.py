"""What the graph shows of a network: how the loss was made, what it depends on, what lies between two layers."""

from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from backlight.core import Array
from backlight.watch.adapter import Adapter
from backlight.watch.records import LossFacts

MOST_NODES: Final = 200_000
"""A graph is read up to this many nodes."""


def unchanged_sources(adapter: Adapter, node: Any, known: Mapping[Any, str]) -> Iterator[str]:
    """Yield the names of the known nodes from which numbers come to this one without being changed."""
    unread, seen = [node], {node}
    while unread:
        one = unread.pop()
        if one in known:
            yield known[one]
        elif adapter.op_name(one) in adapter.shape_ops:
            fresh = [parent for parent in adapter.parents(one) if parent not in seen]
            seen.update(fresh)
            unread += fresh


class LossGraph:
    """The graph below a loss.

    Args:
        adapter: the network and its framework.
        loss: the loss, whose backward pass may be over.
        outputs: the tensors that the network returned.

    Attributes:
        reached: ids of the leaves that the loss depends on.
        output: the tensor that the loss was made of; None if that is not known.
        chain: the nodes from the loss down to the output: a shortest way.
    """

    def __init__(self, adapter: Adapter, loss: Any, outputs: Sequence[Any]) -> None:
        self._adapter = adapter
        self.reached: set[int] = set()
        self.chain: list[Any] = []
        self.output: Any = None
        self._ops: Counter[str] = Counter()
        self._above: dict[Any, Any] = {}  # a node to the one that it was reached from
        self._outputs = {node: one for one in outputs if (node := adapter.node(one)) is not None}
        self._fallback: Any = None  # the node of what the loss's own op reads
        top = adapter.node(loss)
        if top is not None:
            self._read(top)

    def _read(self, top: Any) -> None:
        adapter = self._adapter
        unread = deque([top])
        self._above[top] = None
        while unread and len(self._above) < MOST_NODES:
            node = unread.popleft()
            if self.output is None and node in self._outputs:
                self._end_at(node, self._outputs[node])
            leaf = adapter.leaf(node)
            if leaf is not None:
                self.reached.add(id(leaf))
                continue
            self._ops[adapter.op_name(node)] += 1
            if self._fallback is None:
                self._fallback = adapter.loss_input(node)
            for parent in adapter.parents(node):
                if parent not in self._above:
                    self._above[parent] = node
                    unread.append(parent)
        if self.output is None and self._fallback is not None:
            self._end_at(adapter.node(self._fallback), self._fallback)

    def _end_at(self, node: Any, output: Any) -> None:
        self.output = output
        while node is not None:
            self.chain.append(node)
            node = self._above[node]
        self.chain.reverse()

    def facts(self) -> LossFacts:
        """Return how the loss was made of the network's output."""
        names = self._names()
        kind = self._adapter.loss_kind(names)
        axis = self.class_axis()
        return LossFacts(
            kind=kind,
            reduction=self._adapter.reduction(self.chain, names),
            chain=tuple(name for name in names if name and name not in self._adapter.shape_ops),
            classes=self.output.shape[axis] if kind == "cross_entropy" and axis is not None else None,
            ops=dict(self._ops),
        )

    def class_axis(self) -> int | None:
        """Return the axis of the output that has the classes of a cross-entropy; None without an output."""
        if self.output is None or not self.output.shape:
            return None
        return self._adapter.class_axis(self.chain, self._names(), len(self.output.shape))

    def targets(self) -> Array | None:
        """Return the targets, if the graph holds them; None if not."""
        return self._adapter.known_targets(self.chain)

    def _names(self) -> list[str]:
        return [self._adapter.op_name(node) for node in self.chain]
