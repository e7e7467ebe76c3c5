"""Every op in PyTorch: PyTorch's own function for the name of each op, with the same inputs and settings."""

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import torch
from torch.nn import functional as F  # noqa: N812  (its usual name)

from backlight.autograd.ops.attention import PackedIndex
from backlight.core import NOT_A_TARGET, Array, BoolArray, IntArray

T = torch.Tensor
Axes = tuple[int, ...] | None


def _over(a: T, axes: Axes, keepdims: bool) -> dict[str, Any]:
    return {"dim": tuple(range(a.ndim)) if axes is None else axes, "keepdim": keepdims}


def _sum(a: T, axes: Axes = None, keepdims: bool = False) -> T:
    return a.sum(**_over(a, axes, keepdims))


def _mean(a: T, axes: Axes = None, keepdims: bool = False) -> T:
    return a.mean(**_over(a, axes, keepdims))


def _extreme(a: T, axes: Axes = None, keepdims: bool = False, largest: bool = True) -> T:
    return (torch.amax if largest else torch.amin)(a, **_over(a, axes, keepdims))


def _var(a: T, axes: Axes = None, keepdims: bool = False, correction: int = 1) -> T:
    return a.var(correction=correction, **_over(a, axes, keepdims))


def _std(a: T, axes: Axes = None, keepdims: bool = False, correction: int = 1) -> T:
    return a.std(correction=correction, **_over(a, axes, keepdims))


def _triangle(a: T, k: int, lower: bool) -> T:
    return (torch.tril if lower else torch.triu)(a, k)


def _where(a: T, b: T, condition: BoolArray) -> T:
    return torch.where(torch.from_numpy(condition), a, b)


def _cast(a: T, dtype: Any) -> T:
    return a.to(getattr(torch, np.dtype(dtype).name))


def _batch_norm(x: T, gain: T, bias: T, eps: float = 1e-5) -> T:
    rows = x.reshape(-1, x.shape[-1])
    return F.batch_norm(rows, None, None, gain, bias, training=True, eps=eps).reshape(x.shape)


def _layer_norm(x: T, gain: T, bias: T, eps: float = 1e-5) -> T:
    return F.layer_norm(x, gain.shape, gain, bias, eps=eps)


def _cross_entropy(logits: T, targets: IntArray) -> T:
    rows = logits.reshape(-1, logits.shape[-1])
    return F.cross_entropy(rows, torch.from_numpy(targets.reshape(-1)), ignore_index=NOT_A_TARGET)


def _hinge(scores: T, labels: T) -> T:
    return F.margin_ranking_loss(scores, torch.zeros_like(scores), labels, margin=1)


def _convolve(x: T, weight: T, bias: T, dilation: int = 1) -> T:
    padded = F.pad(x.mT, (dilation * (len(weight) - 1), 0))
    return F.conv1d(padded, weight.permute(2, 1, 0), bias, dilation=dilation).mT


# -- attention ---------------------------------------------------------------------------------------------------------


def _heads(qkv: T, heads: int) -> tuple[T, T, T]:
    q, k, v = qkv.reshape(*qkv.shape[:-1], 3, heads, -1).permute(2, 0, 3, 1, 4)
    return q, k, v


def _attend(qkv: T, heads: int, places: PackedIndex | None = None, keep: BoolArray | None = None, p: float = 0.0) -> T:
    if places is not None:
        return _attend_some(qkv, heads, places)
    if keep is not None:
        return _attend_dropped(qkv, heads, keep, p)
    q, k, v = _heads(qkv, heads)
    return F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(2)


def _attend_some(qkv: T, heads: int, places: PackedIndex) -> T:
    """Unpack the rows into a batch whose padding is not 0, to detect if the padding is read."""
    whole = torch.full((places.shape[0] * places.shape[1], qkv.shape[-1]), 7.0, dtype=qkv.dtype)
    rows = torch.from_numpy(places.rows)
    y = _attend(whole.index_put((rows,), qkv).reshape(*places.shape, -1), heads)
    return y.flatten(0, 1)[rows]


def _attend_dropped(qkv: T, heads: int, keep: BoolArray, p: float) -> T:
    """Attention with a given dropout mask, a row for each key, which PyTorch's function does not accept."""
    q, k, v = _heads(qkv, heads)
    future = torch.ones(q.shape[-2], q.shape[-2], dtype=torch.bool).triu(1)
    weights = (q @ k.mT / q.shape[-1] ** 0.5).masked_fill(future, -torch.inf).softmax(-1)
    mixed: T = weights * torch.from_numpy(keep).mT / (1 - p) @ v
    return mixed.transpose(1, 2).flatten(2)


