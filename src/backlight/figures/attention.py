"""Which earlier character each position reads, head by head."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm

from backlight.core import FloatArray, ShapeError
from backlight.figures.letters import letter_ticks, write_title
from backlight.figures.style import palette


def draw_attention(axes: Sequence[Axes], weights: FloatArray, labels: Sequence[str], *, name: str = "") -> None:
    """Draw for each head how much of each position's value every position takes; each row sums to 1.

    Args:
        axes: one for each head.
        weights: (H, T, T); row: who reads, column: what is read. Later positions cannot be read and stay
            empty; if one is, it shows.
        labels: T visible characters, the text.
        name: of the layer, for the titles.

    Raises:
        ShapeError: not one axes for each head, or not one label for each position.
    """
    T = len(labels)
    if weights.shape != (len(axes), T, T):
        raise ShapeError(f"{len(axes)} axes and {T} labels need weights ({len(axes)}, {T}, {T}); got {weights.shape}.")
    later = np.triu(np.ones((T, T), np.bool_), 1)
    for head, ax in enumerate(axes):
        shown = np.where(later & (weights[head] == 0), np.nan, weights[head])
        norm = PowerNorm(0.5, vmin=0, vmax=1)
        ax.imshow(shown, cmap=palette(ax).amounts, norm=norm, interpolation="nearest")
        letter_ticks(ax.xaxis, labels)
        letter_ticks(ax.yaxis, labels)
        ax.spines[["top", "right"]].set_visible(False)
        ax.plot([-0.5, *np.repeat(np.arange(0.5, T), 2)], [-0.5, *np.repeat(np.arange(-0.5, T - 1), 2)[1:], T - 0.5],
                color=palette(ax).muted, linewidth=0.6)  # fmt: skip
        write_title(ax, f"{name}, head {head + 1}" if name else f"Head {head + 1}", size=10, pad=4)
        ax.label_outer()
