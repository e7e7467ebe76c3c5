"""Names at the right ends of lines, in place of a legend."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from backlight.core import FloatArray


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
    seen = [end for end in ends if np.isfinite(end.y) and (ax.get_yscale() != "log" or end.y > 0)]
    if not seen:
        return
    figure = ax.get_figure(root=True)
    assert figure is not None  # noqa: S101  (axes that can be drawn on are on a figure)
    figure.draw_without_rendering()
    dot = figure.dpi / 72
    height = ax.bbox.height / dot
    at = ax.transData.transform([(end.x, end.y) for end in seen])[:, 1] / dot - ax.bbox.y0 / dot
    places = spread(np.clip(at, 0, height), min(1.35 * size, height / max(len(seen), 1)), height)
    for end, place in zip(seen, places, strict=True):
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
