"""The exercises of the course: tasks, right answers, known mistakes, hints, and the check of an answer."""

from dataclasses import replace
from typing import Any, Final

from backlight.core import ConfigError, RunError
from backlight.lessons.exercises import (
    lesson_1,
    lesson_2,
    lesson_3,
    lesson_4,
    lesson_5,
    lesson_6,
    lesson_7,
    lesson_8,
    lesson_9,
    lesson_10,
    lesson_11,
)
from backlight.lessons.exercises.exercise import Exercise, Inputs, Mistake, find
from backlight.lessons.exercises.grading import grade
from backlight.lessons.exercises.progress import record_try
from backlight.lessons.exercises.verdict import Verdict

_LESSONS = {
    1: lesson_1,
    2: lesson_2,
    3: lesson_3,
    4: lesson_4,
    5: lesson_5,
    6: lesson_6,
    7: lesson_7,
    8: lesson_8,
    9: lesson_9,
    10: lesson_10,
    11: lesson_11,
}

EXERCISES: Final[dict[str, Exercise]] = {
    f"{number}.{place}": replace(exercise, id=f"{number}.{place}")
    for number, lesson in _LESSONS.items()
    for place, exercise in enumerate(lesson.EXERCISES, 1)
}
"""By id, in the order of the lessons."""


def given(id: str, case: int = 1) -> Inputs:  # noqa: A002  (what everybody calls it)
    """Return the inputs of an exercise by name, the same every time.

    Args:
        id: the exercise, such as "5.2".
        case: which of the inputs on which a function is tested, from 1; a verdict names the one that it shows.

    Raises:
        ConfigError: there is no such exercise, or no such case.
    """
    cases = find(EXERCISES, id).inputs()
    if not 1 <= case <= len(cases):
        raise ConfigError(f"a case of exercise {id} must be from 1 to {len(cases)}; got {case}")
    return cases[case - 1]


def check(id: str, answer: Any) -> Verdict:  # noqa: A002  (what everybody calls it)
    """Check an answer and record the attempt in the working folder's progress file.

    Args:
        id: the exercise, such as "5.2".
        answer: a function of the exercise's inputs, which is tested on several; or its result for `given(id)`.

    Returns: the verdict. A notebook displays it; elsewhere, print it.

    Raises:
        ConfigError: there is no such exercise.
    """
    verdict = grade(find(EXERCISES, id), answer)
    try:
        record_try(verdict)
    except RunError as error:  # a verdict that is not recorded is still shown
        return replace(verdict, lines=(*verdict.lines, f"This attempt was not recorded: {error}"))
    return verdict


__all__ = ["EXERCISES", "Exercise", "Inputs", "Mistake", "Verdict", "check", "find", "given", "grade"]
