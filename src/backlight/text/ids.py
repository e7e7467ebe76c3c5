"""Checks of ids that a vocabulary is to decode."""

from collections.abc import Iterable

import numpy as np

from backlight.core import IntArray, VocabularyError


def checked_ids(ids: Iterable[int] | IntArray, size: int) -> IntArray:
    """Return ids as an array, (N,).

    Raises:
        VocabularyError: ids are not whole numbers, or not in 0..size-1.
    """
    given = np.asarray(ids if isinstance(ids, np.ndarray) else list(ids))
    if not given.size:
        return np.zeros(0, np.int64)
    if given.dtype.kind not in "iu":
        raise VocabularyError(f"ids must be whole numbers; got {given.dtype}. Convert them with .astype(int).")
    check_range(given, size)
    return given


def check_range(ids: IntArray, size: int) -> None:
    """Raise VocabularyError for ids of any shape, at least one, that are not all in 0..size-1."""
    if ids.min() < 0 or ids.max() >= size:
        wrong = ids.min() if ids.min() < 0 else ids.max()
        raise VocabularyError(f"ids must be in 0..{size - 1}; got {wrong}. Do the ids come from another vocabulary?")
