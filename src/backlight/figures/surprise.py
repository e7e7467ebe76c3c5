"""Where in a line of text a model is surprised."""

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from matplotlib.axes import Axes

from backlight.core import FloatArray, ShapeError
from backlight.figures.letters import legible, write_title
from backlight.figures.style import palette

WIDTH: Final = 48
"""Characters in a row; a longer text goes on below."""


def draw_surprise(ax: Axes, labels: Sequence[str], nats: FloatArray, *, know_nothing: float | None = None) -> None:
    """Draw a bar over each character of a text: the nats that it cost, given all before it.

    Args:
        ax: where to draw.
        labels: N visible characters.
        nats: (N,) -log p of each; inf for what the model holds to be impossible.
        know_nothing: ln V, what each would cost a model that knows nothing; None to leave the line out.

    Raises:
        ShapeError: not one number for each character, or none.
    """
    if nats.shape != (len(labels),) or not len(labels):
        raise ShapeError(f"{len(labels)} characters need as many numbers, at least one; got shape {nats.shape}.")
    colours = palette(ax)
    finite = nats[np.isfinite(nats)]
    top = max(float(finite.max(initial=0)), know_nothing or 0, 1.0) * 1.1
    rows = math.ceil(len(labels) / WIDTH)
    pitch = 1.55 * top if rows > 1 else 1.0 * top
    width = min(WIDTH, len(labels))
    place = np.arange(len(labels))
    x, floor = place % WIDTH, -(place // WIDTH) * pitch
    limit = know_nothing if know_nothing is not None else math.inf
    inks = [colours.alarm if nat > limit else colours.blue for nat in nats]
    ax.bar(x, np.where(np.isfinite(nats), nats, top), bottom=floor, width=0.72, color=inks)
    for row in range(rows):
        base = -row * pitch
        last = min(WIDTH, len(labels) - row * WIDTH) - 0.5
        ax.hlines(base, -0.5, last, color=colours.muted, linewidth=0.8)
        if know_nothing is not None:
            ax.hlines(base + know_nothing, -0.5, last, color=colours.muted, linewidth=1, linestyle=(0, (4, 3)))
    size = float(np.clip(420 / max(width, 1), 6, 16))
    for label, across, up in zip(labels, x.tolist(), floor.tolist(), strict=True):
        shown = legible(label)
        one = len(shown) == 1
        ax.annotate(shown, (across, up), (0, -4), textcoords="offset points", ha="center", va="top", parse_math=False,
                    size=size if one else max(4, 0.55 * size), rotation=0 if one else 90)  # fmt: skip
    _name_axes(ax, rows=rows, pitch=pitch, top=top, know_nothing=know_nothing)
    ax.set_xlim(-0.7, width - 0.3)
    worst = int(np.argmax(nats))
    write_title(ax, f"{nats.mean():.2f} nats per character; most, {nats[worst]:.1f}, for “{legible(labels[worst])}”")


def _name_axes(ax: Axes, *, rows: int, pitch: float, top: float, know_nothing: float | None) -> None:
    marks = np.arange(0, top, 1 if top < 8 else 2 * math.ceil(top / 16))
    ax.set_yticks(
        [mark - row * pitch for row in range(rows) for mark in marks], [f"{mark:.0f}" for mark in marks] * rows
    )
    ax.set_ylim(-(rows - 1) * pitch, top)
    ax.set_ylabel("nats")
    ax.set_xticks([])
    ax.spines[["left", "bottom"]].set_visible(False)
    ax.tick_params(axis="y", length=0)
    if know_nothing is not None:
        ax.annotate("ln V", (1, know_nothing), (4, 0), xycoords=ax.get_yaxis_transform(), textcoords="offset points",
                    va="center", size=9, color=palette(ax).muted)  # fmt: skip
