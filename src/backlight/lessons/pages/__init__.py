"""The course as pages: an executed lesson as one self-contained HTML file, and an index.

`backlight lessons read` makes the page of one lesson, `make course` those of all lessons.
"""
