"""The losses of `torch.nn.functional`. Numbers are in nats."""

from typing import Any

import numpy as np

from backlight import autograd
from backlight.autograd import Tensor, as_array, as_tensor
from backlight.autograd.tensor_base import Operand
from backlight.core import NOT_A_TARGET, ConfigError, IntArray, ShapeError
from backlight.core.arguments import check_whole, is_number, shown


def cross_entropy(
    input: Operand, target: Operand, weight: Operand | None = None, size_average: None = None,
    ignore_index: int = -100, reduce: None = None, reduction: str = "mean", label_smoothing: float = 0.0,
) -> Tensor:  # fmt: skip
    """Return -log softmax(logits)[target], in nats.

    Args:
        input: logits, with the classes along axis 1: (C,), (N, C) or (N, C, ...).
        target: class ids, in the input's shape without axis 1; or a probability for each class, in the input's shape.
        weight: (C,) the weight of each class; the mean is divided by the weights of the targets.
        size_average: an old name of `reduction`, which is refused.
        ignore_index: the id of positions that are excluded.
        reduce: an old name of `reduction`, which is refused.
        reduction: "mean" over the targets, "sum", or "none" for the loss of each target.
        label_smoothing: the share of the target that is spread evenly over all classes.

    Raises:
        ShapeError: the shapes do not fit.
        ConfigError: an id out of range, a mean without targets (nan in PyTorch), or an unknown reduction.
    """
    _check_old(size_average, reduce)
    if not is_number(label_smoothing) or not 0 <= label_smoothing <= 1:
        raise ConfigError(f"label_smoothing must be from 0 to 1; got {shown(label_smoothing)}.")
    logits = as_tensor(input)
    class_dim = min(logits.array.ndim - 1, 1)
    y = as_array(target)
    if y.dtype.kind == "f" and y.shape == logits.array.shape:
        return _of_probabilities(logits.log_softmax(class_dim), as_tensor(target), weight, reduction, label_smoothing)
    if _reduced(reduction) == "mean" and weight is None and not label_smoothing:
        logits, ids = _classes_last(logits, target, ignore_index)
        name = "NllLoss" if ids.ndim < 2 else "NllLoss2D"
        return Tensor._named(name, autograd.cross_entropy(logits, ids))
    log_p = logits.log_softmax(class_dim)
    loss = nll_loss(log_p, target, weight, ignore_index=ignore_index, reduction=reduction)
    if not label_smoothing:
        return loss
    rows, ids = _classes_last(log_p, target, ignore_index)
    counted = (ids != NOT_A_TARGET).astype(rows.array.dtype)
    shares = np.ones(rows.array.shape[-1], rows.array.dtype) if weight is None else as_array(weight)
    even = -(rows * shares).sum(-1) * counted
    if reduction == "mean":
        even = even.sum() / float((shares[np.where(counted > 0, ids, 0)] * counted).sum())
    elif reduction == "sum":
        even = even.sum()
    smoothed: Tensor = loss * (1 - label_smoothing) + even * (label_smoothing / rows.array.shape[-1])
    return smoothed


def _of_probabilities(
    log_p: Tensor, target: Tensor, weight: Operand | None, reduction: str, label_smoothing: float
) -> Tensor:
    class_dim = min(log_p.array.ndim - 1, 1)
    classes = log_p.array.shape[class_dim]
    if label_smoothing:
        target = target * (1 - label_smoothing) + label_smoothing / classes
    products = log_p * target
    if weight is not None:
        axes = [1] * log_p.array.ndim
        axes[class_dim] = classes
        products = products * as_tensor(weight).view(*axes)
    losses = -products.sum(class_dim)
    if _reduced(reduction) == "none":
        return losses
    total = losses.sum()
    return Tensor._named("DivBackward1", total / max(losses.array.size, 1)) if reduction == "mean" else total


