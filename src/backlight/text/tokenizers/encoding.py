"""Encoding text: each piece is merged in the order in which the merges were learnt, and the result is cached.

This is done in C where there is a compiler (native/encoding.h); `_Pieces` is the same in Python.
"""

import threading
from collections.abc import Sequence
from functools import lru_cache
from heapq import heapify, heappop, heappush
from itertools import pairwise
from typing import Final

import numpy as np

from backlight.core import IntArray
from backlight.text.tokenizers import native
from backlight.text.tokenizers.splitting import Splitter
from backlight.text.tokenizers.table import MergeTable
from backlight.text.tokenizers.training import DEAD, GAP

REMEMBERED: Final = 1 << 16
SHORT: Final = 255
"""The number of pieces that are cached in Python, and the maximum length of each in bytes."""


class Encoding:
    """Encodes texts as the ids of a table's tokens.

    Memory: 4 bytes per byte of text while it is encoded, and up to 100 MB for cached pieces.
    """

    def __init__(self, table: MergeTable) -> None:
        self._splitter = Splitter(table.pattern)
        self._rule = self._splitter.rule
        self._lock = threading.Lock()  # the cache is not safe for several threads
        self._native = native.Encoder(table.byte_ids, table.merge_ids, table.lengths) if native.available() else None
        self._pieces = _Pieces(table) if self._native is None else None

    def encode(self, texts: Sequence[bytes]) -> tuple[IntArray, IntArray]:
        """Return the ids of texts in UTF-8, concatenated, and where the ids of each text end.

        Shapes: (ids,) int32 and (texts,) int64.
        """
        if self._pieces is not None:
            return self._in_python(texts, self._pieces)
        assert self._native is not None  # noqa: S101  (one of the two is there)
        if self._rule is not None:
            with self._lock:
                return self._native.encode(self._rule, texts)
        pieces, counts = self._split(texts)
        with self._lock:
            ids, ends = self._native.encode(native.SplitRule.of(native.WHOLE), pieces)
        return ids, np.concatenate([np.zeros(1, np.int64), ends])[np.cumsum(counts, dtype=np.int64)]

    def _in_python(self, texts: Sequence[bytes], known: "_Pieces") -> tuple[IntArray, IntArray]:
        pieces, counts = self._split(texts)
        found = [known.ids(piece) for piece in pieces]
        ends = np.cumsum([0, *map(len, found)], dtype=np.int64)
        return np.array([i for ids in found for i in ids], np.int32), ends[np.cumsum(counts, dtype=np.int64)]

    def _split(self, texts: Sequence[bytes]) -> tuple[list[bytes], list[int]]:
        """Return the pieces of all texts, and the number of pieces of each."""
        if self._splitter.pattern is None:  # without a pattern, the bytes need not be valid UTF-8
            return [text for text in texts if text], [len(text) > 0 for text in texts]
        split = [self._splitter.split(text.decode()) for text in texts]
        return [piece.encode() for pieces in split for piece in pieces], [len(pieces) for pieces in split]


class _Pieces:
    """Merges pieces, with a cache."""

    def __init__(self, table: MergeTable) -> None:
        self._byte_ids: list[int] = table.byte_ids.tolist()
        self._lengths: list[int] = table.lengths.tolist()
        self._merges: list[tuple[int, int, int]] = list(map(tuple, table.merge_ids.tolist()))
        self._ranks = {(left, right): rank for rank, (left, right, _) in enumerate(self._merges)}
        self._remembered = lru_cache(REMEMBERED)(self._merged)

    def ids(self, piece: bytes) -> tuple[int, ...]:
        """Return the ids of a piece."""
        return self._remembered(piece) if len(piece) <= SHORT else self._merged(piece)

    def _merged(self, piece: bytes) -> tuple[int, ...]:
        """Merge a piece.

        A heap holds each pair that can be merged, by rank and then by place. Cells are as in training.py: the id of a
        token is stored at its first and last byte.
        """
        ranks, lengths = self._ranks, self._lengths
        cells = [GAP, *map(self._byte_ids.__getitem__, piece), GAP]
        pairs = enumerate(pairwise(cells))
        waiting = [(ranks[pair], place) for place, pair in pairs if pair in ranks]
        heapify(waiting)
        while waiting:
            rank, place = heappop(waiting)
            left, right, made = self._merges[rank]
            middle = place + lengths[left]
            if cells[place] != left or cells[middle] != right:
                continue  # one of the two tokens has been merged already
            end = middle + lengths[right]
            cells[middle] = DEAD
            cells[place] = cells[end - 1] = made
            before, after = cells[place - 1], cells[end]
            if (made, after) in ranks:
                heappush(waiting, (ranks[made, after], place))
            if (before, made) in ranks:
                heappush(waiting, (ranks[before, made], place - lengths[before]))
        ids, place = [], 1
        while place <= len(piece):
            ids.append(cells[place])
            place += lengths[cells[place]]
        return tuple(ids)
