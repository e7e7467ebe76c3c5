"""The tensors of this package and their graph, as the watching mechanism asks for them."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import numpy as np

from backlight.autograd import Tensor
from backlight.core import Array
from backlight.watch import numbers
from backlight.watch.graph import Graph
from backlight.watch.numbers import Block
from backlight.watch.tensors import Tensors

_LOSSES: Final = {"cross_entropy": "cross_entropy", "mse": "mse"}


class BacklightTensors(Tensors):
    """Tensors of this package. Arrays count as tensors without a graph."""

    def tensors_in(self, thing: Any) -> Iterator[Any]:
        if isinstance(thing, (Tensor, np.ndarray)):
            yield thing
        elif isinstance(thing, (tuple, list)):
            for one in thing:
                yield from self.tensors_in(one)

    def is_input(self, tensor: Any) -> bool:
        return bool(self.values(tensor).size)

    def awaits_gradient(self, tensor: Any) -> bool:
        return isinstance(tensor, Tensor) and tensor.requires_grad and bool(tensor._prev)

    def why_not_measured(self, tensor: Any) -> str | None:
        array = self.values(tensor)
        if array.dtype.kind != "f":
            return f"its numbers are {array.dtype}, not floating-point ones"
        return None if array.size else "it holds no number"

    def values(self, tensor: Any) -> Array:
        return tensor.array if isinstance(tensor, Tensor) else tensor

    def copied(self, tensor: Any) -> Array:
        return np.array(self.values(tensor))

    def array(self, tensor: Any) -> Array:
        return np.array(self.values(tensor))

    def number(self, loss: Any) -> float:
        array = np.asarray(self.values(loss)) if isinstance(loss, (Tensor, np.ndarray)) else np.asarray(float(loss))
        if array.size != 1:
            raise ValueError(f"and was given one of shape {array.shape}")
        return float(array.reshape(()))

    def sampled(self, tensor: Any, step: int) -> Array:
        return np.array(self.values(tensor).reshape(-1)[::step])

    def features(self, tensor: Any, step: int) -> Array:
        array = self.values(tensor)
        if array.ndim < 2:
            return np.array(array)
        return np.array(
            array.reshape(len(array), -1)[:, ::step] if array.dtype.kind == "f" else array.reshape(-1)[::step]
        )

    def rows(self, tensor: Any, axis: int, most: int, *, spaced: bool = True) -> Array:
        rows = np.moveaxis(np.atleast_1d(self.values(tensor)), axis, -1)
        rows = rows.reshape(-1, rows.shape[-1])
        return np.array(rows[:: max(1, -(-rows.size // most))] if spaced else rows[:most])

    def measure(
        self, block: Block, values: Sequence[Any | None], *, start: int = 0, less: Sequence[Any] | None = None,
        copies: Sequence[Any] | None = None,
    ) -> None:  # fmt: skip
        numbers.measure(block, values, start=start, less=less, copies=copies)


class BacklightGraph(Graph):
    """Graphs of this package, whose nodes are the tensors themselves."""

    shape_ops = frozenset({"reshape", "permute", "expand", "index", "cat", "stack"})
    holds_targets = True

    def node(self, tensor: Any) -> Any:
        return tensor if isinstance(tensor, Tensor) and tensor.requires_grad else None

    def op_name(self, node: Any) -> str:
        return "" if node._op is None else str(node._op.name)

    def parents(self, node: Any) -> Iterable[Any]:
        return node._prev  # type: ignore[no-any-return]

    def leaf(self, node: Any) -> Any:
        return None if node._prev else node

    def loss_kind(self, names: Sequence[str]) -> str:
        kind = next((_LOSSES[name] for name in names if name in _LOSSES), "other")
        by_hand = kind == "other" and {"mul", "sub"} <= set(names) and {"mean", "sum"} & set(names)
        return "mse" if by_hand else kind

    def reduction(self, nodes: Sequence[Any], names: Sequence[str]) -> str | None:
        own = next((node._settings.get("reduction", "mean") for node in nodes if self.op_name(node) in _LOSSES), None)
        return own or next((name for name in names if name in {"mean", "sum"}), None)

    def shape(self, node: Any) -> Sequence[int] | None:
        return node.shape  # type: ignore[no-any-return]

    def softmax_axis(self, node: Any) -> int | None:
        return node._settings.get("axis", -1) if self.op_name(node) in {"softmax", "log_softmax"} else None

    def class_axis(self, nodes: Sequence[Any], names: Sequence[str], shape: Sequence[int]) -> int | None:
        return len(shape) - 1

    def reshape(self, node: Any) -> tuple[Sequence[int], Sequence[int]] | None:
        return (node._prev[0].shape, node.shape) if self.op_name(node) == "reshape" else None

    def loss_input(self, node: Any) -> Any:
        return node._prev[0] if self.op_name(node) in _LOSSES else None

    def known_targets(self, nodes: Sequence[Any]) -> Array | None:
        for node in nodes:
            name = self.op_name(node)
            if name == "cross_entropy":
                return np.asarray(node._settings["targets"])
            if name == "mse":
                return np.asarray(node._prev[1].array)
        return None
