"""The course as pages: a lesson that has been run, as one file of HTML that loads nothing, and an index.

`backlight lessons read` makes the page of one lesson, `make course` those of all.
"""
