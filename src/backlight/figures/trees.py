"""The tree in which a WaveNet joins its context, pair by pair."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from backlight.autograd import cross_entropy
from backlight.core import FloatArray, ShapeError
from backlight.figures.figure import Size, SizedFigure, figure
from backlight.figures.letters import legible, write_title
from backlight.figures.run_data import NoFigureError, RunData
from backlight.figures.style import palette
from backlight.models.wavenet import WaveNet


def _size(letters: Sequence[str], levels: Sequence[str]) -> Size:
    return float(np.clip(0.7 * len(letters) + 2, 6, 14)), 1.1 + 0.85 * len(levels)


@figure("receptive-field", about="the tree over the context of a WaveNet", size=_size)
def receptive_field(
    ax: Axes, letters: Sequence[str], levels: Sequence[str], *, outcome: str = "", influence: FloatArray | None = None
) -> None:
    """Draw how a hierarchical network joins its context: characters at the bottom, then pairs, one node at the top.

    Args:
        ax: the axes to draw on.
        letters: the T characters of the context, in visible form, oldest first; T is a power of 2.
        levels: log2(T) + 1 descriptions of the levels, from the characters' vectors to the top node.
        outcome: the predicted next character.
        influence: (T,) the influence of each character on the prediction, in any unit: the size of its dot.

    Raises:
        ShapeError: T is not a power of 2, or the number of levels or the shape of the influence does not match T.
    """
    T = len(letters)
    if T < 1 or T & (T - 1) or len(levels) != T.bit_length() or (influence is not None and influence.shape != (T,)):
        raise ShapeError(
            f"a tree needs T letters, T a power of 2, log2(T) + 1 levels and an influence of shape (T,); "
            f"got {T} letters, {len(levels)} levels and {None if influence is None else influence.shape}."
        )
    colours = palette(ax)
    shades = colours.depths(np.linspace(0, 1, max(len(levels), 2)))
    x = np.arange(T, dtype=float)
    sizes = np.full(T, 90.0)
    if influence is not None and influence.max() > 0:
        sizes = 12 + 260 * influence / influence.max()
    for level in range(len(levels)):
        ax.scatter(x, np.full(len(x), level), s=sizes if level == 0 else 90, color=shades[level], zorder=3)
        if level + 1 < len(levels):
            above = x.reshape(-1, 2).mean(axis=1)
            edges = [[(a, level), (b, level + 1)] for a, b in zip(x, np.repeat(above, 2), strict=True)]
            ax.add_collection(LineCollection(edges, colors=[colours.muted], linewidths=1, zorder=2))
            x = above
    for place, letter in enumerate(letters):
        shown = legible(letter)
        ax.text(
            place, -0.32, shown, ha="center", va="top", weight="bold", parse_math=False,
            size=15 if len(shown) == 1 else 8, rotation=0 if len(shown) == 1 else 90,
        )  # fmt: skip
    if outcome:
        ax.text(float(x[0]), len(levels) - 1 + 0.25, f"→ {legible(outcome)}", ha="center", va="bottom", size=15,
                weight="bold", color=colours.orange, parse_math=False)  # fmt: skip
    ax.set_xlim(-0.6, T - 0.4)
    ax.set_ylim(-0.75, len(levels) - 0.35)
    ax.set_yticks(range(len(levels)), [legible(level) for level in levels], parse_math=False)
    ax.set_xticks([])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    if influence is not None:
        ax.set_xlabel("larger dots have more influence on the prediction", size=10)
    write_title(ax, f"How {T} characters are joined into one prediction")


@receptive_field.from_run
def _(run: RunData) -> SizedFigure:
    """Return the tree over the context of a WaveNet, with the influence of each character on the prediction."""
    network = run.network
    if not isinstance(network, WaveNet):
        raise NoFigureError(f"it needs a hierarchical model; this run's is {run.config.model}")
    text = run.text if run.given else run.text[: max(1, len(run.text) * 2 // 3)]
    x = run.context_of(text)
    vectors = network.embedding(x)
    vectors.retain_grad()
    logits = network.output(network.hidden(vectors))
    outcome = int(logits.array[0].argmax())
    network.zero_grad()
    cross_entropy(logits, np.array([outcome])).backward()
    influence = np.sqrt((vectors.grad.array[0] ** 2).sum(axis=-1))  # type: ignore[union-attr]
    network.zero_grad()
    config = network.config
    levels = [f"{config.embedding} numbers for 1", *(
        f"{config.hidden} units for {2**level}" for level in range(1, config.levels + 1)
    )]  # fmt: skip
    letters = [run.labels[token] for token in x[0].tolist()]
    return receptive_field(letters, levels, outcome=run.labels[outcome], influence=influence)
