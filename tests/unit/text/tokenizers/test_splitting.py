"""Texts cut into pieces by the patterns of GPT-2 and GPT-4."""

import copy
import pickle
import unicodedata
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from tests.unit.text.tokenizers.ways import in_python, needs_kernels, texts

from backlight.core import ConfigError, VocabularyError
from backlight.text.tokenizers import GPT2, GPT4, PATTERNS, BPETokenizer, Splitter
from backlight.text.tokenizers.splitting import _RULES, SPELLINGS
from backlight.text.tokenizers.unicode import VERSION, character_classes

TEXT = "I'll pay  $1234.50,\n\n  OK?\t it'S (really)  "


@pytest.mark.parametrize(
    ("pattern", "pieces"),
    [
        (
            "gpt2",
            ["I", "'ll", " pay", " ", " $", "1234", ".", "50", ",", "\n\n ", " OK", "?", "\t", " it", "'", "S", " (",
             "really", ")", "  "],
        ),
        (
            "gpt4",
            ["I", "'ll", " pay", " ", " $", "123", "4", ".", "50", ",\n\n", " ", " OK", "?", "\t", " it", "'S", " (",
             "really", ")", "  "],
        ),
        (None, [TEXT]),
        (
            r"\p{L}+",
            ["I", "'", "ll", " ", "pay", "  $1234.50,\n\n  ", "OK", "?\t ", "it", "'", "S", " (", "really", ")  "],
        ),
    ],
)  # fmt: skip
def test_known_texts(pattern, pieces):
    assert Splitter(pattern).split(TEXT) == pieces
    with in_python():
        assert Splitter(pattern).split(TEXT) == pieces


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("WE'LLx 'SAD it\u2019s", ["WE", "'LL", "x", " '", "SAD", " it", "\u2019s"]),
        ("it'\u017fx '\u017f", ["it", "'\u017f", "x", " '", "\u017f"]),  # the long s is an s in another case
        ("a\nb\r\n\r\nc\td", ["a", "\n", "b", "\r\n\r\n", "c", "\td"]),
        ("x!\n\n  y", ["x", "!\n\n", " ", " y"]),
        ("12345\u0661½", ["123", "45\u0661", "½"]),
        ("\U0001d400\U0001d401 \u4e2d\u6587😀", ["\U0001d400\U0001d401", " \u4e2d\u6587", "😀"]),
        ("\u00a0x\u2003\u2003y\u0085", ["\u00a0x", "\u2003", "\u2003y", "\u0085"]),
        ("e\u0301a", ["e", "\u0301a"]),  # a combining mark is no letter
    ],
)
def test_known_texts_of_gpt4(text, pieces):
    assert Splitter("gpt4").split(text) == pieces
    with in_python():
        assert Splitter("gpt4").split(text) == pieces


@needs_kernels
@pytest.mark.parametrize("pattern", _RULES)
@given(text=texts)
def test_both_ways_cut_alike_and_lose_nothing(pattern, text):
    splitter = Splitter(pattern)
    compiled = splitter.split(text)
    with in_python():
        assert splitter.split(text) == compiled
    assert "".join(compiled) == text
    assert all(compiled)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_other_spellings_are_the_same_pattern(spelling):
    assert Splitter(spelling).pattern == SPELLINGS[spelling]
    assert Splitter(spelling).rule is not None
    assert SPELLINGS[spelling] in _RULES


def test_names_stand_for_their_patterns():
    assert Splitter("gpt2").pattern == GPT2
    assert Splitter("gpt4") == Splitter(GPT4)
    assert PATTERNS["gpt2"] == GPT2


def test_white_space_at_the_end_is_one_piece_in_tiktokens_newer_spelling():
    newer = next(spelling for spelling in SPELLINGS if r"\s++$|\s*[\r\n]" in spelling)
    for text, pieces in (("a\n\n  ", ["a", "\n\n  "]), ("a\n  b", ["a", "\n", " ", " b"])):
        assert Splitter(newer).split(text) == pieces
        with in_python():
            assert Splitter(newer).split(text) == pieces
    assert Splitter("gpt4").split("a\n\n  ") == ["a", "\n\n", "  "]


@pytest.mark.parametrize(
    ("digits", "pieces"), [("{1,3}", ["123", "45"]), ("{1,2}", ["12", "34", "5"]), ("", list("12345"))]
)
def test_numbers_are_cut_after_as_many_digits_as_the_pattern_says(digits, pieces):
    assert Splitter(GPT4.replace("{1,3}", digits)).split("12345") == pieces


@pytest.mark.parametrize("pattern", ["gpt2", "gpt4", None, r"\s+"])
def test_a_splitter_can_be_copied(pattern):
    splitter = Splitter(pattern)
    splitter.split("a text")
    for again in (copy.deepcopy(splitter), pickle.loads(pickle.dumps(splitter))):  # noqa: S301
        assert again == splitter
        assert again.split("a text") == splitter.split("a text")


def test_an_empty_text_has_no_pieces():
    assert [Splitter(pattern).split("") for pattern in ("gpt2", "gpt4", None, r"\s+")] == [[]] * 4


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("gtp2", "got 'gtp2', which would hardly split any text"),
        (r"\p{Lu}+", r"got '\\p\{Lu\}' in"),
        (r"\w+|\s+", r"got '\\w' in '\\w\+\|"),
        (r"\s+$", r"got '\$' in"),
        (r".+", r"got '\.' in"),
        (r"\p{N}{1,3}+|\s", r"got '\}\+' in"),
        (r"[a[bc]]", r"got '\[' in"),
        (r"[\S]", r"got '\\S' in"),
        (r"(\s+", "unterminated"),
    ],
)
def test_patterns_that_engines_would_read_differently_are_refused(pattern, said):
    with pytest.raises(ConfigError, match=said) as error:
        Splitter(pattern)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("pattern", ["gpt2", None])
def test_half_a_surrogate_pair_is_refused(pattern):
    tokenizer = BPETokenizer.train("text", 257, pattern=pattern)
    with pytest.raises(VocabularyError, match=r"a lone surrogate \(U\+D800\) at character 2"):
        tokenizer.encode("a\ud800")


def test_the_table_knows_all_letters_and_numbers_of_this_python():
    classes = character_classes()
    codes = [code for code in range(0x110000) if unicodedata.category(chr(code)) != "Cn"]
    mine = np.array([{"L": 1, "N": 2}.get(unicodedata.category(chr(code))[0], 0) for code in codes])
    theirs = np.where(classes[codes] == 3, 0, classes[codes])
    own, table = ([int(n) for n in version.split(".")] for version in (unicodedata.unidata_version, VERSION))
    if own <= table:
        assert (mine == theirs).all()
    else:
        assert (mine[theirs > 0] == theirs[theirs > 0]).all()


def test_the_tables_white_space_is_unicodes():
    spaces = np.flatnonzero(character_classes() == 3).tolist()
    assert [code for code in range(0x110000) if chr(code).isspace()] == sorted([*spaces, *range(0x1C, 0x20)])
    assert all(a < b for a, b in pairwise(spaces))
