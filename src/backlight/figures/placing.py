"""Names that cover nothing: beside points, and at the right ends of lines in place of a legend."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.text import Annotation, Text

from backlight.core import BoolArray, FloatArray
from backlight.figures.style import palette

# all lengths are in points of 1/72 inch

_DISTANCES: Final = np.array([6, 11, 17, 24, 32, 42, 54, 68, 84, 102, 124, 150, 180])
"""Between a point and its name, the nearest tried first."""

# right, left, above, below, then the corners and what lies between
_DIRECTIONS: Final = np.radians([0, 180, 90, 270, 45, 315, 135, 225, 22, 338, 158, 202, 68, 112, 248, 292])

_FAR: Final = np.repeat(_DISTANCES, len(_DIRECTIONS))
"""How far off each of the places is that are tried."""

_AIR: Final = 1.5
"""Stays free around each name."""

_DOT: Final = 4.0
"""From the middle of a dot to its edge."""

_GRAIN: Final = 3.0
"""From one to the next of the spots that a line is taken as."""

_SPOT: Final = 6.0
"""The area that each of those stands for."""

_CLOSE: Final = 5.0
"""Between a name and another's point within which one might take the name for that point's."""

_PER_POINT: Final = 0.15
"""What it costs to be one point further off, as an area."""

_NEAR: Final = 9.0
"""Between a name and its point up to which no line need lead to it."""


def place_names(
    ax: Axes,
    points: FloatArray,
    names: Sequence[str],
    *,
    size: float = 9,
    colours: Sequence[str] | None = None,
    around: FloatArray | None = None,
) -> list[Annotation]:
    """Write each name near its point, where it covers nothing that matters; a thin line leads to those far off.

    Sizes are measured on the figure as it is: draw all else first, and keep the figure's size.

    Args:
        ax: where to draw; its limits are final.
        points: (N, 2) in data coordinates.
        names: N of them.
        size: of the letters, in points.
        colours: N of them; ink if None.
        around: (M, 2) in data coordinates, a line through M corners that is not to be covered either.
    """
    if not names:
        return []
    inks = [palette(ax).ink] * len(names) if colours is None else colours
    notes = [
        ax.annotate(
            name, (float(x), float(y)), (0, 0), textcoords="offset points", size=size, color=ink, parse_math=False,
            ha="center", va="center", in_layout=False,
            arrowprops={"arrowstyle": "-", "color": palette(ax).muted, "linewidth": 0.6, "shrinkA": 1, "shrinkB": 4},
        )
        for name, (x, y), ink in zip(names, points, inks, strict=True)
    ]  # fmt: skip
    figure = ax.get_figure(root=True)
    assert figure is not None  # noqa: S101  (axes that can be drawn on are on a figure)
    figure.draw_without_rendering()  # the axes get their place
    dot = figure.dpi / 72
    at = ax.transData.transform(points) / dot
    # without the line, which is as yet nowhere
    sizes = [np.array(Text.get_window_extent(note).size) / dot for note in notes]
    line = _spots(ax.transData.transform(around) / dot) if around is not None else np.empty((0, 2))
    page = _Page(np.array(ax.bbox.extents) / dot, at, line)
    # from the most crowded on: who has many neighbours has few places to choose from
    gaps = np.sort(np.hypot(*(at[:, None] - at[None]).transpose(2, 0, 1)), axis=1)[:, 1:4]
    for one in np.argsort(gaps.mean(axis=1) if len(at) > 1 else [0], kind="stable"):
        offset, led = page.place(int(one), sizes[one] + 2 * _AIR)
        notes[one].set_position((float(offset[0]), float(offset[1])))
        line_to_it = notes[one].arrow_patch
        if line_to_it is not None:
            line_to_it.set_visible(led)
    return notes


class _Page:
    """What is on the axes already. A box is (left, bottom, right, top).

    Args:
        frame: the axes.
        at: (N, 2) the points.
        spots: (S, 2) along lines.
    """

    def __init__(self, frame: FloatArray, at: FloatArray, spots: FloatArray) -> None:
        self._frame = frame
        self._at = at
        self._dots = np.concatenate([at - _DOT, at + _DOT], axis=1)
        self._spots = spots
        self._names = np.empty((0, 4))

    def place(self, one: int, size: FloatArray) -> tuple[FloatArray, bool]:
        """Take the best place for the name of a point; returns its offset, and whether a line leads there."""
        at = self._at[one]
        boxes = _places(at, size)
        away = np.maximum(np.maximum(boxes[:, :2] - at, at - boxes[:, 2:]), 0).max(axis=1)
        leaders = _leaders(at, boxes)
        costs = self._costs(one, boxes, leaders, away > _NEAR) + _PER_POINT * _FAR
        best = int(np.argmin(costs))
        self._names = np.concatenate([self._names, boxes[best : best + 1]])
        led = bool(away[best] > _NEAR)
        if led:
            self._spots = np.concatenate([self._spots, leaders[best]])
        return (boxes[best, :2] + boxes[best, 2:]) / 2 - at, led

    def _costs(self, one: int, boxes: FloatArray, leaders: FloatArray, led: FloatArray) -> FloatArray:
        """Return for each place the area of what a name there would cover, and of itself where it leaves the frame.

        To be near another's point is less bad than to cover it.
        """
        solid = np.concatenate([self._names, np.delete(self._dots, one, axis=0)])
        close = np.concatenate([boxes[:, :2] - _CLOSE, boxes[:, 2:] + _CLOSE], axis=1)
        own = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
        costs = own - _shared(boxes, self._frame[None]).sum(axis=1)
        costs += _shared(boxes, solid).sum(axis=1) + _SPOT * _within(self._spots, boxes).sum(axis=1)
        costs += 0.1 * _shared(close, np.delete(self._dots, one, axis=0)).sum(axis=1)
        crossed = _within(leaders.reshape(-1, 2), solid).any(axis=0).reshape(leaders.shape[:2]).sum(axis=1)
        total: FloatArray = costs + led * _SPOT * crossed
        return total


def _places(at: FloatArray, size: FloatArray) -> FloatArray:
    """Return boxes of a size around a point, (P, 4), the best first."""
    directions = np.tile(_DIRECTIONS, len(_DISTANCES))
    towards = np.stack([np.cos(directions), np.sin(directions)], axis=1)
    centres = at + towards * (_FAR[:, None] + size / 2)
    return np.concatenate([centres - size / 2, centres + size / 2], axis=1)


def _leaders(at: FloatArray, boxes: FloatArray) -> FloatArray:
    """Return spots on the line from a point to each box, (P, 40, 2)."""
    ends = np.clip(at, boxes[:, :2], boxes[:, 2:])
    shares: FloatArray = np.linspace(0, 1, 40)[:, None]
    return at + shares * (ends - at)[:, None]


def _spots(corners: FloatArray) -> FloatArray:
    """Return spots along a line through corners."""
    parts = [corners[:1]]
    for start, end in pairwise(corners):
        count = max(1, int(np.hypot(*(end - start)) / _GRAIN))
        parts.append(start + np.linspace(0, 1, count + 1)[1:, None] * (end - start))
    return np.concatenate(parts)


def _within(spots: FloatArray, boxes: FloatArray) -> BoolArray:
    """Return which spots lie in which boxes, (boxes, spots)."""
    inside: BoolArray = np.all((spots >= boxes[:, None, :2]) & (spots <= boxes[:, None, 2:]), axis=-1)
    return inside


def _shared(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return the area that each box of `a` shares with each of `b`."""
    sides = np.minimum(a[:, None, 2:], b[:, 2:]) - np.maximum(a[:, None, :2], b[:, :2])
    shared: FloatArray = np.prod(np.maximum(sides, 0), axis=-1)
    return shared


