"""Every rung of the ladder trained on one text, and the league table of them."""

from backlight.ladder.climbing import Fallen, Listener, climb
from backlight.ladder.rungs import RUNGS, plans
from backlight.ladder.table import as_markdown

__all__ = ["RUNGS", "Fallen", "Listener", "as_markdown", "climb", "plans"]
