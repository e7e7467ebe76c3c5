"""Tokens as people can read them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backlight.text.tokenizers import shown


@pytest.mark.parametrize(
    ("token", "label"),
    [
        (b" the", "␣the"),
        (b"\n\t", "↵⇥"),
        ("é中😀".encode(), "é中😀"),
        (b"\xe4\xb8", "\\xe4\\xb8"),
        (b"\xade", "\\xade"),
        (b"\x1b[31m\x07\x00", "\\x1b[31m\\x07\\x00"),
        ("\u200b\u202e".encode(), "\\u200b\\u202e"),
        ("\u0301e\u0301".encode(), "\\u0301e\u0301"),
        (b"\\x1b", "\\\\x1b"),
        ("␣".encode(), "\\u2423"),
        ("\u00a0\U000e0001".encode(), "\\xa0\\U000e0001"),
        (b"", ""),
    ],
)
def test_what_cannot_be_seen_is_shown(token, label):
    assert shown(token) == label


@given(st.binary(max_size=8), st.binary(max_size=8))
def test_different_bytes_look_different_unless_one_is_half_a_character(one, other):
    assert shown(one).isprintable()
    if one != other and one.isascii() and other.isascii():
        assert shown(one) != shown(other)
