"""The exercises of the course: tasks, right answers, known wrong ones, hints, and the check that tells them apart."""

from dataclasses import replace
from typing import Any, Final

from backlight.core import RunError
from backlight.lessons.exercises import lesson_1, lesson_2, lesson_3, lesson_4, lesson_5, lesson_6, lesson_7
from backlight.lessons.exercises.checking import judge
from backlight.lessons.exercises.exercise import Case, Exercise, Mistake, find
from backlight.lessons.exercises.progress import record_try
from backlight.lessons.exercises.verdict import Verdict

EXERCISES: Final[dict[str, Exercise]] = {
    exercise.id: exercise
    for lesson in (lesson_1, lesson_2, lesson_3, lesson_4, lesson_5, lesson_6, lesson_7)
    for exercise in lesson.EXERCISES
}
"""By id, in the order of the lessons."""


def given(id: str) -> Case:  # noqa: A002  (what everybody calls it)
    """Give the inputs of an exercise by name, the same every time.

    Raises:
        ConfigError: there is no such exercise.
    """
    return find(EXERCISES, id).inputs()[0]


def check(id: str, answer: Any) -> Verdict:  # noqa: A002  (what everybody calls it)
    """Check an answer and note the try in the folder's progress file.

    Args:
        id: of the exercise, as in "5.2".
        answer: a function of the exercise's inputs, tried on several; or what it gives for `given(id)`.

    Returns: what there is to say. A notebook shows it; elsewhere, print it.

    Raises:
        ConfigError: there is no such exercise.
    """
    verdict = judge(find(EXERCISES, id), answer)
    try:
        record_try(verdict)
    except RunError as error:  # the verdict counts for more than the note of it
        return replace(verdict, lines=(*verdict.lines, f"This try was not noted: {error}"))
    return verdict


__all__ = ["EXERCISES", "Case", "Exercise", "Mistake", "Verdict", "check", "find", "given", "judge"]
