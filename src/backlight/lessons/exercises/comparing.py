"""Where a result differs from the reference: which parts, in which cases, and the place furthest beyond its bound."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from backlight.core import Array
from backlight.lessons.exercises.exercise import Exercise
from backlight.lessons.exercises.outcomes import Parts
from backlight.lessons.exercises.tolerance import allowed, float32_rounding


@dataclass(frozen=True)
class Mismatch:
    """A part of a result that differs from the reference.

    Attributes:
        part: the name of the part.
        case: the number of the case, from 0.
        ours: the learner's array.
        reference: the right array.
        at: the index of the number that is furthest beyond its bound; None if the shapes differ.
    """

    part: str
    case: int
    ours: Array
    reference: Array
    at: tuple[int, ...] | None


class Comparing:
    """A learner's results for all cases, compared with the reference.

    Args:
        exercise: the exercise.
        ours: the learner's parts for each case.
        reference: the right parts for each case.
    """

    def __init__(self, exercise: Exercise, ours: Sequence[Parts], reference: Sequence[Parts]) -> None:
        self.exercise, self.ours, self.reference = exercise, ours, reference

    @cached_property
    def rounding(self) -> list[Parts]:
        """How much float32 may differ, for each case; computed only if an answer is not right to float64's rounding."""
        return float32_rounding(self.exercise, self.reference)

    @cached_property
    def mismatches(self) -> list[Mismatch]:
        """The parts that are wrong, in the order of the parts, in the first case that shows each."""
        names = list(dict.fromkeys(name for parts in self.reference for name in parts))
        found = [(name, at, self._place(at, name)) for name in names for at in range(len(self.ours))]
        return [
            Mismatch(name, at, self.ours[at][name], self.reference[at][name], None if where == "shape" else where)
            for name, at, where in found if where is not None
        ]  # fmt: skip

    @property
    def wrong_cases(self) -> list[bool]:
        """For each case, whether a part is wrong in it."""
        return [any(self._place(at, name) is not None for name in self.reference[at]) for at in range(len(self.ours))]

    @property
    def wrong(self) -> list[str]:
        """The names of the wrong parts."""
        return list(dict.fromkeys(one.part for one in self.mismatches))

    @property
    def right(self) -> list[str]:
        """The names of the parts that are right in all cases."""
        there = dict.fromkeys(name for parts in self.ours for name in parts)
        return [name for name in there if name not in self.wrong]

    def same(self, at: int, part: str, one: Array, other: Array) -> bool:
        """Return whether two arrays of a part of a case are equal up to rounding, with nan at the same positions."""
        if one.shape != other.shape:
            return False
        rounding = self.rounding[at].get(part, np.zeros(()))
        floor = rounding if rounding.shape == one.shape else np.max(rounding, initial=0)
        return bool(np.all(_close(one, other, self._bound(other, floor))))

    def _bound(self, reference: Array, rounding: Array | float) -> Array:
        return allowed(reference, rounding, rtol=self.exercise.rtol, atol=self.exercise.atol)

    def _place(self, at: int, part: str) -> tuple[int, ...] | Literal["shape"] | None:
        """Return where a part is wrong: an index, "shape" if it is the shape, None if nowhere."""
        if part not in self.ours[at] or part not in self.reference[at]:
            return None
        mine, right = self.ours[at][part], self.reference[at][part]
        if mine.shape != right.shape:
            return "shape"
        if _close(mine, right, self._bound(right, 0.0)).all():
            return None
        bound = self._bound(right, self.rounding[at][part])
        if _close(mine, right, bound).all():
            return None
        with np.errstate(all="ignore"):
            beyond = np.where(_close(mine, right, bound), 0.0, np.nan_to_num(np.abs(mine - right) / bound, nan=np.inf))
        return tuple(map(int, np.unravel_index(int(np.argmax(beyond)), beyond.shape)))


def _close(one: Array, other: Array, bound: Array) -> Array:
    same = (one == other) | ((one != one) & (other != other))  # noqa: PLR0124  (only nan differs from itself)
    with np.errstate(invalid="ignore"):
        close: Array = same | (np.isfinite(other) & (np.abs(one - other) <= bound))
    return close


def digits_apart(one: float, other: float) -> tuple[str, str]:
    """Return two different numbers with so many digits that the difference can be seen, at least 6."""
    for digits in range(6, 18):
        pair = f"{one:.{digits}g}", f"{other:.{digits}g}"
        if pair[0] != pair[1]:
            break
    return pair
