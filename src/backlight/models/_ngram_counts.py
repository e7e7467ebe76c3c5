"""The counts of n-grams: a trie of contexts, and a sorted list of n-grams with their counts.

A context is stored from its newest id back. Node `p` of level L stands for L ids; the id before them, `a`, leads to the
node of level L + 1 with the key `p * V + a`. The keys of a level are sorted, and the number of a node is the rank of
its key, so keys stay below (number of nodes) * V and fit into 64 bits for any vocabulary. The path to a context passes
through its shorter contexts, which backing off needs.

An n-gram is a node of level n - 1 and the following id, with the key `node * V + next`; these keys are sorted too.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from backlight.core import BOUNDARY, EncodedItems, IntArray
from backlight.models._counting import changes, count_packed, fits

UNKNOWN: Final = -1
"""The id in a context of what is not known, as before the first id of a chunk."""

# Up to this many possible keys per given key, ranking by a table is faster than sorting: 10 million keys take 0.2 s
# instead of 1.4 s, and the table takes at most 4 * (1 + 8) bytes per key.
_TABLE_CELLS_PER_KEY = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """The n-grams of one order.

    Attributes:
        keys: (n-grams,) int64, sorted; context node * V + next id.
        counts: (n-grams,) int64, the count of each n-gram, at least 1.
        extensions: (n-grams,) int64, the number of distinct ids that precede each n-gram; 0 at the highest order,
            where it is unknown.
    """

    keys: IntArray
    counts: IntArray
    extensions: IntArray


@dataclass(frozen=True, slots=True, kw_only=True)
class NGramCounts:
    """The n-grams of a text, with `order - 1` boundaries before each item.

    Attributes:
        vocabulary_size: V.
        contexts: for each level L = 1..order - 1 the sorted keys of its nodes, (nodes,) int64.
        keys: (n-grams,) int64, sorted; the n-grams of the highest order.
        counts: (n-grams,) int64, the count of each of them.
    """

    vocabulary_size: int
    contexts: tuple[IntArray, ...]
    keys: IntArray
    counts: IntArray

    @property
    def order(self) -> int:
        """The n of the longest n-grams."""
        return len(self.contexts) + 1

    def nodes(self, level: int) -> int:
        """Return the number of contexts of `level` ids. Level 0 has one, the empty context."""
        return len(self.contexts[level - 1]) if level else 1

    def find(self, x_BT: IntArray) -> list[IntArray]:
        """Return the node of the last L ids of each row, (B,), for L = 0..order - 1; `nodes(L)` for unseen ids.

        An id of `UNKNOWN` is unseen, and so is everything before it.
        """
        V = self.vocabulary_size
        found: list[IntArray] = [np.zeros(len(x_BT), np.int64)]
        for back, keys in enumerate(self.contexts, start=1):
            ids = x_BT[:, -back].astype(np.int64)
            # The key of a child of the unseen node exceeds all others, so the child is unseen too.
            found.append(rank(keys, np.where(ids == UNKNOWN, self.nodes(back - 1), found[-1]) * V + ids % V))
        return found

    def levels(self) -> list[Level]:
        """Return the n-grams of orders 1..n.

        Every target ends exactly one n-gram of each order, so the counts of order j are sums of counts of order j + 1.
        """
        V = self.vocabulary_size
        found = [Level(keys=self.keys, counts=self.counts, extensions=np.zeros_like(self.counts))]
        for contexts in reversed(self.contexts):
            longer = found[-1]
            node, following = np.divmod(longer.keys, V)
            shorter = (contexts // V)[node] * V + following
            by_key = np.argsort(shorter, kind="stable")
            keys, first = np.unique(shorter[by_key], return_index=True)
            counts = np.add.reduceat(longer.counts[by_key], first)
            found.append(Level(keys=keys, counts=counts, extensions=np.diff(first, append=len(shorter))))
        return found[::-1]

    def context_ids(self, level: int, node: IntArray | None = None) -> IntArray:
        """Return the ids of these contexts of `level` ids, or of all, (nodes, level), in reading order."""
        node = np.arange(self.nodes(level)) if node is None else node
        ids = np.empty((len(node), level), np.int64)
        for above in range(level, 0, -1):
            node, ids[:, level - above] = np.divmod(self.contexts[above - 1][node], self.vocabulary_size)
        return ids

    def is_sound(self) -> bool:
        """Return whether the arrays are valid: sorted keys below their limits, and counts of at least 1."""
        nodes = 1
        for keys in (*self.contexts, self.keys):
            if not _is_sorted_below(keys, nodes * self.vocabulary_size):
                return False
            nodes = len(keys)
        return self.counts.dtype == np.int64 and self.counts.shape == self.keys.shape and bool((self.counts > 0).all())


def no_report(_: float) -> None:
    """Do nothing with a report."""


def count_ngrams(
    items: EncodedItems, *, vocabulary_size: int, order: int, on_progress: Callable[[float], None] = no_report
) -> NGramCounts:
    """Count the n-grams that end in a target: each character and, if `items.ends`, each end of an item.

    Args:
        items: the texts.
        vocabulary_size: V.
        order: n.
        on_progress: called with the share of the work that is done, while a long text is counted.
    """
    if not fits(vocabulary_size, order):
        return _count_by_rank(items, vocabulary_size, order, on_progress)
    V = vocabulary_size
    ngrams, counts = count_packed(items, vocabulary_size=V, order=order, on_progress=on_progress)
    # The n-grams of one context are contiguous, and so are contexts with the same last ids. So the nodes of a level
    # begin where the leading digits change, and the number of a node is the number of changes before it.
    prefixes, following = np.divmod(ngrams, V)
    contexts: list[IntArray] = []
    new = changes(prefixes)
    keys = (np.cumsum(new) - 1) * V + following
    for _ in range(1, order):
        prefixes, oldest = np.divmod(prefixes[new], V)
        new = changes(prefixes)
        contexts.append((np.cumsum(new) - 1) * V + oldest)
    return NGramCounts(vocabulary_size=V, contexts=tuple(contexts[::-1]), keys=keys, counts=counts)


def _count_by_rank(
    items: EncodedItems, vocabulary_size: int, order: int, on_progress: Callable[[float], None]
) -> NGramCounts:
    """Count n-grams that do not fit into 63 bits, by ranking the contexts of each length, from the newest id back."""
    x_BT, y = windows(items, order - 1)
    node: IntArray = np.zeros(len(y), np.int64)
    nodes = 1
    contexts: list[IntArray] = []
    for back in range(1, order):
        keys, node = _unique(node * vocabulary_size + x_BT[:, -back], nodes * vocabulary_size)
        nodes = len(keys)
        contexts.append(keys)
        on_progress(back / order)
    keys, counts = _unique_counts(node * vocabulary_size + y, nodes * vocabulary_size)
    return NGramCounts(vocabulary_size=vocabulary_size, contexts=tuple(contexts), keys=keys, counts=counts)


def windows(items: EncodedItems, context: int) -> tuple[IntArray, IntArray]:
    """Return the `context` ids before each target, (targets, context), and the targets, (targets,).

    Memory: (context + 1) ids per target, in the dtype of the ids, stored column by column.
    """
    flat = np.insert(items.ids, items.starts[1:], BOUNDARY)  # each item, then its end
    x_TB = np.zeros((context, len(flat)), flat.dtype)  # zeros: boundaries
    inside = np.ones(len(flat), np.bool_)
    for back in range(1, context + 1):
        x_TB[context - back, back:] = flat[:-back] * inside[back:]
        inside[back:] &= flat[:-back] != BOUNDARY  # ids before the start of an item belong to the previous item
    if not items.ends:
        character = flat != BOUNDARY
        x_TB, flat = x_TB[:, character], flat[character]
    return x_TB.T, flat


def rank(keys: IntArray, wanted: IntArray) -> IntArray:
    """Return the index of each wanted key in the sorted `keys`, (N,), (B,) -> (B,); `len(keys)` if it is missing."""
    if not len(keys):  # no n-gram is so long
        return np.zeros(len(wanted), np.int64)
    place = np.searchsorted(keys, wanted)
    there = keys[np.minimum(place, len(keys) - 1)] == wanted
    return np.where(there, place, len(keys))


def row_entries(row_starts: IntArray, node: IntArray) -> tuple[IntArray, IntArray]:
    """Return the row and the index of each n-gram of each row's node, (entries,) each.

    Args:
        row_starts: (nodes + 2,) what `row_bounds` returned.
        node: (B,) the node of each row.
    """
    first = row_starts[node]
    length = row_starts[node + 1] - first
    row = np.repeat(np.arange(len(node)), length)
    before = np.cumsum(length) - length
    return row, np.arange(len(row)) + np.repeat(first - before, length)


def row_bounds(keys: IntArray, *, nodes: int, vocabulary_size: int) -> IntArray:
    """Return where the n-grams of each node begin, (nodes + 2,). The last node, for unseen contexts, has none.

    Args:
        keys: (n-grams,) sorted keys, node * V + next id.
        nodes: number of nodes.
        vocabulary_size: V.
    """
    return np.searchsorted(keys, np.arange(nodes + 2) * vocabulary_size)


def _unique(keys: IntArray, possible: int) -> tuple[IntArray, IntArray]:
    """Return the sorted distinct keys, and the rank of each key among them. Keys are below `possible`."""
    if possible > _TABLE_CELLS_PER_KEY * len(keys):
        unique, inverse = np.unique(keys, return_inverse=True)
        return unique, inverse
    there = np.zeros(possible, np.bool_)
    there[keys] = True
    unique = np.flatnonzero(there)
    rank_of = np.empty(possible, np.int64)
    rank_of[unique] = np.arange(len(unique))
    return unique, rank_of[keys]


def _unique_counts(keys: IntArray, possible: int) -> tuple[IntArray, IntArray]:
    """Return the sorted distinct keys, and the count of each. Keys are below `possible`."""
    if possible > _TABLE_CELLS_PER_KEY * len(keys):
        unique, counts = np.unique(keys, return_counts=True)
        return unique, counts
    counts = np.bincount(keys, minlength=possible)
    unique = np.flatnonzero(counts)
    return unique, counts[unique]


def _is_sorted_below(keys: IntArray, limit: int) -> bool:
    if keys.dtype != np.int64 or keys.ndim != 1 or not len(keys):
        return False
    return bool(keys[0] >= 0 and keys[-1] < limit and (np.diff(keys) > 0).all())
