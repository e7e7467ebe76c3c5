"""`MultiheadAttention` with PyTorch's arguments."""

import math
from typing import Any

import numpy as np

from backlight.autograd import Tensor, as_tensor
from backlight.core import Array, ConfigError, ShapeError
from backlight.core.arguments import check_flag, check_number, check_whole
from backlight.nn.kind import Kind
from backlight.torchlike.nn import init
from backlight.torchlike.nn.dropout import dropout as drop
from backlight.torchlike.nn.layers import Linear
from backlight.torchlike.nn.module import Module
from backlight.torchlike.nn.options import empty_parameter, refuse
from backlight.torchlike.nn.parameter import Parameter


class NonDynamicallyQuantizableLinear(Linear):
    """A linear layer, under the name that PyTorch prints for the output projection of attention."""


class MultiheadAttention(Module):
    """In each head, a mean of the values weighted by softmax(q · k / √D); another linear layer mixes the heads.

    Args:
        embed_dim: channels of queries, keys and values, E, a multiple of `num_heads`.
        num_heads: number of heads, H, each with D = E / H channels.
        dropout: probability of dropping a weight in training.
        bias: whether to add biases.
        add_bias_kv: must be False.
        add_zero_attn: must be False.
        kdim: must be None or E.
        vdim: must be None or E.
        batch_first: whether inputs and outputs are (B, T, E) rather than (T, B, E).
        device: "cpu" or None.
        dtype: float32 (the default) or float64.

    Attributes:
        in_proj_weight: (3 E, E) for queries, keys and values, Xavier uniform.
        in_proj_bias: (3 E,), initially 0.
        out_proj: a linear layer, whose bias is initially 0.

    Shape: (T, B, E), or (T, E) without a batch -> the same

    Raises:
        ConfigError: sizes that do not fit, or an argument that is not supported.
        ShapeError: another input or mask.
    Source: Vaswani et al. 2017, arXiv:1706.03762, section 3.2.2.
    """

    layer_kind = Kind("attention", settings=("num_heads", "dropout"))
    in_proj_weight: Parameter
    in_proj_bias: Parameter | None

    def __init__(
        self, embed_dim: int, num_heads: int, dropout: float = 0.0, bias: bool = True, add_bias_kv: bool = False,
        add_zero_attn: bool = False, kdim: int | None = None, vdim: int | None = None, batch_first: bool = False,
        device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__()
        check_whole(embed_dim=embed_dim, num_heads=num_heads)
        check_number(0, dropout=dropout)
        check_flag(bias=bias, batch_first=batch_first)
        refuse("MultiheadAttention", add_bias_kv=(add_bias_kv, False), add_zero_attn=(add_zero_attn, False))
        if embed_dim % num_heads or {kdim, vdim} - {None, embed_dim}:
            raise ConfigError(
                f"embed_dim must be a multiple of num_heads, and kdim and vdim equal to it; got {embed_dim}, "
                f"{num_heads}, {kdim}, {vdim}."
            )
        self.embed_dim, self.num_heads, self.dropout, self.batch_first = embed_dim, num_heads, dropout, batch_first
        self.head_dim = embed_dim // num_heads
        self.in_proj_weight = empty_parameter((3 * embed_dim, embed_dim), device, dtype)
        self.register_parameter("in_proj_bias", empty_parameter((3 * embed_dim,), device, dtype) if bias else None)
        self.out_proj = NonDynamicallyQuantizableLinear(embed_dim, embed_dim, bias, device, dtype)
        init.xavier_uniform_(self.in_proj_weight)
        for shift in (self.in_proj_bias, self.out_proj.bias):
            if shift is not None:
                init.zeros_(shift)

    def forward(
        self, query: Any, key: Any, value: Any, key_padding_mask: Any = None, need_weights: bool = True,
        attn_mask: Any = None, average_attn_weights: bool = True, is_causal: bool = False,
    ) -> Any:  # fmt: skip
        """Return the output, and the weights of the values.

        Args:
            query: (T, B, E).
            key: (S, B, E).
            value: (S, B, E).
            key_padding_mask: (B, S), true for keys that are left out; or numbers that are added to the scores.
            need_weights: whether to return the weights; if not, None is returned.
            attn_mask: (T, S) or (B H, T, S), true for keys that a query must not see; or numbers that are added.
            average_attn_weights: whether to return the mean over heads, (B, T, S), or all of them, (B, H, T, S).
            is_causal: a hint for speed; `attn_mask` must be given.
        """
        if is_causal and attn_mask is None:
            raise ConfigError("is_causal needs the mask as attn_mask too, as in PyTorch; got none.")
        inputs = [as_tensor(one) for one in (query, key, value)]
        single = inputs[0].array.ndim == 2
        if single:
            inputs = [one.unsqueeze(0) for one in inputs]
        elif not self.batch_first:
            inputs = [one.transpose(0, 1) for one in inputs]
        if any(one.array.ndim != 3 or one.array.shape[-1] != self.embed_dim for one in inputs):
            shapes = [tuple(one.array.shape) for one in inputs]
            raise ShapeError(f"MultiheadAttention needs inputs with {self.embed_dim} channels last; got {shapes}.")
        q, k, v = (self._heads(one, part) for part, one in enumerate(inputs))
        (B, H, T, _), S = q.array.shape, k.array.shape[2]
        scores = (q * (1 / math.sqrt(self.head_dim))) @ k.transpose(-2, -1)
        mask = _added(attn_mask, q.array.dtype)
        if mask is not None:
            scores = scores + Tensor(mask.reshape(B, H, T, S) if mask.ndim == 3 else mask)
        padding = _added(key_padding_mask, q.array.dtype)
        if padding is not None:
            scores = scores + Tensor(padding.reshape(-1, 1, 1, S))
        weights = drop(scores.softmax(-1), self.dropout, self.training)
        y = (weights @ v).transpose(1, 2).reshape(B, T, self.embed_dim)
        y = self.out_proj(y)
        shown = weights.mean(1) if average_attn_weights else weights
        if single:
            y, shown = y.squeeze(0), shown.squeeze(0)
        elif not self.batch_first:
            y = y.transpose(0, 1)
        return y, shown if need_weights else None

    def _heads(self, x: Tensor, part: int) -> Tensor:
        """Return the queries (part 0), keys (1) or values (2) of x (B, T, E), (B, H, T, D)."""
        rows = slice(part * self.embed_dim, (part + 1) * self.embed_dim)
        y = x @ self.in_proj_weight[rows].T
        if self.in_proj_bias is not None:
            y = y + self.in_proj_bias[rows]
        return y.view(*x.array.shape[:2], self.num_heads, self.head_dim).transpose(1, 2)


def _added(mask: Any, dtype: Any) -> Array | None:
    """Return a mask as numbers to add to the scores: -inf where a mask of booleans is true."""
    if mask is None:
        return None
    array = as_tensor(mask).array
    return np.where(array, -np.inf, 0).astype(dtype) if array.dtype == np.bool_ else array.astype(dtype)
