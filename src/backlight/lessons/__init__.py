"""The course: lessons as notebooks, with exercises that are checked automatically.

Notebooks use `check` for an answer, `given` for the inputs of an exercise, and `show` from `backlight.lessons.display`.
`LESSONS` lists the lessons. Their sources, in `sources`, are notebooks in the form of Python files, never imported.
"""

from backlight.lessons.catalogue import LESSONS, Lesson, lesson
from backlight.lessons.exercises import EXERCISES, Exercise, Verdict, check, given

__all__ = ["EXERCISES", "LESSONS", "Exercise", "Lesson", "Verdict", "check", "given", "lesson"]
