"""The layer by which positions read each other, and the memory that lets the next one do so without starting over."""

import numpy as np
from numpy.typing import DTypeLike

from backlight.autograd import Tensor, apply
from backlight.autograd.ops.attention import CausalAttention, Places, causal_weights, mix, split_heads
from backlight.core import Array, ConfigError, IntArray, ShapeError
from backlight.nn.layers import Linear
from backlight.nn.module import Module


class KeyValueCache:
    """The keys and values of the positions that one attention layer has read.

    Args:
        rows: how many texts, B.
        heads: H.
        context: how many positions there is room for.
        size: channels of a head, D.
        dtype: of the numbers.

    Memory: 2 B H context D numbers.
    """

    def __init__(self, rows: int, heads: int, context: int, size: int, dtype: DTypeLike) -> None:
        self._both = np.empty((2, rows, heads, context, size), dtype)
        self.length = 0

    def append(self, k: Array, v: Array) -> tuple[Array, Array]:
        """Add keys and values of S more positions, (B, H, S, D) each, and return all there are, (B, H, length, D)."""
        start, self.length = self.length, self.length + k.shape[2]
        self._both[0, :, :, start : self.length] = k
        self._both[1, :, :, start : self.length] = v
        keys, values = self._both[:, :, :, : self.length]
        return keys, values

    def clear(self) -> None:
        """Forget all positions."""
        self.length = 0

    def keep(self, rows: IntArray) -> None:
        """Forget all texts but these, given in ascending order."""
        kept = self._both[:, rows, :, : self.length]
        self._both = self._both[:, : len(rows)]
        self._both[:, :, :, : self.length] = kept


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

    def __call__(self, x: Tensor, places: Places | None = None) -> Tensor:
        """Return `forward(x, places)`."""
        return self.forward(x, places)

    def forward(self, x: Tensor, places: Places | None = None) -> Tensor:
        """Return what each position read, in x's shape.

        Args:
            x: (B, T, C); with `places`, the rows (N, C) of sequences of unequal length.
            places: where those rows stand in (B, T).
        """
        axes = 3 if places is None else 2
        if x.array.ndim != axes or x.array.shape[-1] != self.channels:
            wanted = f"(B, T, {self.channels})" if places is None else f"(N, {self.channels}) with places"
            raise ShapeError(f"CausalSelfAttention({self.describe()}) needs x of shape {wanted}; got {x.shape}.")
        B, T = x.array.shape[:2] if places is None else places.shape
        kept = None
        if self.training and self.dropout:
            kept = self.rng.random((B, self.heads, T, T), np.float32) >= self.dropout
        y = apply(CausalAttention, self.qkv(x), heads=self.heads, places=places, kept=kept, p=self.dropout)
        return self.output(y)

    def extend(self, x: Tensor, cache: KeyValueCache) -> Tensor:
        """Return what S more positions (B, S, C) read, themselves and those in the cache; they join it. No graph."""
        q, k, v = split_heads(self.qkv(x).array, self.heads)
        keys, values = cache.append(k, v)
        return self.output(Tensor(mix(causal_weights(q, keys), values)))

    def cache(self, rows: int, context: int) -> KeyValueCache:
        """Return room for `context` positions of `rows` texts."""
        return KeyValueCache(rows, self.heads, context, self.channels // self.heads, self.qkv.weight.array.dtype)

    def describe(self) -> str:
        """Return the number of channels and of heads."""
        return f"{self.channels}, heads={self.heads}"
