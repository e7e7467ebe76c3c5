"""The C functions, as Python calls them."""

import ctypes
import weakref
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from backlight.autograd.native import library
from backlight.autograd.native.building import LIBRARY
from backlight.core import DataError
from backlight.text.tokenizers.unicode import character_classes

WHOLE, GPT2, GPT4 = range(3)
"""The patterns of splitting.h. With WHOLE, each text is one piece."""

_NO_MEMORY, _TOO_LONG = -1, -2
_POINTER, _I32, _I64 = ctypes.c_void_p, ctypes.c_int32, ctypes.c_int64
_SIGNATURES: Final[dict[str, tuple[Any, list[Any]]]] = {
    "bpe_split": (_I64, [_POINTER, _POINTER, _I64, _POINTER]),
    "bpe_trainer": (_POINTER, []),
    "bpe_add": (ctypes.c_int, [_POINTER, _POINTER, _POINTER, _POINTER, _I64]),
    "bpe_start": (ctypes.c_int, [_POINTER, _I32]),
    "bpe_merge": (_I64, [_POINTER, _I64, _POINTER]),
    "bpe_trainer_free": (None, [_POINTER]),
    "bpe_encoder": (_POINTER, [_POINTER, _POINTER, _I64, _POINTER]),
    "bpe_encode": (_I64, [_POINTER, _POINTER, _POINTER, _POINTER, _I64, _POINTER, _POINTER]),
    "bpe_encoder_free": (None, [_POINTER]),
}


@lru_cache(maxsize=1)
def _kernels() -> ctypes.CDLL:
    loaded = ctypes.CDLL(str(LIBRARY))
    for name, (result, arguments) in _SIGNATURES.items():
        function = getattr(loaded, name)
        function.restype, function.argtypes = result, arguments
    return loaded


def available() -> bool:
    """Return whether the kernels were built from these sources and are not disabled."""
    return library() is not None


class SplitRule(ctypes.Structure):
    """A splitting rule, as splitting.h declares it."""

    _fields_ = (("classes", _POINTER), ("pattern", _I32), ("digits", _I32), ("tail", _I32))

    @classmethod
    def of(cls, pattern: int, digits: int = 0, tail: bool = False) -> "SplitRule":
        """Return a rule.

        Args:
            pattern: WHOLE, GPT2 or GPT4.
            digits: maximum number of digits in a piece, for GPT4.
            tail: whether white space at the end of a text is one piece, for GPT4.
        """
        # the table of characters is cached, so it outlives the rule
        return cls(character_classes().ctypes.data, pattern, digits, tail)


def split(rule: SplitRule, data: bytes) -> list[str]:
    """Return the pieces of a text in UTF-8."""
    ends = np.empty(len(data), np.int64)
    count = _kernels().bpe_split(ctypes.byref(rule), data, len(data), ends.ctypes.data)
    bounds = [0, *ends[:count].tolist()]
    return [data[start:end].decode() for start, end in pairwise(bounds)]


class Trainer:
    """Learns merges; see training.h. Call `add` for all texts, then `start`, then `merge`."""

    def __init__(self) -> None:
        self._made = _checked(_kernels().bpe_trainer())
        weakref.finalize(self, _kernels().bpe_trainer_free, self._made)

    def add(self, rule: SplitRule, texts: Sequence[bytes]) -> None:
        """Split texts and count their pieces.

        Raises:
            DataError: there are more than 4 GiB of distinct pieces, or a piece occurs more than 4 billion times.
        """
        data, ends = _joined(texts)
        _checked(_kernels().bpe_add(self._made, ctypes.byref(rule), data, ends.ctypes.data, len(ends)), none=_NO_MEMORY)

    def start(self, merges: int) -> None:
        """Count the pairs, after all texts are added. At most this many merges can then be made."""
        _checked(_kernels().bpe_start(self._made, merges), none=_NO_MEMORY)

    def merge(self, count: int) -> list[tuple[int, int]]:
        """Make up to `count` further merges, and return the two ids of each; there are fewer if no pair is left."""
        pairs = np.empty((count, 2), np.int32)
        made = _checked(_kernels().bpe_merge(self._made, count, pairs.ctypes.data), none=_NO_MEMORY)
        return [(left, right) for left, right in pairs[:made].tolist()]


class Encoder:
    """Encodes texts; see encoding.h. It has a cache of pieces, so calls must not overlap.

    Args:
        byte_ids: (256,) the id of each byte.
        merges: (merges, 3) the ids of left part, right part and result of each merge, in the order learnt.
        lengths: (tokens,) the length of each token in bytes.
    """

    def __init__(self, byte_ids: NDArray[np.int32], merges: NDArray[np.int32], lengths: NDArray[np.uint32]) -> None:
        self._read_in_place = merges, lengths
        self._made = _checked(
            _kernels().bpe_encoder(byte_ids.ctypes.data, merges.ctypes.data, len(merges), lengths.ctypes.data)
        )
        weakref.finalize(self, _kernels().bpe_encoder_free, self._made)

    def encode(self, rule: SplitRule, texts: Sequence[bytes]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Return the ids of all texts, concatenated, and where the ids of each end. Shapes: (ids,), (texts,)."""
        data, ends = _joined(texts)
        ids, id_ends = np.empty(len(data) + 2, np.int32), np.empty(len(ends), np.int64)
        count = _checked(
            _kernels().bpe_encode(
                self._made, ctypes.byref(rule), data, ends.ctypes.data, len(ends), ids.ctypes.data, id_ends.ctypes.data
            ),
            none=_NO_MEMORY,
        )
        return ids[:count], id_ends


def _joined(texts: Sequence[bytes]) -> tuple[bytes, NDArray[np.int64]]:
    ends = np.cumsum([len(text) for text in texts], dtype=np.int64)
    return (texts[0] if len(texts) == 1 else b"".join(texts)), ends


def _checked(result: Any, none: Any = None) -> Any:
    if result == none:
        raise MemoryError
    if result == _TOO_LONG:
        raise DataError(
            "merges can be learnt from up to 4 GiB of distinct pieces, each up to 4 billion times; got more."
            " Use a part of the text."
        )
    return result
