"""The tensor: an array, what it was made of, and the operations of the lectures."""

from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from backlight.autograd import ops
from backlight.autograd.tensor_base import TensorBase, apply, as_array
from backlight.autograd.tensor_math import TensorMath, as_operand
from backlight.autograd.tensor_shape import TensorShape
from backlight.core import ConfigError, IntArray, ShapeError, all_below


class Tensor(TensorMath, TensorShape):
    """An n-dimensional array in a graph, with PyTorch's names for what the lectures use.

    Args:
        data: numbers, nested lists of numbers, an array (shared, not copied) or another tensor.
        dtype: NumPy's name of the kind of number; by default floats become float32 and an array keeps its own.
        requires_grad: whether `backward()` on something computed from this tensor brings its gradient here.
        label: a name for drawings.

    Attributes:
        array: the numbers, as a NumPy array.
        data: the same numbers as a tensor outside the graph. `p.data += ...` and `p.data = ...` change this tensor.
        grad: the gradient after `backward()`, a tensor of the same shape, or None.

    Raises:
        ShapeError: rows of different lengths, or something that is not a number.
        GraphError: `requires_grad` for integers.
    """

    __slots__ = ()


TensorBase.plain = Tensor


class Parameter(Tensor):
    """A tensor that a model owns and learns. Needs a gradient from the start."""

    __slots__ = ()

    def __init__(self, data: Any, *, label: str = "") -> None:
        super().__init__(data, requires_grad=True, label=label)


class Buffer(Tensor):
    """A tensor that a model keeps but does not learn: a running mean. Saved with the weights."""

    __slots__ = ()


def cat(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Return the tensors side by side along an axis."""
    if not len(tensors):
        raise ShapeError("cat needs at least one tensor; got none.")
    return apply(ops.Concatenate, *_alike(tensors), axis=dim)


def stack(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Return tensors of one shape along a new axis."""
    if not len(tensors):
        raise ShapeError("stack needs at least one tensor; got none.")
    return apply(ops.Stack, *_alike(tensors), axis=dim)


def _alike(tensors: Sequence[Any]) -> list[TensorBase]:
    """Return tensors of one kind of number: if any is of floats, the others follow, as in PyTorch."""
    parts = [as_operand(part) for part in tensors]
    floats = [part.dtype for part in cast("list[Tensor]", parts) if part.dtype.kind == "f"]
    if not floats or len(floats) == len(parts):
        return parts
    return [cast("Tensor", part).to(part.array.dtype if part.array.dtype.kind == "f" else floats[0]) for part in parts]


def where(condition: Any, a: Any, b: Any) -> Tensor:
    """Return `a` where the condition holds, else `b`."""
    if isinstance(a, Tensor) or not isinstance(b, Tensor):
        first, second = cast("Tensor", as_operand(a))._pair(b)
    else:
        second, first = b._pair(a)
    return apply(ops.Where, first, second, condition=as_array(condition).astype(np.bool_, copy=False))


def one_hot(ids: Any, num_classes: int = -1) -> Tensor:
    """Return (..., num_classes) int64: 1 at each id, 0 elsewhere. -1 takes as many classes as the largest id needs.

    Raises:
        ConfigError: an id below 0, or not below `num_classes`.
    """
    rows: IntArray = as_array(ids)
    if rows.dtype.kind not in "iu":
        raise ConfigError(f"one_hot needs integer ids; got {rows.dtype}.")
    if num_classes == -1 and not rows.size:
        raise ConfigError("one_hot of no ids cannot tell how many classes there are. Pass num_classes.")
    classes = int(rows.max()) + 1 if num_classes == -1 else num_classes
    if rows.size and (rows.min() < 0 or rows.max() >= classes):
        raise ConfigError(f"ids must be in 0..{classes - 1} for {classes} classes; got {rows.min()}..{rows.max()}.")
    hot = np.zeros((*rows.shape, classes), np.int64)
    np.put_along_axis(hot, rows[..., None], 1, axis=-1)
    return Tensor._holding(hot)


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return x @ weight + bias, with x (..., I), weight (I, O), bias (O,)."""
    if x.shape[-1] != weight.shape[0]:
        raise ShapeError(
            f"linear needs x.shape[-1] == {weight.shape[0]}, the weight's fan-in; got x of shape {x.shape}."
        )
    return apply(ops.MatMul, x, weight) if bias is None else apply(ops.Linear, x, weight, bias)


def embed(ids: Any, weight: Tensor) -> Tensor:
    """Return the rows of weight (R, D) that ids (...) name, (..., D).

    Raises:
        ConfigError: an id that is not an integer in 0..R-1.
    """
    rows: IntArray = as_array(ids)
    count = weight.shape[0]
    if rows.dtype.kind not in "iu":
        raise ConfigError(f"an embedding needs integer ids; got {rows.dtype}.")
    if rows.size and not all_below(rows, count):
        raise ConfigError(f"ids must be in 0..{count - 1}, the embedding's rows; got {rows.min()}..{rows.max()}.")
    return apply(ops.Embed, weight, ids=rows)


def cross_entropy(logits: Tensor, targets: Any) -> Tensor:
    """Return the mean of -log softmax(logits)[target] in nats: logits (..., V), targets (...), -1 = not a target.

    Raises:
        ShapeError: not one target for each row of logits.
        ConfigError: a target out of range, or none at all.
    """
    return apply(ops.CrossEntropy, logits, targets=as_array(targets))


def mse(a: Tensor, b: Any) -> Tensor:
    """Return the mean of (a - b)². Raises ShapeError where the shapes differ: nothing is broadcast."""
    return apply(ops.MeanSquaredError, a, as_operand(b))


def hinge(scores: Tensor, labels: Any) -> Tensor:
    """Return the mean of max(0, 1 - label x score), with labels of ±1 in the scores' shape."""
    return apply(ops.Hinge, scores, as_operand(as_array(labels, scores.dtype)))
