"""Counting n-grams packed into one number each, block by block, in one pass over the text.

With V ids, the n-gram of the ids x₁ .. xₜ and the following id y is the number with digits xₜ .. x₁ y in base V, the
newest id of the context first. Sorted, these numbers are in the order of a trie of contexts from the newest id back.
"""

from collections.abc import Callable, Iterator

import numpy as np

from backlight.core import BOUNDARY, BoolArray, EncodedItems, IntArray

_IN_CACHE = 1 << 20
"""Up to this many possible n-grams, a table that fits the cache is faster than sorting: 1 to 3 ns each, not 4 to 40."""

_TABLE = 1 << 24
"""Up to this many (128 MB), a table is worth its memory if the text has at least half as many n-grams: 5 to 13 ns each.
Sorting takes 4 ns each where NumPy uses AVX-512, and 40 ns elsewhere."""

_BLOCK = 1 << 18
"""The number of ids in a block, few enough to stay in the cache."""

_RUN = 1 << 21
"""The number of n-grams that are sorted at a time."""


def fits(vocabulary_size: int, order: int) -> bool:
    """Return whether an n-gram of this order fits into 63 bits."""
    return bool(vocabulary_size**order < 2**63)


def count_packed(
    items: EncodedItems, *, vocabulary_size: int, order: int, on_progress: Callable[[float], None]
) -> tuple[IntArray, IntArray]:
    """Return the distinct n-grams that end in a target, packed and sorted, and the count of each.

    Args:
        items: the texts.
        vocabulary_size: V.
        order: n; V**n must fit into 63 bits.
        on_progress: called between blocks with the share of the text that is counted.

    Shape: (n-grams,) int64 each
    """
    V = vocabulary_size
    dtype = np.int32 if V**order < 2**31 else np.int64
    numbers = items.targets + order * len(items)
    tallied = _Table(V**order) if V**order <= max(_IN_CACHE, min(numbers * 2, _TABLE)) else _Runs(dtype, numbers)
    counted = 0
    for stream in _streams(items, order - 1):
        if counted:
            on_progress(counted / numbers)
        tallied.add(_packed(stream, V, order, dtype))
        counted += len(stream)
    keys, counts = tallied.result()
    # A boundary is a target only if ends are targets and the context does not itself end in a boundary (padding).
    head = int(np.searchsorted(keys, V ** (order - 1))) if items.ends else len(keys)
    target = keys[:head] % V != BOUNDARY
    # But the end of an empty item does follow a boundary; and with order 1 there is no context to look at.
    alone = int(np.count_nonzero(items.starts[1:] == items.starts[:-1])) if order > 1 else len(items)
    first = [0] if items.ends and alone else []
    return (
        np.concatenate([np.array(first, np.int64), keys[:head][target], keys[head:]]),
        np.concatenate([np.array(first, np.int64) + alone, counts[:head][target], counts[head:]]),
    )


def _streams(items: EncodedItems, context: int) -> Iterator[IntArray]:
    """Yield blocks of ids with `context` boundaries before each item and after the last one."""
    starts = items.starts
    first = 0
    while first < len(items):
        last = max(int(np.searchsorted(starts, starts[first] + _BLOCK, side="right")) - 1, first + 1)
        begins = starts[first : last + 1] - starts[first]
        ids = items.ids[starts[first] : starts[last]]
        if len(ids) > _BLOCK:
            yield from _pieces(ids, context)
        else:
            yield _padded(ids, begins, context)
        first = last


def _padded(ids: IntArray, begins: IntArray, context: int) -> IntArray:
    """Return ids with boundaries before each item and at the end; `begins` has the items' starts and the last end."""
    inside = np.ones(len(ids) + context * len(begins), np.bool_)
    boundary = begins + context * np.arange(len(begins))
    for nth in range(context):
        inside[boundary + nth] = False
    stream = np.full(len(inside), BOUNDARY, ids.dtype)
    stream[inside] = ids
    return stream


def _pieces(ids: IntArray, context: int) -> Iterator[IntArray]:
    """Yield one long item in blocks, each preceded by the `context` ids before it."""
    edge = np.full(context, BOUNDARY, ids.dtype)
    for begin in range(0, len(ids), _BLOCK):
        before = ids[begin - context : begin] if begin else edge
        after = edge if begin + _BLOCK >= len(ids) else edge[:0]
        yield np.concatenate([before, ids[begin : begin + _BLOCK], after])


def _packed(stream: IntArray, V: int, order: int, dtype: type[np.integer]) -> IntArray:
    """Return the packed n-gram that begins at each index of the stream."""
    count = len(stream) - order + 1
    numbers = np.zeros(count, dtype)
    for place in (*range(order - 2, -1, -1), order - 1):  # the context's newest id to its oldest, then what follows
        numbers *= V
        numbers += stream[place : place + count]
    return numbers


class _Table:
    """Counts packed n-grams in a table of all possible ones."""

    def __init__(self, cells: int) -> None:
        self._counts = np.zeros(cells, np.int64)

    def add(self, numbers: IntArray) -> None:
        np.add.at(self._counts, numbers, 1)

    def result(self) -> tuple[IntArray, IntArray]:
        keys = np.flatnonzero(self._counts)
        return keys, self._counts[keys]


class _Runs:
    """Counts packed n-grams by sorting runs of them. New runs are merged once they are as long as the merged one.

    Args:
        dtype: dtype of the packed n-grams.
        at_most: upper bound on their number.
    """

    def __init__(self, dtype: type[np.integer], at_most: int) -> None:
        self._buffer = np.empty(min(at_most, _RUN + _BLOCK), dtype)
        self._filled = 0
        self._runs: list[tuple[IntArray, IntArray]] = []

    def add(self, numbers: IntArray) -> None:
        end = self._filled + len(numbers)
        if end > len(self._buffer):
            self._sort()
            end = len(numbers)
        self._buffer[self._filled : end] = numbers
        self._filled = end

    def _sort(self) -> None:
        run = self._buffer[: self._filled]
        run.sort()
        first = np.flatnonzero(changes(run))
        counts = np.diff(first, append=len(run))
        self._runs.append((run[first].astype(np.int64, copy=False), counts))
        self._filled = 0
        if sum(len(keys) for keys, _ in self._runs[1:]) > max(len(self._runs[0][0]), _RUN):
            self._merge()

    def _merge(self) -> None:
        keys = np.concatenate([run[0] for run in self._runs])
        counts = np.concatenate([run[1] for run in self._runs])
        self._runs = []  # with many distinct n-grams, this is where counting takes the most memory
        by_key = np.argsort(keys, kind="stable")  # a stable sort is fast on concatenated sorted runs
        keys, counts = keys[by_key], counts[by_key]
        del by_key
        first = np.flatnonzero(changes(keys))
        self._runs = [(keys[first], np.add.reduceat(counts, first))]

    def result(self) -> tuple[IntArray, IntArray]:
        if self._filled or not self._runs:
            self._sort()
        if len(self._runs) > 1:
            self._merge()
        return self._runs[0]


def changes(numbers: IntArray) -> BoolArray:
    """Return for each sorted number whether it differs from the one before it. Shape: (N,) -> (N,) bool."""
    found = np.empty(len(numbers), np.bool_)
    found[:1] = True
    np.not_equal(numbers[1:], numbers[:-1], out=found[1:])
    return found
