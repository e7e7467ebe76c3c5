"""`Tensor.grad_fn`: how a tensor was computed, under the name that PyTorch gives it, such as `MulBackward0`."""

from collections.abc import Callable
from functools import lru_cache
from types import EllipsisType
from typing import Any, Final

import numpy as np

NAMES: Final[dict[str, str | Callable[[Any], str]]] = {
    "abs": "Abs", "add": "Add", "cast": "ToCopy", "cat": "Cat", "causal_conv1d": "Convolution", "cos": "Cos",
    "cumsum": "Cumsum", "div": "Div", "dropout": "Mul", "exp": "Exp", "expand": "Expand", "gelu": "Gelu",
    "layer_norm": "NativeLayerNorm", "batch_norm": "NativeBatchNorm", "log": "Log", "log_softmax": "LogSoftmax",
    "masked_fill": "MaskedFill", "mse": "MseLoss", "mul": "Mul", "neg": "Neg", "permute": "Permute",
    "pick_along": "Gather", "pow": "PowBackward1", "pow_constant": "Pow", "relu": "Relu", "sigmoid": "Sigmoid",
    "sin": "Sin", "softmax": "Softmax", "sqrt": "Sqrt", "stack": "Stack", "std": "Std", "sub": "Sub", "tanh": "Tanh",
    "var": "Var", "where": "Where", "embed": "Embedding", "set_index": "CopySlices",
    "cross_entropy": "NllLoss",
    "extreme": lambda node: "MaxBackward1" if node._settings["largest"] else "MinBackward1",
    "index": lambda node: _of_index(node._settings["index"]),
    "linear": lambda node: "Addmm" if node._prev[0].array.ndim == 2 else "View",
    "matmul": lambda node: _of_product(*(parent.array.ndim for parent in node._prev)),
    "mean": lambda node: "MeanBackward0" if node._settings["axes"] is None else "MeanBackward1",
    "reshape": lambda node: "View" if node._prev[0].array.flags.c_contiguous else "UnsafeView",
    "sum": lambda node: "SumBackward0" if node._settings["axes"] is None else "SumBackward1",
    "triangle": lambda node: "Tril" if node._settings.get("lower", True) else "Triu",
}  # fmt: skip
"""By op: PyTorch's name, without its ending "Backward0", or a function that finds it. Others have none in PyTorch."""


class GradFn:
    """The step that computed a tensor. Its class is named as PyTorch names it.

    Attributes:
        next_functions: for each input (grad_fn, 0), where grad_fn is AccumulateGrad for a leaf that requires a gradient
            and None for an input that does not.
    """

    def __init__(self, node: Any) -> None:
        self._node = node

    def name(self) -> str:
        """Return the name, such as "MulBackward0"."""
        return type(self).__name__

    def __repr__(self) -> str:
        return f"<{self.name()} object at {id(self):#x}>"

    @property
    def next_functions(self) -> tuple[tuple["GradFn | None", int], ...]:
        """The steps that computed the inputs."""
        return tuple((_before(parent), 0) for parent in self._node._prev)


def grad_fn_of(node: Any) -> GradFn | None:
    """Return the `grad_fn` of a tensor; None for a leaf."""
    name = grad_fn_name(node)
    return None if name is None else _class(name)(node)


def _before(node: Any) -> GradFn | None:
    if node._prev or not node._needs_grad:
        return grad_fn_of(node)
    return _class("AccumulateGrad")(node)


@lru_cache
def _class(name: str) -> type[GradFn]:
    return type(name, (GradFn,), {})


def grad_fn_name(node: Any) -> str | None:
    """Return the name of a tensor's `grad_fn`, such as "MulBackward0"; None for a leaf."""
    if not node._prev:
        return None
    own = getattr(node, "_grad_name", None)
    if own is None:
        found = NAMES.get(node._op.name)
        own = found if isinstance(found, str) else node._op.__name__ if found is None else found(node)
    return own if "Backward" in own or own == "CopySlices" else f"{own}Backward0"


def _of_product(left: int, right: int) -> str:
    if left <= 2 and right == 1:
        return "Dot" if left == 1 else "Mv"
    if right == 2 and left <= 2:
        return "Mm" if left == 2 else "SqueezeBackward4"
    return "UnsafeView"


def _of_index(index: Any) -> str:
    """Return the name of the last of the steps into which PyTorch divides an index."""
    parts = index if isinstance(index, tuple) else (index,)
    if any(isinstance(part, (np.ndarray, list, bool, np.bool_)) for part in parts):
        return "Index"
    if not isinstance(index, tuple) and index == slice(None):
        return "Slice"
    steps = [part for part in parts if not (isinstance(part, EllipsisType) or _is_whole(part))]
    if not steps:
        return "Alias"
    last = steps[-1]
    return "Unsqueeze" if last is None else "Slice" if isinstance(last, slice) else "Select"


def _is_whole(part: Any) -> bool:
    return isinstance(part, slice) and part == slice(None)
