"""The right answer to each exercise once more, with one operation a line, for the search for a mistake.

`searching` changes one place at a time (a sign, a factor, an axis, ...) and looks for the change that gives the
learner's numbers. The variable names, and the comments at the ends of lines, are the words in which the place is
described. The tests compare each program with the exercise's solution.
"""

from collections.abc import Callable
from typing import Any, Final

from backlight.lessons.exercises.steps import (
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
from backlight.lessons.exercises.steps.other_ways import OTHER_WAYS

_LESSONS = (
    lesson_1, lesson_2, lesson_3, lesson_4, lesson_5, lesson_6, lesson_7, lesson_8, lesson_9, lesson_10, lesson_11,
)  # fmt: skip

PROGRAMS: Final[dict[str, tuple[Callable[..., Any], ...]]] = {
    program.__name__: (program, *OTHER_WAYS.get(program.__name__, ()))
    for lesson in _LESSONS
    for program in lesson.PROGRAMS
}
"""By the name of the answer: the program of the lesson's file, and those that are built in another way."""

__all__ = ["PROGRAMS"]
