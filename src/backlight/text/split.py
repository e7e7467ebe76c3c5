"""The split of a corpus into train, dev and test."""

import math
import random
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from backlight.core import ConfigError, DataError, FloatArray, IntArray
from backlight.text.corpora import Corpus
from backlight.text.items import Items

Duplicates = Literal["together", "keep"]


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a split.

    Attributes:
        items: the items, including copies; for a text, one item, the block.
        weights: (items,) or None, as in the corpus.
    """

    items: Sequence[str]
    weights: FloatArray | None


@dataclass(frozen=True, slots=True)
class Splits:
    """The three parts of a corpus.

    Attributes:
        train: the part that a model is trained on.
        dev: the held-out part for choosing settings and weights.
        test: the held-out part for the final report; use it once.
    """

    train: Part
    dev: Part
    test: Part


def split_corpus(
    corpus: Corpus,
    *,
    seed: int,
    fractions: tuple[float, float, float] = (0.8, 0.1, 0.1),
    duplicates: Duplicates = "together",
) -> Splits:
    """Split a corpus into three parts, none of them empty. The same seed gives the same parts on every platform.

    A text is cut into three contiguous blocks, train first, whatever the seed.

    Args:
        corpus: the corpus.
        seed: random seed, 0 or larger.
        fractions: fractions of train, dev and test, each above 0, with sum 1.
        duplicates: `together` splits the *distinct* items, so that all copies of an item are in one part, and each part
            keeps the order of the corpus. `keep` shuffles all items and cuts, as the lectures do.

    Raises:
        DataError: there are too few items, or characters of a text, for three parts.
        ConfigError: fractions, seed or duplicates are out of range.
    """
    _check(seed, fractions, duplicates)
    items = Items.of(corpus.items)
    if corpus.mode == "text":
        return _blocks(items, fractions)
    split = _together if duplicates == "together" else _keep
    weights = corpus.weights
    train, dev, test = (
        Part(items.take(rows), None if weights is None else weights[rows])
        for rows in split(items, seed, _cuts(fractions))
    )
    return Splits(train, dev, test)


Cuts = Callable[[int], tuple[int, int]]


def _cuts(fractions: tuple[float, float, float]) -> Cuts:
    """Return a function from a count to the two cuts, e.g. at 80 % and 90 %, such that no part is empty."""
    train, dev, _ = fractions

    def cut(count: int) -> tuple[int, int]:
        first = min(max(int(train * count), 1), count - 2)
        # in binary, 0.7 + 0.1 is slightly below 0.8, which must not cost an item
        second = min(max(int(round(train + dev, 12) * count), first + 1), count - 1)
        return first, second

    return cut


def _together(items: Items, seed: int, cut: Cuts) -> list[IntArray]:
    kinds = items.kinds()
    count = int(kinds.max(initial=-1)) + 1
    _need_three(items, count, "distinct items")
    # The raw stream of PCG64 never changes; NumPy's shuffles may change between versions.
    order = np.argsort(np.random.PCG64(seed).random_raw(count), kind="stable")
    first, second = cut(count)
    side = np.zeros(count, dtype=np.int8)
    side[order[first:second]] = 1
    side[order[second:]] = 2
    side_of_item = side[kinds]
    return [np.flatnonzero(side_of_item == part) for part in range(3)]


def _keep(items: Items, seed: int, cut: Cuts) -> list[IntArray]:
    _need_three(items, len(items), "items")
    rows = array("q", range(len(items)))
    random.Random(seed).shuffle(rows)
    return np.split(np.frombuffer(rows, dtype=np.int64), cut(len(rows)))


def _blocks(text: Items, fractions: tuple[float, float, float]) -> Splits:
    length = int(text.lengths()[0])
    if length < 3:
        raise DataError(f"train, dev and test need a character each; the text has {length}. Use a longer text.")
    return Splits(*(Part(block, None) for block in text.split_one(_cuts(fractions)(length))))


def _need_three(items: Items, count: int, what: str) -> None:
    if count < 3:
        longest = int(items.lengths().max(initial=0))
        raise DataError(
            f"train, dev and test need an item each; got {count} {what}, the longest of {longest} characters. Use at"
            ' least 3 items, one per line; or read running text as one stream: --mode text, in Python mode="text".'
        )


def _check(seed: int, fractions: tuple[float, float, float], duplicates: str) -> None:
    if seed < 0:
        raise ConfigError(f"seed must be 0 or larger; got {seed}. Try 42.")
    if len(fractions) != 3 or not all(f > 0 for f in fractions) or not math.isclose(sum(fractions), 1, abs_tol=1e-9):
        raise ConfigError(
            f"fractions must be three numbers above 0 with sum 1; got {tuple(fractions)}. Try (0.8, 0.1, 0.1)."
        )
    if duplicates not in {"together", "keep"}:
        raise ConfigError(f"duplicates must be 'together' or 'keep'; got {duplicates!r}. Use 'together'.")
