"""Forward passes without a graph in C, compact.h and decoding.h, with NumPy arrays. All are contiguous float32."""

import ctypes
from typing import Any, Final

import numpy as np

from backlight.core import Array

_N, _A = ctypes.c_int64, ctypes.c_void_p
_SIGNATURES: Final[dict[str, list[Any]]] = {
    "compact_product": [*[_N] * 4, *[_A] * 6],
    "compact_widen": [*[_N] * 4, *[_A] * 3],
    "decode_attention": [*[_N] * 3, *[_A] * 5],
    "rows_attention": [*[_N] * 3, *[_A] * 3],
    "rows_norm": [_N, _N, _A, _A, _A, ctypes.c_float, _A],
    "rows_gelu": [_N, _A, _A],
}
_KINDS: Final = {"int8": 0, "bfloat16": 1, "float16": 2}


class InferenceKernels:
    """The functions of one level of the library.

    Args:
        loaded: the library.
        level: the instruction set.
    """

    def __init__(self, loaded: ctypes.CDLL, level: int) -> None:
        self._call: dict[str, Any] = {}
        for name, arguments in _SIGNATURES.items():
            self._call[name] = loaded[f"{name}_{level}"]
            self._call[name].argtypes, self._call[name].restype = arguments, None
        self._room = loaded[f"rows_attention_room_{level}"]
        self._room.argtypes, self._room.restype = [_N], _N

    def compact_product(self, weights: str, stored: Array, scales: Array, x: Array, bias: Array | None) -> Array:
        """Return W x + bias, (O,), for a matrix as a `CompactMatrix` stores it and x (I,)."""
        (O, padded), terms = stored.shape, x.size
        y, room = np.empty(O, np.float32), np.empty(padded, np.float32)
        addresses = map(_at, (stored, scales, x, bias, y, room))
        self._call["compact_product"](_KINDS[weights], O, terms, padded, *addresses)
        return y

    def compact_widen(self, weights: str, stored: Array, scales: Array, inputs: int) -> Array:
        """Return rows of such a matrix in float32, (O, I)."""
        wide = np.empty((len(stored), inputs), np.float32)
        self._call["compact_widen"](
            _KINDS[weights], len(stored), inputs, stored.shape[1], *map(_at, (stored, scales, wide))
        )
        return wide

    def decode_attention(self, keys: Array, values: Array, q: Array) -> Array:
        """Return the attention output (H, D) of one query (H, D), for keys and values (T, H, D)."""
        T, H, D = keys.shape
        y, room = np.empty((H, D), np.float32), np.empty(H * T, np.float32)
        self._call["decode_attention"](T, H, D, *map(_at, (keys, values, q, y, room)))
        return y

    def attention(self, qkv_BTC: Array, heads: int) -> Array:
        """Return the output (B, T, C) of causal attention, for queries, keys and values (B, T, 3C)."""
        B, T, C3 = qkv_BTC.shape
        C = C3 // 3
        y, room = np.empty((B, T, C), np.float32), np.empty(self._room(T), np.float32)
        for b in range(B):
            self._call["rows_attention"](T, heads, C // heads, *map(_at, (qkv_BTC[b], y[b], room)))
        return y

    def layer_norm(self, x: Array, gain: Array, bias: Array, eps: float) -> Array:
        """Return the layer norm of the rows of x, (..., C)."""
        y = np.empty_like(x)
        self._call["rows_norm"](x.size // gain.size, gain.size, _at(x), _at(gain), _at(bias), eps, _at(y))
        return y

    def gelu(self, x: Array) -> Array:
        """Return GELU of x, which is overwritten."""
        self._call["rows_gelu"](x.size, _at(x), _at(x))
        return x


def _at(array: Array | None) -> int | None:
    return None if array is None else array.__array_interface__["data"][0]
