"""Decoding: the layers' forward passes without a graph, and the key-value cache of attention.

In a decoding step, each text has one position. The texts are along the last axis, (C, B), so that sums over channels
and products of queries with keys run over contiguous rows. With the layers themselves, a step of the default GPT takes
1.3 times as long (1.5 times for a single text). The beginning of a text is read in rows, (B, T, C). Kernels compute
what is between the products of a beginning and of a single text, if there are kernels. Tests compare all of these with
the layers.
"""

import math

import numpy as np
from numpy.typing import DTypeLike

from backlight.autograd import ops
from backlight.autograd.native import library
from backlight.autograd.native.inference import InferenceKernels
from backlight.autograd.ops.attention import CausalAttention
from backlight.core import Array, ConfigError, IntArray
from backlight.nn.activations import GELU
from backlight.nn.compact import CompactLinear
from backlight.nn.dropout import Dropout
from backlight.nn.layers import Linear, Sequential
from backlight.nn.module import Module
from backlight.nn.normalisation import LayerNorm


def in_columns(layer: Module, x_CB: Array) -> Array:
    """Return the output (C', B) of a layer in evaluation mode for the columns of x.

    Args:
        layer: a linear layer, a layer norm, a GELU, a dropout, or a `Sequential` of these.
        x_CB: (C, B), one position of each text. A GELU overwrites it.

    Raises:
        ConfigError: another kind of layer.
    """
    match layer:
        case Linear() | CompactLinear():
            return layer.in_columns(x_CB)
        case LayerNorm():
            return _layer_norm(layer, x_CB)
        case GELU():
            return _gelu(x_CB)
        case Dropout():
            return x_CB
        case Sequential():
            for part in layer.layers:
                x_CB = in_columns(part, x_CB)
            return x_CB
    raise ConfigError(f"decoding supports Linear, LayerNorm, GELU and Dropout; got {type(layer).__name__}.")


def in_rows(layer: Module, x: Array) -> Array:
    """Return the output (..., C') of a layer in evaluation mode for rows (..., C), without a graph.

    Args:
        layer: as for `in_columns`.
        x: (..., C). A GELU overwrites it.

    Raises:
        ConfigError: another kind of layer.
    """
    match layer:
        case Linear() | CompactLinear():
            return layer.in_rows(x)
        case LayerNorm():
            kernels = _kernels(x)
            if kernels is not None:
                return kernels.layer_norm(x, layer.weight.array, layer.bias.array, layer.eps)
            y: Array = ops.LayerNorm.forward(x, layer.weight.array, layer.bias.array, eps=layer.eps)[0]
            return y
        case GELU():
            return _gelu(x)
        case Dropout():
            return x
        case Sequential():
            for part in layer.layers:
                x = in_rows(part, x)
            return x
    raise ConfigError(f"decoding supports Linear, LayerNorm, GELU and Dropout; got {type(layer).__name__}.")


def attention_in_rows(qkv_BTC: Array, heads: int) -> Array:
    """Return the output (B, T, C) of causal attention, for queries, keys and values (B, T, 3C), without a graph."""
    kernels = _kernels(qkv_BTC)
    if kernels is not None:
        return kernels.attention(qkv_BTC, heads)
    y: Array = CausalAttention.forward(qkv_BTC, heads=heads)[0]
    return y


def _kernels(x: Array) -> InferenceKernels | None:
    """Return the kernels that can read x; None if there are none."""
    found = library()
    return None if found is None or x.dtype != np.float32 or not x.flags.c_contiguous else found.inference


def _gelu(x: Array) -> Array:
    kernels = _kernels(x)
    y: Array = ops.GELU.forward(x)[0] if kernels is None else kernels.gelu(x)
    return y


def _layer_norm(layer: LayerNorm, x_CB: Array) -> Array:
    """Return gain x̂ + bias, (C, B), where x̂ is x minus its column's mean, divided by its column's deviation."""
    kernels = _kernels(x_CB) if x_CB.shape[1] == 1 else None
    if kernels is not None:
        return kernels.layer_norm(x_CB, layer.weight.array, layer.bias.array, layer.eps)
    (C,) = layer.normalized_shape
    y_CB: Array = x_CB - np.add.reduce(x_CB, axis=0) / C
    variance_B = np.einsum("cb,cb->b", y_CB, y_CB) / C
    y_CB *= 1 / np.sqrt(variance_B + layer.eps)
    y_CB *= layer.weight.array[:, None]
    y_CB += layer.bias.array[:, None]
    return y_CB


