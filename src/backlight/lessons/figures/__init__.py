"""Figures of the course, one file per lesson."""

from backlight import figures  # noqa: F401  (imports matplotlib without the user's settings)
