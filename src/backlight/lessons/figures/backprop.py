"""The figures of lesson 5: arrays and their gradients."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes

from backlight.core import FloatArray
from backlight.figures import figure, palette


@figure(size=(7, 2.7))
def product_paths(ax: Axes, X: FloatArray, W: FloatArray, Y: FloatArray, *, row: int, k: int) -> None:
    """Draw Y = X @ W as grids of numbers, and highlight the row of Y that X[row, k] affects and the row of W it uses.

    Args:
        ax: the axes to draw on.
        X: (N, K).
        W: (K, M).
        Y: (N, M).
        row: the row of the highlighted number in X.
        k: its column.
    """
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
    ax.set_title(f"x{row + 1}{k + 1} affects row {row + 1} of Y, through row {k + 1} of W")


@dataclass(frozen=True)
class Mirror:
    """An operation and its backward pass.

    Attributes:
        forward: the operation, in a few words.
        backward: its backward pass, in a few words.
        x: (rows, columns), the input.
        y: (rows, columns), the output.
        dy: the gradient from above, in the shape of y.
        dx: the gradient of x, in the shape of x.
    """

    forward: str
    backward: str
    x: FloatArray
    y: FloatArray
    dy: FloatArray
    dx: FloatArray


@figure(size=(8, 7.2))
def mirrors(ax: Axes, steps: Sequence[Mirror]) -> None:
    """Draw operations below each other: on the left the forward pass of each, on the right its backward pass."""
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
"""Names of the arrays of `models.by_hand`, in the order of the forward pass, as laid out in the figure."""


@figure(size=(11, 8.4))
def cascade(ax: Axes, values: Mapping[str, FloatArray], gradients: Mapping[str, FloatArray]) -> None:
    """Draw the arrays of `models.by_hand` in the order of the forward pass, each with its gradient below it.

    Args:
        ax: the axes to draw on.
        values: arrays by name.
        gradients: by name, each in the shape of its array, and coloured relative to its own largest number.
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
            if own < 1e-9 * most:  # rounding error
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
    ax.set_title("Each array (above) and its gradient (below), of the same shape")


@figure(size=(8, 3))
def logit_pulls(ax: Axes, dlogits: FloatArray, labels: Sequence[str], *, target: int) -> None:
    """Draw one row of dlogits (V,) with its sign changed: gradient descent raises logits with a positive bar.

    Args:
        ax: the axes to draw on.
        dlogits: (V,), the gradient of the loss of one example with respect to its logits.
        labels: the V characters.
        target: the id of the target.
    """
    colours = palette(ax)
    bars = ax.bar(range(len(labels)), -dlogits, color=colours.blue, width=0.75)
    bars[target].set_color(colours.orange)
    ax.axhline(0, color=colours.muted, linewidth=0.8)
    ax.set_xticks(range(len(labels)), list(labels))
    ax.tick_params(length=0)
    ax.spines["bottom"].set_visible(False)
    ax.set_ylabel("force: one-hot minus p")
    ax.set_title(f"One example: the logit of {labels[target]} is raised, all others are lowered")


@figure(size=(6.4, 6.2))
def influence(ax: Axes, slopes: FloatArray) -> None:
    """Draw the slopes (N, N) of each output (row) with respect to each input (column) as a grid of numbers."""
    most = float(np.abs(slopes).max())
    _numbers(ax, slopes, 0.0, 0.0, slopes, cmap=palette(ax).signed, span=(-most, most), text="{:+.2f}")
    for i in range(len(slopes)):
        ax.text(-0.15, i + 0.5, f"y{i + 1}", ha="right", va="center")
        ax.text(i + 0.5, -0.15, f"x{i + 1}", ha="center", va="bottom")
    _frame(ax, -0.8, len(slopes) + 0.1, len(slopes) + 0.1, -0.6)
    ax.set_title("Slope of each y of a column with respect to each x")


@figure(size=(8, 3.4))
def losses_by_hand(ax: Axes, by_hand: Sequence[float], by_graph: Sequence[float]) -> None:
    """Draw the losses of two training loops on top of each other, in nats.

    Args:
        ax: the axes to draw on.
        by_hand: the losses of the loop without autograd.
        by_graph: those of the loop with autograd.
    """
    colours = palette(ax)
    ax.plot(by_graph, color=colours.orange, linewidth=4, alpha=0.45, label="autograd")
    ax.plot(by_hand, color=colours.blue, linewidth=0.8, label="by hand")
    ax.set_xlabel("step")
    ax.set_ylabel("loss of the batch, nats")
    ax.legend(loc="upper right")
    ax.set_title("The two curves coincide")


def _table(array: FloatArray) -> FloatArray:
    """Return an array as a table: a vector becomes a row, and the axes after the first are merged."""
    table: FloatArray = array.reshape(1, -1) if array.ndim < 2 else array.reshape(len(array), -1)
    return table


def _cells(ax: Axes, shown: FloatArray, left: float, top: float, **look: Any) -> None:
    """Draw the cells of an array as squares of side 1, with a grid."""
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
    """Draw the cells of an array, coloured by `shown`, with the numbers written in them."""
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
