"""Words, atoms and other patterns as vocabularies, and the choice of a vocabulary by its name."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backlight.core import BacklightError, ConfigError, VocabularyError
from backlight.text import Vocabulary
from backlight.text.tokenizers import PatternVocabulary, TokenVocabulary, vocabulary_from_json, vocabulary_of

MOLECULES = ["CC(=O)Nc1ccc(Cl)cc1Br", "C[C@@H](N)C(=O)[O-]", "C[C@@H](O)C%10CC%10[O-]", "BrCCl"]

# the pattern of Schwaller et al. 2019, as an oracle for well-formed SMILES
ATOMS = re.compile(
    r"\[[^\]]+\]|Br?|Cl?|N|O|S|P|F|I|b|c|n|o|s|p|\(|\)|\.|=|#|-|\+|\\|/|:|~|@|\?|>|\*|\$|%[0-9]{2}|[0-9]"
)

WORDS = {
    "the cat sat": ["the", " cat", " sat"],
    "don't stop, Anne-Marie!": ["don't", " stop", ",", " Anne-Marie", "!"],
    "1. e4 c5 2. Nf3": ["1", ".", " e4", " c5", " 2", ".", " Nf3"],
    "a  b\n\tc": ["a", " ", " b", "\n", "\t", "c"],
    "हिन्दी है।": ["हिन्दी", " है", "।"],
    "naïve cafe\u0301 ₹5": ["naïve", " cafe\u0301", " ₹", "5"],
    "«été» — quoi?": ["«", "été", "»", " —", " quoi", "?"],
}


def tokens_of(pattern, text):
    vocabulary = PatternVocabulary.of(pattern, [text, text])  # twice, so that every match is a token
    return [vocabulary.spelling(token).decode() for token in vocabulary.encode(text)]


@pytest.mark.parametrize("text", WORDS)
def test_words_have_the_space_before_them_and_signs_are_tokens(text):
    assert tokens_of("words", text) == WORDS[text]


@pytest.mark.parametrize("molecule", MOLECULES)
def test_atoms_are_those_of_the_usual_pattern(molecule):
    assert tokens_of("smiles", molecule) == ATOMS.findall(molecule)


def test_a_pattern_of_ones_own_may_have_groups_and_match_nothing():
    assert tokens_of(r"(ab)+|(?=x)", "ababxab") == ["abab", "x", "ab"]


def test_a_match_that_occurs_once_is_spelled_and_its_characters_are_known():
    vocabulary = PatternVocabulary.of("words", ["the cat", "the dog", "the cat"], known=["zebra"])
    assert set(vocabulary.tokens) == {"the", " cat", *" thecatdogzebra"}
    spelled = [vocabulary.spelling(token).decode() for token in vocabulary.encode("the dog zebra")]
    assert spelled == ["the", *" dog zebra"]
    with pytest.raises(VocabularyError, match=r"vocabulary of \d+ tokens; got 'q' \(U\+0071\) in item 2 \('queen'\)"):
        vocabulary.encode_items(["the cat", "queen"])
    assert vocabulary.unknown("queen the quay") == "nquy"


ALPHABET = st.text(st.sampled_from("ab' -.,é\u0301\n東[]Cl%1"), max_size=20)


@settings(max_examples=40, deadline=None)
@given(st.lists(ALPHABET, min_size=1, max_size=6), st.sampled_from(["words", "smiles", r"[ab]+|\s", r"\w*"]))
def test_decoding_restores_every_text(texts, pattern):
    texts = [*texts, "ab"]
    vocabulary = PatternVocabulary.of(pattern, texts)
    encoded = vocabulary.encode_items(texts)
    for nth, text in enumerate(texts):
        ids = encoded.ids[encoded.starts[nth] : encoded.starts[nth + 1]]
        assert vocabulary.decode(ids) == text == b"".join(map(vocabulary.spelling, ids)).decode()
        np.testing.assert_array_equal(vocabulary.encode(text), ids)
    assert encoded.characters == sum(map(len, texts)) + len(texts)
    assert encoded.targets == len(encoded.ids) + len(texts)
    again = vocabulary_from_json(vocabulary.to_json())
    assert again == vocabulary
    assert isinstance(again, PatternVocabulary)


@settings(max_examples=40, deadline=None)
@given(st.lists(ALPHABET, min_size=1, max_size=5), st.sampled_from(["characters", "words", "smiles", "bpe:258"]))
def test_the_ids_and_the_rest_of_a_beginning_are_the_beginning(texts, tokens):
    texts = [*texts, "abab abab"]
    vocabulary = vocabulary_of(tokens, texts, texts)
    for text in texts:
        ids, rest = vocabulary.begin(text)
        assert vocabulary.decode(ids).encode() + rest == text.encode()


@pytest.mark.parametrize(
    ("tokens", "text", "rest"),
    [
        ("words", "the ca", " ca"),  # cut off within " cat"
        ("words", "the cat", " cat"),
        ("words", "the ", " "),
        ("smiles", "CC[C@", "[C@"),  # an open bracket
        ("smiles", "CC", "C"),  # may become Cl
        ("characters", "the ca", ""),
    ],
)
def test_the_rest_is_what_a_token_may_continue(tokens, text, rest):
    texts = ["the cat", "the cat"] if tokens != "smiles" else MOLECULES
    assert vocabulary_of(tokens, texts, texts).begin(text)[1].decode() == rest


def test_labels_can_be_told_apart_and_seen():
    vocabulary = PatternVocabulary.of("words", ["a cat\n"] * 2)
    labels = [vocabulary.label(token) for token in range(vocabulary.size)]
    assert len(set(labels)) == len(labels)
    assert labels[0] == "<boundary>"
    assert "\N{OPEN BOX}cat" in labels
    with pytest.raises(VocabularyError, match=r"ids must be in 0\.\."):
        vocabulary.decode([vocabulary.size])


def test_a_grown_vocabulary_keeps_its_tokens():
    words = PatternVocabulary.of("words", ["a cat"] * 2)
    assert set(words.grown(["é cat"]).tokens) == {*words.tokens, "é"}
    assert Vocabulary.of(["ac"]).grown(["b"]).characters == "abc"
    pairs = vocabulary_of("bpe:257", ["abab"], ["abab"])
    assert pairs.grown(["é"]) is pairs


def test_vocabularies_by_name():
    assert isinstance(vocabulary_of("characters", ["a"], ["ab"]), Vocabulary)
    assert vocabulary_of("characters", ["a"], ["ab"]).size == 3
    pairs = vocabulary_of("bpe:260", ["abcabcabd"], ["abcabcabd"])
    assert isinstance(pairs, TokenVocabulary)
    assert pairs.size == 261
    again = vocabulary_from_json(pairs.to_json())
    assert again.encode("abd").tolist() == pairs.encode("abd").tolist()


@pytest.mark.parametrize(
    ("tokens", "says"),
    [
        ("word", "Did you mean words"),
        ("bpe", "bpe:N"),
        ("bpe:255", "Try bpe:512"),
        ("bpe:9999", r"gives 259 tokens at most; got bpe:9999. Use bpe:259"),
        ("(", "got '\\('"),
        ("x", "Choose one of these"),
    ],
)
def test_a_wrong_name_is_refused_in_one_line(tokens, says):
    with pytest.raises(ConfigError, match=says) as error:
        vocabulary_of(tokens, ["ababab"], ["ababab"])
    assert "\n" not in str(error.value)


def test_damaged_values_are_refused():
    values = PatternVocabulary.of("words", ["a"]).to_json()
    for change in ({"version": 2}, {"pattern": None}, {"tokens": "a"}, {"tokens": ["b", "a"]}, {"pattern": "("}):
        with pytest.raises(BacklightError):
            vocabulary_from_json({**values, **change})
