"""Characters of any text on a figure: as they are if a font has them, otherwise by code point."""

from collections.abc import Sequence
from functools import cache
from typing import Any, Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.ticker import FuncFormatter, MaxNLocator, StrMethodFormatter

PERCENT: Final = FuncFormatter(lambda share, _: f"{100 * share:.3g}%")
"""Formats shares on an axis as percentages."""

MOST_TICKS: Final = 64
"""With more characters than this, only every second, third, ... one is written along an axis."""


def legible(label: str) -> str:
    """Return a label in a form that the fonts of the current style can show.

    A character that no font has is written as its code point, such as `U+4E9C`, and not as an empty box.
    """
    drawable = _drawable(tuple(mpl.rcParams["font.family"]), tuple(mpl.rcParams["font.sans-serif"]))
    return "".join(c if ord(c) in drawable and c.isprintable() else f"U+{ord(c):04X}" for c in label)


def quoted(text: str, most: int = 24) -> str:
    """Return a text in quotation marks, for a title: in legible form, and only its end if it is long."""
    parts = [legible(character) for character in text]
    apart = " " if any(len(part) > 1 for part in parts) else ""
    end: list[str] = []
    while parts and sum(map(len, end)) + len(parts[-1]) <= most:
        end.insert(0, parts.pop())
    return f"“{'…' if parts else ''}{apart.join(end)}”"


def write_title(ax: Axes, title: str, **how: Any) -> None:
    """Write a title above the axes, wrapped if it is too long for one line."""
    ax.set_title(title, parse_math=False, wrap=True, **how)


def step_ticks(ax: Axes) -> None:
    """Write steps along the x axis, as integers with thousands separators."""
    ax.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    ax.set_xlabel("step")


def letter_ticks(axis: Axis, labels: Sequence[str], *, size: float | None = None) -> None:
    """Write characters along an axis, at 0, 1, 2, ...; if there are very many, only some of them.

    Args:
        axis: `ax.xaxis` or `ax.yaxis`.
        labels: the characters, in visible form.
        size: font size in points; None fits the text to the size of the axes.
    """
    step = -(-len(labels) // MOST_TICKS) or 1
    shown = [legible(label) for label in labels[::step]]
    upright = _is_x(axis) and max(map(len, shown), default=0) > 2
    axis.set_ticks(
        range(0, len(labels), step), shown, size=size or _size(axis, len(shown)), parse_math=False,
        rotation=90 if upright else 0,
    )  # fmt: skip
    axis.set_tick_params(length=0)


def name_rows(ax: Axes, names: Sequence[str]) -> float:
    """Write names along the y axis, at 0, 1, 2, ..., and return their font size in points."""
    size = min(10.0, max(5.0, 0.5 * cell_size(ax, 1, max(len(names), 1))))
    ax.set_yticks(range(len(names)), [legible(name) for name in names], size=size, parse_math=False)
    return size


def cell_size(ax: Axes, columns: int, rows: int) -> float:
    """Return the approximate length of the shorter side of a cell, in points, for a table that fills the axes.

    Args:
        ax: the axes that the table fills.
        columns: the number of columns of the table.
        rows: the number of its rows.
    """
    figure = ax.get_figure(root=True)
    dot = 72 / figure.dpi if figure is not None else 1.0
    return float(min(ax.bbox.width / max(columns, 1), ax.bbox.height / max(rows, 1)) * dot)


def _size(axis: Axis, count: int) -> float:
    room = cell_size(axis.axes, count, 1) if _is_x(axis) else cell_size(axis.axes, 1, count)
    return min(10.0, max(4.0, 0.85 * room))


def _is_x(axis: Axis) -> bool:
    return axis is axis.axes.xaxis


@cache
def _drawable(families: tuple[str, ...], sans_serif: tuple[str, ...]) -> frozenset[int]:
    """Return the code points that these fonts have in both the normal and the bold weight."""
    names = [name for family in families for name in (sans_serif if family == "sans-serif" else (family,))]
    drawable: set[int] = set()
    for name in names:
        weights = [_characters(name, weight) for weight in ("normal", "bold")]
        drawable |= weights[0] & weights[1]
    return frozenset(drawable)


def _characters(family: str, weight: str) -> set[int]:
    try:
        path = findfont(FontProperties(family=[family], weight=weight), fallback_to_default=False)
    except ValueError:  # not installed: the next font of the list is used
        return set()
    return set(get_font(path).get_charmap())
