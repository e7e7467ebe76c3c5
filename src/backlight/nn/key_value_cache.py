"""What an attention layer keeps of what it has read, so that the next position need not start over."""

import math

import numpy as np
from numpy.typing import DTypeLike

from backlight.core import Array, IntArray


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
        self._common = 0  # so many first positions are in the first column for all
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
