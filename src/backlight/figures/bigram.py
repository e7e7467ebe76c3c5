"""The bigram matrix: how often each character follows each other one."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm

from backlight.core import IntArray, ShapeError

_LEGIBLE = 40
"""Up to this many characters the cells are large enough to be written in."""


def draw_bigram_counts(ax: Axes, counts: IntArray, labels: Sequence[str]) -> None:
    """Draw a matrix of counts, darker for more, with the pair and its count in each cell that is not empty.

    Args:
        ax: where to draw.
        counts: (V, V); row: the first character, column: the one that follows. Row and column 0 are the boundary.
        labels: V visible characters.

    Raises:
        ShapeError: counts that are not square, or not as many labels as rows.
    """
    size = len(labels)
    if counts.shape != (size, size):
        raise ShapeError(f"{size} labels need counts of shape ({size}, {size}); got {counts.shape}.")
    # a few pairs are a hundred times as frequent as most; a root keeps the rare ones visible
    norm = PowerNorm(0.5, vmin=0, vmax=max(1, int(counts.max())))
    ax.imshow(counts, cmap="Blues", norm=norm)
    if size <= _LEGIBLE:
        for first, second in np.argwhere(counts):
            count = int(counts[first, second])
            ink = "white" if norm(count) > 0.55 else "#1b2a41"
            ax.text(second, first - 0.2, labels[first] + labels[second], ha="center", va="center", color=ink, size=7)
            ax.text(second, first + 0.22, _short(count), ha="center", va="center", color=ink, size=6)
    ax.set_xticks(range(size), labels)
    ax.set_yticks(range(size), labels)
    ax.xaxis.tick_top()
    ax.xaxis.set_label_position("top")
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set_xlabel("the next character")
    ax.set_ylabel("a character")
    ax.set_title(
        f"How often one character follows another ({counts.sum():,} pairs; {labels[0]} is an item's edge)", pad=8
    )


def _short(count: int) -> str:
    """Return a count in at most four characters."""
    return str(count) if count < 10_000 else f"{count / 1000:.0f}k"
