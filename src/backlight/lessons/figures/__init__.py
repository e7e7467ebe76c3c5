"""The figures that only the course has, a file a lesson."""

from backlight import figures  # noqa: F401  (imports matplotlib, whatever its user has set up)
