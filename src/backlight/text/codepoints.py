"""Text as Unicode code points."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from backlight.core import IntArray

CODE_POINTS = 0x110000


def code_points(text: str) -> NDArray[np.uint32]:
    """Return the code points of `text`. Shape: (characters,)."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")


def character_counts(blocks: Iterable[IntArray]) -> IntArray:
    """Return the count of each code point in (n,) blocks. Shape: (largest code point + 1,), at least (1,)."""
    counts = np.zeros(1, dtype=np.int64)
    for block in blocks:
        counted = np.bincount(block, minlength=len(counts))
        counted[: len(counts)] += counts
        counts = counted
    return counts


def characters_in(blocks: Iterable[IntArray]) -> str:
    """Return the distinct characters of (n,) blocks of code points, sorted."""
    present = np.zeros(CODE_POINTS, dtype=np.bool_)
    for block in blocks:
        present[block] = True
    return np.flatnonzero(present).astype("<u4").tobytes().decode("utf-32-le", "surrogatepass")
