"""Splits: nothing lost, nothing on two sides, the same everywhere."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from backlight.core import ConfigError, DataError
from backlight.text import Corpus, Splits, split_corpus

words = st.lists(st.text("ab", max_size=4), min_size=3, max_size=60)
seeds = st.integers(0, 2**40)


def items_corpus(items: list[str], weights: list[float] | None = None) -> Corpus:
    return Corpus("test", "items", items, None if weights is None else np.array(weights), "")


def parts(splits: Splits) -> list[list[str]]:
    return [list(part.items) for part in (splits.train, splits.dev, splits.test)]


@given(words, seeds)
def test_no_item_is_on_two_sides_and_none_is_lost(items, seed):
    assume(len(set(items)) >= 3)
    train, dev, test = parts(split_corpus(items_corpus(items), seed=seed))
    assert Counter(train + dev + test) == Counter(items)
    assert not set(train) & set(dev)
    assert not set(dev) & set(test)
    assert not set(train) & set(test)
    assert train
    assert dev
    assert test


@given(st.integers(3, 400), seeds, st.sampled_from([(0.8, 0.1, 0.1), (0.7, 0.1, 0.2), (0.5, 0.25, 0.25)]))
def test_parts_are_as_large_as_asked(count, seed, fractions):
    for duplicates in ("together", "keep"):
        splits = split_corpus(
            items_corpus([str(i) for i in range(count)]), seed=seed, fractions=fractions, duplicates=duplicates
        )
        sizes = np.array([len(part) for part in parts(splits)])
        assert sizes.sum() == count
        assert (sizes >= 1).all()
        assert (abs(sizes - count * np.array(fractions)) <= 2).all()


def test_fractions_do_not_lose_an_item_to_binary_rounding():
    splits = split_corpus(items_corpus([str(i) for i in range(30)]), seed=1, fractions=(0.7, 0.1, 0.2))
    assert [len(part) for part in parts(splits)] == [21, 3, 6]


def test_the_split_of_a_seed_is_pinned():
    splits = split_corpus(items_corpus(list("abcdefghij")), seed=42)
    assert ["".join(part) for part in parts(splits)] == ["abdeghij", "c", "f"]


def test_seeds_differ():
    corpus = items_corpus([str(i) for i in range(100)])
    assert parts(split_corpus(corpus, seed=1)) != parts(split_corpus(corpus, seed=2))
    assert parts(split_corpus(corpus, seed=1)) == parts(split_corpus(corpus, seed=1))


@pytest.mark.parametrize("duplicates", ["together", "keep"])
def test_weights_stay_with_their_items(duplicates):
    items = [f"{i % 17}" for i in range(60)]
    corpus = items_corpus(items, [float(item) * 100 + i for i, item in enumerate(items)])
    splits = split_corpus(corpus, seed=5, duplicates=duplicates)
    for part in (splits.train, splits.dev, splits.test):
        assert part.weights is not None
        assert [int(weight // 100) for weight in part.weights] == [int(item) for item in part.items]
    assert split_corpus(items_corpus(items), seed=5).train.weights is None


def test_keep_shuffles_and_cuts():
    splits = split_corpus(items_corpus(list("aaaaaaaabb")), seed=42, duplicates="keep")
    assert [len(part) for part in parts(splits)] == [8, 1, 1]
    assert set(splits.train.items) & {*splits.dev.items, *splits.test.items}


def test_parts_keep_the_order_of_the_corpus():
    items = [f"{i:03}" for i in range(50)]
    for part in parts(split_corpus(items_corpus(items), seed=3)):
        assert part == sorted(part)


@given(st.text(min_size=3, max_size=200))
def test_a_text_is_cut_into_blocks(text):
    blocks = parts(split_corpus(Corpus("test", "text", [text], None, ""), seed=0))
    assert [len(block) for block in blocks] == [1, 1, 1]
    assert "".join(block[0] for block in blocks) == text
    assert all(block[0] for block in blocks)
    if len(text) == 100:
        assert len(blocks[0][0]) == 80


@pytest.mark.parametrize("duplicates", ["together", "keep"])
@pytest.mark.parametrize("items", [["a"], ["a", "b"], ["x" * 10_000_000]])
def test_too_few_items(items, duplicates):
    with pytest.raises(DataError, match="--mode text") as error:
        split_corpus(items_corpus(items), seed=0, duplicates=duplicates)
    assert len(str(error.value)) < 300
    assert "\n" not in str(error.value)


def test_copies_do_not_count_as_distinct():
    corpus = items_corpus(["a", "b"] * 50)
    with pytest.raises(DataError, match="2 distinct items"):
        split_corpus(corpus, seed=0)
    assert split_corpus(corpus, seed=0, duplicates="keep").train.items


def test_too_short_a_text():
    with pytest.raises(DataError, match="the text has 2"):
        split_corpus(Corpus("test", "text", ["ab"], None, ""), seed=0)


@pytest.mark.parametrize(
    "fractions", [(0.8, 0.2), (0.8, 0.1, 0.2), (1.0, 0.0, 0.0), (0.9, -0.1, 0.2), (np.nan, 0.5, 0.5)]
)
def test_fractions_out_of_range(fractions):
    with pytest.raises(ConfigError, match="fractions must be three numbers above 0 with sum 1"):
        split_corpus(items_corpus(list("abcdef")), seed=0, fractions=fractions)


def test_seed_and_duplicates_out_of_range():
    with pytest.raises(ConfigError, match="seed must be 0 or larger; got -1"):
        split_corpus(items_corpus(list("abc")), seed=-1)
    with pytest.raises(ConfigError, match="got 'drop'"):
        split_corpus(items_corpus(list("abc")), seed=0, duplicates="drop")  # type: ignore[arg-type]
