"""The two ways in which a tokenizer works: compiled, and in Python."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import pytest
from hypothesis import strategies as st

from backlight.text.tokenizers import native

needs_kernels = pytest.mark.skipif(not native.available(), reason="the kernels were not built: there was no C compiler")

SOME = "ab 1'sS\u017f.\n\r\t\u00a0\u2003é\u0301中\u0661½😀\x00"
"""Characters that the splitting patterns treat differently, and of one to four bytes."""

texts = st.one_of(
    st.text(st.sampled_from("ab"), max_size=40),
    st.text(st.sampled_from(SOME), max_size=30),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
)


@contextmanager
def in_python() -> Iterator[None]:
    """Do without the kernels."""
    with mock.patch.object(native, "available", return_value=False):
        yield
