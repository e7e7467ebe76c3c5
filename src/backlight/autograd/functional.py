"""Functions of several tensors: joining, choosing, lookups, and the losses. All take arrays and lists too."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from backlight.autograd import ops
from backlight.autograd.tensor import Tensor, as_tensor
from backlight.autograd.tensor_base import Operand, apply, as_array
from backlight.autograd.tensor_math import check_kinds
from backlight.core import ConfigError, IntArray, OperandError, ShapeError, all_below
from backlight.core.arguments import check_whole, shown


def cat(tensors: Sequence[Operand], dim: int = 0) -> Tensor:
    """Return the tensors joined along an axis: (..., n, ...) and (..., m, ...) give (..., n + m, ...)."""
    parts = _alike("cat", tensors)
    return apply(ops.Concatenate, *parts, axis=parts[0]._axis(dim))


def stack(tensors: Sequence[Operand], dim: int = 0) -> Tensor:
    """Return n tensors of one shape along a new axis, which is n long."""
    parts = _alike("stack", tensors)
    return apply(ops.Stack, *parts, axis=parts[0]._axis(dim, new=1))


def _alike(name: str, tensors: Sequence[Any]) -> list[Tensor]:
    """Return tensors of one kind of number: if any is of floats, the others follow, as in PyTorch."""
    if isinstance(tensors, str) or not isinstance(tensors, (Sequence, np.ndarray, Tensor)):
        raise OperandError(f"{name} takes a list of tensors; got {type(tensors).__name__}.")
    if not len(tensors):
        raise ShapeError(f"{name} needs at least one tensor; got none.")
    parts = [as_tensor(part) for part in tensors]
    floats = [part.dtype for part in parts if part.dtype.kind == "f"]
    if not floats or len(floats) == len(parts):
        return parts
    return [part.to(part.dtype if part.dtype.kind == "f" else floats[0]) for part in parts]


def where(condition: Operand, a: Operand, b: Operand) -> Tensor:
    """Return `a` where the condition holds, else `b`. All three are broadcast against each other."""
    if isinstance(a, Tensor) or not isinstance(b, Tensor):
        first, second = as_tensor(a)._pair(b)
    else:
        second, first = b._pair(a)
    return apply(ops.Where, first, second, condition=as_array(condition).astype(np.bool_, copy=False))


def one_hot(ids: Operand, num_classes: int = -1) -> Tensor:
    """Return (..., num_classes) int64: 1 at each id, 0 elsewhere. -1 takes as many classes as the largest id needs.

    Raises:
        ConfigError: an id below 0, or not below `num_classes`.
    """
    rows = _ids("one_hot", ids)
    check_whole(-1, num_classes=num_classes)
    if num_classes == -1 and not rows.size:
        raise ConfigError("one_hot of no ids cannot infer the number of classes. Pass num_classes.")
    classes = int(rows.max()) + 1 if num_classes == -1 else int(num_classes)
    if classes < 1 or (rows.size and (rows.min() < 0 or rows.max() >= classes)):
        found = f"{rows.min()}..{rows.max()}" if rows.size else "none"
        raise ConfigError(f"ids must be in 0..{classes - 1} for {classes} classes; got {found}.")
    hot = np.zeros((*rows.shape, classes), np.int64)
    np.put_along_axis(hot, rows[..., None], 1, axis=-1)
    return Tensor._holding(hot)


def linear(x: Operand, weight: Operand, bias: Operand | None = None) -> Tensor:
    """Return x @ weight + bias, with x (..., I), weight (I, O), bias (O,): the lectures' layout, not PyTorch's (O, I).

    Raises:
        ShapeError: x's last axis is not I long.
        GraphError: integers times floats.
    """
    x, weight = as_tensor(x), as_tensor(weight)
    if x.array.ndim < 1 or weight.array.ndim != 2 or x.array.shape[-1] != weight.array.shape[0]:
        raise ShapeError(
            f"linear needs x (..., I) and weight (I, O); got x of shape {x.shape} and weight of shape {weight.shape}."
        )
    check_kinds("linear", x.array, weight.array)
    return apply(ops.MatMul, x, weight) if bias is None else apply(ops.Linear, x, weight, as_tensor(bias))


def embed(ids: Operand, weight: Operand) -> Tensor:
    """Return the rows of weight (R, D) at the ids (...): (..., D).

    Raises:
        ConfigError: an id that is not an integer in 0..R-1.
        ShapeError: weight is not a matrix.
    """
    weight, rows = as_tensor(weight), _ids("an embedding", ids)
    if weight.array.ndim != 2:
        raise ShapeError(f"an embedding needs weight (R, D); got weight of shape {weight.shape}.")
    count = weight.array.shape[0]
    if rows.size and not all_below(rows, count):
        raise ConfigError(f"ids must be in 0..{count - 1}, the embedding's rows; got {rows.min()}..{rows.max()}.")
    return apply(ops.Embed, weight, ids=rows)


def _ids(name: str, ids: Any) -> IntArray:
    if isinstance(ids, str):
        raise OperandError(f"{name} needs integer ids; got {shown(ids, 30)}. Encode text with a Vocabulary first.")
    rows: IntArray = as_array(ids)
    if rows.dtype.kind not in "iu":
        raise ConfigError(f"{name} needs integer ids; got {rows.dtype}.")
    return rows


def cross_entropy(logits: Operand, targets: Operand) -> Tensor:
    """Return the mean of -log softmax(logits)[target] in nats: logits (..., V), targets (...), -1 = not a target.

    Raises:
        ShapeError: not one target for each row of logits.
        ConfigError: a target out of range, or none at all.
    """
    return apply(ops.CrossEntropy, as_tensor(logits), targets=as_array(targets))


def mse(a: Operand, b: Operand) -> Tensor:
    """Return the mean of (a - b)². Raises ShapeError where the shapes differ: nothing is broadcast."""
    return apply(ops.MeanSquaredError, as_tensor(a), as_tensor(b))


def hinge(scores: Operand, labels: Operand) -> Tensor:
    """Return the mean of max(0, 1 - label x score), with labels of ±1 in the scores' shape."""
    scores = as_tensor(scores)
    return apply(ops.Hinge, scores, Tensor._holding(as_array(labels, scores.dtype)))
