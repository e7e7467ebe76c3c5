"""Encoded items as minibatches: windows with one target each, or sequences with a target at every position."""

from collections.abc import Iterator
from typing import Protocol

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from backlight.core import BOUNDARY, NOT_A_TARGET, Batch, ConfigError, DataError, EncodedItems, IntArray
from backlight.text.storage import new_array

LISTED = 1 << 26
"""Up to so many targets, a list says where each one's window stands; a list of 4 bytes each is the fastest way."""

BLOCK = 1 << 20
"""Ids that are moved at a time."""


class Dataset(Protocol):
    """What the training loop needs of either kind of examples."""

    @property
    def context(self) -> int:
        """How many ids back a model may look, T."""

    @property
    def targets(self) -> int:
        """How many ids there are to predict in one pass over all examples."""

    def __len__(self) -> int:
        """Return the number of examples."""

    def batch(self, rows: IntArray) -> Batch:
        """Return the examples of these numbers."""

    def sample(self, size: int, rng: np.random.Generator) -> Batch:
        """Return examples drawn with replacement."""

    def chunks(self, size: int) -> Iterator[Batch]:
        """Yield every example once, in order, `size` at a time; the last batch may be shorter."""


class Windows:
    """One example for each target: the T ids before it, and the target itself.

    Where an item has fewer than T characters before the target, boundaries stand on the left; a window never
    reaches into another item.

    Args:
        items: what to predict, N targets in all.
        context: T.

    Attributes:
        context: T.
        targets: N, which is `items.targets`.

    Shape: `x` (size, T) int64, `y` (size,) int64.
    Memory: the ids once, with T boundaries before each item, in their own small dtype, and 4 bytes a target; beyond 64
        million targets 16 bytes an item instead, by which a window takes a little longer to find. From 256 MB on, the
        ids lie in a temporary file that is mapped into memory.

    Raises:
        DataError: there is no target.
        ConfigError: the context is negative. With 0 there is nothing to see: `x` is (size, 0).
    """

    def __init__(self, items: EncodedItems, context: int) -> None:
        _check(items, context, at_least=0)
        self.context = context
        self.targets = items.targets
        lengths = np.diff(items.starts)
        if items.ends:
            lengths = lengths + 1
        # Before each item stand T boundaries (one, if T is 0), so that those of the next item are also this one's end.
        pad = max(context, 1)
        pads = pad * np.arange(1, len(items) + 1)
        stream = _spread(items, pads, len(items.ids) + pad * (len(items) + 1))
        # The window of the target at position p starts at p - T.
        first = items.starts[:-1] + pads - context
        self._first = _expand(first, lengths, _places(stream)) if items.targets <= LISTED else _Runs(first, lengths)
        self._windows = sliding_window_view(stream, context + 1)

    def __len__(self) -> int:
        """Return the number of examples, which is the number of targets."""
        return self.targets

    def batch(self, rows: IntArray) -> Batch:
        """Return the examples `rows`, (size,) in 0..N-1."""
        windows = self._windows[self._first[rows]]
        return Batch(windows[:, :-1].astype(np.int64, order="C"), windows[:, -1].astype(np.int64))

    def sample(self, size: int, rng: np.random.Generator) -> Batch:
        """Return `size` examples, drawn evenly and with replacement."""
        return self.batch(_draw(self.targets, size, rng))

    def chunks(self, size: int) -> Iterator[Batch]:
        """Yield every example once, in order, `size` at a time; the last batch may be shorter."""
        for start in range(0, self.targets, size):
            yield self.batch(np.arange(start, min(start + size, self.targets)))


