"""Tables of coloured cells: the cells, the characters along two sides, the numbers in the cells."""

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, Normalize, to_rgb
from matplotlib.image import AxesImage

from backlight.core import Array, BoolArray, FloatArray, IntArray, ShapeError
from backlight.figures.letters import cell_size, legible, letter_ticks
from backlight.figures.style import palette

_LEGIBLE = 14.0
"""The smallest side of a cell that can hold text, in points."""


def check_square(what: str, matrix: FloatArray | IntArray, labels: Sequence[str]) -> None:
    """Check that a matrix is (V, V) for V labels.

    Args:
        what: what the matrix holds, for the message.
        matrix: to be (V, V).
        labels: the V characters.

    Raises:
        ShapeError: it has another shape.
    """
    size = len(labels)
    if matrix.shape != (size, size):
        raise ShapeError(f"{size} labels need {what} of shape ({size}, {size}); got {matrix.shape}.")


def draw_matrix(
    ax: Axes, matrix: FloatArray | IntArray, *, colours: Colormap, norm: Normalize, rows: Sequence[str],
    columns: Sequence[str],
) -> AxesImage:  # fmt: skip
    """Draw a matrix as coloured cells, with a character for each row and, at the top, for each column.

    Args:
        ax: the axes to draw on.
        matrix: (R, C); cells that are nan have the background colour.
        colours: the colour map.
        norm: maps numbers to the range 0 to 1.
        rows: the R characters, in visible form, or none.
        columns: the C characters, in visible form, or none.
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
    """Write the pair and the number into selected cells, if the cells are large enough for text.

    Args:
        ax: axes with a (V, V) matrix on them.
        image: the image of that matrix.
        where: (V, V), the cells to write in.
        labels: the V characters, in visible form; a pair that would be too wide is left out.
        number: returns the number of a cell, in at most four characters.
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
    """Return the largest absolute value of the finite numbers of an array of any shape; 1 if all are 0."""
    return float(np.abs(values[np.isfinite(values)]).max(initial=0)) or 1.0


def signed_root(x: FloatArray) -> FloatArray:
    """Return sign(x) √|x|, which makes small numbers visible next to large ones; x has any shape."""
    return np.sign(x) * np.sqrt(np.abs(x))


def signed_square(x: FloatArray) -> FloatArray:
    """Return sign(x) x², the inverse of `signed_root`; x has any shape."""
    return np.sign(x) * x**2


def _inks(ax: Axes, image: AxesImage) -> Array:
    """Return for each cell the text colour with the higher contrast: that of the background or that of the text."""
    theme = palette(ax)
    cells = luminance(np.asarray(image.to_rgba(np.ma.asarray(image.get_array())))[..., :3])
    paper, ink = (float(luminance(np.array(to_rgb(colour)))) for colour in (theme.paper, theme.ink))
    # the contrast ratio of WCAG 2.1
    to_paper, to_ink = ((np.maximum(cells, one) + 0.05) / (np.minimum(cells, one) + 0.05) for one in (paper, ink))
    return np.where(to_paper > to_ink, theme.paper, theme.ink)


def luminance(colours: FloatArray) -> FloatArray:
    """Return the relative luminance (...) of colours (..., 3) by WCAG 2.1: 0 is black, 1 is white."""
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    light: FloatArray = linear @ np.array([0.2126, 0.7152, 0.0722])
    return light
