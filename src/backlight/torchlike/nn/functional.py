"""`torch.nn.functional`: activations, normalisation, lookups, attention and losses, without parameters of their own."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from backlight import autograd
from backlight.autograd import Tensor, apply, as_array, as_tensor, cat, one_hot, ops
from backlight.autograd.tensor_base import Operand
from backlight.core import ConfigError, ShapeError, missing
from backlight.core.arguments import check_whole, shown
from backlight.torchlike.functions import relu, sigmoid, tanh
from backlight.torchlike.nn.dropout import dropout
from backlight.torchlike.nn.loss_functions import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cross_entropy,
    kl_div,
    l1_loss,
    mse_loss,
    nll_loss,
    smooth_l1_loss,
)

__all__ = [
    "batch_norm", "binary_cross_entropy", "binary_cross_entropy_with_logits", "conv1d", "cosine_similarity",
    "cross_entropy", "dropout", "elu", "embedding", "gelu", "kl_div", "l1_loss", "layer_norm", "leaky_relu", "linear",
    "log_softmax", "logsigmoid", "mse_loss", "nll_loss", "normalize", "one_hot", "pad", "relu", "rms_norm",
    "scaled_dot_product_attention", "sigmoid", "silu", "smooth_l1_loss", "softmax", "softplus", "tanh",
]  # fmt: skip

__getattr__ = missing.names_of("torch.nn.functional", missing.FUNCTIONAL)


# -- activations -------------------------------------------------------------------------------------------------------


def softmax(input: Operand, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Tensor:
    """Return probabilities along `dim`, in the input's shape: exp(x) divided by its sum.

    Args:
        input: (...) numbers.
        dim: the axis. Without one, PyTorch warns and takes axis 1, or 0 if there are not 2 or 4 axes; so does this.
        dtype: converted to before.
    """
    x = as_tensor(input) if dtype is None else as_tensor(input).to(dtype)
    return x.softmax(_axis_of_classes(x) if dim is None else dim)


def log_softmax(input: Operand, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Tensor:
    """Return log probabilities along `dim`, in nats and in the input's shape. Args: see `softmax`."""
    x = as_tensor(input) if dtype is None else as_tensor(input).to(dtype)
    return x.log_softmax(_axis_of_classes(x) if dim is None else dim)


def _axis_of_classes(x: Tensor) -> int:
    return 0 if x.array.ndim in {0, 1, 3} else 1


def gelu(input: Operand, approximate: str = "none") -> Tensor:
    """Return x Φ(x) elementwise.

    Args:
        input: (...) numbers.
        approximate: "none" for the exact normal distribution function Φ, "tanh" for its approximation.

    Raises:
        ConfigError: another `approximate`.
    """
    if not isinstance(approximate, str) or approximate not in {"none", "tanh"}:
        raise ConfigError(f"approximate must be 'none' or 'tanh'; got {shown(approximate)}.")
    x = as_tensor(input)
    return x.gelu() if approximate == "tanh" else Tensor._named("Gelu", apply(ops.ExactGELU, x._floating()))


def silu(input: Operand, inplace: bool = False) -> Tensor:
    """Return x / (1 + exp(-x)) elementwise."""
    del inplace
    return as_tensor(input).silu()


