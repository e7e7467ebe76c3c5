"""Characters to ids and back."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backlight.core import BOUNDARY, VocabularyError
from backlight.text import Vocabulary

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)


def test_ids_follow_code_points_and_leave_zero_to_the_boundary():
    vocabulary = Vocabulary.of(["b.a", "é👩"])
    assert vocabulary.characters == ".abé👩"
    assert vocabulary.size == 6
    assert vocabulary.encode("👩a.").tolist() == [5, 2, 1]
    assert vocabulary.encode("").tolist() == []
    assert vocabulary.encode("a").dtype == np.int64


@given(st.lists(texts, min_size=1, max_size=8))
def test_decode_undoes_encode(items):
    vocabulary = Vocabulary.of(items)
    encoded = vocabulary.encode_items(items)
    assert len(encoded) == len(items)
    assert set(vocabulary.characters) == set("".join(items))
    for i, item in enumerate(items):
        ids = encoded.ids[encoded.starts[i] : encoded.starts[i + 1]]
        assert vocabulary.decode(ids) == item
        assert ids.tolist() == vocabulary.encode(item).tolist() == [1 + vocabulary.characters.index(c) for c in item]
        assert vocabulary.decode([BOUNDARY, *ids.tolist(), BOUNDARY]) == item


@given(st.lists(texts, min_size=1, max_size=8))
def test_json_there_and_back(items):
    vocabulary = Vocabulary.of(items)
    assert Vocabulary.from_json(json.loads(json.dumps(vocabulary.to_json()))) == vocabulary


def test_items_may_be_empty_and_ends_are_passed_on():
    encoded = Vocabulary("ab").encode_items(["", "ab", ""], ends=False)
    assert encoded.starts.tolist() == [0, 0, 2, 2]
    assert encoded.targets == 2
    assert Vocabulary("ab").encode_items([]).targets == 0


@pytest.mark.parametrize(("size", "dtype"), [(255, np.uint8), (256, np.uint16), (65_536, np.uint32)])
def test_ids_take_the_smallest_dtype_that_holds_them(size, dtype):
    vocabulary = Vocabulary("".join(map(chr, range(0x10000, 0x10000 + size))))
    encoded = vocabulary.encode_items([vocabulary.characters])
    assert encoded.ids.dtype == dtype
    assert encoded.ids[-1] == size


def test_long_texts_are_taken_in_blocks(monkeypatch):
    monkeypatch.setattr("backlight.text.items.BLOCK", 3)
    items = ["abcd", "e", "fghij👩"]
    vocabulary = Vocabulary.of(items)
    assert vocabulary.characters == "abcdefghij👩"
    assert vocabulary.encode_items(items).ids.tolist() == list(range(1, 12))
    with pytest.raises(VocabularyError, match=r"item 3 \('fgxij'\)"):
        vocabulary.encode_items(["abcd", "e", "fgxij"])


@pytest.mark.parametrize(
    ("items", "says"),
    [
        (["ab", "aéb", "é"], r"'é' \(U\+00E9\) in item 2 \('aéb'\)"),
        (["", "ab", "", "a\N{GRINNING FACE}"], r"\(U\+1F600\) in item 4"),
        (["ab\nab\nabX"], r"'X' \(U\+0058\) at line 3, character 9"),
        (["\0"], r"\(U\+0000\)"),
        (["c"], r"'c' \(U\+0063\)"),
        (["\U0010ffff"], r"\(U\+10FFFF\)"),
        (["\xc5"], r"\(U\+00C5\)"),  # 100 more than "a", and the table of ids has 100 entries
        (["x" * 500, "ab"], r"in item 1 \('x{37}\.\.\.'\)"),
    ],
)
def test_the_first_character_that_is_not_covered_is_named(items, says):
    with pytest.raises(VocabularyError, match=says) as error:
        Vocabulary("\nab").encode_items(items)
    assert "\n" not in str(error.value)
    assert "train on text that has it" in str(error.value)


def test_a_vocabulary_up_to_the_last_code_point():
    assert Vocabulary("a\U0010ffff").encode("\U0010ffffa").tolist() == [2, 1]


@pytest.mark.parametrize("characters", ["", "ba", "aa", "a\ud800"])
def test_characters_are_some_sorted_distinct_and_whole(characters):
    with pytest.raises(VocabularyError):
        Vocabulary(characters)


@pytest.mark.parametrize("ids", [[3], [-1], [1, 2, 300], np.array([2**40])])
def test_ids_out_of_range_are_not_decoded(ids):
    with pytest.raises(VocabularyError, match=r"ids must be in 0\.\.2; got (3|-1|300|1099511627776)\."):
        Vocabulary("ab").decode(ids)


def test_decode_takes_any_whole_numbers():
    vocabulary = Vocabulary("ab")
    assert vocabulary.decode(np.array([1, 0, 2], dtype=np.uint8)) == "ab"
    assert vocabulary.decode(iter([2, 1])) == "ba"
    assert vocabulary.decode([]) == ""
    with pytest.raises(VocabularyError, match="whole numbers; got float64"):
        vocabulary.decode(np.array([1.0]))


def test_labels_can_be_seen():
    vocabulary = Vocabulary("\t\n\x1b ab\u0301\u200d👩")
    assert [vocabulary.label(i) for i in range(vocabulary.size)] == [
        ".", "⇥", "↵", "U+001B", "␣", "a", "b", "U+0301", "U+200D", "👩",
    ]  # fmt: skip
    assert Vocabulary(".a").label(BOUNDARY) == "•"
    assert Vocabulary(".•").label(BOUNDARY) == "<boundary>"
    for outside in (-1, 10):
        with pytest.raises(VocabularyError):
            vocabulary.label(outside)


GOOD = Vocabulary("ab").to_json()


@pytest.mark.parametrize(
    "values",
    [
        {},
        *({**GOOD, **change} for change in [
            {"version": 2}, {"format": "other"}, {"size": 4}, {"size": None}, {"characters": ["a", "b"]},
            {"characters": "ba"}, {"characters": "", "size": 1}, {"characters": None},
        ]),
        *({key: value for key, value in GOOD.items() if key != gone} for gone in GOOD),
    ],
)  # fmt: skip
def test_garbled_values_are_refused_in_one_line(values):
    with pytest.raises(VocabularyError) as error:
        Vocabulary.from_json(values)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 400
