"""Pictures: each takes axes and data and draws; nothing here computes, saves or keeps state."""

from backlight.figures.bigram import draw_bigram_counts
from backlight.figures.league import draw_league
from backlight.figures.saving import FORMATS, new_figure, rendered, save_figure
from backlight.figures.style import DARK_STYLE, STYLE, Palette, palette

__all__ = [
    "DARK_STYLE",
    "FORMATS",
    "STYLE",
    "Palette",
    "draw_bigram_counts",
    "draw_league",
    "new_figure",
    "palette",
    "rendered",
    "save_figure",
]
