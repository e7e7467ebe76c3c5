"""Add-k smoothing: k is added to the count of every character after every context."""

import math
from collections.abc import Callable

import numpy as np

from backlight.core import FloatArray, IntArray
from backlight.models._ngram_counts import NGramCounts, rank, row_bounds, row_entries

_LOG10_K = np.arange(-6, 4.25, 0.25)
_GOLDEN = (math.sqrt(5) - 1) / 2
_CLOSE_ENOUGH = 1e-3  # in log10 k: more precise than the three digits that are kept


class AddK:
    """p(w | h) = (c(h w) + k) / (c(h) + k V); all 0 for an unseen context when k = 0.

    Args:
        counts: the n-gram counts, of which only the highest order is used.
        k: the smoothing constant, at least 0.
    """

    def __init__(self, counts: NGramCounts, k: float):
        self.k = k
        self.ngrams = len(counts.keys)
        self._counts = counts
        V = counts.vocabulary_size
        nodes = counts.nodes(counts.order - 1)
        self._row_starts = row_bounds(counts.keys, nodes=nodes, vocabulary_size=V)
        # Sums of whole numbers are exact in float64.
        self._totals = np.bincount(counts.keys // V, weights=counts.counts, minlength=nodes + 1).astype(np.float64)

    def next_probabilities(self, x_BT: IntArray) -> FloatArray:
        """Return p(w | row) for each row of (B, order - 1) ids and every w, (B, V)."""
        V = self._counts.vocabulary_size
        node = self._counts.find(x_BT)[-1]
        c_BV = np.zeros((len(node), V))
        row, entry = row_entries(self._row_starts, node)
        c_BV[row, self._counts.keys[entry] - node[row] * V] = self._counts.counts[entry]
        return _add_k(c_BV, self._totals[node][:, None], self.k, V)

    def level(self) -> tuple[FloatArray, IntArray, IntArray, FloatArray]:
        """Return weights, bounds of rows, ids and shares, as in `backlight.models._tables`, of the highest order.

        For k = 0 everything is 0 after an unseen context.
        """
        V = self._counts.vocabulary_size
        node, ids = np.divmod(self._counts.keys, V)
        whole = self._totals + self.k * V
        whole[whole == 0] = 1.0
        return self.k * V / whole, self._row_starts, ids, self._counts.counts / whole[node]

    def target_probabilities(self, x_BT: IntArray, y: IntArray) -> FloatArray:
        """Return p(y | row) for each row and its target y, (B,): bit-identical to `next_probabilities` at y."""
        return _add_k(*self.target_counts(x_BT, y), self.k, self._counts.vocabulary_size)

    def target_counts(self, x_BT: IntArray, y: IntArray) -> tuple[FloatArray, FloatArray]:
        """Return the counts c(h y) and c(h) for each row h and its target y, (B,) each."""
        node = self._counts.find(x_BT)[-1]
        ngram = rank(self._counts.keys, node * self._counts.vocabulary_size + y)
        c = np.append(self._counts.counts, 0)[ngram]
        return c.astype(np.float64), self._totals[node]


def tune_k(counts: NGramCounts, dev: NGramCounts) -> float:
    """Return the k that minimises the loss on the n-grams of `dev`, to three digits.

    A grid of four values per decade from 1e-6 to 1e4 brackets the minimum, and golden-section search locates it. It is
    rounded to three digits so that it does not depend on how a platform rounds logarithms; at the minimum, the loss is
    flat to about 1e-7.
    """
    node, y = np.divmod(dev.keys, dev.vocabulary_size)
    x_BT = dev.context_ids(dev.order - 1)[node]
    found = np.stack(AddK(counts, 1.0).target_counts(x_BT, y), 1)
    pairs_P2, which = np.unique(found, axis=0, return_inverse=True)
    how_often = np.bincount(which.reshape(-1), weights=dev.counts)
    c, total = pairs_P2.T
    V, targets = counts.vocabulary_size, int(dev.counts.sum())

    def nats(log10_k: float) -> float:
        return -float(how_often @ np.log(_add_k(c, total, 10.0**log10_k, V))) / targets

    best = int(np.argmin([nats(at) for at in _LOG10_K]))
    lo, hi = _LOG10_K[max(best - 1, 0)], _LOG10_K[min(best + 1, len(_LOG10_K) - 1)]
    return float(f"{10 ** golden_section(nats, float(lo), float(hi)):.3g}")


def golden_section(f: Callable[[float], float], lo: float, hi: float) -> float:
    """Return the minimum of a function by golden-section search, to within 1e-3.

    Args:
        f: a function that falls and then rises between `lo` and `hi`.
        lo: lower end of the interval.
        hi: upper end of the interval.
    """
    left, right = hi - _GOLDEN * (hi - lo), lo + _GOLDEN * (hi - lo)
    f_left, f_right = f(left), f(right)
    while hi - lo > _CLOSE_ENOUGH:
        if f_left <= f_right:
            hi, right, f_right = right, left, f_left
            left = hi - _GOLDEN * (hi - lo)
            f_left = f(left)
        else:
            lo, left, f_left = left, right, f_right
            right = lo + _GOLDEN * (hi - lo)
            f_right = f(right)
    return (lo + hi) / 2


def _add_k(c: FloatArray, total: FloatArray, k: float, V: int) -> FloatArray:
    whole = total + k * V
    return (c + k) / np.where(whole > 0, whole, 1.0)  # whole is 0 only for k = 0 and an unseen context: then 0 / 1
