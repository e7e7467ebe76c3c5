"""Names beside points, none of which covers another, a point or a line."""

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox

from backlight.core import FloatArray
from backlight.figures.style import palette

_DISTANCES: Final = (6, 11, 17, 24, 32, 42, 54, 68, 84, 102, 124, 150)
"""Points of 1/72 inch between a point and its name, the nearest tried first."""

# right, left, above, below, then the corners and what lies between
_DIRECTIONS: Final = (0, 180, 90, 270, 45, 315, 135, 225, 22, 338, 158, 202, 68, 112, 248, 292)

_AIR: Final = 1.5
"""Points that stay free around each name."""

_DOT: Final = 4.0
"""Points from the middle of a dot to its edge."""

_GRAIN: Final = 3.0
"""Points from one to the next of the little boxes that a line is taken as."""

_CLOSE: Final = 5.0
"""Points between a name and another's point within which one might take the name for that point's."""

_NEAR: Final = 9.0
"""Points between a name and its point up to which no line need lead to it."""


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
    sizes = [note.get_window_extent() for note in notes]
    line = _boxes_along(ax.transData.transform(around) / dot) if around is not None else []
    page = _Page(Bbox(ax.bbox.get_points() / dot), [Bbox.from_extents(*(p - _DOT), *(p + _DOT)) for p in at], line)
    # from the most crowded on: who has many neighbours has few places to choose from
    gaps = np.hypot(*(at[:, None] - at[None]).transpose(2, 0, 1)) + np.eye(len(at)) * 1e9
    for one in np.argsort(np.sort(gaps, axis=1)[:, :3].mean(axis=1), kind="stable"):
        offset, led = page.place(int(one), at[one], sizes[one].width / dot, sizes[one].height / dot)
        notes[one].set_position(offset)
        line_to_it = notes[one].arrow_patch
        if line_to_it is not None:
            line_to_it.set_visible(led)
    return notes


class _Page:
    """What is on the axes already, in points of 1/72 inch.

    Args:
        frame: the axes.
        dots: around each point.
        line: along a line.
    """

    def __init__(self, frame: Bbox, dots: Sequence[Bbox], line: Sequence[Bbox]) -> None:
        self._frame = frame
        self._dots = dots
        self._lines = list(line)
        self._names: list[Bbox] = []

    def place(self, one: int, at: FloatArray, width: float, height: float) -> tuple[tuple[float, float], bool]:
        """Take the best place for the name of a point; returns its offset, and whether a line leads there."""
        best, least = Bbox.null(), math.inf
        for box in _places(at, width + 2 * _AIR, height + 2 * _AIR):
            cost = self._cost(one, at, box)
            if cost < least:
                best, least = box, cost
            if cost == 0:
                break
        self._names.append(best)
        leader = _leader(at, best)
        self._lines += leader
        return ((best.x0 + best.x1) / 2 - at[0], (best.y0 + best.y1) / 2 - at[1]), bool(leader)

    def _cost(self, one: int, at: FloatArray, box: Bbox) -> float:
        """Return the area of what a name here would cover, and of itself where it leaves the frame; 0 is a free place.

        To cover a line is less bad than to cover a name or a point, and to be near another's point less bad still.
        """
        others = [dot for place, dot in enumerate(self._dots) if place != one]
        cost = box.width * box.height - _shared(box, self._frame)
        cost += _covered(box, self._names) + _covered(box, others)
        cost += 0.5 * _covered(box, self._lines) + 0.1 * _covered(box.padded(_CLOSE), others)
        return cost + sum(_covered(piece, self._names) + _covered(piece, others) for piece in _leader(at, box))


def _places(at: FloatArray, width: float, height: float) -> Iterator[Bbox]:
    for distance in _DISTANCES:
        for direction in _DIRECTIONS:
            along, up = math.cos(math.radians(direction)), math.sin(math.radians(direction))
            x, y = at[0] + along * (distance + width / 2), at[1] + up * (distance + height / 2)
            yield Bbox.from_bounds(x - width / 2, y - height / 2, width, height)


def _leader(at: FloatArray, box: Bbox) -> list[Bbox]:
    """Return the line from a point to a name, if it is so far off that it needs one."""
    if box.padded(_NEAR).contains(*at):
        return []
    edge = np.array([np.clip(at[0], box.x0, box.x1), np.clip(at[1], box.y0, box.y1)])
    return _boxes_along(np.array([at, edge]))


def _boxes_along(corners: FloatArray) -> list[Bbox]:
    boxes = []
    for start, end in pairwise(corners):
        steps = max(1, math.ceil(float(np.hypot(*(end - start))) / _GRAIN))
        for share in np.linspace(0, 1, steps + 1):
            x, y = start + share * (end - start)
            boxes.append(Bbox.from_extents(x - 1, y - 1, x + 1, y + 1))
    return boxes


def _covered(box: Bbox, others: Sequence[Bbox]) -> float:
    return sum(_shared(box, other) for other in others)


def _shared(a: Bbox, b: Bbox) -> float:
    """Return the area that lies in both."""
    width = min(a.x1, b.x1) - max(a.x0, b.x0)
    height = min(a.y1, b.y1) - max(a.y0, b.y0)
    return float(width * height) if width > 0 and height > 0 else 0.0
