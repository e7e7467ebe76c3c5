"""Minibatches of encoded items: windows with one target each, or sequences with a target at every position."""

from collections.abc import Iterator
from typing import Protocol

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from backlight.core import BOUNDARY, NOT_A_TARGET, Batch, ConfigError, DataError, EncodedItems, IntArray
from backlight.text.storage import new_array

LISTED = 1 << 26
"""Up to this many targets, an array holds the start of each window, 4 bytes each, which is the fastest."""

BLOCK = 1 << 20
"""The number of ids that are copied at a time."""


class Dataset(Protocol):
    """A set of examples, as the training loop uses it: `Windows`, `Sequences`, or `TokenSequences` of token files."""

    @property
    def context(self) -> int:
        """The maximum number of ids on which a prediction depends, T."""

    @property
    def targets(self) -> int:
        """The number of targets in one pass over all examples."""

    @property
    def characters(self) -> int:
        """The number of characters in one pass, and of ends that are targets; `targets` if each id is a character."""

    def __len__(self) -> int:
        """Return the number of examples."""

    def batch(self, rows: IntArray) -> Batch:
        """Return the examples with these indices, (size,)."""

    def sample(self, size: int, rng: np.random.Generator) -> Batch:
        """Return `size` examples drawn with replacement."""

    def minibatch(self, step: int, size: int, rng: np.random.Generator) -> Batch:
        """Return the `size` examples of a training step, counted from 0: a sample, or those whose turn it is."""

    def chunks(self, size: int) -> Iterator[Batch]:
        """Yield every example once, in order, `size` at a time; the last batch may be shorter."""


class Windows:
    """One example for each target: the T ids before it, and the target.

    If fewer than T characters of the item precede the target, boundaries are padded on the left. A window never extends
    into another item.

    Args:
        items: the encoded items, with N targets.
        context: T, 0 or larger; with 0, `x` has the shape (size, 0).

    Attributes:
        context: T.
        targets: N, which is `items.targets`.
        characters: `items.characters`.

    Shape: `x` (size, T) int64, `y` (size,) int64.
    Memory: the ids in their own dtype, with T boundaries before each item, and 4 bytes per target; for one item, or
        beyond 64 million targets, 16 bytes per item instead, with which a window takes slightly longer to find. From
        256 MB on, the ids are in a temporary file that is mapped into memory.

    Raises:
        DataError: there is no target.
        ConfigError: the context is negative.
    """

    def __init__(self, items: EncodedItems, context: int) -> None:
        _check(items, context, at_least=0)
        self.context = context
        self.targets = items.targets
        self.characters = items.characters
        lengths = np.diff(items.starts)
        if items.ends:
            lengths = lengths + 1
        # T boundaries precede each item (one, if T is 0); the first of the next item's is also the end of this one.
        pad = max(context, 1)
        pads = pad * np.arange(1, len(items) + 1)
        stream = _spread(items, pads, len(items.ids) + pad * (len(items) + 1))
        # The window of the target at position p starts at p - T.
        first = items.starts[:-1] + pads - context
        listed = items.targets <= LISTED and len(items) > 1
        self._first = _expand(first, lengths, _places(stream)) if listed else _Runs(first, lengths)
        self._windows = sliding_window_view(stream, context + 1)

    def __len__(self) -> int:
        """Return the number of examples, which is the number of targets."""
        return self.targets

    def batch(self, rows: IntArray) -> Batch:
        """Return the examples with indices `rows`, (size,) in 0..N-1."""
        windows = self._windows[self._first[rows]]
        return Batch(windows[:, :-1].astype(np.int64, order="C"), windows[:, -1].astype(np.int64))

    def sample(self, size: int, rng: np.random.Generator) -> Batch:
        """Return `size` examples, drawn uniformly with replacement."""
        return self.batch(_draw(self.targets, size, rng))

    def minibatch(self, step: int, size: int, rng: np.random.Generator) -> Batch:
        """Return a sample, whatever the step."""
        del step
        return self.sample(size, rng)

    def chunks(self, size: int) -> Iterator[Batch]:
        """Yield every example once, in order, `size` at a time; the last batch may be shorter."""
        for start in range(0, self.targets, size):
            yield self.batch(np.arange(start, min(start + size, self.targets)))


