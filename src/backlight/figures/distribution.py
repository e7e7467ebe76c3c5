"""What a model expects next."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from matplotlib.axes import Axes

from backlight.core import FloatArray, ShapeError
from backlight.figures.letters import PERCENT, legible, letter_ticks, quoted, write_title
from backlight.figures.style import palette

_MOST: Final = 40
"""Characters that are shown; the others share a bar."""


def draw_next_characters(
    ax: Axes, probabilities: FloatArray, labels: Sequence[str], *, after: str, truth: int | None = None
) -> None:
    """Draw the probability of each next character, the likeliest first.

    Args:
        ax: where to draw.
        probabilities: (V,), which sum to 1.
        labels: V visible characters.
        after: the text so far.
        truth: the id of the character that did come next, to be marked.

    Raises:
        ShapeError: not one probability for each label.
    """
    if probabilities.shape != (len(labels),):
        raise ShapeError(f"{len(labels)} labels need as many probabilities; got shape {probabilities.shape}.")
    colours = palette(ax)
    order = np.argsort(-probabilities, kind="stable")
    shown = order if len(order) <= _MOST else order[: _MOST - 1]
    heights = probabilities[shown].tolist()
    names = [labels[token] for token in shown]
    if len(shown) < len(order):
        heights.append(1 - sum(heights))
        names.append("…")
    bars = ax.bar(range(len(names)), heights, width=0.8, color=colours.blue)
    if len(shown) < len(order):
        bars[-1].set_color(colours.muted)
        ax.set_xlabel(f"… are the {len(order) - len(shown):,} others together")
    came = "" if truth is None else f": “{legible(labels[truth])}” came, at {probabilities[truth]:.1%}"
    if truth is not None and truth in shown:
        bars[int(np.flatnonzero(shown == truth)[0])].set_color(colours.orange)
    letter_ticks(ax.xaxis, names)
    ax.set_xlim(-0.6, len(names) - 0.4)
    ax.set_ylim(0, 1.1 * max(heights))
    ax.yaxis.set_major_formatter(PERCENT)
    ax.set_ylabel("probability")
    start = f"after {quoted(after)}" if after else "at the start"
    write_title(ax, f"What comes {start}{came}")
