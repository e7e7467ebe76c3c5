"""Functions of several tensors: joining, selecting, lookups and losses. All of them also accept arrays and lists."""

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
    """Return the tensors joined along an axis: (..., n, ...) and (..., m, ...) give (..., n + m, ...).

    Raises:
        ShapeError: no tensors, shapes that differ in another axis, or `dim` out of range.
        OperandError: not a list of tensors.
    """
    parts = _alike("cat", tensors)
    return apply(ops.Concatenate, *parts, axis=parts[0]._axis(dim))


def stack(tensors: Sequence[Operand], dim: int = 0) -> Tensor:
    """Return n tensors of the same shape stacked along a new axis of length n.

    Raises:
        ShapeError: no tensors, shapes that differ, or `dim` out of range.
        OperandError: not a list of tensors.
    """
    parts = _alike("stack", tensors)
    return apply(ops.Stack, *parts, axis=parts[0]._axis(dim, new=1))


def _alike(name: str, tensors: Sequence[Any]) -> list[Tensor]:
    """Return the tensors, all cast to floating point if any of them is, as in PyTorch."""
    if isinstance(tensors, str) or not isinstance(tensors, (Sequence, np.ndarray, Tensor)):
        raise OperandError(f"{name} takes a list of tensors; got {type(tensors).__name__}.")
    if not len(tensors):
        raise ShapeError(f"{name} needs at least one tensor; got none.")
    parts = [as_tensor(part) for part in tensors]
    floats = [part.array.dtype for part in parts if part.array.dtype.kind == "f"]
    if not floats or len(floats) == len(parts):
        return parts
    return [part.to(part.array.dtype if part.array.dtype.kind == "f" else floats[0]) for part in parts]


def where(condition: Operand, a: Operand, b: Operand) -> Tensor:
    """Return the elements of `a` where `condition` is true, and of `b` elsewhere.

    Args:
        condition: (...) booleans; broadcast against `a` and `b`.
        a: (...) elements where the condition is true.
        b: (...) elements where it is false.

    Raises:
        ShapeError: shapes that cannot be broadcast.
    """
    if isinstance(a, Tensor) or not isinstance(b, Tensor):
        first, second = as_tensor(a)._pair(b)
    else:
        second, first = b._pair(a)
    return apply(ops.Where, first, second, condition=as_array(condition).astype(np.bool_, copy=False))


def one_hot(ids: Operand, num_classes: int = -1) -> Tensor:
    """Return (..., num_classes) int64 with 1 at each id and 0 elsewhere. With -1, num_classes is the largest id + 1.

    Raises:
        ConfigError: an id outside 0..num_classes - 1, ids that are not integers, or no ids and no `num_classes`.
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
    """Return x @ weight + bias, (..., O).

    Args:
        x: (..., I).
        weight: (I, O), the layout of the lectures; PyTorch's is (O, I).
        bias: (O,), or None.

    Raises:
        ShapeError: the last axis of x is not I long.
        GraphError: one of x and weight is of integers, the other of floats.
    """
    x, weight = as_tensor(x), as_tensor(weight)
    if x.array.ndim < 1 or weight.array.ndim != 2 or x.array.shape[-1] != weight.array.shape[0]:
        raise ShapeError(
            f"linear needs x (..., I) and weight (I, O); got x of shape {x.array.shape} "
            f"and weight of shape {weight.array.shape}."
        )
    check_kinds("linear", x.array, weight.array)
    return apply(ops.MatMul, x, weight) if bias is None else apply(ops.Linear, x, weight, as_tensor(bias))


def embed(ids: Operand, weight: Operand) -> Tensor:
    """Return the rows of weight (R, D) with the given ids (...), as (..., D).

    Raises:
        ConfigError: ids that are not integers in 0..R-1.
        ShapeError: weight is not a matrix.
    """
    weight, rows = as_tensor(weight), _ids("an embedding", ids)
    if weight.array.ndim != 2:
        raise ShapeError(f"an embedding needs weight (R, D); got weight of shape {weight.array.shape}.")
    count = weight.array.shape[0]
    if rows.size and not all_below(rows, count):
        raise ConfigError(f"ids must be in 0..{count - 1}, the rows of the weight; got {rows.min()}..{rows.max()}.")
    return apply(ops.Embed, weight, ids=rows)


def _ids(name: str, ids: Any) -> IntArray:
    if isinstance(ids, str):
        raise OperandError(f"{name} needs integer ids; got {shown(ids, 30)}. Encode text with a Vocabulary first.")
    rows: IntArray = as_array(ids)
    if rows.dtype.kind not in "iu":
        raise ConfigError(f"{name} needs integer ids; got {rows.dtype}.")
    return rows


def cross_entropy(logits: Operand, targets: Operand) -> Tensor:
    """Return the mean of -log softmax(logits)[target], in nats.

    Args:
        logits: (..., V).
        targets: (...) integers in 0..V-1; -1 excludes a position from the mean.

    Raises:
        ShapeError: not one target for each row of logits.
        ConfigError: a target out of range, or no target at all.
    """
    return apply(ops.CrossEntropy, as_tensor(logits), targets=as_array(targets))


def mse(a: Operand, b: Operand) -> Tensor:
    """Return the mean of (a - b)², for a and b of the same shape (...).

    Raises:
        ShapeError: the shapes differ; nothing is broadcast.
    """
    return apply(ops.MeanSquaredError, as_tensor(a), as_tensor(b))


def hinge(scores: Operand, labels: Operand) -> Tensor:
    """Return the mean of max(0, 1 - label x score), for scores (...) and labels of ±1 in the same shape.

    Raises:
        ShapeError: the shapes differ.
    """
    scores = as_tensor(scores)
    return apply(ops.Hinge, scores, Tensor._holding(as_array(labels, scores.array.dtype)))
