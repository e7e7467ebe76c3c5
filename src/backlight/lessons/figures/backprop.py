"""The figures that only lesson 5 has: arrays beside their gradients."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes

from backlight.core import FloatArray
from backlight.figures import figure, palette


@figure(size=(7, 2.7))
def product_paths(ax: Axes, X: FloatArray, W: FloatArray, Y: FloatArray, *, row: int, k: int) -> None:
    """Draw Y = X @ W as grids of numbers, with what X[row, k] reaches (a row of Y) and through what (a row of W)."""
    colours = palette(ax)
    left_W, left_Y = X.shape[1] + 2.2, X.shape[1] + W.shape[1] + 4.4
    lit_X, lit_W, lit_Y = (np.zeros(one.shape, bool) for one in (X, W, Y))
    lit_X[row, k], lit_W[k], lit_Y[row] = True, True, True
    for name, array, left, lit in (("X", X, 0.0, lit_X), ("W", W, left_W, lit_W), ("Y", Y, left_Y, lit_Y)):
        _numbers(ax, array, left, 0.0, np.where(lit, 1.0, 0.0), cmap=colours.amounts, span=(0, 4))
        ax.text(left + array.shape[1] / 2, -0.25, name, ha="center", va="bottom", size=12, weight="bold")
    middle = len(X) / 2
    ax.text(left_W - 1.1, middle, "@", ha="center", va="center", size=15)
    ax.text(left_Y - 1.1, middle, "=", ha="center", va="center", size=15)
    for j in range(W.shape[1]):
        start, end = (k + 0.5, row + 0.15), (left_Y + j + 0.5, row + 0.1)
        arrow = {"arrowstyle": "->", "color": colours.orange, "lw": 1.6, "connectionstyle": "arc3,rad=-0.25"}
        ax.annotate("", end, start, arrowprops=arrow)
    _frame(ax, -0.4, left_Y + Y.shape[1] + 0.4, max(len(X), len(W)) + 0.2, -1.4)
    ax.set_title(f"What x{row + 1}{k + 1} is used for: row {row + 1} of Y, by way of row {k + 1} of W")


@dataclass(frozen=True)
class Mirror:
    """One step forward, and the same backward.

    Attributes:
        forward: what is done, in a word or two.
        backward: what that is on the way back.
        x: (rows, columns), before the step.
        y: (rows, columns), after it.
        dy: the gradient from above, like y.
        dx: what it becomes, like x.
    """

    forward: str
    backward: str
    x: FloatArray
    y: FloatArray
    dy: FloatArray
    dx: FloatArray


@figure(size=(8, 7.2))
def mirrors(ax: Axes, steps: Sequence[Mirror]) -> None:
    """Draw steps under each other: on the left what each does forward, on the right what it does backward."""
    colours = palette(ax)
    top = 0.0
    for step in steps:
        height = max(len(step.x), len(step.y))
        for left, title, pair, cmap, colour in (
            (0.0, step.forward, (step.x, step.y), colours.amounts, colours.blue),
            (12.5, step.backward, (step.dy, step.dx), colours.signed, colours.orange),
        ):
            ax.text(left, top - 0.25, title, va="bottom", size=11, weight="bold")
            span = (0.0, 15.0) if cmap is colours.amounts else (-6.0, 6.0)
            for at, array in zip((left, left + 6), pair, strict=True):
                _numbers(ax, array, at, top + (height - len(array)) / 2, array, cmap=cmap, span=span)
            arrow = {"arrowstyle": "-|>", "color": colour, "lw": 2, "mutation_scale": 18}
            middle = top + height / 2
            ax.annotate("", (left + 5.7, middle), (left + pair[0].shape[1] + 0.3, middle), arrowprops=arrow)
        top += height + 1.5
    ax.text(0, -1.5, "Forward: x to y", size=13, weight="bold", color=colours.blue)
    ax.text(12.5, -1.5, "Backward: dy to dx", size=13, weight="bold", color=colours.orange)
    _frame(ax, -0.2, 22.2, top - 1.2, -2.2)


_ROWS: Final = (
    ("C", "joined", "W1", "b1", "sums", "mean", "centred", "squares"),
    ("variance", "rstd", "normal", "gain", "shift", "scaled", "h", "W2", "b2"),
    ("logits", "largest", "shifted", "counts", "total", "inverse", "probs", "logprobs"),
)
"""Of `models.by_hand`, in the order of the forward pass, as on the page."""


@figure(size=(11, 8.4))
def cascade(ax: Axes, values: Mapping[str, FloatArray], gradients: Mapping[str, FloatArray]) -> None:
    """Draw the arrays of `models.by_hand` in the order of the forward pass, each with its gradient beneath it.

    Args:
        ax: where to draw.
        values: by name.
        gradients: by name, each in its value's shape; each is coloured by its own largest number.
    """
    colours = palette(ax)
    most = max(float(np.abs(gradients[name]).max()) for row in _ROWS for name in row)
    top, width = 0.0, 0.0
    for names in _ROWS:
        tables = [_table(values[name]) for name in names]
        height, left = max(len(table) for table in tables), 0.0
        below = top + height + 0.9
        for name, table in zip(names, tables, strict=True):
            gradient = _table(gradients[name])
            ax.text(left, top - 0.3, name, va="bottom", size=10, weight="bold")
            _cells(ax, table, left, top, cmap=colours.amounts, span=(float(table.min()), float(table.max())))
            own = float(np.abs(gradient).max())
            if own < 1e-9 * most:  # rounding
                own, gradient = 1.0, np.zeros_like(gradient)
                ax.text(left, below + len(table) + 0.2, "all 0", va="top", size=8, color=colours.muted)
            _cells(ax, gradient, left, below, cmap=colours.signed, span=(-own, own))
            left += max(table.shape[1], 0.72 * len(name)) + 1.6
        ends, width = left - 1.2, max(width, left)
        for y, ahead, colour in ((top - 1.75, True, colours.blue), (below + height + 1.15, False, colours.orange)):
            arrow = {"arrowstyle": "-|>", "color": colour, "lw": 1.2, "mutation_scale": 12}
            ax.annotate("", (ends if ahead else 0, y), (0 if ahead else ends, y), arrowprops=arrow)
        top = below + height + 4.2
    _frame(ax, -0.3, width, top - 2.6, -2.4)
    ax.set_title("The cascade: each array (above) and its gradient (below), of the same shape")


@figure(size=(8, 3))
def logit_pulls(ax: Axes, dlogits: FloatArray, labels: Sequence[str], *, target: int) -> None:
    """Draw one row of dlogits (V,) as forces: up is where gradient descent moves the logit."""
    colours = palette(ax)
    bars = ax.bar(range(len(labels)), -dlogits, color=colours.blue, width=0.75)
    bars[target].set_color(colours.orange)
    ax.axhline(0, color=colours.muted, linewidth=0.8)
    ax.set_xticks(range(len(labels)), list(labels))
    ax.tick_params(length=0)
    ax.spines["bottom"].set_visible(False)
    ax.set_ylabel("force: 1 at the target, less p")
    ax.set_title(f"One example: {labels[target]} is pulled up, all others are pushed down")


@figure(size=(6.4, 6.2))
def influence(ax: Axes, slopes: FloatArray) -> None:
    """Draw the slope of each output (row) by each input (column), (N, N), as numbers in a grid."""
    most = float(np.abs(slopes).max())
    _numbers(ax, slopes, 0.0, 0.0, slopes, cmap=palette(ax).signed, span=(-most, most), text="{:+.2f}")
    for i in range(len(slopes)):
        ax.text(-0.15, i + 0.5, f"y{i + 1}", ha="right", va="center")
        ax.text(i + 0.5, -0.15, f"x{i + 1}", ha="center", va="bottom")
    _frame(ax, -0.8, len(slopes) + 0.1, len(slopes) + 0.1, -0.6)
    ax.set_title("How much each x of a column moves each y")


@figure(size=(8, 3.4))
def losses_by_hand(ax: Axes, by_hand: Sequence[float], by_graph: Sequence[float]) -> None:
    """Draw the losses of two loops, one on top of the other."""
    colours = palette(ax)
    ax.plot(by_graph, color=colours.orange, linewidth=4, alpha=0.45, label="autograd")
    ax.plot(by_hand, color=colours.blue, linewidth=0.8, label="by hand")
    ax.set_xlabel("step")
    ax.set_ylabel("loss of the batch, nats")
    ax.legend(loc="upper right")
    ax.set_title("One line on top of the other")


def _table(array: FloatArray) -> FloatArray:
    """Return an array as a table: a vector lies down, and of more axes the first stay rows."""
    table: FloatArray = array.reshape(1, -1) if array.ndim < 2 else array.reshape(len(array), -1)
    return table


def _cells(ax: Axes, shown: FloatArray, left: float, top: float, **look: Any) -> None:
    """Draw an array's cells as squares of side 1, with a frame."""
    low, high = look.pop("span")
    rows, columns = shown.shape
    extent = (left, left + columns, top + rows, top)
    ax.imshow(shown, extent=extent, vmin=low, vmax=max(high, low + 1e-12), interpolation="nearest", **look)
    colours = palette(ax)
    ax.hlines(np.arange(rows + 1) + top, left, left + columns, color=colours.muted, linewidth=0.4)
    ax.vlines(np.arange(columns + 1) + left, top, top + rows, color=colours.muted, linewidth=0.4)


def _numbers(
    ax: Axes, array: FloatArray, left: float, top: float, shown: FloatArray, *, text: str = "{:g}", **look: Any
) -> None:
    """Draw an array's cells, coloured by what is shown, and its numbers in them."""
    _cells(ax, shown, left, top, **look)
    low, high = look["span"]
    deep = np.abs(shown - (0.0 if low < 0 else low)) > 0.62 * (high if low < 0 else high - low)
    colours = palette(ax)
    for (i, j), number in np.ndenumerate(array):
        ink = colours.paper if deep[i, j] else colours.ink
        ax.text(left + j + 0.5, top + i + 0.5, text.format(number), ha="center", va="center", size=9.5, color=ink)


def _frame(ax: Axes, left: float, right: float, bottom: float, top: float) -> None:
    ax.set_xlim(left, right)
    ax.set_ylim(bottom, top)
    ax.set_aspect("equal")
    ax.set_axis_off()
