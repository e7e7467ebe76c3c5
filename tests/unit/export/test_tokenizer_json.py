"""Vocabularies as tokenizer.json, read by the tokenizers package."""

import json

import pytest
from tests.unit.export.models import ACCENTS, NAMES

from backlight.core import ExportError
from backlight.export.tokenizer_json import tokenizer_json
from backlight.text import Vocabulary
from backlight.text.tokenizers import BPETokenizer, TokenVocabulary, vocabulary_of

tokenizers = pytest.importorskip("tokenizers")

TEXTS = ["emma", "zoë été", "", " a  b.", "東京", "naïve", "😀"]


@pytest.mark.parametrize("tokens", ["characters", "words", r"[ae]\w", "bpe:300"])
def test_the_package_gives_our_ids_after_a_boundary(tokens):
    vocabulary = vocabulary_of(tokens, ACCENTS + NAMES, ACCENTS + NAMES)
    read = tokenizers.Tokenizer.from_str(json.dumps(tokenizer_json(vocabulary)))
    places = vocabulary.order.argsort() if isinstance(vocabulary, TokenVocabulary) else range(vocabulary.size)
    assert read.get_vocab_size() == vocabulary.size
    assert read.token_to_id("<|endoftext|>") == places[0]
    for text in TEXTS:
        ids = read.encode(text).ids
        assert ids == [places[i] for i in [0, *vocabulary.encode(text).tolist()]]
        assert read.decode(ids, skip_special_tokens=True) == text


def test_a_tokenizer_with_an_end_of_text_keeps_its_numbering():
    plain = BPETokenizer.train("anna hannah " * 9, 262, special_tokens=["<|endoftext|>", "<|x|>"])
    vocabulary = TokenVocabulary(plain)
    assert vocabulary.order.tolist() == [*range(1, 261), 0, 261]
    read = tokenizers.Tokenizer.from_str(json.dumps(tokenizer_json(vocabulary)))
    assert read.encode("anna").ids == [260, *plain.encode("anna").tolist()]


def test_an_unknown_character_is_an_error_and_is_not_left_out():
    read = tokenizers.Tokenizer.from_str(json.dumps(tokenizer_json(Vocabulary("abc"))))
    with pytest.raises(Exception, match="unknown character"):
        read.encode("abz")


def test_a_text_is_brought_into_the_unicode_form_of_the_model():
    vocabulary = Vocabulary.of(["e\u0301"])
    read = tokenizers.Tokenizer.from_str(json.dumps(tokenizer_json(vocabulary, normalise="nfd")))
    assert read.encode("\u00e9").ids == [0, 1, 2]


def test_the_name_of_the_boundary_as_a_token_is_refused():
    vocabulary = vocabulary_of(r"<\|endoftext\|>", ["a<|endoftext|>"] * 3, ["a<|endoftext|>"])
    with pytest.raises(ExportError, match="must not be a token"):
        tokenizer_json(vocabulary)
