"""The bigram matrix: how often each character follows each other one."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm

from backlight.core import FloatArray, IntArray
from backlight.figures.letters import legible, write_title
from backlight.figures.matrices import check_square, draw_matrix, write_pairs
from backlight.figures.style import palette


def draw_bigram_counts(ax: Axes, counts: IntArray, labels: Sequence[str]) -> None:
    """Draw a matrix of counts, darker for more, with the pair and its count in each cell that is not empty.

    Args:
        ax: where to draw.
        counts: (V, V); row: the first character, column: the one that follows. Row and column 0 are the boundary.
        labels: V visible characters.

    Raises:
        ShapeError: counts that are not square, or not as many labels as rows.
    """
    check_square("counts", counts, labels)
    # a few pairs are a hundred times as frequent as most; a root keeps the rare ones visible
    norm = PowerNorm(0.5, vmin=0, vmax=max(1, int(counts.max())))
    image = draw_matrix(ax, counts, colours=palette(ax).amounts, norm=norm, rows=labels, columns=labels)
    write_pairs(ax, image, counts > 0, labels, lambda first, second: _short(int(counts[first, second])))
    _name_axes(ax)
    write_title(ax, f"How often one character follows another: {counts.sum():,} pairs, {_edge(labels)}")


def draw_bigram_probabilities(ax: Axes, probabilities: FloatArray, labels: Sequence[str]) -> None:
    """Draw the same with probabilities: each row is what may follow its character, and sums to 1.

    Args:
        ax: where to draw.
        probabilities: (V, V); a row of nan for a character that nothing ever followed.
        labels: V visible characters.

    Raises:
        ShapeError: probabilities that are not square, or not as many labels as rows.
    """
    check_square("probabilities", probabilities, labels)
    norm = PowerNorm(0.5, vmin=0, vmax=1)
    image = draw_matrix(ax, probabilities, colours=palette(ax).amounts, norm=norm, rows=labels, columns=labels)
    write_pairs(
        ax, image, probabilities >= 0.0005, labels, lambda first, second: _share(float(probabilities[first, second]))
    )
    _name_axes(ax)
    write_title(ax, f"How likely each character is after another: rows sum to 1, {_edge(labels)}")


def _name_axes(ax: Axes) -> None:
    ax.set_xlabel("the next character")
    ax.set_ylabel("a character")


def _edge(labels: Sequence[str]) -> str:
    return f"“{legible(labels[0])}” is an item's edge"


def _short(count: int) -> str:
    """Return a count in at most four characters."""
    if count < 10_000:
        return str(count)
    size, unit = next((size, unit) for size, unit in ((1e3, "k"), (1e6, "M"), (1e9, "G")) if count < 999.5 * size)
    return f"{count / size:.0f}{unit}"


def _share(probability: float) -> str:
    """Return a probability in at most four characters: .08, .013."""
    digits = 2 if probability >= 0.0995 else 3
    shown = f"{probability:.{digits}f}"
    return shown if probability >= 0.995 else shown[1:]
