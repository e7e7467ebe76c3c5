"""Every rung of the ladder trained on one text, and the league table of them."""

from backlight.compare.run import Fallen, Listener, climb
from backlight.compare.rungs import RUNGS, plans
from backlight.compare.table import as_markdown

__all__ = ["RUNGS", "Fallen", "Listener", "as_markdown", "climb", "plans"]
