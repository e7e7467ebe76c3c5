"""How the loss falls."""

import math
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes

from backlight.core import FloatArray, IntArray
from backlight.figures.ends import End, name_ends
from backlight.figures.letters import step_ticks, write_title
from backlight.figures.style import palette


@dataclass(frozen=True, kw_only=True)
class LossCurves:
    """The losses of one training.

    Attributes:
        steps: (N,) at which the minibatch losses were taken.
        losses: (N,) of single minibatches; nan where one was not finite.
        smoothed: (N,) the same, smoothed.
        dev_steps: (E,) at which the held-out part was judged.
        dev: (E,) its loss.
        know_nothing: ln V, what a model pays that knows nothing; None to leave it out.
        unit: of all of them. Nats are told in bits too.
    """

    steps: IntArray
    losses: FloatArray
    smoothed: FloatArray
    dev_steps: IntArray
    dev: FloatArray
    know_nothing: float | None = None
    unit: str = "nats per character"


def draw_loss(ax: Axes, curves: LossCurves) -> None:
    """Draw minibatch losses, faint, and over them the same smoothed, and the loss on held-out text.

    Args:
        ax: where to draw.
        curves: the losses.
    """
    colours = palette(ax)
    ends: list[End] = []
    if len(curves.steps):
        ax.plot(curves.steps, curves.losses, color=colours.blue, linewidth=0.6, alpha=0.3)
        ax.plot(curves.steps, curves.smoothed, color=colours.blue)
        last = float(curves.smoothed[-1])
        ends.append(End(f"train {last:.3f}", float(curves.steps[-1]), last, colours.blue))
    if len(curves.dev_steps):
        ax.plot(curves.dev_steps, curves.dev, color=colours.orange, marker="o", markersize=4, clip_on=False)
        last = float(curves.dev[-1])
        ends.append(End(f"dev {last:.3f}", float(curves.dev_steps[-1]), last, colours.orange))
    if curves.know_nothing is not None:
        ax.axhline(curves.know_nothing, color=colours.muted, linewidth=1, linestyle=(0, (4, 3)))
    ax.set_ylim(*_limits(curves))
    last_step = max([0.0, *(end.x for end in ends)])
    ax.set_xlim(0, max(1.0, last_step))
    if curves.know_nothing is not None:
        ax.annotate(f"knows nothing, ln V = {curves.know_nothing:.3f}", (1, curves.know_nothing), (-2, 4),
                    xycoords=ax.get_yaxis_transform(), textcoords="offset points", ha="right", size=9,
                    color=colours.muted)  # fmt: skip
    name_ends(ax, ends)
    step_ticks(ax)
    ax.set_ylabel(curves.unit)
    write_title(ax, _title(curves))


def _limits(curves: LossCurves) -> tuple[float, float]:
    """Return limits that hold nearly all: a single wild minibatch must not press the rest to the floor."""
    typical = [curves.losses[np.isfinite(curves.losses)], curves.dev[np.isfinite(curves.dev)]]
    edges = [edge for part in typical if part.size for edge in np.percentile(part, [0.2, 99.8]).tolist()]
    if curves.know_nothing is not None:
        edges.append(curves.know_nothing)
    lowest, highest = min(edges, default=0.0), max(edges, default=1.0)
    air = 0.06 * (highest - lowest) or 0.1
    return lowest - air, highest + air


def _title(curves: LossCurves) -> str:
    finite = np.flatnonzero(np.isfinite(curves.dev))
    if not finite.size:
        return "Loss of each minibatch, and smoothed"
    best = int(finite[np.argmin(curves.dev[finite])])
    at = f"{curves.dev_steps[best]:,}"
    if curves.unit != "nats per character":
        return f"Loss on held-out data: {curves.dev[best]:.4f} at step {at}"
    bits = curves.dev[best] / math.log(2)
    return f"Loss on held-out text: {curves.dev[best]:.4f} nats ({bits:.3f} bits) at step {at}"
