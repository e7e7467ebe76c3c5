"""The attention weights of a GPT: for each head, how much each position reads of the positions before it."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure

from backlight.core import FloatArray, ShapeError
from backlight.figures.figure import Size, SizedFigure, figure, whole
from backlight.figures.letters import letter_ticks, write_title
from backlight.figures.run_data import NoFigureError, RunData
from backlight.figures.style import palette
from backlight.models.gpt import GPT, attention_weights


def _side(layers: Mapping[str, FloatArray]) -> tuple[int, float]:
    """Return the number of heads in a row, and the side of the square that each gets, in inches."""
    heads = max((len(weights) for weights in layers.values()), default=1)
    return heads, float(np.clip(11 / heads, 1.6, 4))


def _size(layers: Mapping[str, FloatArray]) -> Size:
    heads, side = _side(layers)
    return 0.4 + side * heads, 0.7 + (side + 0.2) * len(layers)


@figure("attention", about="what each head of a GPT reads", size=_size, axes=whole, layout="compressed")
def attention(figure: Figure, layers: Mapping[str, FloatArray], labels: Sequence[str]) -> None:
    """Draw the attention weights of every head, one row per layer.

    Args:
        figure: the figure to draw on.
        layers: the weights (H, T, T) of each layer, as in `draw_heads`, by name.
        labels: the T characters of the text, in visible form.

    Raises:
        ShapeError: the number of labels is not T.
    """
    axes = figure.subplots(len(layers), _side(layers)[0], squeeze=False)
    for row, (name, weights) in zip(axes, layers.items(), strict=True):
        draw_heads(list(row[: len(weights)]), weights, labels, name=name)
        for ax in row[len(weights) :]:
            ax.set_axis_off()
    figure.suptitle("How much each position (row) reads of each position (column)", x=0.01, ha="left", size=13,
                    weight="bold")  # fmt: skip


@attention.from_run
def _(run: RunData) -> SizedFigure:
    network = run.network
    if not isinstance(network, GPT):
        raise NoFigureError(f"it needs a model with attention; this run's is {run.config.model}")
    x = run.context_of(run.text)
    layers = {f"block {number}": p for number, p in enumerate(attention_weights(network, x), 1)}
    return attention(layers, [run.labels[token] for token in x[0].tolist()])


def draw_heads(axes: Sequence[Axes], weights: FloatArray, labels: Sequence[str], *, name: str = "") -> None:
    """Draw the attention weights of each head; each row sums to 1.

    Args:
        axes: one for each head.
        weights: (H, T, T); row: the position that reads, column: the position that is read. Cells of later positions,
            which are masked, are empty, unless a weight there is not 0.
        labels: the T characters of the text, in visible form.
        name: the name of the layer, for the titles.

    Raises:
        ShapeError: the number of axes is not H, or that of labels is not T.
    """
    T = len(labels)
    if weights.shape != (len(axes), T, T):
        raise ShapeError(f"{len(axes)} axes and {T} labels need weights ({len(axes)}, {T}, {T}); got {weights.shape}.")
    later = np.triu(np.ones((T, T), np.bool_), 1)
    for head, ax in enumerate(axes):
        shown = np.where(later & (weights[head] == 0), np.nan, weights[head])
        norm = PowerNorm(0.5, vmin=0, vmax=1)
        ax.imshow(shown, cmap=palette(ax).amounts, norm=norm, interpolation="nearest")
        letter_ticks(ax.xaxis, labels)
        letter_ticks(ax.yaxis, labels)
        ax.spines[["top", "right"]].set_visible(False)
        ax.plot([-0.5, *np.repeat(np.arange(0.5, T), 2)], [-0.5, *np.repeat(np.arange(-0.5, T - 1), 2)[1:], T - 0.5],
                color=palette(ax).muted, linewidth=0.6)  # fmt: skip
        write_title(ax, f"{name}, head {head + 1}" if name else f"Head {head + 1}", size=10, pad=4)
        ax.label_outer()
