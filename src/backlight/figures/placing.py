"""Placing names without overlaps: next to points, and at the right ends of lines instead of a legend."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.text import Annotation, Text

from backlight.core import BoolArray, FloatArray
from backlight.figures.style import palette

# all lengths are in points (1/72 inch)

_DISTANCES: Final = np.array([6, 11, 17, 24, 32, 42, 54, 68, 84, 102, 124, 150, 180])
"""The distances between a point and its name to try, the nearest first."""

# right, left, above, below, then the diagonals and the directions between
_DIRECTIONS: Final = np.radians([0, 180, 90, 270, 45, 315, 135, 225, 22, 338, 158, 202, 68, 112, 248, 292])

_FAR: Final = np.repeat(_DISTANCES, len(_DIRECTIONS))
"""The distance of each candidate position."""

_AIR: Final = 1.5
"""The free space around each name."""

_DOT: Final = 4.0
"""The radius of a dot."""

_GRAIN: Final = 3.0
"""The distance between the spots that represent a line."""

_SPOT: Final = 6.0
"""The area that each spot represents."""

_CLOSE: Final = 5.0
"""A name that is closer than this to another point might be taken for the name of that point."""

_PER_POINT: Final = 0.15
"""The cost of each point of distance, as an area."""

_NEAR: Final = 9.0
"""Up to this distance between a name and its point, no leader line is drawn."""


def place_names(
    ax: Axes,
    points: FloatArray,
    names: Sequence[str],
    *,
    size: float = 9,
    colours: Sequence[str] | None = None,
    around: FloatArray | None = None,
) -> list[Annotation]:
    """Write each name near its point without overlaps; a thin leader line connects distant names to their points.

    Sizes are measured on the current figure: draw everything else first, and do not change the size of the figure.

    Args:
        ax: the axes to draw on, with final limits.
        points: (N, 2) in data coordinates.
        names: N names.
        size: font size in points.
        colours: N colours; None uses the text colour.
        around: (M, 2) in data coordinates, the corners of a line that must not be covered either.
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
    figure.draw_without_rendering()  # computes the positions of the axes
    dot = figure.dpi / 72
    at = ax.transData.transform(points) / dot
    # without the leader line, which has no position yet
    sizes = [np.array(Text.get_window_extent(note).size) / dot for note in notes]
    line = _spots(ax.transData.transform(around) / dot) if around is not None else np.empty((0, 2))
    page = _Page(np.array(ax.bbox.extents) / dot, at, line)
    # start with the most crowded points, which have the fewest free positions
    gaps = np.sort(np.hypot(*(at[:, None] - at[None]).transpose(2, 0, 1)), axis=1)[:, 1:4]
    for one in np.argsort(gaps.mean(axis=1) if len(at) > 1 else [0], kind="stable"):
        offset, led = page.place(int(one), sizes[one] + 2 * _AIR)
        notes[one].set_position((float(offset[0]), float(offset[1])))
        line_to_it = notes[one].arrow_patch
        if line_to_it is not None:
            line_to_it.set_visible(led)
    return notes


class _Page:
    """The objects that are already on the axes. A box is (left, bottom, right, top).

    Args:
        frame: (4,) the box of the axes.
        at: (N, 2) the points.
        spots: (S, 2) spots along lines.
    """

    def __init__(self, frame: FloatArray, at: FloatArray, spots: FloatArray) -> None:
        self._frame = frame
        self._at = at
        self._dots = np.concatenate([at - _DOT, at + _DOT], axis=1)
        self._spots = spots
        self._names = np.empty((0, 4))

    def place(self, one: int, size: FloatArray) -> tuple[FloatArray, bool]:
        """Choose the best position for the name of a point; return its offset, and whether it needs a leader line."""
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
        """Return the cost of each position: the area that a name would cover there, and its own area outside the frame.

        Being close to another point costs less than covering it.
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
    """Return candidate boxes (P, 4) of a size around a point, in order of preference."""
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
    """Return spots (S, 2) along a line through corners (M, 2)."""
    parts = [corners[:1]]
    for start, end in pairwise(corners):
        count = max(1, int(np.hypot(*(end - start)) / _GRAIN))
        parts.append(start + np.linspace(0, 1, count + 1)[1:, None] * (end - start))
    return np.concatenate(parts)


def _within(spots: FloatArray, boxes: FloatArray) -> BoolArray:
    """Return which spots (S, 2) lie in which boxes (P, 4), as (P, S)."""
    inside: BoolArray = np.all((spots >= boxes[:, None, :2]) & (spots <= boxes[:, None, 2:]), axis=-1)
    return inside


def _shared(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return the areas (A, B) of the intersections of boxes `a` (A, 4) with boxes `b` (B, 4)."""
    sides = np.minimum(a[:, None, 2:], b[:, 2:]) - np.maximum(a[:, None, :2], b[:, :2])
    shared: FloatArray = np.prod(np.maximum(sides, 0), axis=-1)
    return shared


@dataclass(frozen=True)
class End:
    """The end of a line.

    Attributes:
        name: the name of the line.
        x: of its last point, in data coordinates.
        y: of its last point, in data coordinates; if it is not finite, the line gets no name.
        colour: the colour of the name.
    """

    name: str
    x: float
    y: float
    colour: Any


def name_ends(ax: Axes, ends: Sequence[End], *, size: float = 9) -> None:
    """Write each line's name to the right of the axes at the height of its end; names that would overlap are moved.

    Args:
        ax: the axes to draw on, with final limits and scales.
        ends: the ends of the lines.
        size: font size in points.
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
    """Return positions (N,) between 0 and height, at least `apart` from each other, close to the wanted ones.

    Args:
        wanted: (N,) the ideal positions; their order is kept.
        apart: the minimum distance, at most height / N.
        height: the available height.
    """
    order = np.argsort(wanted, kind="stable")
    steps = apart * np.arange(len(wanted))
    # positions minus their steps must not decrease: the closest such sequence is an isotonic regression
    level = _never_falling(wanted[order] - steps)
    moved = np.clip(level, 0, max(0.0, height - apart * (len(wanted) - 1))) + steps
    places = np.empty_like(moved)
    places[order] = moved
    return places


def _never_falling(values: FloatArray) -> FloatArray:
    """Return the nondecreasing sequence closest in least squares: decreasing neighbours are pooled into their mean."""
    blocks: list[tuple[float, int]] = []
    for value in values.tolist():
        mean, count = value, 1
        while blocks and blocks[-1][0] >= mean:
            before, many = blocks.pop()
            mean, count = (before * many + mean * count) / (many + count), many + count
        blocks.append((mean, count))
    return np.repeat([mean for mean, _ in blocks], [count for _, count in blocks])
