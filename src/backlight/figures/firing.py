"""How often each input of a one-hot encoding is 1."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from backlight.core import FloatArray, ShapeError
from backlight.figures.letters import PERCENT, legible, letter_ticks, write_title
from backlight.figures.style import palette


def draw_firing_rates(ax: Axes, rates: FloatArray, labels: Sequence[str]) -> None:
    """Draw a bar for each character: in what share of the examples its unit of the one-hot input is 1.

    Only the row of weights whose unit fires gets a gradient, so a rare character learns slowly.

    Args:
        ax: where to draw.
        rates: (V,), shares that sum to 1.
        labels: V visible characters.

    Raises:
        ShapeError: not one rate for each label.
    """
    if rates.shape != (len(labels),):
        raise ShapeError(f"{len(labels)} labels need as many rates; got an array of shape {rates.shape}.")
    colours = palette(ax)
    ax.bar(range(len(labels)), rates, width=0.8, color=colours.blue)
    letter_ticks(ax.xaxis, labels)
    ax.set_xlim(-0.6, len(labels) - 0.4)
    even = 1 / len(labels)
    ax.axhline(even, color=colours.orange, linewidth=1.2, linestyle=(0, (4, 3)))
    ax.set_ylim(0, 1.12 * max(float(rates.max()), even))
    ax.annotate(f"1/V = {even:.2g}", (1, even), (6, 0), xycoords=ax.get_yaxis_transform(),
                textcoords="offset points", va="center", color=colours.orange, size=9)  # fmt: skip
    ax.yaxis.set_major_formatter(PERCENT)
    ax.set_ylabel("share of examples")
    rarest = int(np.argmin(rates))
    shares = float(rates[rarest])
    often = f"once in {1 / shares:,.0f} times" if shares > 0 else "never"
    write_title(ax, f"How often each one-hot input fires: “{legible(labels[rarest])}” {often}")
