"""Each picture on a page of its own: how large it is, and how many axes it has. Data in, page out."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from backlight.core import BoolArray, FloatArray, IntArray
from backlight.figures.attention import draw_attention
from backlight.figures.bigram import draw_bigram_counts, draw_bigram_probabilities
from backlight.figures.distribution import draw_next_characters
from backlight.figures.dlogits import draw_dlogits
from backlight.figures.embedding import draw_embedding
from backlight.figures.finder import draw_rate_sweep
from backlight.figures.firing import draw_firing_rates
from backlight.figures.league import draw_league
from backlight.figures.loss import LossCurves, draw_loss
from backlight.figures.maps import draw_dead_units, draw_saturation
from backlight.figures.ratios import draw_gradient_to_data, draw_update_to_data
from backlight.figures.receptive import draw_receptive_field
from backlight.figures.ridges import Ridge
from backlight.figures.surprise import WIDTH, draw_surprise
from backlight.figures.weights import draw_weight_gradient, draw_weights_beside_log_counts

_WIDE = 8.0
_LOW = 4.5


@dataclass(frozen=True)
class Page:
    """A picture that is ready to be drawn.

    Attributes:
        width: inches.
        height: inches.
        draw: draws it on an empty figure of that size.
    """

    width: float
    height: float
    draw: Callable[[Figure], None]


def noted(page: Page, note: str) -> Page:
    """Return a page with a line of text below its picture; the same page if there is nothing to say."""
    if not note:
        return page

    def draw(figure: Figure) -> None:
        page.draw(figure)
        figure.supxlabel(note, size=9, x=0.99, ha="right")

    return Page(page.width, page.height + 0.3, draw)


def bigram_counts(counts: IntArray, labels: Sequence[str]) -> Page:
    """Return the page of `draw_bigram_counts`."""
    return _table(len(labels), lambda ax: draw_bigram_counts(ax, counts, labels))


def bigram_probabilities(probabilities: FloatArray, labels: Sequence[str]) -> Page:
    """Return the page of `draw_bigram_probabilities`."""
    return _table(len(labels), lambda ax: draw_bigram_probabilities(ax, probabilities, labels))


def weights_beside_log_counts(learned: FloatArray, counted: FloatArray, labels: Sequence[str]) -> Page:
    """Return the page of `draw_weights_beside_log_counts`."""

    def draw(figure: Figure) -> None:
        figure.set_layout_engine("compressed")
        draw_weights_beside_log_counts(list(figure.subplots(1, 2)), learned, counted, labels)

    return Page(12, 6.2, draw)


def weight_gradient(gradient: FloatArray, labels: Sequence[str]) -> Page:
    """Return the page of `draw_weight_gradient`."""
    return _square(_WIDE, 7, lambda ax: draw_weight_gradient(ax, gradient, labels))


def firing_rates(rates: FloatArray, labels: Sequence[str]) -> Page:
    """Return the page of `draw_firing_rates`."""
    return _one(_WIDE, 3.6, lambda ax: draw_firing_rates(ax, rates, labels))


def next_characters(probabilities: FloatArray, labels: Sequence[str], *, after: str, truth: int | None = None) -> Page:
    """Return the page of `draw_next_characters`."""
    return _one(_WIDE, 3.6, lambda ax: draw_next_characters(ax, probabilities, labels, after=after, truth=truth))


def loss(curves: LossCurves) -> Page:
    """Return the page of `draw_loss`."""
    return _one(_WIDE, _LOW, lambda ax: draw_loss(ax, curves))


def rate_sweep(rates: FloatArray, losses: FloatArray, smoothed: FloatArray, suggestion: float | None) -> Page:
    """Return the page of `draw_rate_sweep`."""
    return _one(_WIDE, _LOW, lambda ax: draw_rate_sweep(ax, rates, losses, smoothed, suggestion))


def embedding(points: FloatArray, labels: Sequence[str], **told: Any) -> Page:
    """Return the page of `draw_embedding`, which takes `told` too."""
    return _one(7.2, 7.2, lambda ax: draw_embedding(ax, points, labels, **told))


def ridges(draw: Callable[[Axes, Sequence[Ridge]], None], rows: Sequence[Ridge]) -> Page:
    """Return the page of `draw_activations`, `draw_preactivations` or one of the gradients'."""
    return _one(_WIDE, 1.5 + 0.6 * max(len(rows), 2), lambda ax: draw(ax, rows))


