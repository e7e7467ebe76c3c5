"""The layer by which positions read each other, and the memory that lets the next one do so without starting over."""

import math

import numpy as np
from numpy.typing import DTypeLike

from backlight.autograd import Tensor, apply
from backlight.autograd.ops.attention import CausalAttention, Places
from backlight.core import Array, ConfigError, IntArray, ShapeError
from backlight.nn.layers import Linear
from backlight.nn.module import Module


class KeyValueCache:
    """The keys and values of the positions that one attention layer has read, with a column for each text.

    A new position has one query for each text and head: too little for a matrix product of its own. With the texts
    side by side, the products of all of them are sums of long rows.

    Args:
        rows: how many texts, B.
        heads: H.
        context: how many positions there is room for.
        size: channels of a head, D.
        dtype: of the numbers.

    Memory: 2 B H context D numbers.
    """

    def __init__(self, rows: int, heads: int, context: int, size: int, dtype: DTypeLike) -> None:
        self._keys = np.empty((context, heads, size, rows), dtype)
        self._values = np.empty((context, heads, size, rows), dtype)
        self.length = 0

    def read(self, qkv_CB: Array) -> Array:
        """Let one more position of each text, (3C, B), join the others and read them all; returns (C, B)."""
        _, H, D, B = self._keys.shape
        q, k, v = qkv_CB.reshape(3, H, D, B)
        t = self.length
        self._keys[t], self._values[t] = k, v
        self.length = t + 1
        p = np.einsum("thdb,hdb->thb", self._keys[: t + 1], q)
        p *= 1 / math.sqrt(D)
        p -= np.maximum.reduce(p, axis=0)
        np.exp(p, out=p)
        p /= np.add.reduce(p, axis=0)
        y: Array = np.einsum("thb,thdb->hdb", p, self._values[: t + 1])
        return y.reshape(H * D, B)

    def keep(self, rows: IntArray) -> None:
        """Go on with these texts; one that is named several times goes on in as many ways."""
        for both in ("_keys", "_values"):
            before = getattr(self, both)
            kept = np.empty((*before.shape[:3], len(rows)), before.dtype)
            np.take(before[: self.length], rows, axis=3, out=kept[: self.length])
            setattr(self, both, kept)


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
        kept = self.rng if self.training and self.dropout else None
        y = apply(CausalAttention, self.qkv(x), heads=self.heads, places=places, kept=kept, p=self.dropout)
        return self.output(y)

    def step(self, x_BC: Tensor, cache: KeyValueCache) -> Tensor:
        """Return what one more position of each text reads, itself and those in the cache, which it joins. No graph."""
        qkv_CB = self.qkv.weight.array.T @ x_BC.array.T
        if self.qkv.bias is not None:
            qkv_CB += self.qkv.bias.array[:, None]
        return self.output(Tensor(cache.read(qkv_CB).T))

    def cache(self, rows: int, context: int) -> KeyValueCache:
        """Return room for `context` positions of `rows` texts."""
        return KeyValueCache(rows, self.heads, context, self.channels // self.heads, self.qkv.weight.array.dtype)

    def describe(self) -> str:
        """Return the number of channels and of heads."""
        return f"{self.channels}, heads={self.heads}"
