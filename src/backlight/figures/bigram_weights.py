"""The weights of a bigram network: the table compared with the counts, and its gradient."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import FuncNorm, Normalize

from backlight.autograd.ops.softmax import shifted_log_softmax
from backlight.core import FloatArray, ShapeError
from backlight.figures.counts import check_size
from backlight.figures.figure import SizedFigure, figure
from backlight.figures.letters import write_title
from backlight.figures.matrices import check_square, draw_matrix, largest, signed_root, signed_square
from backlight.figures.run_data import NoFigureError, RunData
from backlight.figures.style import palette
from backlight.models.bigram import Bigram


@figure(
    "weights", about="a bigram network's W and log probabilities from counts", size=(12, 6.2), layout="compressed",
    axes=lambda figure: figure.subplots(1, 2),
)  # fmt: skip
def weights(axes: Sequence[Axes], learned: FloatArray, counted: FloatArray, labels: Sequence[str]) -> None:
    """Draw two tables of log probabilities in the same colours: one found by gradient descent, one from counts.

    Args:
        axes: two axes, side by side.
        learned: (V, V), in nats: the network's W, each row minus its logsumexp, a constant that softmax ignores.
        counted: (V, V), in nats: the log of each row of counts divided by its sum; -inf where a pair never occurred.
        labels: the V characters, in visible form.

    Raises:
        ShapeError: there are not two axes, or a table is not (V, V).
    """
    if len(axes) != 2:
        raise ShapeError(f"the figure of weights needs two axes; got {len(axes)}.")
    finite = counted[np.isfinite(counted)]
    lowest = float(finite.min()) if finite.size else -1.0
    # pairs that are rarer than all counted ones have the colour of pairs that never occurred
    norm = Normalize(vmin=min(lowest, -1.0) - 1, vmax=0)
    titles = ("W after training", "Log probabilities from counts")
    for ax, table, title in zip(axes, (learned, counted), titles, strict=True):
        check_square("log probabilities", table, labels)
        shown = np.where(np.isneginf(table), np.nan, table)
        image = draw_matrix(ax, shown, colours=palette(ax).amounts, norm=norm, rows=labels, columns=labels)
        ax.set_xlabel("the next character")
        write_title(ax, title)
    axes[0].set_ylabel("a character")
    figure = axes[0].figure
    figure.colorbar(image, ax=list(axes), shrink=0.8, label="log probability, nats", extend="min")


@weights.from_run
def _(run: RunData) -> SizedFigure:
    network = _bigram(run)
    counted = run.counts / np.maximum(run.counts.sum(axis=1, keepdims=True), 1)
    with np.errstate(divide="ignore"):
        return weights(shifted_log_softmax(network.table.weight.array), np.log(counted), run.labels)


@figure("weight-gradient", about="the gradient of that W for one batch", size=(8, 7), layout="compressed")
def weight_gradient(ax: Axes, gradient: FloatArray, labels: Sequence[str]) -> None:
    """Draw the gradient of the loss with respect to a bigram network's W.

    Args:
        ax: the axes to draw on.
        gradient: (V, V), in nats per unit of weight.
        labels: the V characters, in visible form.

    Raises:
        ShapeError: the gradient is not (V, V).
    """
    check_square("a gradient", gradient, labels)
    most = largest(gradient)
    # a step goes against the gradient: where it is negative, the weight grows
    norm = FuncNorm((signed_root, signed_square), vmin=-most, vmax=most)
    image = draw_matrix(ax, gradient, colours=palette(ax).signed, norm=norm, rows=labels, columns=labels)
    ax.set_xlabel("the next character")
    ax.set_ylabel("a character")
    write_title(ax, "Gradient of W: a step raises orange and lowers blue weights")
    bar = ax.figure.colorbar(image, ax=ax, shrink=0.8, label="dloss/dW, nats")
    ticks = (-most, -most / 10, 0, most / 10, most)
    bar.set_ticks(ticks, labels=[f"{tick:.1g}" for tick in ticks])


@weight_gradient.from_run
def _(run: RunData) -> SizedFigure:
    network = _bigram(run)
    network.zero_grad()
    network.loss(run.batch).backward()
    gradient = network.table.weight.grad
    assert gradient is not None  # noqa: S101  (the loss depends on the table)
    return weight_gradient(gradient.array.copy(), run.labels)


def _bigram(run: RunData) -> Bigram:
    if not isinstance(run.network, Bigram):
        raise NoFigureError(f"it needs a bigram network; this run's model is {run.config.model}")
    check_size(run)
    return run.network
