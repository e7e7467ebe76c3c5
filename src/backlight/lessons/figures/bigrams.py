"""The figures of lesson 2."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from backlight.core import FloatArray
from backlight.figures import figure, palette


@figure()
def smoothing_losses(ax: Axes, ks: Sequence[float], curves: Mapping[tuple[int, str], Sequence[float]]) -> None:
    """Draw the loss over k, as a solid line for (order, "dev") and as a dotted line for (order, "train").

    Args:
        ax: the axes to draw on.
        ks: the values of k.
        curves: the loss for each k, by order and part ("train" or "dev").
    """
    colours = palette(ax)
    order_colours = dict(zip(sorted({order for order, _ in curves}), (colours.blue, colours.orange, colours.green),
                             strict=True))  # fmt: skip
    for (order, part), losses in curves.items():
        style = "-" if part == "dev" else ":"
        ax.plot(ks, losses, color=order_colours[order], linestyle=style, label=f"{order}-gram, {part}")
    ax.set_xscale("log")
    ax.set_xlabel("k, added to every count")
    ax.set_ylabel("nats per character")
    ax.legend(ncols=3)


@figure(size=(8, 2))
def one_hot_rows(ax: Axes, rows: FloatArray, text: Sequence[str], labels: Sequence[str]) -> None:
    """Draw one-hot vectors (N, V), one row for each of N characters.

    Args:
        ax: the axes to draw on.
        rows: (N, V).
        text: the N characters.
        labels: the V characters of the vocabulary.
    """
    ax.imshow(rows, cmap=palette(ax).amounts, aspect="auto")
    ax.set_yticks(range(len(text)), list(text))
    ax.set_xticks(range(len(labels)), list(labels))
    ax.hlines(np.arange(1, len(text)) - 0.5, -0.5, len(labels) - 0.5, color=palette(ax).grid)
    ax.set_title(f"{len(text)} characters, one-hot")


@figure(size=(7, 6.6))
def picked_row(ax: Axes, W: FloatArray, row: int, labels: Sequence[str]) -> None:
    """Draw how a one-hot vector selects a row of W (V, V): each number is next to the row that it multiplies.

    Args:
        ax: the axes to draw on.
        W: (V, V).
        row: the id whose one-hot vector is multiplied.
        labels: the V characters.
    """
    colours = palette(ax)
    V = len(W)
    lit = np.arange(V) == row
    faded = np.broadcast_to(np.where(lit, 1.0, 0.18)[:, None], W.shape)
    look: dict[str, Any] = {"cmap": colours.signed, "vmin": -3, "vmax": 3}
    ax.imshow(W, alpha=faded, **look)
    ax.imshow(W[row][None], extent=(-0.5, V - 0.5, V + 2, V + 1), **look)
    ax.imshow(lit[:, None], cmap=colours.amounts, extent=(-3, -2, V - 0.5, -0.5))
    for i, label in enumerate(labels):
        weight, ink = ("bold", colours.paper) if lit[i] else ("normal", colours.muted)
        ax.text(-3.9, i, label, ha="center", va="center", size=9, weight=weight)
        ax.text(-2.5, i, str(int(lit[i])), ha="center", va="center", size=8, color=ink)
        ax.text(i, -1.1, label, ha="center", va="center", size=9)
    arrow = {"arrowstyle": "->", "color": colours.ink}
    ax.annotate("", (V / 2, V + 0.9), (V / 2, row + 0.6), arrowprops=arrow)
    ax.text(-0.8, V + 1.5, "one-hot @ W", ha="right", va="center", size=9)
    ax.set_xlim(-6.4, V - 0.4)
    ax.set_ylim(V + 2.2, -1.8)
    ax.set_aspect("equal")
    ax.set_axis_off()
    ax.set_title("One-hot times W selects a row")
