"""The files that a browser gets."""

from importlib import resources


def asset(name: str) -> str:
    """Return the text of "stepping.js" or "stepping.css"."""
    return resources.files("backlight.lessons.stepping").joinpath(name).read_text(encoding="utf-8")
