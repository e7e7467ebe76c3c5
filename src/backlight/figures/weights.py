"""What a bigram network has learnt: its table of weights beside the counts, and the gradient that still pulls at it."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import FuncNorm, Normalize

from backlight.core import FloatArray, ShapeError
from backlight.figures.letters import write_title
from backlight.figures.matrices import check_square, draw_matrix
from backlight.figures.style import palette


def draw_weights_beside_log_counts(
    axes: Sequence[Axes], learned: FloatArray, counted: FloatArray, labels: Sequence[str]
) -> None:
    """Draw two tables of log probabilities in the same colours: what gradient descent found, and what counting gives.

    Args:
        axes: two, side by side.
        learned: (V, V), the network's W, each row less its logsumexp: a constant that softmax does not see.
        counted: (V, V), the log of each row of counts divided by its sum; -inf where a pair never occurred.
        labels: V visible characters.

    Raises:
        ShapeError: not two axes, or tables that are not (V, V).
    """
    if len(axes) != 2:
        raise ShapeError(f"draw_weights_beside_log_counts needs two axes; got {len(axes)}.")
    seen = counted[np.isfinite(counted)]
    lowest = float(seen.min()) if seen.size else -1.0
    # what is rarer than all that was counted is the same to the eye: never
    norm = Normalize(vmin=min(lowest, -1.0) - 1, vmax=0)
    titles = ("W, as it was learnt", "log of the counts' shares")
    for ax, table, title in zip(axes, (learned, counted), titles, strict=True):
        check_square("log probabilities", table, labels)
        shown = np.where(np.isneginf(table), np.nan, table)
        image = draw_matrix(ax, shown, colours=palette(ax).amounts, norm=norm, rows=labels, columns=labels)
        ax.set_xlabel("the next character")
        write_title(ax, title)
    axes[0].set_ylabel("a character")
    figure = axes[0].figure
    figure.colorbar(image, ax=list(axes), shrink=0.8, label="log probability, nats", extend="min")


def draw_weight_gradient(ax: Axes, gradient: FloatArray, labels: Sequence[str]) -> None:
    """Draw the gradient of the loss by a bigram network's W: which weights the next step raises, and which it lowers.

    Args:
        ax: where to draw.
        gradient: (V, V), nats per unit of weight.
        labels: V visible characters.

    Raises:
        ShapeError: a gradient that is not (V, V).
    """
    check_square("a gradient", gradient, labels)
    most = largest(gradient)
    # a step goes against the gradient: below 0 the weight grows
    norm = FuncNorm((signed_root, signed_square), vmin=-most, vmax=most)
    image = draw_matrix(ax, gradient, colours=palette(ax).signed, norm=norm, rows=labels, columns=labels)
    ax.set_xlabel("the next character")
    ax.set_ylabel("a character")
    write_title(ax, "Gradient of W: orange is pulled up, blue pushed down")
    bar = ax.figure.colorbar(image, ax=ax, shrink=0.8, label="dloss/dW, nats")
    ticks = (-most, -most / 10, 0, most / 10, most)
    bar.set_ticks(ticks, labels=[f"{tick:.1g}" for tick in ticks])


def largest(values: FloatArray) -> float:
    """Return the largest finite number by size, or 1 where there is none but 0."""
    return float(np.abs(values[np.isfinite(values)]).max(initial=0)) or 1.0


def signed_root(x: FloatArray) -> FloatArray:
    """Return ±√|x|, which shows the small beside the large."""
    return np.sign(x) * np.sqrt(np.abs(x))


def signed_square(x: FloatArray) -> FloatArray:
    """Return ±x², the way back."""
    return np.sign(x) * x**2
