"""The figures of lesson 4."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator

from backlight.core import FloatArray
from backlight.figures import FigureSpec, Palette, SizedFigure, figure, palette
from backlight.figures.placing import End, name_ends
from backlight.watch.records import SATURATED, Measurements

_EVERY = 20
"""Steps that are averaged for one point of a curve."""


@figure()
def minibatch_losses(ax: Axes, curves: Mapping[str, Sequence[float]], *, uniform: float) -> None:
    """Draw the losses of single minibatches, their means, and a line at the loss of a uniform guess, in nats.

    Args:
        ax: the axes to draw on.
        curves: the losses (steps,) by name.
        uniform: ln V.
    """
    colours = palette(ax)
    for (name, losses), colour in zip(curves.items(), _hues(colours), strict=False):
        whole = len(losses) // _EVERY * _EVERY
        means = np.reshape(losses[:whole], (-1, _EVERY)).mean(1) if whole else np.array([])
        middles = _EVERY * np.arange(len(means)) + _EVERY / 2
        ax.plot(losses, color=colour, linewidth=0.6, alpha=0.3)
        ax.plot([0, *middles], [losses[0], *means], color=colour, label=name)
    ax.axhline(uniform, color=colours.muted, linewidth=1, linestyle=(0, (4, 3)))
    ax.annotate("uniform\nguess", (1, uniform), (6, 0), xycoords=ax.get_yaxis_transform(),
                textcoords="offset points", va="center", size=9, color=colours.muted)  # fmt: skip
    ax.set_xlabel("step")
    ax.set_ylabel("nats per character")
    ax.set_xlim(0, max(map(len, curves.values())))
    ax.set_ylim(bottom=0)
    ax.legend()


@figure()
def tanh_gate(ax: Axes, preactivations: Mapping[str, FloatArray], *, reach: float = 12.0) -> None:
    """Draw the slope of tanh over its input, and histograms of pre-activations, of any shape, by name.

    Args:
        ax: the axes to draw on.
        preactivations: inputs of tanh by name, of any shape.
        reach: the x axis reaches from -reach to reach.
    """
    colours = palette(ax)
    edges = np.linspace(-reach, reach, 97)
    for (name, sums), colour in zip(preactivations.items(), (colours.orange, colours.blue), strict=False):
        counts, _ = np.histogram(sums, edges)
        ax.stairs(counts / counts.max(), edges, fill=True, color=colour, alpha=0.35, label=f"pre-activations, {name}")
    xs = np.linspace(-reach, reach, 401)
    ax.plot(xs, 1 - np.tanh(xs) ** 2, color=colours.ink, label="1 - t²: slope of tanh")
    edge = np.arctanh(SATURATED)
    for low, high in ((-reach, -edge), (edge, reach)):
        ax.axvspan(low, high, color=colours.alarm, alpha=0.08, linewidth=0)
    ax.set_xlim(-reach, reach)
    ax.set_ylim(0, 1.45)
    ax.set_yticks([0, 0.5, 1])
    ax.set_xlabel("input of tanh; shaded: output beyond ±0.97")
    ax.legend(loc="upper center", ncols=3, fontsize=9)


@figure()
def unit_spreads(ax: Axes, sums: Mapping[str, FloatArray], *, units: int = 40) -> None:
    """Draw the mean ± the standard deviation of each unit's pre-activations (N, units) over a batch, by name.

    Args:
        ax: the axes to draw on.
        sums: (N, units) by name.
        units: how many of the units are shown.
    """
    colours = palette(ax)
    width, reach = 0.8 / len(sums), 0.0
    for place, ((name, rows), colour) in enumerate(zip(sums.items(), _hues(colours), strict=False)):
        at = np.arange(units) + (place - (len(sums) - 1) / 2) * width
        mean, std = rows.mean(0)[:units], rows.std(0)[:units]
        ax.bar(at, 2 * std, width, mean - std, color=colour, alpha=0.75, label=name)
        ax.plot(at, mean, ".", color=colours.ink, markersize=3)
        reach = max(reach, float((np.abs(mean) + std).max()))
    ax.axhline(0, color=colours.muted, linewidth=0.8)
    ax.set_xlabel(f"unit (the first {units})")
    ax.set_ylabel("mean ± std over the batch")
    ax.margins(x=0.01)
    ax.set_ylim(-1.05 * reach, 1.25 * reach)  # room for the legend
    ax.legend(loc="upper right", ncols=len(sums))


@figure()
def std_by_depth(ax: Axes, stds: Mapping[str, Sequence[float]]) -> None:
    """Draw the standard deviation of activations by layer, one line for each initialisation."""
    colours = palette(ax)
    shades = colours.depths(np.linspace(0, 1, max(len(stds), 2)))
    ends = []
    for (name, row), shade in zip(stds.items(), shades, strict=False):
        ax.plot(range(1, len(row) + 1), row, color=shade, marker="o", markersize=4)
        ends.append(End(name, len(row), row[-1], shade))
    ax.set_yscale("log")
    ax.set_xlabel("layer")
    ax.set_ylabel("std of activations")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlim(1, max(map(len, stds.values())))
    name_ends(ax, ends)


def compared(spec: FigureSpec[Any], nets: Mapping[str, Measurements], *, title: str, columns: int = 2) -> SizedFigure:
    """Return one of the figures of layers for several networks side by side.

    Args:
        spec: the figure, such as `backlight.figures.activations`.
        nets: the measurements of each network, by name.
        title: the title of the whole figure.
        columns: the number of columns.
    """
    singles = {name: spec.of(measured) for name, measured in nets.items()}
    rows = -(-len(singles) // columns)
    height = 0.78 * max(single.height for single in singles.values())

    def draw(figure: Figure) -> None:
        figure.suptitle(title, x=0.01, ha="left", size=13, weight="bold")
        parts = figure.subfigures(rows, columns, squeeze=False).ravel().tolist()
        for part, (name, single) in zip(parts, singles.items(), strict=False):
            single.draw(part)  # a subfigure has all methods of a figure that are used
            for ax in part.axes:
                _make_small(ax, name)

    return SizedFigure(11, 0.5 + rows * height, draw)


def _make_small(ax: Axes, name: str) -> None:
    ax.set_title(name, size=11)
    if ax.get_xscale() == "linear":
        ax.xaxis.set_major_locator(MaxNLocator(4, symmetric=ax.get_xlim()[0] < 0))
    for axis in (ax.xaxis, ax.yaxis):
        if axis.get_scale() == "log":
            axis.set_minor_locator(NullLocator())


def _hues(colours: Palette) -> tuple[str, ...]:
    return colours.orange, colours.blue, colours.green
