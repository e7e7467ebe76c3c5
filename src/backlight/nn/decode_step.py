"""One more position of many texts, for decoding: layers on columns, and what attention remembers of earlier positions.

A step of decoding has one position a text. Here the texts lie along the last axis, (C, B), outside the graph: sums over
channels run over long rows, and so do a query's products with the keys of its own text. A step of the default GPT takes
1.3 times as long (1.5 for a single text) with the layers themselves, whose formulas these are; tests compare the two.
"""

import math

import numpy as np
from numpy.typing import DTypeLike

from backlight.autograd import ops
from backlight.core import Array, ConfigError, IntArray
from backlight.nn.activations import GELU
from backlight.nn.dropout import Dropout
from backlight.nn.layers import Linear, Sequential
from backlight.nn.module import Module
from backlight.nn.normalisation import LayerNorm


def in_columns(layer: Module, x_CB: Array) -> Array:
    """Return what a layer in evaluation mode makes of each column, (C', B).

    Args:
        layer: a linear layer, a layer norm, a GELU, a dropout, or some of these in sequence.
        x_CB: one position of each text.

    Raises:
        ConfigError: another kind of layer.
    """
    match layer:
        case Linear():
            return _linear(layer, x_CB)
        case LayerNorm():
            return _layer_norm(layer, x_CB)
        case GELU():
            y_CB: Array = ops.GELU.forward(x_CB)[0]
            return y_CB
        case Dropout():
            return x_CB
        case Sequential():
            for one in layer.layers:
                x_CB = in_columns(one, x_CB)
            return x_CB
    raise ConfigError(f"columns can go through Linear, LayerNorm, GELU and Dropout; got {type(layer).__name__}.")


def _linear(layer: Linear, x_IB: Array) -> Array:
    """Return Wᵀ x + b, (O, B)."""
    y_OB: Array = layer.weight.array.T @ x_IB
    if layer.bias is not None:
        y_OB += layer.bias.array[:, None]
    return y_OB


def _layer_norm(layer: LayerNorm, x_CB: Array) -> Array:
    """Return gain x̂ + bias, where x̂ is x less the mean of its column, over the column's standard deviation."""
    (C,) = layer.normalized_shape
    y_CB: Array = x_CB - np.add.reduce(x_CB, axis=0) / C
    variance_B = np.einsum("cb,cb->b", y_CB, y_CB) / C
    y_CB *= 1 / np.sqrt(variance_B + layer.eps)
    y_CB *= layer.weight.array[:, None]
    y_CB += layer.bias.array[:, None]
    return y_CB


class KeyValueCache:
    """The keys and values of the positions that one attention layer has read, with a column for each text.

    As long as there is one column, it is all texts': what it holds when texts part is kept once.

    Args:
        rows: how many columns there is room for.
        heads: H.
        context: how many positions there is room for.
        size: channels of a head, D.
        dtype: of the numbers.

    Attributes:
        length: how many positions have been read.
        width: how many columns are in use, B: the first ones.

    Memory: 2 rows H context D numbers, of which the system hands out what is used.
    """

    def __init__(self, rows: int, heads: int, context: int, size: int, dtype: DTypeLike) -> None:
        self._keys = np.empty((context, heads, size, rows), dtype)
        self._values = np.empty((context, heads, size, rows), dtype)
        self._common = 0  # this many first positions are in the first column, for all
        self.length = 0
        self.width = rows

    def read(self, qkv_CB: Array) -> Array:
        """Let one more position of each text, (3C, B), join the others and read them all; returns (C, B)."""
        _, H, D, _ = self._keys.shape
        B, t, common = self.width, self.length, self._common
        q, k, v = qkv_CB.reshape(3, H, D, B)
        self._keys[t, ..., :B], self._values[t, ..., :B] = k, v
        self.length = t + 1
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

    def part(self, columns: IntArray) -> None:
        """Put copies of these columns behind those in use: texts that were the same go on in more ways than one."""
        if self.width == 1:
            self._common = self.length
        self._copy(self._keys, columns, self._keys, self.width)
        self._copy(self._values, columns, self._values, self.width)
        self.width += len(columns)

    def keep(self, columns: IntArray, rows: int) -> None:
        """Go on with these columns only, and with room for `rows`, not less."""
        for name in ("_keys", "_values"):
            before = getattr(self, name)
            kept = np.empty((*before.shape[:3], rows), before.dtype)
            kept[: self._common, ..., 0] = before[: self._common, ..., 0]
            self._copy(before, columns, kept, 0)
            setattr(self, name, kept)
        self.width = len(columns)

    def _copy(self, source: Array, columns: IntArray, target: Array, first: int) -> None:
        for t in range(self._common, self.length):  # one position at a time, so that what moves stays near
            target[t, ..., first : first + len(columns)] = source[t].take(columns, axis=2)
