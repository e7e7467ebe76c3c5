"""Counting the n-grams of 10 million encoded characters: Backlight against a loop with a dictionary.

The text consists of names from the included list, drawn at random. The loop reads Python lists and counts tuples in a
dictionary, as lecture 2 does with pairs. Backlight reads the encoded array and returns arrays.
"""

import time
from functools import partial

import numpy as np

from backlight.core import BOUNDARY, EncodedItems
from backlight.models.ngram import NGram, NGramConfig
from backlight.text import Vocabulary, load_corpus
from benchmarks.harness import Comparison, compared, save

CHARACTERS = 10_000_000
ORDERS = (2, 3, 5)
BLOCKS = 7
Counts = dict[tuple[int, ...], int]


def text() -> tuple[EncodedItems, int]:
    """Return random names with 10 million characters in total, and the size of their vocabulary."""
    names = load_corpus("names").items
    vocabulary = Vocabulary.of(names)
    encoded = vocabulary.encode_items(names)
    lengths = np.diff(encoded.starts)
    rows = np.random.default_rng(1).integers(0, len(names), int(1.1 * CHARACTERS / lengths.mean()))
    rows = rows[: np.searchsorted(np.cumsum(lengths[rows]), CHARACTERS)]
    starts = np.concatenate([[0], np.cumsum(lengths[rows])])
    places = np.repeat(encoded.starts[rows] - starts[:-1], lengths[rows]) + np.arange(starts[-1])
    return EncodedItems(encoded.ids[places], starts), vocabulary.size


def loop(items: list[list[int]], order: int) -> Counts:
    """Count with a loop and a dictionary."""
    counts: Counts = {}
    before = [BOUNDARY] * (order - 1)
    for item in items:
        padded = [*before, *item, BOUNDARY]
        for gram in zip(*(padded[i:] for i in range(order)), strict=False):
            counts[gram] = counts.get(gram, 0) + 1
    return counts


def count(items: EncodedItems, order: int, vocabulary_size: int) -> NGram:
    """Count with Backlight, with add-k smoothing, which needs only the counts.

    Args:
        items: the encoded names.
        order: n.
        vocabulary_size: the number of characters, including the boundary.
    """
    return NGram(NGramConfig(vocabulary_size=vocabulary_size, order=order, smoothing="add-k", k=1.0)).fit(items)


def as_dictionary(model: NGram, order: int) -> Counts:
    """Return a model's counts as a dictionary, for comparison."""
    state, V = model.state_dict(), model.vocabulary_size
    node, following = np.divmod(state["ngrams"], V)
    columns = [following]
    for level in range(order - 1, 0, -1):
        node, oldest = np.divmod(state[f"contexts.{level}"][node], V)
        columns.insert(len(columns) - 1, oldest)
    return dict(zip(zip(*(column.tolist() for column in columns), strict=True), state["counts"].tolist(), strict=True))


def measure(order: int) -> Comparison:
    """Compare both, and check that the counts are equal."""
    items, V = text()
    lists = [part.tolist() for part in np.split(items.ids, items.starts[1:-1])]
    ours, theirs = partial(count, items, order, V), partial(loop, lists, order)
    assert as_dictionary(ours(), order) == theirs(), "the two sides must count the same"

    def seconds(side: partial) -> float:
        started = time.perf_counter()
        side()
        return time.perf_counter() - started

    pairs = [(seconds(ours), seconds(theirs)) for _ in range(BLOCKS)]
    return compared(f"{order}-grams of 10 million characters", "a dictionary loop", pairs, threads=1, at_least=15)


def main() -> None:
    """Measure 2-, 3- and 5-grams."""
    save("counting", [measure(order) for order in ORDERS])


if __name__ == "__main__":
    main()
