"""Counts of a corpus, and the memory of which items were in it."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backlight.text import Corpus, describe, in_training_set, load_corpus, training_hashes


def test_a_list_is_counted():
    corpus = Corpus("pets", "items", ["cat", "dog", "cat", "ox", "mouse"], np.array([1.0, 2, 3, 4, 5]), "ff")
    description = describe(corpus)
    assert (description.items, description.distinct, description.duplicates) == (5, 4, 1)
    assert (description.characters, description.targets) == (16, 21)
    assert (description.shortest, description.median_length, description.longest) == (2, 3, 5)
    assert description.mean_length == pytest.approx(3.2)
    assert description.longest_items == ("mouse", "cat", "dog")
    assert description.counts[0] == ("o", 3)
    assert dict(description.counts)["x"] == 1
    assert description.vocabulary_size == 12
    assert description.uniform_nats == pytest.approx(math.log(12))
    assert description.total_weight == 15


def test_counts_add_up_over_blocks(monkeypatch):
    monkeypatch.setattr("backlight.text.items.BLOCK", 2)
    text = "abé\N{GRINNING FACE}aab"
    assert describe(Corpus("t", "text", [text], None, "")).counts == (
        ("a", 3),
        ("b", 2),
        ("é", 1),
        ("\N{GRINNING FACE}", 1),
    )


def test_a_text_is_one_item_without_an_end():
    description = describe(Corpus("t", "text", ["ab\n" * 100], None, ""))
    assert (description.items, description.characters, description.targets) == (1, 300, 300)
    assert len(description.longest_items[0]) == 60
    assert description.total_weight is None


def test_the_json_form_is_plain():
    record = describe(load_corpus("names")).to_json()
    again = json.loads(json.dumps(record))
    assert again == record
    assert (again["items"], again["vocabulary_size"], again["longest"]) == (32_257, 27, 15)
    assert again["counts"]["a"] == max(again["counts"].values())


@given(st.lists(st.text(max_size=6)), st.lists(st.text(max_size=6)))
def test_seen_is_membership(items, asked):
    hashes = training_hashes(items)
    assert hashes.dtype == np.uint64
    assert len(hashes) == len(set(items))
    assert (np.diff(hashes.astype(object)) > 0).all()
    assert in_training_set(asked, hashes).tolist() == [item in set(items) for item in asked]


def test_hashes_are_pinned_so_that_a_run_directory_can_be_read_elsewhere():
    assert [hex(h) for h in training_hashes(["emma"])] == ["0x1fb7f7a5a3dfd358"]  # BLAKE2b's 8 bytes, little-endian
