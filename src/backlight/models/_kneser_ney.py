"""Interpolated modified Kneser-Ney smoothing: from counts to probabilities.

For a context h of an order above the first, with h' = h without its oldest id,

    p(w | h) = max(c(h w) - D(c(h w)), 0) / c(h) + gamma(h) * p(w | h')        Chen & Goodman 1999
    gamma(h) = (D1 N1(h) + D2 N2(h) + D3 N3+(h)) / c(h)

where N1(h) is the number of w that follow h exactly once, and so on, and c(h) sums c(h w) over w. The first order
interpolates with 1 / V in place of p(w | h'), so that no probability is 0. For an unseen context, p(w | h) = p(w | h').

What c counts depends on the order:

* at the highest order, occurrences;
* below it, the number of distinct ids that precede the n-gram: a lower order matters only where the higher one has few
  counts, and there the number of contexts in which w occurs predicts better than its frequency;
* below it, if the context begins with a boundary, occurrences again. Only padding precedes the start of an item, so the
  number of distinct ids would always be 1.

With n - 1 boundaries before an item, an n-gram near the start occurs once with one boundary, once with two, and so on,
with the same count. Only the one with a single boundary is used: the others are the same event, which must be
discounted only once. (On the lectures' names, the held-out loss at n = 6 is 1.975 nats per character; with every padded
n-gram it is 1.998.)
"""

from dataclasses import dataclass

import numpy as np

from backlight.core import BOUNDARY, Array, FloatArray, IntArray
from backlight.models._ngram_counts import Level, NGramCounts, rank, row_bounds, row_entries