class Sequences:
    """One example for each item: the item after a boundary, with the next id as the target at every position.

    `x` is [boundary, c1, c2, ...] and `y` is [c1, c2, ..., boundary]. The rest of the T positions is padded with
    boundaries in `x` and `NOT_A_TARGET` in `y`. An item with more than T targets is cut into chunks of T, each starting
    from the character before it, so that each target counts exactly once; the first targets of a later chunk have less
    context than the item provides.

    For a stream (one item whose end is not a target), `batch` and `chunks` return consecutive chunks, but `sample`
    starts at any position, so that training does not always see the same cuts.

    Args:
        items: the encoded items.
        context: maximum T, 1 or larger; T is smaller if no item needs that many positions.

    Attributes:
        context: as given.
        targets: number of targets in one pass, which is `items.targets`.
        characters: `items.characters`.

    Shape: `x` (size, T) int64, `y` (size, T) int64.
    Memory: the ids in their own dtype, with a boundary before each item, and 8 bytes per chunk. From 256 MB on, the ids
        are in a temporary file that is mapped into memory.

    Raises:
        DataError: there is no target.
        ConfigError: the context is below 1.
    """

    def __init__(self, items: EncodedItems, context: int) -> None:
        _check(items, context, at_least=1)
        self.context = context
        self.targets = items.targets
        self.characters = items.characters
        lengths = np.diff(items.starts)
        item_starts = items.starts[:-1] + np.arange(len(items))  # the position of each item's boundary
        targets = lengths + 1 if items.ends else lengths
        width = min(context, int(targets.max()))
        stream = _spread(items, np.arange(1, len(items) + 1), len(items.ids) + len(items) + width)
        chunks = -(-targets // width)
        dtype = _places(stream)
        begins = _expand(np.zeros(len(items), np.int64), chunks, dtype)  # the index of each chunk in its item
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
        """Return the number of examples: items, or chunks of items longer than T."""
        return len(self._first)

    def batch(self, rows: IntArray) -> Batch:
        """Return the examples with indices `rows`, (size,) in 0..len-1."""
        windows = self._windows[self._first[rows]]
        x, y = windows[:, :-1].astype(np.int64, order="C"), windows[:, 1:].astype(np.int64, order="C")
        beyond = self._positions >= self._count[rows, None]
        x[beyond] = BOUNDARY
        y[beyond] = NOT_A_TARGET
        return Batch(x, y)

    def sample(self, size: int, rng: np.random.Generator) -> Batch:
        """Return `size` examples, drawn uniformly with replacement; of a stream, any T consecutive positions."""
        if not self._starts_anywhere:
            return self.batch(_draw(len(self), size, rng))
        places = self.targets - len(self._positions) + 1
        windows = self._windows[_draw(places, size, rng)]
        return Batch(windows[:, :-1].astype(np.int64, order="C"), windows[:, 1:].astype(np.int64, order="C"))

    def minibatch(self, step: int, size: int, rng: np.random.Generator) -> Batch:
        """Return a sample, whatever the step."""
        del step
        return self.sample(size, rng)

    def chunks(self, size: int) -> Iterator[Batch]:
        """Yield every example once, in order, `size` at a time; the last batch may be shorter."""
        for start in range(0, len(self), size):
            yield self.batch(np.arange(start, min(start + size, len(self))))


def _draw(count: int, size: int, rng: np.random.Generator) -> IntArray:
    """Return `size` uniform random integers in 0..count-1, in a third of the time of `rng.integers`.

    The largest float64 below 1, times any count below 2**53, rounds to a number below the count.
    """
    return (rng.random(size) * count).astype(np.int64)


def _spread(items: EncodedItems, shifts: IntArray, size: int) -> IntArray:
    """Return an array of `size` ids with each item shifted by `shifts`, and boundaries in the gaps."""
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
            # a mask, because NumPy would convert positions to 8 bytes each
            inside = np.repeat(np.arange(len(runs)) % 2 == 0, runs)
            stream[places][inside] = items.ids[begin:end]
        first = last
    return stream


def _places(stream: IntArray) -> type[np.integer]:
    """Return the smallest dtype that holds all positions of a stream."""
    return np.uint32 if len(stream) <= np.iinfo(np.uint32).max else np.int64


def _expand(begins: IntArray, lengths: IntArray, dtype: type[np.integer]) -> IntArray:
    """Return b, b + 1, ..., b + l - 1 for each (b, l), concatenated, as a cumulative sum of steps."""
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
    """The array that `_expand` returns, looked up instead of stored. Memory: 16 bytes per pair (b, l)."""

    def __init__(self, begins: IntArray, lengths: IntArray) -> None:
        self._ends = np.cumsum(lengths)
        self._shifts = begins + lengths - self._ends

    def __getitem__(self, rows: IntArray) -> IntArray:
        return rows + self._shifts[np.searchsorted(self._ends, rows, side="right")]


def _check(items: EncodedItems, context: int, *, at_least: int) -> None:
    if context < at_least:
        raise ConfigError(f"context must be {at_least} or larger; got {context}. Try 3.")
    if items.targets < 1:
        raise DataError(f"a data set needs at least one target; got {len(items)} items without one. Add some text.")


def targets_per_character(data: Dataset) -> float:
    """Return by what a loss per target is multiplied to be one per character; 1 if each id is a character."""
    return data.targets / data.characters
