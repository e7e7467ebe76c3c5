"""The course as pages: a lesson that has been run, as one file of HTML that asks nobody for anything, and an index.

They need `nbconvert`, which comes with Jupyter. `make course` runs the lessons and writes the pages.
"""

from backlight.lessons.pages.page import index_page, lesson_page, made_of

__all__ = ["index_page", "lesson_page", "made_of"]
