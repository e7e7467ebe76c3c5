"""A model's predictions for a text: the next character, the loss of each character, and the gradient of the logits."""

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import FuncNorm

from backlight.autograd import cross_entropy
from backlight.core import NOT_A_TARGET, FloatArray, ShapeError
from backlight.figures.figure import Size, SizedFigure, figure
from backlight.figures.letters import PERCENT, legible, letter_ticks, quoted, write_title
from backlight.figures.matrices import largest, signed_root, signed_square
from backlight.figures.run_data import RunData
from backlight.figures.style import palette
from backlight.sample import score_items

_MOST: Final = 40
"""The maximum number of bars; the remaining characters share one."""

_WIDTH: Final = 48
"""Characters per row; a longer text continues in the next row."""

_EXAMPLES: Final = 32
"""Rows of the figure of dlogits: the batch size of the lectures."""


@figure("next-character", about="the probabilities of the next character after a text", size=(8, 3.6))
def next_character(
    ax: Axes, probabilities: FloatArray, labels: Sequence[str], *, after: str, truth: int | None = None
) -> None:
    """Draw the probability of each next character, the most likely first.

    Args:
        ax: the axes to draw on.
        probabilities: (V,), which sum to 1.
        labels: the V characters, in visible form.
        after: the text so far.
        truth: the id of the actual next character, which is highlighted.

    Raises:
        ShapeError: the probabilities are not (V,).
    """
    if probabilities.shape != (len(labels),):
        raise ShapeError(f"{len(labels)} labels need as many probabilities; got shape {probabilities.shape}.")
    colours = palette(ax)
    order = np.argsort(-probabilities, kind="stable")
    shown = order if len(order) <= _MOST else order[: _MOST - 1]
    heights = probabilities[shown].tolist()
    names = [labels[token] for token in shown]
    if len(shown) < len(order):
        heights.append(1 - sum(heights))
        names.append("…")
    bars = ax.bar(range(len(names)), heights, width=0.8, color=colours.blue)
    if len(shown) < len(order):
        bars[-1].set_color(colours.muted)
        ax.set_xlabel(f"…: the other {len(order) - len(shown):,} characters together")
    came = "" if truth is None else f": “{legible(labels[truth])}” came, with probability {probabilities[truth]:.1%}"
    if truth is not None and truth in shown:
        bars[int(np.flatnonzero(shown == truth)[0])].set_color(colours.orange)
    letter_ticks(ax.xaxis, names)
    ax.set_xlim(-0.6, len(names) - 0.4)
    ax.set_ylim(0, 1.1 * max(heights))
    ax.yaxis.set_major_formatter(PERCENT)
    ax.set_ylabel("probability")
    start = f"after {quoted(after)}" if after else "at the start"
    write_title(ax, f"Next character {start}{came}")


