"""PyTorch's graph, as the watching mechanism asks for it."""

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

import torch

from backlight.watch.graph import NO_LOGARITHMS, PRODUCTS, Graph
from backlight.watch.views import reshaped

_TAKES: Final = ("nll_loss", "log_softmax", "binary_cross_entropy", "mse_loss")

OP_NAMES: Final = {
    "rsqrt": "div", "reciprocal": "div", "log2": "log", "log10": "log", "log1p": "log", "_softmax": "softmax",
    "_log_softmax": "softmax", "linalg_vector_norm": "norm", "expm1": "exp", "_safe_softmax": "softmax",
    "true_divide": "div",
}  # fmt: skip
"""Operations that are told under another's name."""

_BREAKING: Final = frozenset({"sqrt", "pow", "log", "div", "norm", "std"})

_REDUCTIONS: Final = {1: "mean", 2: "sum"}
_RESHAPES: Final = frozenset({"view", "unsafe_view", "reshape_alias"})


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

    def breaking(self, node: Any) -> str:
        name = op_name(node)
        told = OP_NAMES.get(name, name)
        if told == "div" and name == "div" and len([one for one, _ in node.next_functions if one is not None]) < 2:
            return ""  # by a constant
        if told == "pow" and float(getattr(node, "_saved_exponent", 0)) >= 1:
            return ""
        return told if told in _BREAKING else ""

    def loss_kind(self, names: Sequence[str]) -> str:
        given = [name for name in names if name and name not in self.shape_ops]
        takes = max((at for at, name in enumerate(given) if name.startswith(_TAKES)), default=None)
        if takes is not None and PRODUCTS & set(given[takes + 1 : -1]):
            return "other"  # made of what another network, or a product, made of the output
        nll = next((at for at, name in enumerate(given) if name.startswith("nll_loss")), None)
        if nll is not None and NO_LOGARITHMS & set(given[nll + 1 : nll + 2]):
            return "other"
        if nll is not None:
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

    def shape(self, node: Any) -> Sequence[int] | None:
        known = getattr(node, "_input_metadata", None)
        return tuple(known[0].shape) if known and not known[0].is_nested_tensor else None

    def softmax_axis(self, node: Any) -> int | None:
        return _signed(node._saved_dim) if op_name(node) in {"softmax", "log_softmax"} else None

    def class_axis(self, nodes: Sequence[Any], names: Sequence[str], shape: Sequence[int]) -> int | None:
        if "log_softmax" not in names:
            return len(shape) - 1
        labels: list[int | None] = list(range(len(shape)))
        for node, name in zip(reversed(nodes), reversed(names), strict=True):
            if name == "log_softmax":
                return labels[_signed(node._saved_dim)]
            if node is nodes[-1]:
                continue
            read, given = shape, shape_of(node)
            if name == "permute":
                labels = [labels[_signed(axis)] for axis in node._saved_dims]
            elif name in {"transpose", "t"}:
                a, b = (_signed(node._saved_dim0), _signed(node._saved_dim1)) if name == "transpose" else (0, 1)
                labels[a], labels[b] = labels[b], labels[a]
            elif len(given) != len(read) or name in _RESHAPES:
                labels = reshaped(labels, read, given)
            shape = given
        return None

    def reshape(self, node: Any) -> tuple[Sequence[int], Sequence[int]] | None:
        if self.op_name(node) not in _RESHAPES:
            return None
        return tuple(node._saved_self_sym_sizes), shape_of(node)


def shape_of(node: Any) -> tuple[int, ...]:
    """Return the shape of a node's first result."""
    return tuple(node._input_metadata[0].shape)


def _signed(axis: int) -> int:
    """Return an axis that PyTorch may show as an unsigned number."""
    return axis - (1 << 64) if axis >= 1 << 63 else axis
