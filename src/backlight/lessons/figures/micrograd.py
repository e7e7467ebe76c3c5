"""The figures of lesson 1."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from backlight.figures import figure, palette


@figure()
def secants(ax: Axes, f: Callable[[Any], Any], *, x: float, h: float, slope: float) -> None:
    """Draw a function with its forward and its symmetric secant at x, and the tangent.

    Args:
        ax: the axes to draw on.
        f: the function.
        x: the point at which the tangent touches.
        h: the step of the secants.
        slope: the slope of the tangent.
    """
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


@figure(size=(6, 5.4))
def decision_map(
    ax: Axes, net: Callable[[float, float], float], points: Sequence[tuple[float, float, float]], side: float = 2.0
) -> None:
    """Draw the output of a network with two inputs as a map, the line where it is 0, and the data points.

    Args:
        ax: the axes to draw on.
        net: the network as a function of x and y.
        points: (x, y, 1 or -1).
        side: the map reaches from -side to side, in both directions.
    """
    colours = palette(ax)
    axis = np.linspace(-side, side, 33)
    said = np.array([[net(x, y) for x in axis.tolist()] for y in axis.tolist()])
    ax.contourf(axis, axis, said, levels=np.linspace(-1.6, 1.6, 17), cmap=colours.signed, extend="both", alpha=0.75)
    ax.contour(axis, axis, said, levels=[0], colors=[colours.ink])
    for kind, colour in ((1, colours.blue), (-1, colours.orange)):
        chosen = np.array([(x, y) for x, y, one in points if one == kind])
        ax.plot(*chosen.T, "o", color=colour, markeredgecolor=colours.paper)
    ax.set_aspect("equal")
    ax.set_title("Output of the network; it is 0 on the line")


@figure(size=(8, 3))
def loss_curve(ax: Axes, ys: Sequence[float], *, of: str) -> None:
    """Draw one number per step, with an axis that starts at 0.

    Args:
        ax: the axes to draw on.
        ys: one number per step.
        of: the label of the y axis.
    """
    ax.plot(ys, color=palette(ax).blue)
    ax.set_xlabel("step")
    ax.set_ylabel(of)
    ax.set_ylim(bottom=0)
