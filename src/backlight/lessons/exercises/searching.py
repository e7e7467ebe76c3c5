"""The search for the change of the right answer that gives the learner's numbers."""

import copy
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from backlight.lessons.exercises.changes import ODD, SEEN, Change
from backlight.lessons.exercises.exercise import Exercise, Inputs
from backlight.lessons.exercises.outcomes import InvalidAnswer, Parts, Unfinished, parts_of
from backlight.lessons.exercises.programs import StepProgram, programs_of

SECONDS = 1.2
"""CPU time after which a search ends. Usual changes are tried first."""


@dataclass(frozen=True)
class ChangeFound:
    """A change that explains an answer.

    Attributes:
        change: the change.
        explained: the wrong parts that it explains, in all cases.
        whole: whether it gives all of the learner's numbers.
        way: the number of the program that is changed; 0 is the usual one.
    """

    change: Change
    explained: tuple[str, ...]
    whole: bool
    way: int = 0


def fresh_inputs(exercise: Exercise) -> Callable[[], Iterable[Inputs]]:
    """Return a function that makes the cases anew: by copying, or from the start if they hold functions."""
    cases = exercise.inputs()
    if any(callable(value) for case in cases for value in case.values()):
        return exercise.inputs
    return lambda: map(copy.deepcopy, cases)


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
    fresh = fresh_inputs(exercise)
    found: list[ChangeFound] = []
    whole = all(bool(np.all(part == np.round(part))) for parts in ours for part in parts.values())
    ends = time.process_time() + SECONDS
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for _, way, program, change in _to_try(exercise, wrong[0], right, fresh):
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
                found.append(ChangeFound(change, *one, way))
    return sorted(found, key=_preference)


def _preference(one: ChangeFound) -> tuple[bool, int, bool, int, int]:
    """Return a key: what explains the most goes first, then a usual change, then one of the usual program."""
    return not one.whole, -len(one.explained), one.change.rank > SEEN, one.way, one.change.rank


def _to_try(
    exercise: Exercise, part: str, right: Sequence[str], fresh: Callable[[], Iterable[Inputs]]
) -> list[tuple[tuple[int, int, int], int, StepProgram, Change]]:
    """Return the changes of all programs, with a key: usual ones, and those that contradict no right part, go first."""
    changes = []
    for way, program in enumerate(programs_of(exercise.answer, exercise.parts)):
        others = [program.lines(name) for name in right if not program.words.gradients]
        for change in program.changes(lambda one: exercise.use(one, next(iter(fresh()))), part):
            against = sum(change.line in lines for lines in others)
            late = change.rank + (against > 0)
            changes.append(((late, against, way), way, program, change))
    return sorted(changes, key=lambda one: one[0])


Same = Callable[[int, str, Any, Any], bool]


def _explained(
    exercise: Exercise, changed: Callable[..., Any], fresh: Callable[[], Iterable[Inputs]], ours: Sequence[Parts],
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
    exercise: Exercise, changed: Callable[..., Any], fresh: Callable[[], Iterable[Inputs]], ours: Sequence[Parts]
) -> Iterator[Parts | None]:
    for case, mine in zip(fresh(), ours, strict=False):
        try:
            yield parts_of(exercise.use(changed, case), exercise.parts, mine)
        except (InvalidAnswer, Unfinished):
            yield None
        except Exception:  # noqa: BLE001  (many changes make no sense: they explain nothing)
            yield None
