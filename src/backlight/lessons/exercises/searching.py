"""The search for the change of the right answer that gives the learner's numbers."""

import copy
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from backlight.lessons.exercises.changes import ODD, Change
from backlight.lessons.exercises.exercise import Exercise, Inputs
from backlight.lessons.exercises.outcomes import InvalidAnswer, Parts, Unfinished, parts_of
from backlight.lessons.exercises.programs import program_of

SECONDS = 1.2
"""CPU time after which a search ends. Usual changes are tried first."""


@dataclass(frozen=True)
class ChangeFound:
    """A change that explains an answer.

    Attributes:
        change: the change.
        explained: the wrong parts that it explains, in all cases.
        whole: whether it gives all of the learner's numbers.
    """

    change: Change
    explained: tuple[str, ...]
    whole: bool


def fresh_inputs(exercise: Exercise) -> Callable[[], Sequence[Inputs]]:
    """Return a function that makes the cases anew: by copying, or from the start if they hold functions."""
    cases = exercise.inputs()
    if any(callable(value) for case in cases for value in case.values()):
        return exercise.inputs
    return lambda: [copy.deepcopy(case) for case in cases]


def search(
    exercise: Exercise, ours: Sequence[Parts], wrong: Sequence[str], right: Sequence[str], same: "Same"
) -> list[ChangeFound]:
    """Return the changes that explain the first wrong part, those that explain the most first.

    A change must give the learner's numbers of that part in every case, and none that differ from the learner's where
    the learner is right.

    Args:
        exercise: the exercise.
        ours: the learner's result for each case.
        wrong: the parts that are wrong in some case, in order.
        right: the parts that are right in all cases.
        same: whether two arrays of a part agree, for the case of this number.
    """
    program = program_of(exercise.answer, exercise.parts)
    if program is None:
        return []
    fresh = fresh_inputs(exercise)
    found: list[ChangeFound] = []
    whole = all(bool(np.all(part == np.round(part))) for parts in ours for part in parts.values())
    others = [program.lines(part) for part in right if not program.words.gradients]

    def _against(change: Change) -> int:
        """Return how many parts that are right depend on a line."""
        return sum(change.line in lines for lines in others)

    ends = time.process_time() + SECONDS
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        tried = program.changes(lambda one: exercise.use(one, fresh()[0]), wrong[0])
        for change in sorted(tried, key=lambda one: (_against(one), one.rank)):
            if whole and change.rank == ODD:
                continue  # ids and counts agree by chance more easily than other numbers
            if time.process_time() > ends:
                break
            back = change.applied()
            try:
                changed = program.compiled()
            except (SyntaxError, ValueError, TypeError):
                continue
            finally:
                back()
            one = _explained(exercise, changed, fresh, ours, wrong, right, same)
            if one is not None:
                found.append(ChangeFound(change, *one))
    return sorted(found, key=lambda one: (not one.whole, -len(one.explained), one.change.rank))


Same = Callable[[int, str, Any, Any], bool]


def _explained(
    exercise: Exercise, changed: Callable[..., Any], fresh: Callable[[], Sequence[Inputs]], ours: Sequence[Parts],
    wrong: Sequence[str], right: Sequence[str], same: Same,
) -> tuple[tuple[str, ...], bool] | None:  # fmt: skip
    explained = list(wrong)
    for at, theirs in enumerate(_outcomes(exercise, changed, fresh, ours)):
        if theirs is None:
            return None
        mine = ours[at]
        explained = [part for part in explained if part not in mine or _agrees(same, at, part, mine, theirs)]
        if wrong[0] not in explained:
            return None
        if not all(_agrees(same, at, part, mine, theirs) for part in right if part in mine):
            return None
    return tuple(explained), len(explained) == len(wrong)


def _agrees(same: Same, at: int, part: str, mine: Parts, theirs: Parts) -> bool:
    return part in theirs and same(at, part, mine[part], theirs[part])


def _outcomes(
    exercise: Exercise, changed: Callable[..., Any], fresh: Callable[[], Sequence[Inputs]], ours: Sequence[Parts]
) -> Iterator[Parts | None]:
    for case, mine in zip(fresh(), ours, strict=False):
        try:
            yield parts_of(exercise.use(changed, case), exercise.parts, mine)
        except (InvalidAnswer, Unfinished):
            yield None
        except Exception:  # noqa: BLE001  (many changes make no sense: they explain nothing)
            yield None