def leaky_relu(input: Operand, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """Return x where it is above 0, and negative_slope x elsewhere."""
    del inplace
    x = as_tensor(input)
    return Tensor._named("LeakyRelu", autograd.where(x.array > 0, x, x * negative_slope))


def elu(input: Operand, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """Return x where it is above 0, and alpha (exp(x) - 1) elsewhere."""
    del inplace
    x = as_tensor(input)
    below = x.masked_fill(x.array > 0, 0.0)
    return Tensor._named("Elu", autograd.where(x.array > 0, x, (below.exp() - 1) * alpha))


def softplus(input: Operand) -> Tensor:
    """Return ln(1 + exp(x)) elementwise, without overflow."""
    x = as_tensor(input)
    return Tensor._named("Softplus", x.relu() + ((-x.abs()).exp() + 1).log())


def logsigmoid(input: Operand) -> Tensor:
    """Return ln(1 / (1 + exp(-x))) elementwise, without overflow."""
    return Tensor._named("LogSigmoid", -softplus(-as_tensor(input)))


# -- layers without parameters -----------------------------------------------------------------------------------------


def linear(input: Operand, weight: Operand, bias: Operand | None = None) -> Tensor:
    """Return x Wᵀ + b, (..., O).

    Args:
        input: (..., I).
        weight: (O, I), the layout of PyTorch.
        bias: (O,), or None.

    Raises:
        ShapeError: the last axis of the input is not I long.
    """
    return autograd.linear(input, as_tensor(weight).T, bias)


def embedding(input: Operand, weight: Operand, padding_idx: int | None = None) -> Tensor:
    """Return the rows of `weight` (R, D) with the given ids, (...) -> (..., D).

    Args:
        input: (...) ids.
        weight: (R, D).
        padding_idx: the id of a row that gets no gradient.

    Raises:
        ConfigError: ids that are not integers in 0..R-1.
    """
    if padding_idx is None:
        return autograd.embed(input, weight)
    table = as_tensor(weight)
    row = np.zeros((table.array.shape[0], 1), np.bool_)
    row[padding_idx] = True
    return Tensor._named("Embedding", autograd.embed(input, autograd.where(row, table.detach(), table)))


def layer_norm(
    input: Operand, normalized_shape: Sequence[int], weight: Operand | None = None, bias: Operand | None = None,
    eps: float = 1e-5,
) -> Tensor:  # fmt: skip
    """Return the input with mean 0 and variance 1 over its last axes, times a gain, plus a shift.

    Args:
        input: (..., *normalized_shape).
        normalized_shape: the lengths of the last axes.
        weight: the gain, of that shape; 1 without it.
        bias: the shift, of that shape; 0 without it.
        eps: added to the variance.

    Raises:
        ShapeError: the input does not end in that shape.
    """
    x, shape = as_tensor(input), tuple(map(int, normalized_shape))
    if not shape or x.array.shape[-len(shape) :] != shape:
        raise ShapeError(f"layer_norm needs an input (..., {', '.join(map(str, shape))}); got {x.array.shape}.")
    size = math.prod(shape)
    gain = Tensor._holding(np.ones(size, x.array.dtype)) if weight is None else as_tensor(weight).view(size)
    shift = Tensor._holding(np.zeros(size, x.array.dtype)) if bias is None else as_tensor(bias).view(size)
    lead = x.array.shape[: x.array.ndim - len(shape)]
    y = apply(ops.LayerNorm, x.view(*lead, size), gain, shift, eps=eps)
    return y if len(shape) == 1 else Tensor._named("NativeLayerNorm", y.view(*x.array.shape))


def rms_norm(
    input: Operand, normalized_shape: Sequence[int], weight: Operand | None = None, eps: float | None = None
) -> Tensor:
    """Return the input divided by its root mean square over its last axes, times a gain. Args: see `layer_norm`."""
    x = as_tensor(input)
    axes = tuple(range(x.array.ndim - len(normalized_shape), x.array.ndim))
    least = float(np.finfo(x.array.dtype).eps) if eps is None else eps
    y = x / ((x * x).mean(axes, keepdim=True) + least).sqrt()
    return y if weight is None else y * as_tensor(weight)


def batch_norm(
    input: Operand, running_mean: Tensor | None, running_var: Tensor | None, weight: Operand | None = None,
    bias: Operand | None = None, training: bool = False, momentum: float = 0.1, eps: float = 1e-5,
) -> Tensor:  # fmt: skip
    """Return the input with mean 0 and variance 1 for each channel, times a gain, plus a shift.

    Args:
        input: (N, C), or (N, C, L).
        running_mean: (C,) changed in place in training, used otherwise; or None.
        running_var: (C,) likewise.
        weight: (C,) the gain, or None.
        bias: (C,) the shift, or None.
        training: whether to use the statistics of the batch.
        momentum: the share of the batch in the running statistics.
        eps: added to the variance.

    Raises:
        ShapeError: another number of axes, or one number for a channel in training.
        ConfigError: no statistics outside of training.
    """
    x = as_tensor(input)
    if x.array.ndim not in {2, 3}:
        raise ShapeError(f"batch_norm needs an input (N, C) or (N, C, L); got {x.array.shape}.")
    C = x.array.shape[1]
    shape = (1, C, 1)[: x.array.ndim]
    if training:
        axes = (0, 2)[: x.array.ndim - 1]
        count = x.array.size // max(C, 1)
        if count < 2:
            raise ShapeError(f"batch_norm in training needs several numbers for each channel; got {x.array.shape}.")
        mean, var = x.mean(axes, keepdim=True), x.var(axes, keepdim=True, unbiased=False)
        for running, seen in ((running_mean, mean.array), (running_var, var.array * (count / (count - 1)))):
            if running is not None:
                running.data.copy_(running.array * (1 - momentum) + momentum * seen.reshape(C))
    elif running_mean is None or running_var is None:
        raise ConfigError("batch_norm needs running_mean and running_var if it does not train; got None.")
    else:
        mean, var = running_mean.view(*shape), running_var.view(*shape)
    y = (x - mean) / (var + eps).sqrt()
    if weight is not None:
        y = y * as_tensor(weight).view(*shape)
    if bias is not None:
        y = y + as_tensor(bias).view(*shape)
    return Tensor._named("NativeBatchNorm", y)


def conv1d(
    input: Operand, weight: Operand, bias: Operand | None = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1,
    groups: int = 1,
) -> Tensor:  # fmt: skip
    """Return a convolution along the last axis, (N, I, L) -> (N, O, L').

    Args:
        input: (N, I, L) or (I, L).
        weight: (O, I, K).
        bias: (O,), or None.
        stride: the step between two outputs.
        padding: how many zeros are added at each end; "same" or "valid".
        dilation: the step between two of the K inputs.
        groups: must be 1.

    Raises:
        ShapeError: shapes that do not fit.
        ConfigError: `groups` is not 1.
    """
    x, w = as_tensor(input), as_tensor(weight)
    step, gap = (one[0] if isinstance(one, (tuple, list)) else one for one in (stride, dilation))
    check_whole(stride=step, dilation=gap)
    if groups != 1:
        raise ConfigError(f"groups must be 1; got {shown(groups)}. Convolve the channels of each group apart.")
    if x.array.ndim == 2:
        return conv1d(x.unsqueeze(0), w, bias, stride, padding, dilation).squeeze(0)
    if x.array.ndim != 3 or w.array.ndim != 3 or x.array.shape[1] != w.array.shape[1]:
        raise ShapeError(f"conv1d needs (N, I, L) and weight (O, I, K); got {x.array.shape} and {w.array.shape}.")
    O, _, K = w.array.shape
    reach = gap * (K - 1)
    ends = (
        {"same": (reach // 2, reach - reach // 2), "valid": (0, 0)}.get(padding) if isinstance(padding, str) else None
    )
    if ends is None:
        one = padding[0] if isinstance(padding, (tuple, list)) else padding
        check_whole(0, padding=one)
        ends = (one, one)
    x = pad(x, ends) if any(ends) else x
    L = (x.array.shape[2] - reach - 1) // step + 1
    if L < 1:
        raise ShapeError(f"conv1d needs at least {reach + 1} positions; got {x.array.shape[2]} with the padding.")
    at = np.arange(L)[:, None] * step + np.arange(K) * gap
    windows = x[:, :, at].permute(0, 2, 1, 3).reshape(x.array.shape[0], L, -1)
    y = windows @ w.reshape(O, -1).T
    if bias is not None:
        y = y + as_tensor(bias)
    return Tensor._named("Convolution", y.transpose(1, 2))


def pad(input: Operand, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Tensor:
    """Return the input with numbers added at the ends of its last axes; negative lengths cut.

    Args:
        input: (...) numbers.
        pad: how many before and after, for the last axis, then for the one before it, and so on.
        mode: "constant".
        value: the number, 0 by default.

    Raises:
        ConfigError: another mode, or an odd number of lengths.
    """
    x = as_tensor(input)
    lengths = [*map(int, pad)]
    if mode != "constant" or len(lengths) % 2 or len(lengths) > 2 * x.array.ndim:
        raise ConfigError(
            f"pad takes pairs of lengths for the last axes, mode 'constant'; got {shown(pad)}, {shown(mode)}."
        )
    for i in range(0, len(lengths), 2):
        axis = x.array.ndim - 1 - i // 2
        before, after = lengths[i], lengths[i + 1]
        end = x.array.shape[axis] + min(after, 0)
        if before < 0 or after < 0:
            x = x._along(axis, slice(max(-before, 0), end), "Slice")
        parts = [x]
        for at, length in ((0, before), (len(parts), after)):
            if length > 0:
                shape = [length if one == axis else n for one, n in enumerate(x.array.shape)]
                new = Tensor._holding(np.full(shape, 0 if value is None else value, x.array.dtype))
                parts.insert(0 if at == 0 else len(parts), new)
        x = cat(parts, axis) if len(parts) > 1 else x
    return Tensor._named("ConstantPadNd", x)


def normalize(input: Operand, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> Tensor:
    """Return the input divided by its p-norm along an axis, which counts as at least eps."""
    x = as_tensor(input)
    return x / x.norm(p, dim, keepdim=True).clamp(min=eps).expand_as(x)


def cosine_similarity(x1: Operand, x2: Operand, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """Return the cosine of the angle between two vectors along an axis."""
    a, b = as_tensor(x1), as_tensor(x2)
    a = a / a.norm(2, dim, keepdim=True).clamp(min=eps)
    b = b / b.norm(2, dim, keepdim=True).clamp(min=eps)
    return (a * b).sum(dim)


def scaled_dot_product_attention(
    query: Operand, key: Operand, value: Operand, attn_mask: Operand | None = None, dropout_p: float = 0.0,
    is_causal: bool = False, scale: float | None = None, enable_gqa: bool = False,
) -> Tensor:  # fmt: skip
    """Return softmax(q kᵀ scale + mask) v.

    Args:
        query: (..., T, D).
        key: (..., S, D).
        value: (..., S, O).
        attn_mask: (T, S) or broadcast to (..., T, S), true where a query may see a key; or numbers that are added.
        dropout_p: the share of weights that are dropped. It is applied whenever it is above 0, as in PyTorch.
        is_causal: whether a query sees only the keys up to its own position.
        scale: by default 1/√D.
        enable_gqa: must be False.

    Raises:
        ConfigError: `is_causal` and a mask, or `enable_gqa`.
    """
    q, k, v = as_tensor(query), as_tensor(key), as_tensor(value)
    if enable_gqa or (is_causal and attn_mask is not None):
        raise ConfigError("attention takes is_causal or attn_mask, not both, and enable_gqa must be False.")
    size = 1 / math.sqrt(q.array.shape[-1]) if scale is None else scale
    scores = (q * size) @ k.transpose(-2, -1)
    if is_causal:
        future = ~np.tri(*scores.array.shape[-2:], dtype=np.bool_)
        scores = scores.masked_fill(future, -math.inf)
    elif attn_mask is not None:
        mask = as_array(attn_mask)
        scores = scores.masked_fill(~mask, -math.inf) if mask.dtype == np.bool_ else scores + as_tensor(attn_mask)
    y = dropout(scores.softmax(-1), dropout_p) @ v
    return Tensor._named("ScaledDotProductFlashAttentionForCpu", y) if q.array.ndim == 4 and not dropout_p else y