_FALLBACK = (0.5, 1.0, 1.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """The terms of the formula for one order.

    Attributes:
        keys: (n-grams,) sorted; context node * V + next id.
        discounted: (n-grams + 1,) the first term; the last element, 0, is for n-grams that do not occur.
        gamma: (nodes + 1,) the weight of the order below; 1 for unused contexts, and as last element for unseen ones.
        row_starts: (nodes + 2,) the n-grams of node i are row_starts[i] up to row_starts[i + 1].
    """

    keys: IntArray
    discounted: FloatArray
    gamma: FloatArray
    row_starts: IntArray


class KneserNey:
    """Probabilities of the next id from n-gram counts.

    Args:
        counts: the n-gram counts.
        discounts_NK: (order, 3) D1, D2 and D3+ of each order; None estimates them from the counts.

    Attributes:
        lowest_V: (V,) the probabilities of the first order.
        orders: the terms of the orders above it.
    """

    def __init__(self, counts: NGramCounts, discounts_NK: FloatArray | None = None):
        self._counts = counts
        levels = modified_levels(counts)
        if discounts_NK is None:
            discounts_NK = np.array([estimate_discounts(level.counts) for level in levels])
        self.discounts_NK = discounts_NK
        self.ngrams = sum(len(level.keys) for level in levels)
        V = counts.vocabulary_size
        orders: list[Order] = []
        while levels:  # a level's counts are not needed any more once its order is made
            above = len(orders)
            nodes = counts.nodes(above)
            orders.append(_order(levels.pop(0), nodes=nodes, vocabulary_size=V, discounts=discounts_NK[above]))
        lowest, self.orders = orders[0], tuple(orders[1:])
        self.lowest_V = np.full(V, lowest.gamma[0] / V)
        self.lowest_V[lowest.keys] += lowest.discounted[:-1]

    def next_probabilities(self, x_BT: IntArray) -> FloatArray:
        """Return p(w | row) for each row of (B, order - 1) ids and every w, (B, V)."""
        return self.after(self._counts.find(x_BT))

    def after(self, nodes: list[IntArray]) -> FloatArray:
        """Return p(w | context) for every w, (B, V), given what `NGramCounts.find` returned for B contexts."""
        V = self._counts.vocabulary_size
        p_BV = np.tile(self.lowest_V, (len(nodes[0]), 1))
        for order, node in zip(self.orders, nodes[1:], strict=True):
            p_BV *= order.gamma[node][:, None]
            row, entry = row_entries(order.row_starts, node)
            p_BV[row, order.keys[entry] - node[row] * V] += order.discounted[entry]
        return p_BV

    def target_probabilities(self, x_BT: IntArray, y: IntArray) -> FloatArray:
        """Return p(y | row) for each row and its target y, (B,): bit-identical to `next_probabilities` at y."""
        p = self.lowest_V[y]
        for order, node in zip(self.orders, self._counts.find(x_BT)[1:], strict=True):
            ngram = rank(order.keys, node * self._counts.vocabulary_size + y)
            p = order.gamma[node] * p + order.discounted[ngram]
        return p


def modified_levels(counts: NGramCounts) -> list[Level]:
    """Return the n-grams of orders 1..n with the counts that Kneser-Ney uses, without extensions.

    See the module's docstring.
    """
    levels = counts.levels()
    V = counts.vocabulary_size
    unknown = np.zeros(0, np.int64)
    starts_item = [np.zeros(1, np.bool_), *(keys % V == BOUNDARY for keys in counts.contexts)]
    for above, level in enumerate(levels):
        node = level.keys // V
        at_start = starts_item[above][node]
        # If the context without its oldest id also begins with a boundary, it is the same event as the shorter context.
        used = ~(at_start & starts_item[above - 1][counts.contexts[above - 1] // V][node]) if above else ~at_start
        highest = above == len(levels) - 1
        modified = level.counts if highest else np.where(at_start, level.counts, level.extensions)
        levels[above] = Level(keys=level.keys[used], counts=modified[used], extensions=unknown)
    return levels


def estimate_discounts(counts: IntArray) -> tuple[float, float, float]:
    """Return D1, D2 and D3+, the discounts of n-grams with counts of 1, 2, and 3 or more.

    Y = n1 / (n1 + 2 n2);  D1 = 1 - 2Y n2 / n1;  D2 = 2 - 3Y n3 / n2;  D3+ = 3 - 4Y n4 / n3

    where nr is the number of n-grams with count r. With few n-grams, one of n1..n4 may be 0 or a D outside (0, r), and
    the estimate is invalid; then they are (1/2, 1, 3/2). No D is 0, so every context leaves some probability to the
    lower order.

    Args:
        counts: (n-grams,) the counts of one order.

    Source: Chen & Goodman 1999, "An empirical study of smoothing techniques for language modeling".
    """
    _, n1, n2, n3, n4 = np.bincount(np.minimum(counts, 5), minlength=6)[:5].tolist()
    if not (n1 and n2 and n3 and n4):
        return _FALLBACK
    Y = n1 / (n1 + 2 * n2)
    D1, D2, D3 = 1 - 2 * Y * n2 / n1, 2 - 3 * Y * n3 / n2, 3 - 4 * Y * n4 / n3
    return (D1, D2, D3) if 0 < D1 < 1 and 0 < D2 < 2 and 0 < D3 < 3 else _FALLBACK


def _order(level: Level, *, nodes: int, vocabulary_size: int, discounts: Array) -> Order:
    node = level.keys // vocabulary_size
    D = np.array([0.0, *discounts])[np.minimum(level.counts, 3)]
    # Sums of whole numbers are exact in float64, so a loaded model is bit-identical.
    total = np.bincount(node, weights=level.counts, minlength=nodes + 1)
    taken = np.bincount(node, weights=D, minlength=nodes + 1)
    gamma = np.divide(taken, total, out=np.ones(nodes + 1), where=total > 0)
    return Order(
        keys=level.keys,
        discounted=np.append((level.counts - D) / total[node], 0.0),
        gamma=gamma,
        row_starts=row_bounds(level.keys, nodes=nodes, vocabulary_size=vocabulary_size),
    )
