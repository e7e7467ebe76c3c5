"""The course as pages: a lesson that has been run, as one file of HTML that loads nothing, and an index.

`backlight lessons read` makes the page of one lesson, `make course` those of all.
"""

from backlight.lessons.pages.page import INDEX, course_links, index_page, lesson_page, made_of, page_name, write_page
from backlight.lessons.pages.running import run_cells, run_lesson

__all__ = [
    "INDEX",
    "course_links",
    "index_page",
    "lesson_page",
    "made_of",
    "page_name",
    "run_cells",
    "run_lesson",
    "write_page",
]
