"""What all tables of coloured cells share: the cells, the characters along two sides, the numbers in the cells."""

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, Normalize, to_rgb
from matplotlib.image import AxesImage

from backlight.core import Array, BoolArray, FloatArray, IntArray, ShapeError
from backlight.figures.letters import cell_size, legible, letter_ticks
from backlight.figures.style import palette

_LEGIBLE = 14.0
"""Points of 1/72 inch that a cell's side needs for letters and a number in it."""


def check_square(what: str, matrix: FloatArray | IntArray, labels: Sequence[str]) -> None:
    """Raise ShapeError unless there is one row and one column for each label."""
    size = len(labels)
    if matrix.shape != (size, size):
        raise ShapeError(f"{size} labels need {what} of shape ({size}, {size}); got {matrix.shape}.")


def draw_matrix(
    ax: Axes, matrix: FloatArray | IntArray, *, colours: Colormap, norm: Normalize, rows: Sequence[str],
    columns: Sequence[str],
) -> AxesImage:  # fmt: skip
    """Draw a matrix as coloured cells, with a character for each row and, on top, for each column.

    Args:
        ax: where to draw.
        matrix: (R, C); where it is nan, the paper shows.
        colours: from low to high.
        norm: numbers to 0..1.
        rows: R visible characters, or none.
        columns: C visible characters, or none.
    """
    image = ax.imshow(matrix, cmap=colours, norm=norm, interpolation="nearest")
    letter_ticks(ax.yaxis, rows)
    letter_ticks(ax.xaxis, columns)
    ax.xaxis.tick_top()
    ax.xaxis.set_label_position("top")
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return image


def write_pairs(
    ax: Axes, image: AxesImage, where: BoolArray, labels: Sequence[str], number: Callable[[int, int], str]
) -> None:
    """Write pair and number into the cells that are marked, if the cells are large enough to be written in.

    Args:
        ax: with a (V, V) matrix on it.
        image: that matrix.
        where: (V, V), the cells to write in.
        labels: V visible characters; a pair that would be too wide is left out.
        number: gives a cell's number, in at most four characters.
    """
    side = cell_size(ax, len(labels), len(labels))
    if side < _LEGIBLE:
        return
    letters = [legible(label) for label in labels]
    large, small = min(12.0, 0.36 * side), min(10.0, 0.3 * side)
    inks = _inks(ax, image)
    for first, second in np.argwhere(where).tolist():
        ink = inks[first, second]
        pair = letters[first] + letters[second]
        if len(pair) == 2:
            ax.text(second, first - 0.2, pair, ha="center", va="center", color=ink, size=large, parse_math=False)
        low = 0.24 if len(pair) == 2 else 0
        ax.text(second, first + low, number(first, second), ha="center", va="center", color=ink, size=small)


def largest(values: FloatArray) -> float:
    """Return the largest finite number by size, or 1 where there is none but 0."""
    return float(np.abs(values[np.isfinite(values)]).max(initial=0)) or 1.0


def signed_root(x: FloatArray) -> FloatArray:
    """Return ±√|x|, which shows the small beside the large."""
    return np.sign(x) * np.sqrt(np.abs(x))


def signed_square(x: FloatArray) -> FloatArray:
    """Return ±x², the way back."""
    return np.sign(x) * x**2


def _inks(ax: Axes, image: AxesImage) -> Array:
    """Return for each cell the colour that stands out from it: the paper's or the ink's."""
    theme = palette(ax)
    cells = luminance(np.asarray(image.to_rgba(np.ma.asarray(image.get_array())))[..., :3])
    paper, ink = (float(luminance(np.array(to_rgb(colour)))) for colour in (theme.paper, theme.ink))
    # the ratio of two lightnesses that is the contrast of WCAG 2.1
    to_paper, to_ink = ((np.maximum(cells, one) + 0.05) / (np.minimum(cells, one) + 0.05) for one in (paper, ink))
    return np.where(to_paper > to_ink, theme.paper, theme.ink)


def luminance(colours: FloatArray) -> FloatArray:
    """Return how light colours (..., 3) are, 0 black to 1 white: WCAG 2.1's relative luminance."""
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    light: FloatArray = linear @ np.array([0.2126, 0.7152, 0.0722])
    return light