@next_character.from_run
def _(run: RunData) -> SizedFigure:
    """Return the probabilities after the given text, or after half of a text whose next character is known."""
    text, truth = run.text, None
    if not run.given:
        ids = run.vocabulary.encode(run.text)
        half = max(1, len(ids) // 2)
        text = run.vocabulary.decode(ids[:half])
        truth = int(ids[half]) if half < len(ids) else None
    p = run.probabilities(run.context_of(text))[0]
    return next_character(p, run.labels, after=text, truth=truth)


def _surprise_size(labels: Sequence[str]) -> Size:
    return float(np.clip(0.5 * len(labels) + 1.5, 6, 11)), 2.0 + 1.3 * math.ceil(len(labels) / _WIDTH)


@figure("surprise", about="the loss of each character of a text", size=_surprise_size)
def surprise(ax: Axes, labels: Sequence[str], nats: FloatArray, *, uniform: float | None = None) -> None:
    """Draw a bar over each character of a text: its loss given all characters before it.

    Args:
        ax: the axes to draw on.
        labels: the N characters of the text, in visible form.
        nats: (N,) -log p of each, in nats; inf if its probability is 0.
        uniform: ln V, the loss of a uniform guess; None to leave the line out.

    Raises:
        ShapeError: the losses are not (N,), or N is 0.
    """
    if nats.shape != (len(labels),) or not len(labels):
        raise ShapeError(f"{len(labels)} characters need as many numbers, at least one; got shape {nats.shape}.")
    colours = palette(ax)
    finite = nats[np.isfinite(nats)]
    top = max(float(finite.max(initial=0)), uniform or 0, 1.0) * 1.1
    rows = math.ceil(len(labels) / _WIDTH)
    pitch = 1.55 * top if rows > 1 else 1.0 * top
    width = min(_WIDTH, len(labels))
    place = np.arange(len(labels))
    x, floor = place % _WIDTH, -(place // _WIDTH) * pitch
    limit = uniform if uniform is not None else math.inf
    inks = [colours.alarm if nat > limit else colours.blue for nat in nats]
    ax.bar(x, np.where(np.isfinite(nats), nats, top), bottom=floor, width=0.72, color=inks)
    for row in range(rows):
        base = -row * pitch
        last = min(_WIDTH, len(labels) - row * _WIDTH) - 0.5
        ax.hlines(base, -0.5, last, color=colours.muted, linewidth=0.8)
        if uniform is not None:
            ax.hlines(base + uniform, -0.5, last, color=colours.muted, linewidth=1, linestyle=(0, (4, 3)))
    size = float(np.clip(420 / max(width, 1), 6, 16))
    for label, across, up in zip(labels, x.tolist(), floor.tolist(), strict=True):
        shown = legible(label)
        one = len(shown) == 1
        ax.annotate(shown, (across, up), (0, -4), textcoords="offset points", ha="center", va="top", parse_math=False,
                    size=size if one else max(4, 0.55 * size), rotation=0 if one else 90)  # fmt: skip
    _name_axes(ax, rows=rows, pitch=pitch, top=top, uniform=uniform)
    ax.set_xlim(-0.7, width - 0.3)
    worst = int(np.argmax(nats))
    write_title(ax, f"{nats.mean():.2f} nats per character; highest: {nats[worst]:.1f} for “{legible(labels[worst])}”")


@surprise.from_run
def _(run: RunData) -> SizedFigure:
    run.vocabulary.encode(run.text)  # raises VocabularyError for an unknown character
    (score,) = score_items(run.model, run.vocabulary, [run.text], ends=run.ends)
    labels, nats = zip(*score.per_character, strict=True)
    return surprise(labels, np.array(nats), uniform=float(np.log(run.vocabulary.size)))


def _name_axes(ax: Axes, *, rows: int, pitch: float, top: float, uniform: float | None) -> None:
    marks = np.arange(0, top, 1 if top < 8 else 2 * math.ceil(top / 16))
    ax.set_yticks(
        [mark - row * pitch for row in range(rows) for mark in marks], [f"{mark:.0f}" for mark in marks] * rows
    )
    ax.set_ylim(-(rows - 1) * pitch, top)
    ax.set_ylabel("nats")
    ax.set_xticks([])
    ax.spines[["left", "bottom"]].set_visible(False)
    ax.tick_params(axis="y", length=0)
    if uniform is not None:
        ax.annotate("ln V", (1, uniform), (4, 0), xycoords=ax.get_yaxis_transform(), textcoords="offset points",
                    va="center", size=9, color=palette(ax).muted)  # fmt: skip


@figure("dlogits", about="the gradient of the logits of a batch", size=(8, 5.5))
def dlogits(ax: Axes, gradient: FloatArray, labels: Sequence[str]) -> None:
    """Draw dloss/dlogits of one batch: softmax minus the one-hot target, divided by the batch size.

    A gradient step lowers the logits in blue and raises that of the target, in orange. Each row sums to 0.

    Args:
        ax: the axes to draw on.
        gradient: (N, V), in nats.
        labels: the V characters, in visible form.

    Raises:
        ShapeError: the gradient is not (N, V), or N is 0.
    """
    if gradient.ndim != 2 or gradient.shape[1] != len(labels) or not gradient.size:
        raise ShapeError(f"{len(labels)} labels need dlogits of shape (N, {len(labels)}); got {gradient.shape}.")
    most = largest(gradient)
    norm = FuncNorm((signed_root, signed_square), vmin=-most, vmax=most)
    image = ax.imshow(gradient, cmap=palette(ax).signed, norm=norm, aspect="auto", interpolation="nearest")
    letter_ticks(ax.xaxis, labels)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set_xlabel("character")
    ax.set_ylabel("example")
    bar = ax.figure.colorbar(image, ax=ax, shrink=0.9, label="dloss/dlogit, nats")
    ticks = (-most, -most / 10, 0, most / 10, most)
    bar.set_ticks(ticks, labels=[f"{tick:.1g}" for tick in ticks])
    write_title(ax, "Gradient of the logits of one batch: a step raises orange and lowers blue")


@dlogits.from_run
def _(run: RunData) -> SizedFigure:
    """Return the gradient of the loss with respect to the logits, for the first examples of a batch."""
    network = run.network
    x, y = run.batch.x[:_EXAMPLES], run.batch.y[:_EXAMPLES]
    logits = network(x)
    logits.retain_grad()
    network.zero_grad()
    cross_entropy(logits, y).backward()
    gradient: FloatArray = logits.grad.array  # type: ignore[union-attr]
    network.zero_grad()
    return dlogits(gradient[y != NOT_A_TARGET][:_EXAMPLES], run.labels)
