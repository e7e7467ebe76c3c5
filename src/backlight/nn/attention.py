"""The layer by which positions read each other."""

import numpy as np

from backlight.autograd import Tensor, apply
from backlight.autograd.ops.attention import CausalAttention, PackedIndex
from backlight.core import Array, ConfigError, ShapeError
from backlight.nn.decode_step import in_columns
from backlight.nn.key_value_cache import KeyValueCache
from backlight.nn.kind import Kind
from backlight.nn.layers import Linear
from backlight.nn.module import Module


class CausalSelfAttention(Module):
    """Each position asks all positions up to its own, and takes a weighted mean of what they answer.

    One linear layer makes of each position a query, a key and a value for every head; softmax(q · k / √D) over the
    positions up to the query's own are the weights of the values; another linear layer mixes the heads.

    Args:
        channels: size of the last axis, C, a multiple of `heads`.
        heads: how many sets of weights there are side by side, H, each with D = C / H channels.
        dropout: share of the weights that is dropped in training.
        scale: a further factor on the first weights of the output projection.
        rng: where the first weights and the dropped ones come from.

    Shape: (B, T, C) -> (B, T, C), or with `places` (N, C) -> (N, C)

    Raises:
        ConfigError: sizes that do not go together, or a share outside 0..1.
        ShapeError: the last axis is not C long.
    Source: Vaswani et al. 2017, arXiv:1706.03762, eq. 1 and section 3.2.2.
    """

    layer_kind = Kind("attention", settings=("heads", "dropout"))

    def __init__(
        self, channels: int, heads: int, *, dropout: float = 0.0, scale: float = 1.0, rng: np.random.Generator
    ) -> None:
        if channels < 1 or heads < 1 or channels % heads:
            raise ConfigError(
                f"channels must be a multiple of heads, so that each head has as many; got {channels} channels and "
                f"{heads} heads. Try {max(1, round(channels / max(heads, 1))) * max(heads, 1)} channels."
            )
        if not 0 <= dropout < 1:
            raise ConfigError(f"dropout is a share that is dropped, at least 0 and below 1; got {dropout}. Try 0.1.")
        self.channels = channels
        self.heads = heads
        self.dropout = dropout
        self.rng = rng
        self.qkv = Linear(channels, 3 * channels, rng=rng)
        self.output = Linear(channels, channels, scale=scale, rng=rng)

    def __call__(self, x: Tensor, places: PackedIndex | None = None) -> Tensor:
        """Return `forward(x, places)`."""
        return self.forward(x, places)

    def forward(self, x: Tensor, places: PackedIndex | None = None) -> Tensor:
        """Return what each position read, in x's shape.

        Args:
            x: (B, T, C); with `places`, the rows (N, C) of sequences of unequal length.
            places: where those rows stand in (B, T).
        """
        axes = 3 if places is None else 2
        if x.array.ndim != axes or x.array.shape[-1] != self.channels:
            wanted = f"(B, T, {self.channels})" if places is None else f"(N, {self.channels}) with places"
            raise ShapeError(f"CausalSelfAttention({self.extra_repr()}) needs x of shape {wanted}; got {x.shape}.")
        kept = self.rng if self.training and self.dropout else None
        y = apply(CausalAttention, self.qkv(x), heads=self.heads, places=places, kept=kept, p=self.dropout)
        return self.output(y)

    def step(self, x_CB: Array, cache: KeyValueCache) -> Array:
        """Return what one more position of each text reads, itself and those in the cache, which it joins; (C, B).

        Outside the graph, and as in evaluation.
        """
        return in_columns(self.output, cache.read(in_columns(self.qkv, x_CB)))

    def cache(self, rows: int, context: int) -> KeyValueCache:
        """Return room for `context` positions of `rows` texts, all columns in use."""
        return KeyValueCache(rows, self.heads, context, self.channels // self.heads, self.qkv.weight.array.dtype)

    def extra_repr(self) -> str:
        """Return the number of channels and of heads."""
        return f"{self.channels}, heads={self.heads}"