# -- recurrences -------------------------------------------------------------------------------------------------------


def _through_time(unroll: Callable[..., Any]) -> Callable[..., T]:
    """Return the function behind `torch.nn.RNN`, GRU or LSTM, for Backlight's layout, one or two biases and a state."""

    def run(
        x: T, w: T, u: T, *biases: T, counts: tuple[int, ...] | None = None, state: tuple[Array, ...] | None = None
    ) -> T:
        parameters = (w.T, u.T, *biases, *[torch.zeros_like(biases[0])] * (2 - len(biases)))
        rows = counts[0] if counts else len(x)
        parts = 2 if unroll is torch.lstm else 1
        first = [torch.zeros(1, rows, len(u), dtype=x.dtype)] * parts if state is None else _with_layer(state)
        hidden = tuple(first) if parts == 2 else first[0]
        # has_biases, num_layers, dropout, train, bidirectional
        settings = [parameters, True, 1, 0.0, False, False]
        batch_first = [] if counts else [True]
        y: T = unroll(x, *([torch.tensor(counts)] if counts else []), hidden, *settings, *batch_first)[0]
        return y

    return run


def _with_layer(state: tuple[Array, ...]) -> list[T]:
    return [torch.tensor(part)[None] for part in state]


def _put(a: T, b: T, index: Any) -> T:
    y = a.clone()
    y[index] = b
    return y


def _add_at(a: T, b: T, index: Any) -> T:
    whole = torch.arange(a.numel()).view(a.shape)[index]
    y = a.reshape(-1).index_add(
        0, whole.reshape(-1), b.expand(whole.shape if whole.ndim >= b.ndim else b.shape).reshape(-1)
    )
    return y.view(a.shape)


TORCH_OPS: Final[dict[str, Callable[..., T]]] = {
    "add": torch.add,
    "sub": torch.sub,
    "mul": torch.mul,
    "div": torch.div,
    "pow": torch.pow,
    "neg": torch.neg,
    "exp": torch.exp,
    "log": torch.log,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "sigmoid": torch.sigmoid,
    "gelu": lambda a: F.gelu(a, approximate="tanh"),
    "sqrt": torch.sqrt,
    "abs": torch.abs,
    "sin": torch.sin,
    "cos": torch.cos,
    "pow_constant": lambda a, exponent: a**exponent,
    "cast": _cast,
    "sum": _sum,
    "mean": _mean,
    "extreme": _extreme,
    "var": _var,
    "std": _std,
    "cumsum": lambda a, axis: a.cumsum(axis),
    "matmul": torch.matmul,
    "linear": lambda x, weight, bias: F.linear(x, weight.T, bias),
    "reshape": lambda a, shape: a.reshape(shape),
    "permute": lambda a, order: a.permute(order),
    "expand": lambda a, shape: a.expand(shape),
    "cat": lambda *parts, axis: torch.cat(parts, axis),
    "stack": lambda *parts, axis: torch.stack(parts, axis),
    "where": _where,
    "masked_fill": lambda a, mask, value: a.masked_fill(torch.from_numpy(mask), value),
    "triangle": _triangle,
    "index": lambda a, index: a[index],
    "embed": lambda weight, ids: F.embedding(torch.from_numpy(ids), weight),
    "pick_along": lambda a, indices, axis: torch.gather(a, axis, torch.from_numpy(indices)),
    "batch_norm": _batch_norm,
    "layer_norm": _layer_norm,
    "dropout": lambda x, keep, p: x * torch.from_numpy(keep) / (1 - p),
    "causal_attention": _attend,
    "causal_conv1d": _convolve,
    "rnn": _through_time(torch.rnn_tanh),
    "gru": _through_time(torch.gru),
    "lstm": _through_time(torch.lstm),
    "softmax": lambda z, axis=-1: z.softmax(axis),
    "log_softmax": lambda z, axis=-1: z.log_softmax(axis),
    "cross_entropy": _cross_entropy,
    "mse": F.mse_loss,
    "hinge": _hinge,
    "set_index": _put,
    "add_index": _add_at,
    "prod": lambda a, axis, keepdims=False: a.prod(axis, keepdim=keepdims),
    "erf": torch.erf,
    "exact_gelu": F.gelu,
    "step": lambda a, function: getattr(torch, function.__name__)(a),
    "einsum": lambda *factors, letters, result: torch.einsum(f"{','.join(letters)}->{result}", *factors),
}
"""PyTorch's function for each op. It takes tensors in the order of the op's inputs, and the op's settings by name."""
