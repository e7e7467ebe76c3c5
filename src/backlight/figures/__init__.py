"""Pictures: each takes axes and data and draws; nothing here computes, saves or keeps state."""

from backlight.figures.bigram import draw_bigram_counts
from backlight.figures.style import STYLE

__all__ = ["STYLE", "draw_bigram_counts"]
