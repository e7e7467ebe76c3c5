"""Histograms of each layer, one below the other: activations, pre-activations and gradients."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes

from backlight.core import FloatArray
from backlight.figures.figure import FigureSpec, Size, SizedFigure, figure
from backlight.figures.letters import name_rows, write_title
from backlight.figures.measured import activation_records, chosen_rows, last_step, short_name, weight_matrices
from backlight.figures.run_data import NoFigureError
from backlight.figures.style import palette
from backlight.watch.records import SATURATED, Histogram, LayerRecord, Measurements, Spread

_HEIGHT = 0.86
"""The height of the highest bin, where the distance between rows is 1."""


@dataclass(frozen=True, kw_only=True)
class Ridge:
    """The row of one layer.

    Attributes:
        name: the name of the layer or of the weights.
        histogram: the histogram of its numbers.
        spread: their standard deviation.
        note: the text at the right end of the row, such as "std 0.61, 3% saturated".
    """

    name: str
    histogram: Histogram
    spread: float = 0.0
    note: str = ""


def _size(rows: Sequence[Ridge]) -> Size:
    return 8.0, 1.5 + 0.6 * max(len(rows), 2)


@figure("activations", about="a histogram of each layer's activations", size=_size)
def activations(ax: Axes, rows: Sequence[Ridge]) -> None:
    """Draw a histogram of each layer's activations, the first layer on top.

    Healthy: about the same width in every layer, without peaks at the ends, where tanh is flat.
    """
    _draw(ax, rows, "Activations by layer", "output of the nonlinearity")
    if rows and all((row.histogram.low, row.histogram.high) == (-1, 1) for row in rows):
        colours = palette(ax)
        for low, high in ((-1, -SATURATED), (SATURATED, 1)):
            ax.axvspan(low, high, color=colours.alarm, alpha=0.18, linewidth=0, zorder=0.5)


@activations.from_measurements
def _(measured: Measurements) -> SizedFigure:
    rows = (
        _ridge(record.name, record.output, _saturated(record))
        for record in activation_records(measured, last_step(measured))
    )
    return _shown(activations, rows, "activations")


@figure("preactivations", about="a histogram of each layer's pre-activations", size=_size)
def preactivations(ax: Axes, rows: Sequence[Ridge]) -> None:
    """Draw a histogram of the inputs of each nonlinearity. Healthy: mean near 0, standard deviation near 1."""
    _draw(ax, rows, "Pre-activations by layer", "input of the nonlinearity")


@preactivations.from_measurements
def _(measured: Measurements) -> SizedFigure:
    step = last_step(measured)
    by_name = {record.name: record for record in step.layers}
    reads = {facts.name: facts.reads for facts in measured.layers}
    rows = (
        _ridge(name, by_name[name].output)
        for record in activation_records(measured, step)
        for name in reads.get(record.name, ())[:1]
        if name in by_name
    )
    return _shown(preactivations, rows, "layers that feed an activation")


@figure("activation-gradients", about="a histogram of the gradients of each layer's activations", size=_size)
def activation_gradients(ax: Axes, rows: Sequence[Ridge]) -> None:
    """Draw a histogram of the gradients of each layer's activations. Healthy: about the same width in every layer."""
    _draw(ax, rows, "Gradients of each layer's activations", "dloss/dactivation, nats")


@activation_gradients.from_measurements
def _(measured: Measurements) -> SizedFigure:
    rows = (_ridge(record.name, record.gradient) for record in activation_records(measured, last_step(measured)))
    return _shown(activation_gradients, rows, "gradients of activations")


@figure("weight-gradients", about="a histogram of each weight matrix's gradients", size=_size)
def weight_gradients(ax: Axes, rows: Sequence[Ridge]) -> None:
    """Draw a histogram of the gradients of each weight matrix."""
    _draw(ax, rows, "Gradients of each weight matrix", "dloss/dweight, nats")


@weight_gradients.from_measurements
def _(measured: Measurements) -> SizedFigure:
    matrices = weight_matrices(measured)
    records = (record for record in last_step(measured).parameters if record.name in matrices)
    return _shown(weight_gradients, (_ridge(one.name, one.gradient) for one in records), "gradients of weight matrices")


def _shown(spec: FigureSpec[[Sequence[Ridge]]], found: Iterable[Ridge | None], what: str) -> SizedFigure:
    rows = [row for row in found if row is not None]
    if not rows:
        raise NoFigureError(f"it needs {what}; this network has none")
    chosen, note = chosen_rows([row.spread for row in rows])
    return spec([rows[i] for i in chosen]).with_note(note)


def _ridge(name: str, spread: Spread | None, further: str = "") -> Ridge | None:
    """Return a row; None if no histogram was recorded."""
    if spread is None or spread.histogram is None:
        return None
    note = f"std {_number(spread.std)}{further}"
    return Ridge(name=short_name(name), histogram=spread.histogram, spread=spread.std, note=note)


def _saturated(record: LayerRecord) -> str:
    return "" if record.saturated is None else f", {record.saturated:.1%} saturated"


def _number(value: float) -> str:
    return f"{value:.2f}" if 0.1 <= abs(value) < 100 else f"{value:.1e}"


def _draw(ax: Axes, rows: Sequence[Ridge], title: str, label: str) -> None:
    colours = palette(ax)
    reach = _reach([max(-row.histogram.low, row.histogram.high) for row in rows])
    ax.set_xlim(-reach, reach)
    ax.set_ylim(len(rows) - 1 + 0.25, -_HEIGHT - 0.15)
    ax.axvline(0, color=colours.grid, linewidth=1, zorder=0.4)
    ax.hlines(range(len(rows)), -reach, reach, color=colours.grid, linewidth=1, zorder=0.4)
    shades = colours.depths(np.linspace(0, 1, max(len(rows), 2)))
    for place, row in enumerate(rows):
        x, y = _outline(row.histogram)
        ax.fill_between(x, place, place - _HEIGHT * y, color=shades[place], alpha=0.3, linewidth=0, zorder=2)
        ax.plot(x, place - _HEIGHT * y, color=shades[place], linewidth=1.2, zorder=3)
    size = name_rows(ax, [row.name for row in rows])
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    for place, row in enumerate(rows):
        ax.annotate(
            row.note, (1, place), (8, 0), xycoords=ax.get_yaxis_transform(), textcoords="offset points",
            va="center_baseline", size=min(9.0, size), color=colours.muted, parse_math=False,
        )  # fmt: skip
    ax.set_xlabel(label)
    write_title(ax, title)


def _reach(reaches: Sequence[float]) -> float:
    """Return the limit of the axis: the second largest reach, or a quarter of the largest if that is more.

    One row that is far wider than the others would reduce them to spikes; its note gives its standard deviation.
    """
    *_, second, first = [0.0, 0.0, *sorted(reaches)]
    return max(second, first / 4 if len(reaches) > 1 else first) or 1.0


def _outline(histogram: Histogram) -> tuple[FloatArray, FloatArray]:
    """Return the corners (x, y) of the outline of the bars, scaled to a maximum of 1."""
    counts = np.asarray(histogram.counts, float)
    edges = np.linspace(histogram.low, histogram.high, len(counts) + 1)
    x = np.concatenate([[edges[0]], np.repeat(edges[1:-1], 2), [edges[-1]]]) if len(counts) > 1 else edges
    return x, np.repeat(counts / (counts.max() or 1.0), 2)
