"""`torch.nn.functional`, as far as the lectures use it: activations, losses and lookups without parameters."""

from typing import Any

import numpy as np

from backlight import autograd
from backlight.autograd import Tensor, as_array, as_tensor, one_hot
from backlight.core import NOT_A_TARGET, ConfigError, IntArray, ShapeError, missing
from backlight.core.arguments import check_whole, shown
from backlight.torchlike.functions import relu, sigmoid, tanh

__all__ = [
    "cross_entropy", "embedding", "gelu", "linear", "log_softmax", "mse_loss", "nll_loss", "one_hot", "relu",
    "sigmoid", "softmax", "tanh",
]  # fmt: skip

__getattr__ = missing.names_of("torch.nn.functional", missing.FUNCTIONAL)


def softmax(input: Tensor, dim: int) -> Tensor:
    """Return probabilities along `dim`, in the input's shape: exp(x) divided by its sum."""
    return as_tensor(input).softmax(dim)


def log_softmax(input: Tensor, dim: int) -> Tensor:
    """Return log probabilities along `dim`, in nats and in the input's shape."""
    return as_tensor(input).log_softmax(dim)


def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """Return x Φ(x) elementwise, with the tanh approximation of Φ.

    Raises:
        ConfigError: `approximate` is not "tanh".
    """
    if not isinstance(approximate, str) or approximate != "tanh":
        raise ConfigError(
            f"gelu supports only the tanh approximation; got approximate={shown(approximate)}. "
            "Write gelu(x, approximate='tanh')."
        )
    return as_tensor(input).gelu()


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return x Wᵀ + b, (..., O).

    Args:
        input: (..., I).
        weight: (O, I), the layout of PyTorch.
        bias: (O,), or None.

    Raises:
        ShapeError: the last axis of the input is not I long.
    """
    return autograd.linear(input, as_tensor(weight).T, bias)


def embedding(input: Tensor, weight: Tensor) -> Tensor:
    """Return the rows of `weight` (R, D) with the given ids, (...) -> (..., D).

    Raises:
        ConfigError: ids that are not integers in 0..R-1.
    """
    return autograd.embed(input, weight)


def cross_entropy(input: Tensor, target: Tensor, *, ignore_index: int = -100, reduction: str = "mean") -> Tensor:
    """Return -log softmax(logits)[target], in nats.

    Args:
        input: logits, with the classes along axis 1: (C,), (N, C) or (N, C, ...).
        target: class ids, in the input's shape without axis 1: (), (N,) or (N, ...).
        ignore_index: the id of positions that are excluded.
        reduction: "mean" over the targets, "sum", or "none" for the loss of each target.

    Raises:
        ShapeError: the shapes do not fit.
        ConfigError: an id out of range, a mean without targets (nan in PyTorch), or an unknown reduction.
    """
    logits = as_tensor(input)
    if _reduced(reduction) != "mean":
        class_dim = min(logits.ndim - 1, 1)
        return nll_loss(logits.log_softmax(class_dim), target, ignore_index=ignore_index, reduction=reduction)
    logits, ids = _classes_last(logits, target, ignore_index)
    return autograd.cross_entropy(logits, ids)


def nll_loss(input: Tensor, target: Tensor, *, ignore_index: int = -100, reduction: str = "mean") -> Tensor:
    """Return -log p[target], in nats.

    Args:
        input: log probabilities, with the classes along axis 1: (C,), (N, C) or (N, C, ...).
        target: see `cross_entropy`.
        ignore_index: see `cross_entropy`.
        reduction: see `cross_entropy`.

    Raises:
        ShapeError: the shapes do not fit.
        ConfigError: see `cross_entropy`.
    """
    log_p, ids = _classes_last(as_tensor(input), target, ignore_index)
    counted = ids != NOT_A_TARGET
    row_of_all = np.arange(ids.size)
    picked = log_p.view(-1, log_p.shape[-1])[row_of_all, np.where(counted, ids, 0).reshape(-1)]
    losses = autograd.where(counted, -picked.view(ids.shape), 0.0)
    if _reduced(reduction) == "none":
        return losses
    if reduction == "mean" and not counted.any():
        raise ConfigError(
            f"a mean needs at least one target other than {ignore_index}; got none among {ids.size} targets."
        )
    total = losses.sum()
    return total / int(counted.sum()) if reduction == "mean" else total


def mse_loss(input: Tensor, target: Tensor) -> Tensor:
    """Return the mean of (input - target)², for two tensors of the same shape.

    Raises:
        ShapeError: the shapes differ; nothing is broadcast.
    """
    return autograd.mse(input, target)


def _reduced(reduction: str) -> str:
    if not isinstance(reduction, str) or reduction not in {"mean", "sum", "none"}:
        raise ConfigError(f"reduction must be 'mean', 'sum' or 'none'; got {shown(reduction)}.")
    return reduction


def _classes_last(input: Tensor, target: Any, ignore_index: int) -> tuple[Tensor, IntArray]:
    """Return the scores with the classes along the last axis, and the ids with -1 for excluded positions."""
    ids = as_array(target)
    if ids.dtype.kind not in "iu":
        raise ConfigError(f"targets must be class ids, which are integers; got {ids.dtype}. Call .long() first.")
    class_dim = min(input.ndim - 1, 1)
    if input.ndim == 0 or ids.shape != (*input.shape[:class_dim], *input.shape[class_dim + 1 :]):
        raise ShapeError(
            f"scores must have the classes along axis 1, and targets their shape without it; got {input.shape} and "
            f"{ids.shape}. Use view(B * T, C) and view(B * T), or transpose(1, 2)."
        )
    check_whole(-(2**63), ignore_index=ignore_index)
    classes = input.shape[class_dim]
    counted = ids != ignore_index
    wrong = counted & ((ids < 0) | (ids >= classes))
    if wrong.any():
        raise ConfigError(
            f"targets must be in 0..{classes - 1}, or {ignore_index} to be excluded; got {ids[wrong][0]}."
        )
    order = [*(axis for axis in range(input.ndim) if axis != class_dim), class_dim]
    scores = input if class_dim == input.ndim - 1 else input.permute(order)
    return scores, np.where(counted, ids, NOT_A_TARGET)
