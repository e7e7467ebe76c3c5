"""From a run to the plain data of its pictures: everything is computed here, and nothing drawn."""

from backlight.figures.data.source import NoPictureError, Source

__all__ = ["NoPictureError", "Source"]
