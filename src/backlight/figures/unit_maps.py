"""Maps of units: which are saturated for an example, and which are dead for all examples."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from backlight.core import BoolArray, FloatArray, ShapeError
from backlight.figures.figure import SizedFigure, figure, whole
from backlight.figures.letters import legible, name_rows, write_title
from backlight.figures.measured import chosen_rows, last_with_maps, unit_bits
from backlight.figures.run_data import NoFigureError
from backlight.figures.style import palette
from backlight.watch.records import SATURATED, Measurements


@figure(
    "saturation", about="which unit is saturated in which example", axes=whole,
    size=lambda maps: (8, 0.6 + 2.2 * len(maps)),
)  # fmt: skip
def saturation(figure: Figure, maps: Mapping[str, BoolArray]) -> None:
    """Draw the saturation map of every layer, one below the other.

    Args:
        figure: the figure to draw on.
        maps: (examples, units), as in `draw_saturation`, by name of the layer.

    Raises:
        ShapeError: a map does not have two axes, or is empty.
    """
    axes = figure.subplots(len(maps), 1, squeeze=False).ravel().tolist()
    for ax, (name, saturated) in zip(axes, maps.items(), strict=True):
        draw_saturation(ax, saturated, name=name)
        ax.label_outer()


@saturation.from_measurements
def _(measured: Measurements) -> SizedFigure:
    bounded = {facts.name for facts in measured.layers if facts.bounded and facts.role != "softmax"}
    maps = {
        record.name: unit_bits(record.unit_map)
        for record in last_with_maps(measured).layers
        if record.name in bounded and record.unit_map is not None
    }
    if not maps:
        raise NoFigureError("it needs a tanh or sigmoid layer")
    names = list(maps)
    chosen, note = chosen_rows([maps[name].mean() for name in names])
    return saturation({names[i]: maps[names[i]] for i in chosen}).with_note(note)


def draw_saturation(ax: Axes, saturated: BoolArray, *, name: str = "") -> None:
    """Draw which unit is saturated for which example, and highlight the units that are saturated for all examples.

    Healthy: scattered cells. A full column is a unit that gets no gradient from any example.

    Args:
        ax: the axes to draw on.
        saturated: (examples, units), where |tanh| > 0.97.
        name: the name of the layer.

    Raises:
        ShapeError: the map does not have two axes, or is empty.
    """
    if saturated.ndim != 2 or not saturated.size:
        raise ShapeError(f"a saturation map needs examples and units, (N, U); got shape {saturated.shape}.")
    colours = palette(ax)
    stuck = saturated.all(axis=0)
    cells = saturated.astype(np.uint8) + (saturated & stuck)
    ax.imshow(
        cells, cmap=ListedColormap([colours.grid, colours.blue, colours.alarm]), vmin=0, vmax=2, aspect="auto",
        interpolation="nearest",
    )  # fmt: skip
    ax.spines[:].set_visible(False)
    ax.set_xlabel("unit")
    ax.set_ylabel("example")
    dead = int(stuck.sum())
    always = "no unit for all examples" if not dead else f"{_many(dead)} for all examples"
    whose = f"{legible(name)}: " if name else ""
    write_title(ax, f"{whose}{saturated.mean():.1%} beyond ±{SATURATED}, {always}")


@figure(
    "dead-units", about="the share of examples for which each unit passes a gradient",
    size=lambda names: (8, 1.3 + 0.45 * len(names)),
)  # fmt: skip
def dead_units(ax: Axes, names: Sequence[str], alive: Sequence[FloatArray]) -> None:
    """Draw the share of examples for which each unit of each layer passes a gradient, and highlight dead units.

    Args:
        ax: the axes to draw on.
        names: the names of the layers.
        alive: for each layer (U,) shares of examples, 0 to 1: 0 is a dead unit. Layers may differ in U.

    Raises:
        ShapeError: the numbers of rows and names differ, or are 0.
    """
    if len(names) != len(alive) or not names:
        raise ShapeError(f"a dead-unit map needs a row for each layer; got {len(names)} names and {len(alive)} rows.")
    colours = palette(ax)
    widest = max(len(row) for row in alive)
    table = np.full((len(alive), widest), np.nan)
    for place, row in enumerate(alive):
        table[place, : len(row)] = row
    ax.imshow(table, cmap=colours.amounts, vmin=-0.3, vmax=1, aspect="auto", interpolation="nearest")
    dead = np.where(table == 0, 1.0, np.nan)
    ax.imshow(dead, cmap=ListedColormap([colours.alarm]), aspect="auto", interpolation="nearest")
    ax.set_yticks(np.arange(0.5, len(alive) - 1), minor=True)
    ax.grid(visible=True, which="minor", axis="y", color=colours.paper, linewidth=3)
    ax.tick_params(which="both", length=0)
    size = name_rows(ax, names)
    for place, row in enumerate(alive):
        count = int((row == 0).sum())
        ax.annotate(f"{count} of {len(row)}", (1, place), (8, 0), xycoords=ax.get_yaxis_transform(),
                    textcoords="offset points", va="center", size=min(9.0, size),
                    color=colours.alarm if count else colours.muted)  # fmt: skip
    ax.spines[:].set_visible(False)
    more = "darker" if _is_light(ax) else "brighter"
    ax.set_xlabel(f"unit ({more}: passes a gradient for more examples)")
    total = sum(int((row == 0).sum()) for row in alive)
    write_title(ax, f"{_many(total)} dead" if total else "No dead units")


@dead_units.from_measurements
def _(measured: Measurements) -> SizedFigure:
    rows = [
        (record.name, 1 - unit_bits(record.unit_map).mean(axis=0))
        for record in last_with_maps(measured).layers
        if record.unit_map is not None
    ]
    if not rows:
        raise NoFigureError("it needs a layer whose units can be dead: tanh, sigmoid or ReLU")
    chosen, note = chosen_rows([(alive == 0).mean() for _, alive in rows])
    return dead_units([rows[i][0] for i in chosen], [rows[i][1] for i in chosen]).with_note(note)


def _is_light(ax: Axes) -> bool:
    return palette(ax).paper == "#ffffff"


def _many(units: int) -> str:
    return "1 unit" if units == 1 else f"{units:,} units"
