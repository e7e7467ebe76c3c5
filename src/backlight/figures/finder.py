"""The sweep of learning rates: from too small to learn to too large to hold."""

import numpy as np
from matplotlib.axes import Axes

from backlight.core import FloatArray
from backlight.figures.letters import write_title
from backlight.figures.style import palette


def draw_rate_sweep(
    ax: Axes, rates: FloatArray, losses: FloatArray, smoothed: FloatArray, suggestion: float | None
) -> None:
    """Draw the loss against a learning rate that grew with each step, and mark the rate to take.

    Args:
        ax: where to draw.
        rates: (N,) the rate of each step, all above 0.
        losses: (N,) nats per character of each minibatch; nan or inf once it diverged.
        smoothed: (N,) the same, smoothed.
        suggestion: the rate to take; None if no rate made the loss fall.
    """
    colours = palette(ax)
    ax.set_xscale("log")
    ax.plot(rates, losses, color=colours.blue, linewidth=0.6, alpha=0.35)
    ax.plot(rates, smoothed, color=colours.blue)
    shown = smoothed[np.isfinite(smoothed)]
    lowest, first = (float(shown.min()), float(shown[0])) if shown.size else (0.0, 1.0)
    fall = max(first - lowest, 0.05 * abs(first), 1e-6)
    ax.set_ylim(lowest - 0.25 * fall, first + 0.75 * fall)  # how far up it goes once it diverges tells nothing
    ax.set_xlim(rates.min(), rates.max()) if rates.min() < rates.max() else ax.set_xlim(rates[0] / 3, rates[0] * 3)
    ax.set_xlabel("learning rate")
    ax.set_ylabel("nats per character")
    if suggestion is None:
        write_title(ax, "No learning rate made the loss fall")
        return
    ax.axvline(suggestion, color=colours.orange, linewidth=1.4, linestyle=(0, (4, 3)))
    middle = np.sqrt(rates.min() * rates.max())
    left = suggestion > middle
    ax.annotate(f"take {suggestion:.2g}", (suggestion, 1), (-6 if left else 6, -4), xycoords=ax.get_xaxis_transform(),
                textcoords="offset points", ha="right" if left else "left", va="top", color=colours.orange,
                weight="bold")  # fmt: skip
    write_title(ax, f"Loss while the learning rate grows: most of its fall is made by {suggestion:.2g}")
