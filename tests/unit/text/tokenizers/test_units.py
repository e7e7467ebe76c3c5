"""Losses per character and per byte."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.text.tokenizers.ways import texts

from backlight.core import DataError
from backlight.text import Items, Vocabulary
from backlight.text.tokenizers import BPETokenizer, TextSize, TokenVocabulary


@given(st.lists(texts, max_size=5), st.booleans())
def test_sizes_are_those_of_the_text_and_its_line_ends(items, ends):
    lines = "".join(item + "\n" * ends for item in items)
    assert TextSize.of(items, ends=ends) == TextSize(len(lines), len(lines.encode()))
    assert TextSize.of(Items.of(items), ends=ends) == TextSize.of(items, ends=ends)


def test_characters_are_the_targets_of_a_character_model():
    items = ["anna", "böb"]
    for ends in (True, False):
        encoded = Vocabulary.of(items).encode_items(items, ends=ends)
        assert TextSize.of(items, ends=ends).characters == encoded.targets


def test_a_uniform_guess_of_bytes_costs_eight_bits_each():
    items = ["häuser", "中"]
    size = TextSize.of(items, ends=False)
    assert size.bits_per_byte(size.bytes * math.log(256)) == pytest.approx(8)
    assert size.nats_per_character(size.bytes * math.log(256)) == pytest.approx(10 / 7 * math.log(256))


def test_a_loss_is_the_same_whatever_the_tokens():
    """Tokens that are predicted as well as their bytes together cost as much: per byte nothing changes."""
    text = "banana bandana" * 20
    size = TextSize.of([text], ends=False)
    per_byte = np.full(256, math.log(5))
    for vocabulary_size in (256, 262):
        tokenizer = BPETokenizer.train(text, vocabulary_size)
        tokens = [tokenizer.token(i) for i in tokenizer.encode(text).tolist()]
        nats = sum(per_byte[list(token)].sum() for token in tokens)
        assert size.bits_per_byte(nats) == pytest.approx(math.log2(5))
        assert TokenVocabulary(tokenizer).encode_items([text], ends=False).targets == len(tokens)


def test_an_empty_text_has_no_loss():
    for share in (TextSize(0, 0).nats_per_character, TextSize(0, 0).bits_per_byte):
        with pytest.raises(DataError, match="got an empty one"):
            share(1.0)
