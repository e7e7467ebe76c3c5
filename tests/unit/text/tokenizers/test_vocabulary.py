"""A tokenizer as a model's vocabulary."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.text.tokenizers.ways import texts

from backlight.core import BOUNDARY, VocabularyError
from backlight.text import Items, Vocabulary
from backlight.text.tokenizers import BPETokenizer, MergeTable, TextVocabulary, TokenVocabulary
from backlight.text.tokenizers import vocabulary as module

END = "<|endoftext|>"
TEXT = "anna hannah annabella " * 3
PLAIN = TokenVocabulary(BPETokenizer.train(TEXT, 266))
WITH_END = TokenVocabulary(BPETokenizer.train(TEXT, 266, special_tokens=["<|pad|>", END, "<|x|>"]))


@pytest.mark.parametrize("vocabulary", [PLAIN, WITH_END])
@given(items=st.lists(texts, max_size=6))
def test_items_are_encoded_one_by_one_and_decoded_again(vocabulary, items):
    encoded = vocabulary.encode_items(items)
    assert len(encoded) == len(items)
    assert encoded.targets == len(encoded.ids) + len(items)
    assert not len(encoded.ids) or (encoded.ids.min() > BOUNDARY and encoded.ids.max() < vocabulary.size)
    for i, item in enumerate(items):
        ids = encoded.ids[encoded.starts[i] : encoded.starts[i + 1]]
        assert ids.tolist() == vocabulary.encode(item).tolist()
        assert vocabulary.decode(ids) == item
        assert vocabulary.decode([BOUNDARY, *ids.tolist(), BOUNDARY]) == item


def test_the_boundary_is_an_id_more_or_the_end_of_text():
    assert PLAIN.size == 267
    assert PLAIN.encode("a").tolist() == [98]
    assert WITH_END.size == 266
    assert WITH_END.tokenizer.special_tokens == {"<|pad|>": 263, END: 264, "<|x|>": 265}
    labels = [WITH_END.label(i) for i in range(WITH_END.size)]
    assert labels[0] == PLAIN.label(0) == "<boundary>"
    assert labels[98] == "a"
    assert labels[264:] == ["<|pad|>", "<|x|>"]
    assert [WITH_END.decode([i]) for i in (0, 264, 265)] == ["", "<|pad|>", "<|x|>"]


def test_gpt2s_ids_move_up_by_one_and_its_end_of_text_becomes_the_boundary():
    bytes_ = {bytes([byte]): byte for byte in range(256)}
    vocabulary = TokenVocabulary(BPETokenizer(MergeTable(bytes_, [], "gpt2", {END: 256})))
    assert vocabulary.size == vocabulary.tokenizer.size == 257
    assert (vocabulary.encode("hello") == vocabulary.tokenizer.encode("hello") + 1).all()


def test_ids_after_the_boundary_stay_where_they_are():
    """Hugging Face's trainer gives special tokens the first ids."""
    for end in (0, 98, 256):
        bytes_ = {bytes([byte]): byte + (byte >= end) for byte in range(256)}
        vocabulary = TokenVocabulary(BPETokenizer(MergeTable(bytes_, [], "gpt2", {END: end})))
        assert vocabulary.size == 257
        assert vocabulary.encode("abc").tolist() == [98, 99, 100]
        assert vocabulary.decode([98, 99, 0, 100]) == "abc"
        assert [vocabulary.label(i) for i in (0, 98, 100)] == ["<boundary>", "a", "c"]


def test_ids_take_the_smallest_dtype_that_holds_them():
    assert PLAIN.encode_items(["anna"]).ids.dtype == np.uint16
    assert PLAIN.encode("anna").dtype == np.int64
    assert PLAIN.encode_items([], ends=False).targets == 0
    assert PLAIN.encode_items(["ab"], ends=False).targets == 2


def test_many_items_are_taken_in_blocks(monkeypatch):
    items = ["anna", "", "hannah", "b"] * 5
    whole = PLAIN.encode_items(items)
    monkeypatch.setattr(module, "BLOCK", 3)
    for given_items in (items, Items.of(items)):
        again = PLAIN.encode_items(given_items)
        assert again.ids.tolist() == whole.ids.tolist()
        assert again.starts.tolist() == whole.starts.tolist()


def test_special_tokens_in_a_text_are_refused():
    with pytest.raises(VocabularyError, match=r"got '<\|endoftext\|>' in item 2") as error:
        WITH_END.encode_items(["anna", f"x{END}"])
    assert "\n" not in str(error.value)
    assert PLAIN.decode(PLAIN.encode(f"x{END}")) == f"x{END}"
    with pytest.raises(VocabularyError, match="a lone surrogate"):
        PLAIN.encode_items(["a\ud800"])


@pytest.mark.parametrize(
    ("ids", "said"),
    [([267], r"0\.\.266; got 267"), ([-1, 3], "got -1"), ([0.5], "ids must be whole numbers; got float64")],
)
def test_ids_outside_are_refused(ids, said):
    with pytest.raises(VocabularyError, match=said):
        PLAIN.decode(ids)


def test_labels_outside_are_refused():
    with pytest.raises(VocabularyError, match=r"0\.\.266; got 267"):
        PLAIN.label(267)
    assert PLAIN.decode([]) == ""


def test_json_there_and_back():
    for vocabulary in (PLAIN, WITH_END):
        assert TokenVocabulary.from_json(json.loads(json.dumps(vocabulary.to_json()))) == vocabulary


def test_characters_and_tokens_serve_a_model_alike():
    def served(vocabulary: TextVocabulary) -> None:
        items = ["anna", "hannah"]
        encoded = vocabulary.encode_items(items, ends=True)
        assert vocabulary.decode(encoded.ids) == "annahannah"
        assert vocabulary.label(int(vocabulary.encode("a")[0])) == "a"
        assert json.dumps(vocabulary.to_json())
        assert 0 < encoded.ids.min() <= encoded.ids.max() < vocabulary.size

    served(Vocabulary.of([TEXT]))
    served(PLAIN)
    served(WITH_END)