class Sequences:
    """One example for each item: the item after a boundary, and at every position the id that comes next.

    `x` is [boundary, c1, c2, ...] and `y` is [c1, c2, ..., boundary]. What is left of the T positions is boundaries in
    `x` and `NOT_A_TARGET` in `y`. An item with more than T targets is cut into chunks of T, each starting from the
    character before it, so that each target counts exactly once; the first targets of a later chunk see less than
    there is to see.

    A stream (one item whose end is no target) is walked by `batch` and `chunks` in consecutive chunks; `sample`
    instead starts at any place at all, so that training does not always see the same cuts.

    Args:
        items: what to predict.
        context: the largest T; T is shorter if no item needs that many positions.

    Attributes:
        context: as given.
        targets: how many `y` there are in one pass, which is `items.targets`.

    Shape: `x` (size, T) int64, `y` (size, T) int64.
    Memory: the ids once, with a boundary before each item, in their own small dtype, and 8 bytes a chunk. From 256 MB
        on, the ids lie in a temporary file that is mapped into memory.

    Raises:
        DataError: there is no target.
        ConfigError: the context is below 1.
    """

    def __init__(self, items: EncodedItems, context: int) -> None:
        _check(items, context, at_least=1)
        self.context = context
        self.targets = items.targets
        lengths = np.diff(items.starts)
        item_starts = items.starts[:-1] + np.arange(len(items))  # where each item's boundary stands
        targets = lengths + 1 if items.ends else lengths
        width = min(context, int(targets.max()))
        stream = _spread(items, np.arange(1, len(items) + 1), len(items.ids) + len(items) + width)
        chunks = -(-targets // width)
        dtype = _places(stream)
        begins = _expand(np.zeros(len(items), np.int64), chunks, dtype)  # of each chunk in its item, counted in chunks
        begins *= width
        self._first = np.repeat(item_starts.astype(dtype), chunks)
        self._first += begins
        left = np.repeat(targets.astype(dtype), chunks)
        left -= begins
        self._count = np.minimum(left, width, out=left).astype(np.int32)
        self._windows = sliding_window_view(stream, width + 1)
        self._positions = np.arange(width)
        self._starts_anywhere = len(items) == 1 and not items.ends

    def __len__(self) -> int:
        """Return the number of examples: items, or chunks where items are longer than T."""
        return len(self._first)

    def batch(self, rows: IntArray) -> Batch:
        """Return the examples `rows`, (size,) in 0..len-1."""
        windows = self._windows[self._first[rows]]
        x, y = windows[:, :-1].astype(np.int64, order="C"), windows[:, 1:].astype(np.int64, order="C")
        beyond = self._positions >= self._count[rows, None]
        x[beyond] = BOUNDARY
        y[beyond] = NOT_A_TARGET
        return Batch(x, y)

    def sample(self, size: int, rng: np.random.Generator) -> Batch:
        """Return `size` examples, drawn evenly and with replacement; of a stream, any T positions in a row."""
        if not self._starts_anywhere:
            return self.batch(_draw(len(self), size, rng))
        places = self.targets - len(self._positions) + 1
        windows = self._windows[_draw(places, size, rng)]
        return Batch(windows[:, :-1].astype(np.int64, order="C"), windows[:, 1:].astype(np.int64, order="C"))

    def chunks(self, size: int) -> Iterator[Batch]:
        """Yield every example once, in order, `size` at a time; the last batch may be shorter."""
        for start in range(0, len(self), size):
            yield self.batch(np.arange(start, min(start + size, len(self))))


def _draw(count: int, size: int, rng: np.random.Generator) -> IntArray:
    """Return `size` whole numbers in 0..count-1, drawn evenly; a third of the time that `rng.integers` takes.

    The largest float64 below 1, times any count below 2**53, rounds to a number below the count.
    """
    return (rng.random(size) * count).astype(np.int64)


def _spread(items: EncodedItems, shifts: IntArray, size: int) -> IntArray:
    """Return `size` ids: each item as many places later as `shifts` says, with boundaries in between, at least one."""
    stream = new_array(size, items.ids.dtype)  # zeros: boundaries
    first = 0
    while first < len(items):
        begin = items.starts[first]
        last = max(first + 1, int(np.searchsorted(items.starts, begin + BLOCK, side="right")) - 1)
        end = items.starts[last]
        places = slice(int(begin + shifts[first]), int(end + shifts[last - 1]))
        if last == first + 1:
            stream[places] = items.ids[begin:end]
        else:
            runs = np.empty(2 * (last - first) - 1, np.int64)  # ids, boundaries, ids, ...
            runs[0::2] = np.diff(items.starts[first : last + 1])
            runs[1::2] = np.diff(shifts[first:last])
            # a mask, because NumPy would widen positions to 8 bytes each
            inside = np.repeat(np.arange(len(runs)) % 2 == 0, runs)
            stream[places][inside] = items.ids[begin:end]
        first = last
    return stream


def _places(stream: IntArray) -> type[np.integer]:
    """Return the smaller dtype that numbers all places of a stream."""
    return np.uint32 if len(stream) <= np.iinfo(np.uint32).max else np.int64


def _expand(begins: IntArray, lengths: IntArray, dtype: type[np.integer]) -> IntArray:
    """Return b, b + 1, ..., b + l - 1 for each (b, l), all in one array, built by summing steps."""
    if not lengths.all():
        begins, lengths = begins[lengths > 0], lengths[lengths > 0]
    steps = np.ones(int(lengths.sum()), dtype=dtype)
    if not len(begins):
        return steps
    steps[0] = begins[0]
    jumps = np.diff(begins)
    jumps -= lengths[:-1]
    jumps += 1
    steps[np.cumsum(lengths[:-1])] = jumps
    return np.cumsum(steps, dtype=dtype, out=steps)


class _Runs:
    """b, b + 1, ..., b + l - 1 for each (b, l), one after the other: what `_expand` lists, looked up instead.

    Memory: 16 bytes a pair.
    """

    def __init__(self, begins: IntArray, lengths: IntArray) -> None:
        self._ends = np.cumsum(lengths)
        self._shifts = begins + lengths - self._ends

    def __getitem__(self, rows: IntArray) -> IntArray:
        return rows + self._shifts[np.searchsorted(self._ends, rows, side="right")]


def _check(items: EncodedItems, context: int, *, at_least: int) -> None:
    if context < at_least:
        raise ConfigError(f"a context is {at_least} or larger; got {context}. Take 3.")
    if items.targets < 1:
        raise DataError(f"a data set needs at least one target; got {len(items)} items without one. Give it some text.")
