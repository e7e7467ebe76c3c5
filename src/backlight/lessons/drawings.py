"""The pictures that only the course has: each gives a function that draws on axes, for `show`."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from backlight.core import FloatArray
from backlight.figures import palette

Draw = Callable[[Axes], None]


def secants(f: Callable[[Any], Any], *, x: float, h: float, slope: float) -> Draw:
    """Draw a function with its forward and its symmetric secant at x, and the tangent, whose slope is given."""

    def draw(ax: Axes) -> None:
        colours = palette(ax)
        xs = np.linspace(x - 3, x + 2, 100)
        reach = np.array([x - 1.7, x + 1.9])
        forward, symmetric = (f(x + h) - f(x)) / h, (f(x + h) - f(x - h)) / (2 * h)
        ax.plot(xs, f(xs), color=colours.ink)
        for name, through, rise, colour, style in (
            ("forward", f(x), forward, colours.orange, "-"),
            ("symmetric", (f(x + h) + f(x - h)) / 2, symmetric, colours.blue, "-"),
            ("tangent", f(x), slope, colours.green, "--"),
        ):
            label = f"{name}, slope {rise:.2f}"
            ax.plot(reach, through + rise * (reach - x), color=colour, linestyle=style, label=label)
        ax.plot([x - h, x, x + h], [f(x - h), f(x), f(x + h)], "o", color=colours.ink)
        ax.set_xlabel("x")
        ax.set_ylabel("f(x)")
        ax.legend(loc="upper left")

    return draw


def plane(
    net: Callable[[float, float], float], points: Sequence[tuple[float, float, float]], side: float = 2.0
) -> Draw:
    """Draw what a network of two inputs says everywhere, its zero line, and points (x, y, 1 or -1)."""

    def draw(ax: Axes) -> None:
        colours = palette(ax)
        axis = np.linspace(-side, side, 33)
        said = np.array([[net(x, y) for x in axis.tolist()] for y in axis.tolist()])
        ax.contourf(axis, axis, said, levels=np.linspace(-1.6, 1.6, 17), cmap=colours.signed, extend="both", alpha=0.75)
        ax.contour(axis, axis, said, levels=[0], colors=[colours.ink])
        for kind, colour in ((1, colours.blue), (-1, colours.orange)):
            chosen = np.array([(x, y) for x, y, one in points if one == kind])
            ax.plot(*chosen.T, "o", color=colour, markeredgecolor=colours.paper)
        ax.set_aspect("equal")
        ax.set_title("What the network says, everywhere; the line is 0")

    return draw


def curve(ys: Sequence[float], *, of: str) -> Draw:
    """Draw one number a step, from 0 up."""

    def draw(ax: Axes) -> None:
        ax.plot(ys, color=palette(ax).blue)
        ax.set_xlabel("step")
        ax.set_ylabel(of)
        ax.set_ylim(bottom=0)

    return draw


def smoothing(ks: Sequence[float], curves: Mapping[tuple[int, str], Sequence[float]]) -> Draw:
    """Draw the loss over k, for (order, "dev") with a line and for (order, "train") with dots."""

    def draw(ax: Axes) -> None:
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

    return draw


def one_hot(rows: FloatArray, text: Sequence[str], labels: Sequence[str]) -> Draw:
    """Draw one-hot vectors (N, V), a row for each of N characters."""

    def draw(ax: Axes) -> None:
        ax.imshow(rows, cmap=palette(ax).amounts, aspect="auto")
        ax.set_yticks(range(len(text)), list(text))
        ax.set_xticks(range(len(labels)), list(labels))
        ax.hlines(np.arange(1, len(text)) - 0.5, -0.5, len(labels) - 0.5, color=palette(ax).grid)
        ax.set_title(f"{len(text)} characters, one-hot")

    return draw


def picked_row(W: FloatArray, row: int, labels: Sequence[str]) -> Draw:
    """Draw how a one-hot vector picks a row of W (V, V): each number beside the row that it multiplies."""

    def draw(ax: Axes) -> None:
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
        ax.set_title("One-hot times W picks a row")

    return draw