@dataclass(frozen=True)
class End:
    """Where a line ends.

    Attributes:
        name: of the line.
        x: of its last point.
        y: of its last point; a line that is not finite there gets no name.
        colour: of the name.
    """

    name: str
    x: float
    y: float
    colour: Any


def name_ends(ax: Axes, ends: Sequence[End], *, size: float = 9) -> None:
    """Write each line's name to the right of the axes at the height of its end; names that would collide move apart.

    Args:
        ax: where to draw; its limits and its scales are final.
        ends: of the lines.
        size: of the letters, in points.
    """
    shown = [end for end in ends if np.isfinite(end.y) and (ax.get_yscale() != "log" or end.y > 0)]
    if not shown:
        return
    figure = ax.get_figure(root=True)
    assert figure is not None  # noqa: S101  (axes that can be drawn on are on a figure)
    figure.draw_without_rendering()
    dot = figure.dpi / 72
    height = ax.bbox.height / dot
    at = ax.transData.transform([(end.x, end.y) for end in shown])[:, 1] / dot - ax.bbox.y0 / dot
    places = spread(np.clip(at, 0, height), min(1.35 * size, height / max(len(shown), 1)), height)
    for end, place in zip(shown, places, strict=True):
        ax.annotate(
            end.name, (1, place / height), (6, 0), xycoords="axes fraction", textcoords="offset points", ha="left",
            va="center", size=size, color=end.colour, parse_math=False,
        )  # fmt: skip


def spread(wanted: FloatArray, apart: float, height: float) -> FloatArray:
    """Return places in 0..height, in the order of those wanted and at least `apart` from each other, moved little.

    Args:
        wanted: (N,) where names would like to stand.
        apart: the least distance, at most height / N.
        height: of the room.
    """
    order = np.argsort(wanted, kind="stable")
    steps = apart * np.arange(len(wanted))
    # places less their steps may be equal but never fall: the nearest such sequence is a running mean of blocks
    level = _never_falling(wanted[order] - steps)
    moved = np.clip(level, 0, max(0.0, height - apart * (len(wanted) - 1))) + steps
    places = np.empty_like(moved)
    places[order] = moved
    return places


def _never_falling(values: FloatArray) -> FloatArray:
    """Return the never falling sequence that is nearest in squares: neighbours that fall are pooled into their mean."""
    blocks: list[tuple[float, int]] = []
    for value in values.tolist():
        mean, count = value, 1
        while blocks and blocks[-1][0] >= mean:
            before, many = blocks.pop()
            mean, count = (before * many + mean * count) / (many + count), many + count
        blocks.append((mean, count))
    return np.repeat([mean for mean, _ in blocks], [count for _, count in blocks])
