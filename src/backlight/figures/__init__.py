"""Figures: each is a function that draws plain data on axes; it neither computes nor saves.

`FIGURES` has the figures of a run, by name. To add one, declare it in a file of this folder (see `figure.py`), list it
in `FIGURES`, and show it in `docs/gallery.md`.

    from backlight import figures

    figures.FIGURES["attention"].of(figures.RunData("runs/names-gpt-1", text="alexandra")).save("attention.png")
    figures.surprise(["a", "b"], np.array([0.5, 2.5]))      # a notebook displays it
    figures.surprise.draw(ax, ["a", "b"], np.array([0.5, 2.5]))
"""

from typing import Any, Final

from backlight.core import ConfigError
from backlight.figures import _matplotlib  # noqa: F401  (before anything else imports matplotlib)
from backlight.figures.attention_maps import attention
from backlight.figures.bigram_weights import weight_gradient, weights
from backlight.figures.comparison import league
from backlight.figures.counts import bigram_counts, bigram_probabilities, firing_rates
from backlight.figures.embeddings import embedding
from backlight.figures.figure import FigureSpec, SizedFigure, figure
from backlight.figures.files import FORMATS, new_figure
from backlight.figures.graph import graph
from backlight.figures.histograms import (
    Ridge,
    activation_gradients,
    activations,
    preactivations,
    weight_gradients,
)
from backlight.figures.losses import LossCurves, loss, rate_sweep
from backlight.figures.predictions import dlogits, next_character, surprise
from backlight.figures.ratios import gradient_to_data, update_to_data
from backlight.figures.run_data import NoFigureError, RunData
from backlight.figures.style import DARK_STYLE, STYLE, Palette, palette
from backlight.figures.trees import receptive_field
from backlight.figures.unit_maps import dead_units, saturation

FIGURES: Final[dict[str, FigureSpec[Any]]] = {
    spec.name: spec
    for spec in (
        bigram_counts, bigram_probabilities, firing_rates, weights, weight_gradient, embedding, loss, rate_sweep,
        next_character, surprise, dlogits, attention, receptive_field, activations, preactivations,
        activation_gradients, weight_gradients, saturation, dead_units, gradient_to_data, update_to_data, league,
    )
}  # fmt: skip
"""The figures of a run, by name, in the order of the lectures."""


def figure_spec(name: str) -> FigureSpec[Any]:
    """Return a figure of `FIGURES` by its name.

    Raises:
        ConfigError: there is no figure of this name.
    """
    if name not in FIGURES:
        raise ConfigError(f"a figure must be one of {', '.join(FIGURES)}; got {name!r}. See: backlight figures --list")
    return FIGURES[name]


__all__ = [
    "DARK_STYLE", "FIGURES", "FORMATS", "STYLE", "FigureSpec", "LossCurves", "NoFigureError", "Palette", "Ridge",
    "RunData", "SizedFigure", "activation_gradients", "activations", "attention", "bigram_counts",
    "bigram_probabilities", "dead_units", "dlogits", "embedding", "figure", "figure_spec", "firing_rates",
    "gradient_to_data", "graph", "league", "loss", "new_figure", "next_character", "palette", "preactivations",
    "rate_sweep", "receptive_field", "saturation", "surprise", "update_to_data", "weight_gradient",
    "weight_gradients", "weights",
]  # fmt: skip
