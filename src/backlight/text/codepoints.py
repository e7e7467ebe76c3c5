"""Text as numbers: a character is a Unicode code point."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from backlight.core import IntArray

BLOCK = 1 << 20
"""How many characters are taken at a time, so that the 4 bytes a character never exist for the whole text."""

CODE_POINTS = 0x110000


def code_points(text: str) -> NDArray[np.uint32]:
    """Return the code points of `text`. Shape: (characters,)."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")


def blocks(text: str) -> Iterator[NDArray[np.uint32]]:
    """Yield the code points of `text`, a block at a time."""
    for start in range(0, len(text), BLOCK):
        yield code_points(text[start : start + BLOCK])


def character_counts(text: str) -> IntArray:
    """Return how often each code point occurs. Shape: (largest code point + 1,), at least (1,)."""
    counts = np.zeros(1, dtype=np.int64)
    for block in blocks(text):
        counted = np.bincount(block, minlength=len(counts))
        counted[: len(counts)] += counts
        counts = counted
    return counts


def characters_in(text: str) -> str:
    """Return the distinct characters of `text`, sorted by code point."""
    present = np.zeros(CODE_POINTS, dtype=np.bool_)
    for block in blocks(text):
        present[block] = True
    return np.flatnonzero(present).astype("<u4").tobytes().decode("utf-32-le", "surrogatepass")
