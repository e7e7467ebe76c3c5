"""PyTorch's graph, as the watching mechanism asks for it."""

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

import torch

from backlight.watch.graph import Graph

_REDUCTIONS: Final = {1: "mean", 2: "sum"}


class TorchGraph(Graph):
    """PyTorch's graphs, whose nodes are `grad_fn`s."""

    shape_ops = frozenset({
        "view", "reshape_alias", "unsafe_view", "t", "transpose", "permute", "squeeze", "unsqueeze", "expand", "slice",
        "select", "clone", "as_strided", "to_copy", "alias", "split", "split_with_sizes", "unbind", "cat", "stack",
        "movedim", "unflatten", "flatten", "diagonal", "narrow",
    })  # fmt: skip
    holds_targets = False

    def node(self, thing: Any) -> Any:
        return thing.grad_fn if isinstance(thing, torch.Tensor) else None

    def op_name(self, node: Any) -> str:
        """Return "addmm" for AddmmBackward0."""
        name = re.sub(r"Backward\d*$", "", str(node.name()).rpartition("::")[2])
        return re.sub(r"(?<=[A-Za-z0-9])(?=[A-Z][a-z])", "_", name).lower()

    def parents(self, node: Any) -> Iterable[Any]:
        return (parent for parent, _ in node.next_functions if parent is not None)

    def leaf(self, node: Any) -> Any:
        return getattr(node, "variable", None)

    def loss_kind(self, names: Sequence[str]) -> str:
        if any(name.startswith("nll_loss") for name in names) or "log_softmax" in names:
            return "cross_entropy"
        if any(name.startswith("binary_cross_entropy") for name in names):
            return "binary_cross_entropy"
        return "mse" if "mse_loss" in names or {"pow", "sub"} <= set(names) else "other"

    def reduction(self, nodes: Sequence[Any], names: Sequence[str]) -> str | None:
        own = (getattr(node, "_saved_reduction", None) for node in nodes)
        saved = next((_REDUCTIONS[one] for one in own if one in _REDUCTIONS), None)
        return saved or next((name for name in names if name in {"mean", "sum"}), None)

    def class_axis(self, nodes: Sequence[Any], names: Sequence[str], rank: int) -> int:
        moved = {"view", "permute", "transpose", "unsafe_view", "reshape_alias"} & set(names)
        if "log_softmax" not in names or moved:
            return rank - 1
        axis = int(nodes[list(names).index("log_softmax")]._saved_dim)
        return (axis - (1 << 64) if axis >= 1 << 63 else axis) % rank  # PyTorch may show it as an unsigned number
