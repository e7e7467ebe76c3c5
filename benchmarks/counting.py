"""Counting the n-grams of 10 million encoded characters: ours against a dictionary and a loop.

The text is the embedded list of names, drawn again and again. The loop has its items as Python lists already, slides
over each with its boundaries, and counts tuples in a dictionary, as lecture 2 does with pairs; ours gets the array that
encoding gives, and returns arrays.
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
    """Return names, drawn until there are 10 million characters, and the size of their vocabulary."""
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
    """Count as a dictionary does."""
    counts: Counts = {}
    before = [BOUNDARY] * (order - 1)
    for item in items:
        padded = [*before, *item, BOUNDARY]
        for gram in zip(*(padded[i:] for i in range(order)), strict=False):
            counts[gram] = counts.get(gram, 0) + 1
    return counts


def count(items: EncodedItems, order: int, vocabulary_size: int) -> NGram:
    """Count as the package does; add-k, which asks for nothing more than the counts."""
    return NGram(NGramConfig(vocabulary_size=vocabulary_size, order=order, smoothing="add-k", k=1.0)).fit(items)


def as_dictionary(model: NGram, order: int) -> Counts:
    """Return a model's counts, for comparison."""
    state, V = model.state_dict(), model.vocabulary_size
    node, following = np.divmod(state["ngrams"], V)
    columns = [following]
    for level in range(order - 1, 0, -1):
        node, oldest = np.divmod(state[f"contexts.{level}"][node], V)
        columns.insert(len(columns) - 1, oldest)
    return dict(zip(zip(*(column.tolist() for column in columns), strict=True), state["counts"].tolist(), strict=True))


def measure(order: int) -> Comparison:
    """Compare the two, and check that they count the same."""
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
    """Measure pairs, triples and fives."""
    save("counting", [measure(order) for order in ORDERS])


if __name__ == "__main__":
    main()
