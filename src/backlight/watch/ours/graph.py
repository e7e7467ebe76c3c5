"""What the graph tells of a network: how the loss was made, what it depends on, what lies between two layers."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

from backlight.autograd import Tensor
from backlight.watch.records import LossFacts

SHAPE_OPS: Final = {
    "reshape", "permute", "expand", "index", "cat", "stack",
}  # fmt: skip
"""Ops that move numbers and change none."""

_LOSSES: Final = {"cross_entropy": "cross_entropy", "mse": "mse"}


def name_of(node: Any) -> str:
    """Return the name of the op that made a tensor; "" for a leaf."""
    return "" if node._op is None else str(node._op.name)


def unchanged_sources(tensor: Any, known: Mapping[int, str]) -> Iterator[str]:
    """Yield the names of the known tensors from which numbers come to this one without being changed."""
    unread, seen = [tensor], {id(tensor)}
    while unread:
        one = unread.pop()
        if id(one) in known:
            yield known[id(one)]
        elif name_of(one) in SHAPE_OPS:
            fresh = [parent for parent in one._prev if id(parent) not in seen]
            seen.update(map(id, fresh))
            unread += fresh


class LossGraph:
    """The graph below a loss.

    Args:
        loss: the loss.
        output: what the model returned; None if that is not known.
    """

    def __init__(self, loss: Tensor, output: Tensor | None) -> None:
        nodes = loss.ancestry()
        self.reached = {id(node) for node in nodes if not node._prev}
        self.ops = Counter(name_of(node) for node in nodes if node._prev)
        self.end = next((node for node in nodes if name_of(node) in _LOSSES), None)
        judged: Any = self.end._prev[0] if self.end is not None else output
        self.output: Tensor | None = judged
        self.chain = _way(loss, judged)

    def facts(self) -> LossFacts:
        """Return how the loss was made of the model's output."""
        kind = "other" if self.end is None else _LOSSES[name_of(self.end)]
        names = [name_of(node) for node in self.chain]
        if kind == "other" and "mul" in names and "sub" in names and {"mean", "sum"} & set(names):
            kind = "mse"
        return LossFacts(
            kind=kind,
            reduction=_reduction(self.end, names),
            chain=tuple(name for name in names if name and name not in SHAPE_OPS),
            classes=self.output.shape[-1] if kind == "cross_entropy" and self.output is not None else None,
            ops=dict(self.ops),
        )


def _way(loss: Any, end: Any) -> list[Any]:
    """Return the tensors from the loss down to another, both included: a shortest way. Empty if there is none."""
    below: dict[int, Any] = {id(loss): None}
    unread = [loss]
    for node in unread:
        if node is end:
            way = [node]
            while below[id(way[-1])] is not None:
                way.append(below[id(way[-1])])
            return way[::-1]
        for parent in node._prev:
            if id(parent) not in below:
                below[id(parent)] = node
                unread.append(parent)
    return []


def _reduction(end: Any, names: list[str]) -> str | None:
    own = None if end is None else end._settings.get("reduction", "mean")
    return own or next((name for name in names if name in {"mean", "sum"}), None)
