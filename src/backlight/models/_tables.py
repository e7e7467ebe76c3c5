"""The probabilities of an n-gram model as plain arrays, for a program that computes them without this package.

Both smoothings are one recursion over the levels L = 1..n-1, where h has L ids and h' is h without its oldest id:

    p_0(w) = lowest[w],    p_L(w | h) = weight_L[h] p_{L-1}(w | h') + share_L[h w]

Kneser-Ney has it in this form. Add-k is (k + c(h w)) / (c(h) + k V), so its only level is the highest one, with 1 / V
below it and the weight k V / (c(h) + k V).
"""

import numpy as np

from backlight.core import Array, FloatArray, IntArray
from backlight.models._add_k import AddK
from backlight.models._kneser_ney import KneserNey
from backlight.models._ngram_counts import NGramCounts, row_bounds


def tables(counts: NGramCounts, smoothed: KneserNey | AddK) -> dict[str, Array]:
    """Return the arrays of an n-gram model by name.

    `lowest` is (V,). The contexts of L ids are nodes; those of node i of level L - 1, extended by an older id, are
    `contexts.L.starts[i]` up to `contexts.L.starts[i + 1]`, and `contexts.L.ids` has that id, ascending. Where a level
    changes the probabilities, `levels.L.weight` (nodes + 1,) has one number for each node and a last one for unseen
    contexts, and the n-grams of node i are `levels.L.starts[i]` up to `levels.L.starts[i + 1]`, with `levels.L.ids` and
    `levels.L.share`.
    """
    V = counts.vocabulary_size
    found: dict[str, Array] = {}
    for level, keys in enumerate(counts.contexts, 1):
        found[f"contexts.{level}.starts"] = row_bounds(keys, nodes=counts.nodes(level - 1), vocabulary_size=V)[:-1]
        found[f"contexts.{level}.ids"] = keys % V
    if isinstance(smoothed, KneserNey):
        found["lowest"] = smoothed.lowest_V
        for level, order in enumerate(smoothed.orders, 1):
            found |= _level(level, order.gamma, order.row_starts, order.keys % V, order.discounted[:-1])
        return found
    highest = counts.order - 1
    if not highest:
        return found | {"lowest": smoothed.next_probabilities(np.zeros((1, 0), np.int64))[0]}
    found["lowest"] = np.full(V, 1 / V)
    return found | _level(highest, *smoothed.level())


def _level(level: int, weight: FloatArray, starts: IntArray, ids: IntArray, share: FloatArray) -> dict[str, Array]:
    names = {"weight": weight, "starts": starts[:-1], "ids": ids, "share": share}
    return {f"levels.{level}.{name}": array for name, array in names.items()}
