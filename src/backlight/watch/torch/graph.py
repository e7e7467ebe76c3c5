"""What PyTorch's graph tells of a network: how the loss was made, what it depends on, what lies between two layers."""

import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import torch

from backlight.watch.records import LossFacts

SHAPE_OPS: Final = {
    "view", "reshape_alias", "unsafe_view", "t", "transpose", "permute", "squeeze", "unsqueeze", "expand", "slice",
    "select", "clone", "as_strided", "to_copy", "alias", "split", "split_with_sizes", "unbind", "cat", "stack",
    "movedim", "unflatten", "flatten", "diagonal", "narrow",
}  # fmt: skip
"""Ops that move numbers and change none."""

_NODES: Final = 200_000
"""A graph is read up to so many nodes."""

_REDUCTIONS: Final = {1: "mean", 2: "sum"}


def op_name(node: Any) -> str:
    """Return the name of a node's op: "addmm" for AddmmBackward0."""
    name = re.sub(r"Backward\d*$", "", str(node.name()).rpartition("::")[2])
    return re.sub(r"(?<=[A-Za-z0-9])(?=[A-Z][a-z])", "_", name).lower()


def parents(node: Any) -> Iterator[Any]:
    """Yield the nodes that a node's gradient goes to."""
    yield from (parent for parent, _ in node.next_functions if parent is not None)


def unchanged_sources(node: Any, known: Mapping[Any, str]) -> Iterator[str]:
    """Yield the names of the known nodes from which numbers come to this one without being changed."""
    unread, seen = [node], {node}
    while unread:
        one = unread.pop()
        if one in known:
            yield known[one]
        elif op_name(one) in SHAPE_OPS:
            fresh = [parent for parent in parents(one) if parent not in seen]
            seen.update(fresh)
            unread += fresh


class LossGraph:
    """The graph below a loss.

    Args:
        loss: the loss, whose backward pass may be over.
        outputs: the tensors that the model returned.
    """

    def __init__(self, loss: torch.Tensor, outputs: Iterable[torch.Tensor]) -> None:
        self.reached: set[int] = set()
        self._ops: dict[str, int] = {}
        self._below: dict[Any, Any] = {}  # a node to the one that it was reached from
        self._outputs = {tensor.grad_fn: tensor for tensor in outputs if tensor.grad_fn is not None}
        self.chain: list[Any] = []
        self.output: torch.Tensor | None = None
        if loss.grad_fn is not None:
            self._read(loss.grad_fn)

    def _read(self, top: Any) -> None:
        unread = deque([top])
        self._below[top] = None
        while unread and len(self._below) < _NODES:
            node = unread.popleft()
            if self.output is None and node in self._outputs:
                self._set_chain(node)
            variable = getattr(node, "variable", None)
            if variable is not None:
                self.reached.add(id(variable))
                continue
            name = op_name(node)
            self._ops[name] = self._ops.get(name, 0) + 1
            for parent in parents(node):
                if parent not in self._below:
                    self._below[parent] = node
                    unread.append(parent)

    def _set_chain(self, end: Any) -> None:
        """Note the nodes from the loss down to the model's output: a shortest way."""
        self.output = self._outputs[end]
        node = end
        while node is not None:
            self.chain.append(node)
            node = self._below[node]
        self.chain.reverse()

    def facts(self) -> LossFacts:
        """Return how the loss was made of the model's output."""
        names = [op_name(node) for node in self.chain]
        kind = _kind(names)
        return LossFacts(
            kind=kind,
            reduction=self._reduction(names),
            chain=tuple(name for name in names if name not in SHAPE_OPS),
            classes=self.classes() if kind == "cross_entropy" else None,
            ops=dict(self._ops),
        )

    def class_axis(self) -> int:
        """Return the axis of the output that has the classes, where the loss is a cross-entropy."""
        assert self.output is not None  # noqa: S101  (asked only of a loss whose kind is known)
        names = [op_name(node) for node in self.chain]
        moved = {"view", "permute", "transpose", "unsafe_view", "reshape_alias"} & set(names)
        if "log_softmax" not in names or moved:
            return self.output.ndim - 1
        return _signed(self.chain[names.index("log_softmax")]._saved_dim) % self.output.ndim

    def classes(self) -> int:
        """Return how many classes there are."""
        assert self.output is not None  # noqa: S101
        return self.output.shape[self.class_axis()]

    def _reduction(self, names: list[str]) -> str | None:
        for node in self.chain:
            own: Any = getattr(node, "_saved_reduction", None)
            if own in _REDUCTIONS:
                return _REDUCTIONS[own]
        return next((name for name in names if name in {"mean", "sum"}), None)


def _kind(names: list[str]) -> str:
    if any(name.startswith("nll_loss") for name in names) or "log_softmax" in names:
        return "cross_entropy"
    if any(name.startswith("binary_cross_entropy") for name in names):
        return "binary_cross_entropy"
    if "mse_loss" in names or ("pow" in names and "sub" in names):
        return "mse"
    return "other"


def _signed(dim: int) -> int:
    """Return a saved axis, which PyTorch may show as an unsigned number."""
    return dim - (1 << 64) if dim >= 1 << 63 else dim
