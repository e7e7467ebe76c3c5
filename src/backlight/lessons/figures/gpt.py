"""The figures of lesson 7."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from backlight.core import FloatArray
from backlight.figures import figure, palette
from backlight.figures.figure import whole

_WRITTEN = 8
"""Up to this many rows, the numbers of a table are written in its cells."""


@figure(axes=whole, size=lambda tables: (0.6 + 3.6 * len(tables), 4.1), layout="compressed")
def score_tables(figure: Figure, tables: Mapping[str, FloatArray], *, rows: str, columns: str) -> None:
    """Draw tables (T, T) side by side, by title; a cell that is -inf or nan is empty.

    A table with negative numbers is coloured by sign. In small tables the numbers are written in the cells.

    Args:
        figure: the figure to draw on.
        tables: (T, T) by title.
        rows: the label of the rows.
        columns: the label of the columns.
    """
    for ax, (title, table) in zip(figure.subplots(1, len(tables), squeeze=False)[0], tables.items(), strict=True):
        _table(ax, table)
        ax.set_title(title, size=11)
        ax.set_xlabel(columns)
        ax.set_ylabel(rows)
        ax.label_outer()


def _table(ax: Axes, table: FloatArray) -> None:
    colours = palette(ax)
    finite = np.isfinite(table)
    shown = np.where(finite, table, np.nan)
    reach = float(np.abs(table[finite]).max(initial=1e-9))
    below = bool((table[finite] < 0).any())
    lowest = -reach if below else 0.0
    ax.imshow(shown, cmap=colours.signed if below else colours.amounts, vmin=lowest, vmax=reach)
    ax.spines[:].set_visible(True)
    if len(table) > _WRITTEN:
        return
    ax.set_xticks(range(len(table)))
    ax.set_yticks(range(len(table)))
    for row, column in np.argwhere(finite):
        number = float(table[row, column])
        ink = colours.paper if abs(number) > 0.6 * reach else colours.ink
        ax.text(column, row, f"{round(number, 2) + 0.0:g}", ha="center", va="center", size=7.5, color=ink)


@figure(size=(8, 3))
def named_curves(
    ax: Axes, curves: Mapping[str, tuple[Sequence[float], Sequence[float]]], *, over: str, of: str, log: bool = False
) -> None:
    """Draw curves (xs, ys) by name.

    Args:
        ax: the axes to draw on.
        curves: xs and ys by name.
        over: label of the x axis.
        of: label of the y axis.
        log: use a logarithmic y axis.
    """
    colours = palette(ax)
    looks = zip((colours.blue, colours.orange, colours.green, colours.purple), ("-", "--", "-.", ":"), strict=True)
    for (name, (xs, ys)), (colour, style) in zip(curves.items(), looks, strict=False):
        ax.plot(xs, ys, color=colour, linestyle=style, label=name)
    if log:
        ax.set_yscale("log")
    ax.set_xlabel(over)
    ax.set_ylabel(of)
    ax.legend()