class KeyValueCache:
    """The keys and values of all earlier positions in one attention layer, with a column for each text.

    While only one column is in use, it stands for all texts. The positions of this common prefix are stored once.

    Args:
        rows: the largest number of columns.
        heads: the number of heads, H.
        context: the largest number of positions.
        size: channels of a head, D.
        dtype: the dtype of keys and values.

    Attributes:
        length: the number of positions in the cache.
        width: the number of columns in use, B: the first ones.

    Memory: 2 rows H context D numbers, committed by the operating system as they are used.
    """

    def __init__(self, rows: int, heads: int, context: int, size: int, dtype: DTypeLike) -> None:
        self._keys = np.empty((context, heads, size, rows), dtype)
        self._values = np.empty((context, heads, size, rows), dtype)
        self._common = 0  # length of the common prefix, stored in the first column only
        self.length = 0
        self.width = rows

    def read(self, qkv_CB: Array) -> Array:
        """Add one more position of each text, and return the attention output (C, B) for it.

        Args:
            qkv_CB: (3C, B), the query, key and value of the new position.
        """
        _, H, D, _ = self._keys.shape
        B, t, common = self.width, self.length, self._common
        q, k, v = qkv_CB.reshape(3, H, D, B)
        self._keys[t, ..., :B], self._values[t, ..., :B] = k, v
        self.length = t + 1
        kernels = _kernels(q) if self._keys.shape[3] == 1 else None
        if kernels is not None:  # one text, so that keys and values are contiguous
            y_HD = kernels.decode_attention(self._keys[: t + 1, ..., 0], self._values[: t + 1, ..., 0], q)
            return y_HD.reshape(H * D, 1)
        p = np.empty((t + 1, H, B), q.dtype)
        np.matmul(self._keys[:common, ..., 0].transpose(1, 0, 2), q, out=p[:common].transpose(1, 0, 2))
        np.einsum("thdb,hdb->thb", self._keys[common : t + 1, ..., :B], q, out=p[common:])
        p *= 1 / math.sqrt(D)
        p -= np.maximum.reduce(p, axis=0)
        np.exp(p, out=p)
        p /= np.add.reduce(p, axis=0)
        y: Array = np.einsum("thb,thdb->hdb", p[common:], self._values[common : t + 1, ..., :B])
        y += np.einsum("thb,thd->hdb", p[:common], self._values[:common, ..., 0])
        return y.reshape(H * D, B)

    def fill(self, keys: Array, values: Array) -> None:
        """Add the first positions of each text to an empty cache: (B, H, T, D) keys and values."""
        T = keys.shape[2]
        self._keys[:T, ..., : self.width] = keys.transpose(2, 1, 3, 0)
        self._values[:T, ..., : self.width] = values.transpose(2, 1, 3, 0)
        self.length = T

    def part(self, columns: IntArray) -> None:
        """Append copies of these columns (N,) to those in use, when equal texts continue in different ways."""
        if self.width == 1:
            self._common = self.length
        self._copy(self._keys, columns, self._keys, self.width)
        self._copy(self._values, columns, self._values, self.width)
        self.width += len(columns)

    def keep(self, columns: IntArray, rows: int) -> None:
        """Keep only these columns (N,), in this order, and reallocate for `rows` >= N columns."""
        for name in ("_keys", "_values"):
            old = getattr(self, name)
            kept = np.empty((*old.shape[:3], rows), old.dtype)
            kept[: self._common, ..., 0] = old[: self._common, ..., 0]
            self._copy(old, columns, kept, 0)
            setattr(self, name, kept)
        self.width = len(columns)

    def _copy(self, source: Array, columns: IntArray, target: Array, first: int) -> None:
        for t in range(self._common, self.length):  # one position at a time, for locality in memory
            target[t, ..., first : first + len(columns)] = source[t].take(columns, axis=2)
