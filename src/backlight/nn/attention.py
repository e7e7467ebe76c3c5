"""Causal self-attention."""

import numpy as np

from backlight.autograd import Tensor, apply
from backlight.autograd.ops.attention import CausalAttention, PackedIndex, split_heads
from backlight.autograd.tensor_base import Operand
from backlight.core import Array, ConfigError, ShapeError
from backlight.core.arguments import check_number, check_rng, check_share, check_whole
from backlight.nn.decode_step import KeyValueCache, attention_in_rows, in_columns, in_rows
from backlight.nn.kind import Kind
from backlight.nn.layers import Linear
from backlight.nn.module import Module, as_input


class CausalSelfAttention(Module):
    """Each position attends to all positions up to its own and returns a weighted mean of their values.

    One linear layer computes a query, a key and a value for each position and head. The weights of the values are
    softmax(q · k / √D) over the positions up to the query's own. Another linear layer mixes the heads.

    Args:
        embed_dim: size of the last axis, C, a multiple of `num_heads`.
        num_heads: number of heads, H, each with D = C / H channels.
        dropout: probability of dropping an attention weight in training.
        scale: a further factor on the initial weights of the output projection.
        rng: draws the initial weights and the dropout masks.

    Shape: (B, T, C) -> (B, T, C), or with `places` (N, C) -> (N, C)

    Raises:
        ConfigError: sizes that do not fit, a probability outside 0..1, or no rng.
        ShapeError: the last axis is not C long.
    Source: Vaswani et al. 2017, arXiv:1706.03762, eq. 1 and section 3.2.2.
    """

    layer_kind = Kind("attention", settings=("num_heads", "dropout"))

    def __init__(
        self, embed_dim: int, num_heads: int, *, dropout: float = 0.0, scale: float = 1.0,
        rng: np.random.Generator | None = None,
    ) -> None:  # fmt: skip
        check_whole(embed_dim=embed_dim, num_heads=num_heads)
        if embed_dim % num_heads:
            raise ConfigError(
                f"embed_dim must be a multiple of num_heads, so that all heads have the same size; got {embed_dim} "
                f"and {num_heads}. Try {max(1, round(embed_dim / num_heads)) * num_heads} channels."
            )
        check_share(dropout=dropout)
        check_number(scale=scale)
        self.embed_dim = embed_dim
        self.num_heads = num_heads
        self.dropout = dropout
        self.rng = rng = check_rng(rng, f"CausalSelfAttention({embed_dim}, {num_heads})")
        self.qkv = Linear(embed_dim, 3 * embed_dim, rng=rng)
        self.output = Linear(embed_dim, embed_dim, scale=scale, rng=rng)

    def __call__(self, x: Operand, places: PackedIndex | None = None) -> Tensor:
        """Return `forward(x, places)`."""
        return self.forward(x, places)

    def forward(self, x: Operand, places: PackedIndex | None = None) -> Tensor:
        """Return the attention output, in x's shape.

        Args:
            x: (B, T, C); with `places`, the rows (N, C) of a packed batch of sequences of different lengths.
            places: the positions of those rows in (B, T).
        """
        x = as_input(x, self.qkv.dtype)
        axes = 3 if places is None else 2
        if x.array.ndim != axes or x.array.shape[-1] != self.embed_dim:
            wanted = f"(B, T, {self.embed_dim})" if places is None else f"(N, {self.embed_dim}) with places"
            raise ShapeError(
                f"CausalSelfAttention({self.extra_repr()}) needs x of shape {wanted}; got {tuple(x.shape)}."
            )
        keep = self.rng if self.training and self.dropout else None
        y = apply(CausalAttention, self.qkv(x), heads=self.num_heads, places=places, keep=keep, p=self.dropout)
        return self.output(y)

    def begin(self, x_BTC: Array, cache: KeyValueCache) -> Array:
        """Return the output (B, T, C) for the first positions of each text, which are added to the empty cache.

        Outside the graph, and in evaluation mode.
        """
        qkv = in_rows(self.qkv, x_BTC)
        _, k, v = split_heads(qkv, self.num_heads)
        cache.fill(k, v)
        return in_rows(self.output, attention_in_rows(qkv, self.num_heads))

    def step(self, x_CB: Array, cache: KeyValueCache) -> Array:
        """Return the output (C, B) for one more position of each text, which is added to the cache.

        Outside the graph, and in evaluation mode.

        Args:
            x_CB: the new position of each of B texts, one in each column.
            cache: the keys and values of the earlier positions.
        """
        return in_columns(self.output, cache.read(in_columns(self.qkv, x_CB)))

    def cache(self, rows: int, context: int) -> KeyValueCache:
        """Return an empty cache for `context` positions of `rows` texts."""
        return KeyValueCache(rows, self.num_heads, context, self.embed_dim // self.num_heads, self.qkv.dtype)

    def extra_repr(self) -> str:
        """Return the number of channels and of heads."""
        return f"{self.embed_dim}, {self.num_heads}"
