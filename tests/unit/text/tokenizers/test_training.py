"""Merges learnt fast are those of the plain algorithm."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.text.tokenizers.ways import in_python, needs_kernels, texts

from backlight.core import ConfigError, VocabularyError
from backlight.text import load_corpus
from backlight.text.items import Items
from backlight.text.tokenizers import BPETokenizer, Splitter, training
from backlight.text.tokenizers.plain.basic import BasicTokenizer
from backlight.text.tokenizers.plain.pieces import PiecesTokenizer
from backlight.text.tokenizers.training import learn_merges

ALL = 10_000


def plain_merges(text, pattern):
    """All merges that the plain page makes, until no pair is left."""
    tokenizer = BasicTokenizer() if pattern is None else PiecesTokenizer(pattern)
    with pytest.raises(ConfigError, match="no pair is left"):
        tokenizer.train(text, 256 + ALL)
    return list(tokenizer.merges)


@needs_kernels
@pytest.mark.parametrize("pattern", ["gpt2", "gpt4", None])
@given(text=texts)
def test_all_three_ways_learn_the_same_merges(pattern, text):
    expected = plain_merges(text, pattern)
    assert learn_merges([text], ALL, Splitter(pattern)) == expected
    with in_python():
        assert learn_merges([text], ALL, Splitter(pattern)) == expected


@needs_kernels
@pytest.mark.parametrize("pattern", ["gpt2", "gpt4", None, r"\p{L}+|\s"])
@given(given_texts=st.lists(texts, max_size=6), times=st.integers(1, 3))
def test_many_texts_are_learnt_alike_in_both_ways(pattern, given_texts, times):
    many = given_texts * times
    compiled = learn_merges(many, ALL, Splitter(pattern))
    assert learn_merges(Items.of(many), ALL, Splitter(pattern)) == compiled
    with in_python():
        assert learn_merges(many, ALL, Splitter(pattern)) == compiled


@needs_kernels
def test_a_whole_corpus_is_learnt_alike_in_both_ways():
    text = load_corpus("shakespeare").items[0][:150_000]
    for pattern in ("gpt4", None):
        compiled = learn_merges([text], 400, Splitter(pattern))
        with in_python():
            assert learn_merges([text], 400, Splitter(pattern)) == compiled


@needs_kernels
def test_long_runs_and_rare_words_are_learnt_alike_in_both_ways():
    rng = random.Random(5)
    for _ in range(40):
        words = ["".join(rng.choices("abc", k=rng.randint(1, 30))) for _ in range(30)]
        text = " ".join(rng.choices(words, k=300)) + "a" * rng.randint(0, 70)
        compiled = learn_merges([text], ALL, Splitter("gpt2"))
        with in_python():
            assert learn_merges([text], ALL, Splitter("gpt2")) == compiled


def learnt(text, count, pattern="gpt2"):
    return list(BPETokenizer.train(text, 256 + count, pattern=pattern).table.merges)


@pytest.mark.parametrize("way", ["kernels", "python"])
def test_of_several_pairs_with_one_count_the_first_in_the_text_is_merged(way):
    def check():
        assert learnt("ab ba cd dc", 4) == [(b"a", b"b"), (b" ", b"b"), (b" b", b"a"), (b" ", b"c")]
        assert learnt("ab ba cd dc", 4, None) == [(b"a", b"b"), (b"ab", b" "), (b"ab ", b"b"), (b"ab b", b"a")]
        assert learnt("ba ab", 1) == [(b"b", b"a")]  # not the smaller ids
        assert learnt("xaa ab", 1) == [(b"x", b"a")]

    if way == "kernels":
        check()
    else:
        with in_python():
            check()


def test_overlapping_pairs_are_counted_and_merged_from_left_to_right():
    assert learnt("aaa", 2) == [(b"a", b"a"), (b"aa", b"a")]
    # a a occurs twice in aaa, as often as b c
    assert learnt("aaabc bc", 1) == [(b"a", b"a")]
    assert BPETokenizer.train("aaaa", 258).encode("aaaaa").tolist() == [257, 97]


def test_no_merge_spans_two_texts_or_two_pieces():
    assert learnt(["ab", "ab"], 1) == [(b"a", b"b")]
    with pytest.raises(ConfigError, match="this text gave 1 merges"):
        learnt(["ab", "ab"], 2)
    with pytest.raises(ConfigError, match="this text gave 2 merges"):
        learnt("ab ab", 3)


def test_every_text_counts_however_they_are_handed_over(monkeypatch):
    many = ["xy"] * 5 + ["ab"] * 4
    assert learnt(many, 1) == learnt(iter(many), 1) == [(b"x", b"y")]
    monkeypatch.setattr(training, "BLOCK", 3)
    monkeypatch.setattr(training, "AT_A_TIME", 1)
    assert learnt(many, 2) == [(b"x", b"y"), (b"a", b"b")]


@pytest.mark.parametrize("size", [255, 0, -1, 1 << 25, "512", 300.0, None])
def test_sizes_that_cannot_be_are_refused(size):
    with pytest.raises(ConfigError, match=r"vocabulary_size must be a whole number from 256 .* got"):
        BPETokenizer.train("a text", size)


def test_a_size_above_what_the_text_gives_says_how_far_it_came():
    with pytest.raises(ConfigError, match=r"gave 3 merges.*Use vocabulary_size=260 or less") as error:
        BPETokenizer.train("abcd", 300, special_tokens=["<|endoftext|>"])
    assert "\n" not in str(error.value)
    with pytest.raises(ConfigError, match="gave 0 merges"):
        BPETokenizer.train("", 257)
    assert BPETokenizer.train("", 256).size == 256


def test_special_tokens_count_and_come_last():
    tokenizer = BPETokenizer.train("abab", 259, special_tokens=["<|a|>", "<|b|>", "<|a|>"])
    assert tokenizer.special_tokens == {"<|a|>": 257, "<|b|>": 258}
    assert tokenizer.size == 259
    with pytest.raises(ConfigError, match="from 258"):
        BPETokenizer.train("abab", 257, special_tokens=["<|a|>", "<|b|>"])


@pytest.mark.parametrize("given_texts", [["a\ud800"], Items.of(["a\ud800"])])
def test_half_a_surrogate_pair_is_refused(given_texts):
    with pytest.raises(VocabularyError, match="a lone surrogate"):
        BPETokenizer.train(given_texts, 256)
