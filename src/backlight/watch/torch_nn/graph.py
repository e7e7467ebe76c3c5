"""PyTorch's graph, as the watching mechanism asks for it."""

import math
import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

import torch

from backlight.watch.graph import Graph

_TAKES: Final = ("nll_loss", "log_softmax", "binary_cross_entropy", "mse_loss")
_PRODUCTS: Final = frozenset({"mm", "bmm", "baddbmm", "addmm", "addbmm", "linear", "convolution"})

_REDUCTIONS: Final = {1: "mean", 2: "sum"}


def op_name(node: Any) -> str:
    """Return "addmm" for AddmmBackward0."""
    name = re.sub(r"Backward\d*$", "", str(node.name()).rpartition("::")[2])
    return re.sub(r"(?<=[A-Za-z0-9])(?=[A-Z][a-z])", "_", name).lower()


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
        return op_name(node)

    def parents(self, node: Any) -> Iterable[Any]:
        return (parent for parent, _ in node.next_functions if parent is not None)

    def leaf(self, node: Any) -> Any:
        return getattr(node, "variable", None)

    def loss_kind(self, names: Sequence[str]) -> str:
        takes = max((at for at, name in enumerate(names) if name.startswith(_TAKES)), default=None)
        if takes is not None and _PRODUCTS & set(names[takes + 1 : -1]):
            return "other"  # made of what another network, or a product, made of the output
        if any(name.startswith("nll_loss") for name in names):
            return "cross_entropy"
        if "log_softmax" in names:  # a divergence subtracts; a cross-entropy only takes the mean of some
            return "other" if "sub" in names[: names.index("log_softmax")] else "cross_entropy"
        if any(name.startswith("binary_cross_entropy") for name in names):
            return "binary_cross_entropy"
        return "mse" if "mse_loss" in names or {"pow", "sub"} <= set(names) else "other"

    def reduction(self, nodes: Sequence[Any], names: Sequence[str]) -> str | None:
        own = (getattr(node, "_saved_reduction", None) for node in nodes)
        saved = next((_REDUCTIONS[one] for one in own if one in _REDUCTIONS), None)
        return saved or next((name for name in names if name in {"mean", "sum"}), None)

    def class_axis(self, nodes: Sequence[Any], names: Sequence[str], rank: int) -> int | None:
        if "log_softmax" not in names:
            return rank - 1
        at = list(names).index("log_softmax")
        axis: int | None = _signed(nodes[at]._saved_dim)
        for node in nodes[at + 1 :]:
            shape = _shape(node)  # what the op above read
            if axis is None or not shape:
                return None
            axis = axis % len(shape)
            if node is nodes[-1]:
                break
            axis = _axis_before(node, self.op_name(node), axis)
        return None if axis is None else axis % rank


def _signed(axis: int) -> int:
    return axis - (1 << 64) if axis >= 1 << 63 else axis  # PyTorch may show it as an unsigned number


def _shape(node: Any) -> tuple[int, ...]:
    """Return the shape of what an op gave."""
    found = getattr(node, "_input_metadata", ())
    return tuple(map(int, found[0].shape)) if found else ()


def _axis_before(node: Any, name: str, axis: int) -> int | None:
    """Return which axis of what an op read is this axis of what it gave; None if it is none, or not known."""
    if name == "permute":
        return _signed(node._saved_dims[axis])
    if name in {"t", "transpose"}:
        pair = (0, 1) if name == "t" else tuple(_signed(one) for one in (node._saved_dim0, node._saved_dim1))
        pair = tuple(one % len(_shape(node)) for one in pair)
        return pair[1 - pair.index(axis)] if axis in pair else axis
    if name in {"view", "unsafe_view", "reshape_alias"}:
        after, before = _shape(node), tuple(map(int, node._saved_self_sym_sizes))
        found = [
            at for at, size in enumerate(before)
            if size == after[axis] and math.prod(before[at + 1 :]) == math.prod(after[axis + 1 :])
        ]  # fmt: skip
        return found[0] if found else None
    if name == "unsqueeze":
        at = _signed(node._saved_dim) % len(_shape(node))
        return None if at == axis else axis - (at < axis)
    if name in {"squeeze", "select"}:
        return None if not hasattr(node, "_saved_dim") else axis + (_signed(node._saved_dim) <= axis)
    return axis
