"""The course: lessons that run, with exercises that check themselves.

What a notebook needs: `check` an answer, `given` its inputs, and from `backlight.lessons.display` `show`. `LESSONS`
lists the lessons. Their sources, in `sources`, are notebooks in the form of Python files; they are never imported.
"""

from backlight.lessons.catalogue import LESSONS, Lesson, lesson
from backlight.lessons.exercises import EXERCISES, Exercise, Verdict, check, given

__all__ = ["EXERCISES", "LESSONS", "Exercise", "Lesson", "Verdict", "check", "given", "lesson"]
