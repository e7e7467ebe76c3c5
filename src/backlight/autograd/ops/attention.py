"""Causal self-attention, all heads at once, and its gradient by hand: docs/derivations/attention.md.

Scores and weights have a row for each key and a column for each query, so that the softmax runs over the second to last
axis. NumPy reduces that axis a row at a time, which is faster than the reduction of the last axis.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from backlight.autograd.op import Op
from backlight.autograd.ops.dropout import Keep, keep_scale
from backlight.core import Array, IntArray


class PackedIndex(NamedTuple):
    """The positions of the rows of a packed batch: sequences of different lengths without padding.

    Attributes:
        shape: (B, T), the number of sequences and the longest length.
        rows: (N,) the index b T + t of each row, ascending.
    """

    shape: tuple[int, int]
    rows: IntArray

    def spread(self, x_NC: Array) -> Array:
        """Return the rows (N, C) as a padded batch (B, T, C), with 0 in the padding."""
        spread = np.zeros((self.shape[0] * self.shape[1], x_NC.shape[-1]), x_NC.dtype)
        spread[self.rows] = x_NC
        return spread.reshape(*self.shape, -1)

    def gather(self, x_BTC: Array) -> Array:
        """Return the rows (N, C) of a padded batch (B, T, C)."""
        gathered: Array = x_BTC.reshape(-1, x_BTC.shape[-1])[self.rows]
        return gathered


def split_heads(qkv_BTC: Array, heads: int) -> Array:
    """Return views (3, B, H, T, D) of the queries, keys and values that are concatenated in (B, T, 3C)."""
    B, T, C3 = qkv_BTC.shape
    return qkv_BTC.reshape(B, T, 3, heads, C3 // (3 * heads)).transpose(2, 0, 3, 1, 4)


def causal_weights(q: Array, k: Array) -> Array:
    """Return attention weights (B, H, T, T), a row for each key and a column for each query; columns sum to 1.

    Args:
        q: (B, H, T, D) queries.
        k: (B, H, T, D) keys.
    """
    T, D = q.shape[-2:]
    p: Array = k @ q.swapaxes(-1, -2)
    p *= 1 / math.sqrt(D)
    later = np.tri(T, k=-1, dtype=np.bool_)  # the key's position is after the query's
    p += np.where(later, np.asarray(-np.inf, p.dtype), np.asarray(0, p.dtype))
    p -= np.maximum.reduce(p, axis=-2, keepdims=True)
    np.exp(p, out=p)
    p /= np.add.reduce(p, axis=-2, keepdims=True)
    return p


def mix(p_BHTT: Array, v: Array) -> Array:
    """Return (B, T, C), the weighted sum of the values for each query, with the heads concatenated.

    Args:
        p_BHTT: the weights, a column for each query.
        v: (B, H, T, D) values.
    """
    B, H, T, D = v.shape
    y = np.empty((B, T, H, D), v.dtype)
    np.matmul(p_BHTT.swapaxes(-1, -2), v, out=y.transpose(0, 2, 1, 3))
    return y.reshape(B, T, H * D)


class CausalAttention(Op):
    """y_t = Σ_{s ≤ t} p_ts v_s in each head, where p_t is the softmax of q_t · k_s / √D over the positions s up to t.

    qkv (B, T, 3C) holds queries, keys and values, concatenated, each of H heads with D = C / H channels; y is
    (B, T, C). With `places`, qkv is (N, 3C) and y is (N, C): a packed batch. `keep` (B, H, T, T) is false for the
    weights that dropout sets to 0, or is the generator that draws it.
    Source: Vaswani et al. 2017, arXiv:1706.03762, eq. 1 and section 3.2.3.
    """

    name = "causal_attention"
    formula = (
        "y = P v, P = softmax(q kᵀ / √D + mask);  "
        "dv = Pᵀ dy;  dS = P (dP - Σ P dP), dP = dy vᵀ;  dq = dS k / √D;  dk = dSᵀ q / √D"
    )
    fits = "qkv (B, T, 3C) with C a multiple of the number of heads, or (N, 3C) with places"

    @staticmethod
    def forward(
        qkv: Array, *, heads: int, places: PackedIndex | None = None, keep: Keep | None = None, p: float = 0.0
    ) -> tuple[Array, Any]:
        qkv_BTC = qkv if places is None else places.spread(qkv)
        q, k, v = split_heads(qkv_BTC, heads)
        weights = causal_weights(q, k)
        share = None if keep is None else keep_scale(keep, weights.shape, p, qkv.dtype)
        used = weights if share is None else weights * share
        y = mix(used, v)
        return y if places is None else places.gather(y), (qkv_BTC, weights, used, heads, places, share)

    @staticmethod
    def backward(dy: Array, saved: Any) -> tuple[Array]:
        qkv_BTC, weights, used, heads, places, share = saved
        dy_BTC = dy if places is None else places.spread(dy)
        q, k, v = split_heads(qkv_BTC, heads)
        dqkv_BTC = np.empty_like(qkv_BTC)
        dq, dk, dv = split_heads(dqkv_BTC, heads)
        dy_BHTD = dy_BTC.reshape(*dy_BTC.shape[:2], heads, -1).transpose(0, 2, 1, 3)

        np.matmul(used, dy_BHTD, out=dv)
        ds = v @ dy_BHTD.swapaxes(-1, -2)
        if share is not None:
            ds *= share
        # the softmax's gradient is orthogonal to a common shift of all scores of a query
        ds -= np.einsum("bhkq,bhkq->bhq", weights, ds)[:, :, None]
        ds *= weights
        ds *= 1 / math.sqrt(q.shape[-1])
        np.matmul(ds.swapaxes(-1, -2), k, out=dq)
        np.matmul(ds, q, out=dk)
        return (dqkv_BTC if places is None else places.gather(dqkv_BTC),)
