"""The plain pages: each step runs, and gives what the fast tokenizer gives."""

import runpy
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.text.tokenizers.ways import texts

from backlight.core import VocabularyError
from backlight.text.tokenizers import BPETokenizer, plain
from backlight.text.tokenizers.plain.basic import BasicTokenizer, merge
from backlight.text.tokenizers.plain.pieces import PiecesTokenizer
from backlight.text.tokenizers.plain.special import SpecialTokenizer

TEXT = "she sells sea shells by the sea shore; the shells she sells are sea shells, I'm sure. " * 2


def test_merging_goes_from_left_to_right():
    assert merge([7, 7, 7, 8, 7, 7], (7, 7), 9) == [9, 7, 8, 9]
    assert merge([], (1, 2), 3) == []
    assert merge([1], (1, 1), 3) == [1]


def test_encoding_makes_the_merge_first_that_was_learnt_first():
    slow = BasicTokenizer()
    slow.add((98, 99), 256)  # b c
    slow.add((97, 98), 257)  # a b
    assert slow.encode("abc") == [97, 256]
    assert slow.encode("abab") == [257, 257]


@cache
def both(pattern):
    slow = BasicTokenizer() if pattern is None else PiecesTokenizer(pattern)
    slow.train(TEXT, 280)
    return slow, BPETokenizer.train(TEXT, 280, pattern=pattern)


@pytest.mark.parametrize("pattern", [None, "gpt2", "gpt4"])
@given(text=st.one_of(texts, st.text(st.sampled_from("she al"), max_size=40)))
def test_plain_pages_encode_as_the_fast_tokenizer_does(pattern, text):
    slow, fast = both(pattern)
    assert slow.tokens == list(fast.table.tokens)
    assert slow.encode(text) == fast.encode(text).tolist()
    assert slow.decode(slow.encode(text)) == text


def test_special_tokens_are_refused_unless_they_are_allowed():
    slow = SpecialTokenizer("gpt2")
    slow.train(TEXT, 280)
    end = slow.add_special("<|end|>")
    longer = slow.add_special("<|end|>|>")
    fast = BPETokenizer.train(TEXT, 282, special_tokens=["<|end|>", "<|end|>|>"])
    assert (end, longer) == (280, 281)
    text = "sea<|end|>shells<|end|>|>"
    with pytest.raises(VocabularyError, match=r"got '<\|end\|>'"):
        slow.encode(text)
    both = frozenset({"<|end|>", "<|end|>|>"})
    ids = slow.encode(text, allowed_special=both)
    assert ids == fast.encode(text, allowed_special=both).tolist()
    assert ids.count(end) == ids.count(longer) == 1
    assert slow.decode(ids) == text


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("basic", "256: b' ' + b's' = b' s'"),
        ("pieces", "gpt4 cuts"),
        ("special", "must be allowed; got '<|endoftext|>'"),
    ],
)
def test_each_step_runs_by_itself(step, said, capsys):
    runpy.run_path(str(Path(plain.__file__).with_name(f"{step}.py")), run_name="__main__")
    assert said in capsys.readouterr().out