def nll_loss(
    input: Operand, target: Operand, weight: Operand | None = None, size_average: None = None,
    ignore_index: int = -100, reduce: None = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """Return -log p[target], in nats.

    Args:
        input: log probabilities, with the classes along axis 1: (C,), (N, C) or (N, C, ...).
        target: class ids, in the input's shape without axis 1.
        weight: see `cross_entropy`.
        size_average: see `cross_entropy`.
        ignore_index: see `cross_entropy`.
        reduce: see `cross_entropy`.
        reduction: see `cross_entropy`.

    Raises:
        ShapeError: the shapes do not fit.
        ConfigError: see `cross_entropy`.
    """
    _check_old(size_average, reduce)
    log_p, ids = _classes_last(as_tensor(input), target, ignore_index)
    counted = ids != NOT_A_TARGET
    at = np.where(counted, ids, 0).reshape(-1)
    picked = log_p.view(-1, log_p.array.shape[-1])[np.arange(ids.size), at]
    losses = autograd.where(counted, -picked.view(*ids.shape), 0.0)
    shares = counted.astype(log_p.array.dtype)
    if weight is not None:
        shares = shares * as_array(weight)[at].reshape(ids.shape)
        losses = losses * shares
    name = "NllLoss" if ids.ndim < 2 else "NllLoss2D"
    if _reduced(reduction) == "none":
        return Tensor._named(name, losses)
    if reduction == "sum":
        return Tensor._named(name, losses.sum())
    if not counted.any():
        raise ConfigError(
            f"a mean needs at least one target other than {ignore_index}; got none among {ids.size} targets."
        )
    return Tensor._named(name, losses.sum() / float(shares.sum()))


def mse_loss(
    input: Operand, target: Operand, size_average: None = None, reduce: None = None, reduction: str = "mean"
) -> Tensor:
    """Return the mean of (input - target)², for two tensors of the same shape (...).

    Args:
        input: (...) numbers.
        target: (...) numbers.
        size_average: an old name of `reduction`, which is refused.
        reduce: an old name of `reduction`, which is refused.
        reduction: "mean", "sum" or "none".

    Raises:
        ShapeError: the shapes differ; nothing is broadcast.
    """
    _check_old(size_average, reduce)
    x, y = _alike("mse_loss", input, target)
    if _reduced(reduction) == "mean" and x.array.size:
        return autograd.mse(x, y)
    return Tensor._named("MseLoss", _over((x - y) ** 2, reduction))


def l1_loss(
    input: Operand, target: Operand, size_average: None = None, reduce: None = None, reduction: str = "mean"
) -> Tensor:
    """Return the mean of |input - target|. Args: and Raises: see `mse_loss`."""
    _check_old(size_average, reduce)
    x, y = _alike("l1_loss", input, target)
    return _over((x - y).abs(), reduction)


def smooth_l1_loss(input: Operand, target: Operand, reduction: str = "mean", beta: float = 1.0) -> Tensor:
    """Return the mean of d²/(2 beta) where d = |input - target| is below beta, and of d - beta/2 elsewhere."""
    x, y = _alike("smooth_l1_loss", input, target)
    d = (x - y).abs()
    losses = autograd.where(d.array < beta, d * d * (0.5 / max(beta, 1e-30)), d - 0.5 * beta)
    return Tensor._named("SmoothL1Loss", _over(losses, reduction))


def binary_cross_entropy(
    input: Operand, target: Operand, weight: Operand | None = None, size_average: None = None, reduce: None = None,
    reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """Return the mean of -[y ln p + (1 - y) ln(1 - p)]; as in PyTorch, a logarithm is at least -100.

    Args:
        input: (...) probabilities p.
        target: (...) the targets y, from 0 to 1.
        weight: the weight of each element.
        size_average: see `mse_loss`.
        reduce: see `mse_loss`.
        reduction: see `mse_loss`.

    Raises:
        ConfigError: a probability outside 0 to 1.
    """
    _check_old(size_average, reduce)
    p, y = _alike("binary_cross_entropy", input, target)
    if p.array.size and not (p.array.min() >= 0 and p.array.max() <= 1):
        raise ConfigError(
            "binary_cross_entropy needs probabilities from 0 to 1. Apply sigmoid(), or use the loss of logits."
        )
    losses = -(y * p.log().clamp(min=-100.0) + (1 - y) * (1 - p).log().clamp(min=-100.0))
    if weight is not None:
        losses = losses * as_tensor(weight)
    return Tensor._named("BinaryCrossEntropy", _over(losses, reduction))


def binary_cross_entropy_with_logits(
    input: Operand, target: Operand, weight: Operand | None = None, size_average: None = None, reduce: None = None,
    reduction: str = "mean", pos_weight: Operand | None = None,
) -> Tensor:  # fmt: skip
    """Return the binary cross entropy of sigmoid(x), without overflow.

    Args:
        input: (...) logits x.
        target: (...) the targets y, from 0 to 1.
        weight: the weight of each element.
        size_average: see `mse_loss`.
        reduce: see `mse_loss`.
        reduction: see `mse_loss`.
        pos_weight: the weight of positive targets.
    """
    _check_old(size_average, reduce)
    x, y = _alike("binary_cross_entropy_with_logits", input, target)
    # -ln sigmoid(x) = max(-x, 0) + ln(1 + exp(-|x|))
    negative = (-x).relu() + ((-x.abs()).exp() + 1).log()
    scale = 1 if pos_weight is None else (as_tensor(pos_weight) - 1) * y + 1
    losses = (1 - y) * x + negative * scale
    if weight is not None:
        losses = losses * as_tensor(weight)
    return Tensor._named("BinaryCrossEntropyWithLogits", _over(losses, reduction))


def kl_div(
    input: Operand, target: Operand, size_average: None = None, reduce: None = None, reduction: str = "mean",
    log_target: bool = False,
) -> Tensor:  # fmt: skip
    """Return the mean of y (ln y - x), for log probabilities x and probabilities y.

    Args:
        input: (...) log probabilities x.
        target: (...) probabilities y, or their logarithms.
        size_average: see `mse_loss`.
        reduce: see `mse_loss`.
        reduction: "mean", "sum", "none", or "batchmean": the sum over the length of axis 0.
        log_target: whether the targets are logarithms.
    """
    _check_old(size_average, reduce)
    x, y = as_tensor(input), as_tensor(target)
    if log_target:
        losses = y.exp() * (y - x)
    else:
        zero = y.array <= 0  # y ln y is 0 at 0
        losses = y * y.masked_fill(zero, 1.0).log() - y * x
    if reduction == "batchmean":
        return losses.sum() / max(len(losses), 1)
    return _over(losses, reduction)


def _over(losses: Tensor, reduction: str) -> Tensor:
    if _reduced(reduction) == "none":
        return losses
    return losses.mean() if reduction == "mean" else losses.sum()


def _alike(name: str, input: Operand, target: Operand) -> tuple[Tensor, Tensor]:
    x, y = as_tensor(input), as_tensor(target)
    if x.array.shape != y.array.shape:
        raise ShapeError(
            f"{name} needs two tensors of the same shape; got {x.array.shape} and {y.array.shape}. "
            "Use view() on one of them."
        )
    return x._pair(y)


def _check_old(size_average: Any, reduce: Any) -> None:
    if size_average is not None or reduce is not None:
        raise ConfigError("size_average and reduce are old names; use reduction='mean', 'sum' or 'none'.")


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
