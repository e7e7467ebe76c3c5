"""How often each n-gram occurs: one trie of contexts, and one sorted list of counts.

A context is stored by its newest id first. Node `p` of level L stands for L ids; adding the id before them, `a`,
leads to a node of level L + 1 whose key is `p * V + a`. Keys of a level are sorted, and a node's number is the rank of
its key, so keys stay below (number of nodes) * V and fit 64 bits however large the vocabulary is. Walking down the
trie meets a context's own shorter contexts on the way, which is what backing off needs.

An n-gram is a node of level n - 1 and the id that follows: key `node * V + next`, again sorted.
"""

from dataclasses import dataclass

import numpy as np

from backlight.core import BOUNDARY, EncodedItems, IntArray
from backlight.models._counting import changes, count_packed, fits

# Up to this many possible keys for each key that is there, ranking through a table beats sorting: 10 million keys
# take 0.2 s against 1.4 s, and the table costs at most 4 * (1 + 8) bytes a key.
_TABLE_CELLS_PER_KEY = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """The n-grams of one order.

    Attributes:
        keys: (n-grams,) int64, sorted; context node * V + next id.
        counts: (n-grams,) int64, how often each occurs, at least 1.
        extensions: (n-grams,) int64, how many different ids stand before each one; 0 at the highest order,
            where it is not known.
    """

    keys: IntArray
    counts: IntArray
    extensions: IntArray


@dataclass(frozen=True, slots=True, kw_only=True)
class NGramCounts:
    """The n-grams of a text, with `order - 1` boundaries before each item.

    Attributes:
        vocabulary_size: V.
        contexts: for each level L = 1..order - 1 the sorted keys of its nodes, int64.
        keys: (n-grams,) int64, sorted; the n-grams of the highest order.
        counts: (n-grams,) int64, how often each of them occurs.
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
        """Return how many contexts of `level` ids occur. Level 0 has one, the empty context."""
        return len(self.contexts[level - 1]) if level else 1

    def find(self, x_BT: IntArray) -> list[IntArray]:
        """Return the node of each row's last L ids for L = 0..order - 1; `nodes(L)`, one past the last, if unseen."""
        found: list[IntArray] = [np.zeros(len(x_BT), np.int64)]
        for back, keys in enumerate(self.contexts, start=1):
            # A child of the unseen node has a key above all others, so it is unseen too.
            found.append(rank(keys, found[-1] * self.vocabulary_size + x_BT[:, -back].astype(np.int64)))
        return found

    def levels(self) -> list[Level]:
        """Return the n-grams of orders 1..n.

        Every target ends exactly one n-gram of each order, so the counts of order j are sums of those of order j + 1.
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

    def context_ids(self, level: int) -> IntArray:
        """Return the ids of each context of `level` ids, (nodes, level), in reading order."""
        ids = np.empty((self.nodes(level), level), np.int64)
        node = np.arange(self.nodes(level))
        for above in range(level, 0, -1):
            node, ids[:, level - above] = np.divmod(self.contexts[above - 1][node], self.vocabulary_size)
        return ids

    def is_sound(self) -> bool:
        """Whether the arrays are what counting gives: sorted keys below their limits, and counts of at least 1."""
        nodes = 1
        for keys in (*self.contexts, self.keys):
            if not _is_sorted_below(keys, nodes * self.vocabulary_size):
                return False
            nodes = len(keys)
        return self.counts.dtype == np.int64 and self.counts.shape == self.keys.shape and bool((self.counts > 0).all())


def count_ngrams(items: EncodedItems, *, vocabulary_size: int, order: int) -> NGramCounts:
    """Count the n-grams that end in a target of `items`: each character and, if ends count, each end."""
    if not fits(vocabulary_size, order):
        return _count_by_rank(items, vocabulary_size=vocabulary_size, order=order)
    V = vocabulary_size
    ngrams, counts = count_packed(items, vocabulary_size=V, order=order)
    # All n-grams after one context stand together, and so do all contexts that end alike: a level's nodes are where the
    # digits down to that level change, and a node's number is how many changes there were before.
    prefixes, following = np.divmod(ngrams, V)
    contexts: list[IntArray] = []
    new = changes(prefixes)
    keys = (np.cumsum(new) - 1) * V + following
    for _ in range(1, order):
        prefixes, oldest = np.divmod(prefixes[new], V)
        new = changes(prefixes)
        contexts.append((np.cumsum(new) - 1) * V + oldest)
    return NGramCounts(vocabulary_size=V, contexts=tuple(contexts[::-1]), keys=keys, counts=counts)


def _count_by_rank(items: EncodedItems, *, vocabulary_size: int, order: int) -> NGramCounts:
    """Count n-grams that are too large to be numbers: rank the contexts of each length, from the newest id back."""
    x_BT, y = windows(items, order - 1)
    node: IntArray = np.zeros(len(y), np.int64)
    nodes = 1
    contexts: list[IntArray] = []
    for back in range(1, order):
        keys, node = _unique(node * vocabulary_size + x_BT[:, -back], nodes * vocabulary_size)
        nodes = len(keys)
        contexts.append(keys)
    keys, counts = _unique_counts(node * vocabulary_size + y, nodes * vocabulary_size)
    return NGramCounts(vocabulary_size=vocabulary_size, contexts=tuple(contexts), keys=keys, counts=counts)


def windows(items: EncodedItems, context: int) -> tuple[IntArray, IntArray]:
    """Return the `context` ids before each target, (targets, context), and the targets, in the dtype of the ids.

    Memory: one id for each target and each column, laid out column by column.
    """
    flat = np.insert(items.ids, items.starts[1:], BOUNDARY)  # each item, then its end
    x_TB = np.zeros((context, len(flat)), flat.dtype)  # zeros: boundaries
    inside = np.ones(len(flat), np.bool_)
    for back in range(1, context + 1):
        x_TB[context - back, back:] = flat[:-back] * inside[back:]
        inside[back:] &= flat[:-back] != BOUNDARY  # what is before an item's start belongs to the item before
    if not items.ends:
        character = flat != BOUNDARY
        x_TB, flat = x_TB[:, character], flat[character]
    return x_TB.T, flat


def rank(keys: IntArray, wanted: IntArray) -> IntArray:
    """Return the place of each wanted key among the sorted `keys`; `len(keys)` if it is not there."""
    place = np.searchsorted(keys, wanted)
    there = keys[np.minimum(place, len(keys) - 1)] == wanted
    return np.where(there, place, len(keys))


def row_entries(row_starts: IntArray, node: IntArray) -> tuple[IntArray, IntArray]:
    """Return (row, entry) for all n-grams of each row's node, where entry is an index into the sorted n-grams."""
    first = row_starts[node]
    length = row_starts[node + 1] - first
    row = np.repeat(np.arange(len(node)), length)
    before = np.cumsum(length) - length
    return row, np.arange(len(row)) + np.repeat(first - before, length)


def row_bounds(keys: IntArray, *, nodes: int, vocabulary_size: int) -> IntArray:
    """Return (nodes + 2,) where each node's n-grams begin; the last node is the unseen one and has none."""
    return np.searchsorted(keys, np.arange(nodes + 2) * vocabulary_size)


def _unique(keys: IntArray, possible: int) -> tuple[IntArray, IntArray]:
    """Return the sorted different keys and the rank of each key among them; keys are below `possible`."""
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
    """Return the sorted different keys and how often each occurs; keys are below `possible`."""
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
