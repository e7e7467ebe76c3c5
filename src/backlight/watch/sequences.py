"""What ids in sequences (B, T) show: where they are filled up, and which of them the targets are."""

from typing import Final

import numpy as np

from backlight.core import NOT_A_TARGET, Array, BoolArray, IntArray

SHIFTS: Final = 3
"""Targets are compared with the ids read at the same place and up to so many places less one later."""

_FILLED: Final = 0.25
"""Share of the rows that must be filled up."""


def shifts_of(ids: Array, targets: IntArray) -> tuple[float, ...]:
    """Return for k = 0, 1, ... which share of the targets that count are the ids read k places later.

    Args:
        ids: (B, T) that were read.
        targets: (B, T), with `NOT_A_TARGET`.
    """
    length = ids.shape[1]
    found = []
    for k in range(min(SHIFTS, length)):
        given, read = targets[:, : length - k], ids[:, k:]
        counts = given != NOT_A_TARGET
        found.append(float((given == read)[counts].mean()) if counts.any() else 0.0)
    return tuple(found)


def padding_of(ids: Array) -> BoolArray | None:
    """Return where sequences (B, T) of ids are filled up, or None if they are not.

    They are if one id stands at the end of many rows, or at the beginning, and nowhere else.
    """
    if ids.ndim != 2 or ids.shape[1] < 2 or len(ids) < 2 or ids.dtype.kind not in "iu":
        return None
    for flip in (slice(None, None, -1), slice(None)):
        rows = ids[:, flip]
        known, counts = np.unique(rows[:, 0], return_counts=True)
        fill = known[counts.argmax()]
        is_fill = rows == fill
        run = np.logical_and.accumulate(is_fill, axis=1)
        filled = run[:, 1]  # one alone may be an id as others
        if np.array_equal(run, is_fill) and filled.mean() >= _FILLED and not run.all():
            return run[:, flip]
    return None


def most_common(ids: Array) -> tuple[int | None, float | None]:
    """Return the most frequent id of (B, T) and its share, not counting padding.

    Returns (None, None) for what is not (B, T) ids, or is padding only.
    """
    if ids.ndim != 2 or ids.dtype.kind not in "iu":
        return None, None
    padding = padding_of(ids)
    counted = ids.ravel() if padding is None else ids[~padding]
    if not counted.size:
        return None, None
    known, counts = np.unique(counted, return_counts=True)
    return int(known[counts.argmax()]), float(counts.max() / counts.sum())


def padded_share(ids: Array, targets: IntArray) -> float | None:
    """Return which share of the targets that count stands where the sequence is filled up; None if it is not.

    What is asked for there must be one and the same, as it is where targets are filled up too.
    """
    padding = padding_of(ids)
    if padding is None:
        return None
    counts = targets != NOT_A_TARGET
    asked = targets[padding & counts]
    if not len(asked):
        return 0.0
    usual = np.bincount(asked).max() / len(asked)
    return float(len(asked) / counts.sum()) if usual >= 1 - len(ids) / padding.sum() else None
