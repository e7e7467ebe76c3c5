"""Counts of a text: how often each character follows each other one, and how often each occurs."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm

from backlight.core import FloatArray, IntArray, ShapeError
from backlight.figures.figure import Size, SizedFigure, figure
from backlight.figures.letters import PERCENT, legible, letter_ticks, write_title
from backlight.figures.matrices import check_square, draw_matrix, write_pairs
from backlight.figures.run_data import NoFigureError, RunData
from backlight.figures.style import palette

_MOST = 400
"""The maximum number of characters of a table of pairs: with more, its cells cannot be distinguished."""


def _table_size(labels: Sequence[str]) -> Size:
    side = float(np.clip(0.37 * len(labels) + 1, 6, 14))
    return side, side


@figure("bigram-counts", about="how often each pair of characters occurs", size=_table_size, layout="compressed")
def bigram_counts(ax: Axes, counts: IntArray, labels: Sequence[str]) -> None:
    """Draw a matrix of counts, darker for more, with the pair and its count in each cell that is not empty.

    Args:
        ax: the axes to draw on.
        counts: (V, V); row: the first character, column: the next one. Row and column 0 are the boundary.
        labels: the V characters, in visible form.

    Raises:
        ShapeError: the counts are not (V, V).
    """
    check_square("counts", counts, labels)
    # a few pairs are a hundred times as frequent as most; a square root keeps the rare ones visible
    norm = PowerNorm(0.5, vmin=0, vmax=max(1, int(counts.max())))
    image = draw_matrix(ax, counts, colours=palette(ax).amounts, norm=norm, rows=labels, columns=labels)
    write_pairs(ax, image, counts > 0, labels, lambda first, second: _short(int(counts[first, second])))
    _name_axes(ax)
    write_title(ax, f"Counts of {counts.sum():,} pairs of characters; {_edge(labels)}")


@bigram_counts.from_run
def _(run: RunData) -> SizedFigure:
    check_size(run)
    return bigram_counts(run.counts, run.labels)


@figure(
    "bigram-probabilities",
    about="the probability of each character after each other one",
    size=_table_size,
    layout="compressed",
)
def bigram_probabilities(ax: Axes, probabilities: FloatArray, labels: Sequence[str]) -> None:
    """Draw the probabilities of the next character: each row is the distribution after one character, and sums to 1.

    Args:
        ax: the axes to draw on.
        probabilities: (V, V); a row of nan for a character that nothing follows.
        labels: the V characters, in visible form.

    Raises:
        ShapeError: the probabilities are not (V, V).
    """
    check_square("probabilities", probabilities, labels)
    norm = PowerNorm(0.5, vmin=0, vmax=1)
    image = draw_matrix(ax, probabilities, colours=palette(ax).amounts, norm=norm, rows=labels, columns=labels)
    write_pairs(
        ax, image, probabilities >= 0.0005, labels, lambda first, second: _share(float(probabilities[first, second]))
    )
    _name_axes(ax)
    write_title(ax, f"Probability of the next character: rows sum to 1; {_edge(labels)}")


@bigram_probabilities.from_run
def _(run: RunData) -> SizedFigure:
    check_size(run)
    with np.errstate(invalid="ignore"):
        return bigram_probabilities(run.counts / run.counts.sum(axis=1, keepdims=True), run.labels)


def check_size(run: RunData) -> None:
    """Check that a table of pairs of the run's characters is legible.

    Raises:
        NoFigureError: the run has too many characters.
    """
    if run.vocabulary.size > _MOST:
        raise NoFigureError(
            f"a table of pairs is legible for up to {_MOST} characters; this run has {run.vocabulary.size}"
        )


@figure("firing-rates", about="how often each one-hot input is active", size=(8, 3.6))
def firing_rates(ax: Axes, rates: FloatArray, labels: Sequence[str]) -> None:
    """Draw a bar for each character: the share of the examples in which its one-hot input is 1.

    Only the row of weights of an active input gets a gradient, so the row of a rare character is learnt slowly.

    Args:
        ax: the axes to draw on.
        rates: (V,), shares that sum to 1.
        labels: the V characters, in visible form.

    Raises:
        ShapeError: the rates are not (V,).
    """
    if rates.shape != (len(labels),):
        raise ShapeError(f"{len(labels)} labels need as many rates; got an array of shape {rates.shape}.")
    colours = palette(ax)
    ax.bar(range(len(labels)), rates, width=0.8, color=colours.blue)
    letter_ticks(ax.xaxis, labels)
    ax.set_xlim(-0.6, len(labels) - 0.4)
    even = 1 / len(labels)
    ax.axhline(even, color=colours.orange, linewidth=1.2, linestyle=(0, (4, 3)))
    ax.set_ylim(0, 1.12 * max(float(rates.max()), even))
    ax.annotate(f"1/V = {even:.2g}", (1, even), (6, 0), xycoords=ax.get_yaxis_transform(),
                textcoords="offset points", va="center", color=colours.orange, size=9)  # fmt: skip
    ax.yaxis.set_major_formatter(PERCENT)
    ax.set_ylabel("share of examples")
    rarest = int(np.argmin(rates))
    shares = float(rates[rarest])
    often = f"once in {1 / shares:,.0f} examples" if shares > 0 else "never"
    write_title(ax, f"How often each one-hot input is active: “{legible(labels[rarest])}” {often}")


@firing_rates.from_run
def _(run: RunData) -> SizedFigure:
    """Return how often each element of a one-hot encoding of the last character is 1."""
    return firing_rates(run.counts.sum(axis=1) / run.counts.sum(), run.labels)


def _name_axes(ax: Axes) -> None:
    ax.set_xlabel("the next character")
    ax.set_ylabel("a character")


def _edge(labels: Sequence[str]) -> str:
    return f"“{legible(labels[0])}” is the boundary of an item"


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