def saturation(maps: Mapping[str, BoolArray]) -> Page:
    """Return the page of `draw_saturation` for every layer, one under the other."""

    def draw(figure: Figure) -> None:
        for ax, (name, saturated) in zip(_grid(figure, len(maps), 1), maps.items(), strict=True):
            draw_saturation(ax, saturated, name=name)
            ax.label_outer()

    return Page(_WIDE, 0.6 + 2.2 * len(maps), draw)


def dead_units(names: Sequence[str], alive: Sequence[FloatArray]) -> Page:
    """Return the page of `draw_dead_units`."""
    return _one(_WIDE, 1.3 + 0.45 * len(names), lambda ax: draw_dead_units(ax, names, alive))


def gradient_to_data(names: Sequence[str], ratios: FloatArray) -> Page:
    """Return the page of `draw_gradient_to_data`."""
    return _one(_WIDE, 1.5 + 0.36 * max(len(names), 2), lambda ax: draw_gradient_to_data(ax, names, ratios))


def update_to_data(steps: IntArray, ratios: Mapping[str, FloatArray]) -> Page:
    """Return the page of `draw_update_to_data`."""
    height = max(_LOW, 1.2 + 0.2 * len(ratios))
    return _one(_WIDE, height, lambda ax: draw_update_to_data(ax, steps, ratios))


def dlogits(gradient: FloatArray, labels: Sequence[str]) -> Page:
    """Return the page of `draw_dlogits`."""
    return _one(_WIDE, 5.5, lambda ax: draw_dlogits(ax, gradient, labels))


def attention(layers: Mapping[str, FloatArray], labels: Sequence[str]) -> Page:
    """Return the page of `draw_attention`: a row for each layer, a column for each head."""
    heads = max((len(weights) for weights in layers.values()), default=1)
    side = float(np.clip(11 / heads, 1.6, 4))

    def draw(figure: Figure) -> None:
        figure.set_layout_engine("compressed")
        axes = figure.subplots(len(layers), heads, squeeze=False)
        for row, (name, weights) in zip(axes, layers.items(), strict=True):
            draw_attention(list(row[: len(weights)]), weights, labels, name=name)
            for ax in row[len(weights) :]:
                ax.set_axis_off()
        figure.suptitle("What each position (row) reads of those before it (columns)", x=0.01, ha="left", size=13,
                        weight="bold")  # fmt: skip

    return Page(0.4 + side * heads, 0.7 + (side + 0.2) * len(layers), draw)


def receptive_field(
    letters: Sequence[str], levels: Sequence[str], *, outcome: str = "", influence: FloatArray | None = None
) -> Page:
    """Return the page of `draw_receptive_field`."""
    return _one(
        float(np.clip(0.7 * len(letters) + 2, 6, 14)), 1.1 + 0.85 * len(levels),
        lambda ax: draw_receptive_field(ax, letters, levels, outcome=outcome, influence=influence),
    )  # fmt: skip


def surprise(labels: Sequence[str], nats: FloatArray, *, know_nothing: float | None = None) -> Page:
    """Return the page of `draw_surprise`."""
    rows = math.ceil(len(labels) / WIDTH)
    width = float(np.clip(0.5 * len(labels) + 1.5, 6, 11))
    return _one(width, 2.0 + 1.3 * rows, lambda ax: draw_surprise(ax, labels, nats, know_nothing=know_nothing))


def league(rows: Sequence[Mapping[str, Any]]) -> Page:
    """Return the page of `draw_league`."""
    return Page(12, 5.6, lambda figure: draw_league(list(figure.subplots(1, 2, sharey=True)), rows))


def _one(width: float, height: float, draw: Callable[[Axes], None]) -> Page:
    return Page(width, height, lambda figure: draw(figure.subplots()))


def _square(width: float, height: float, draw: Callable[[Axes], None]) -> Page:
    """Return a page for axes whose sides are bound to each other."""

    def draw_page(figure: Figure) -> None:
        figure.set_layout_engine("compressed")
        draw(figure.subplots())

    return Page(width, height, draw_page)


def _table(size: int, draw: Callable[[Axes], None]) -> Page:
    side = float(np.clip(0.37 * size + 1, 6, 14))
    return _square(side, side, draw)


def _grid(figure: Figure, rows: int, columns: int) -> Sequence[Axes]:
    axes: Sequence[Axes] = figure.subplots(rows, columns, squeeze=False).ravel().tolist()
    return axes
