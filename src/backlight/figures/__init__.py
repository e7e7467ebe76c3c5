"""Pictures: a function each, that takes axes and plain data and draws; it neither computes nor saves nor keeps state.

`style` has the one look of all, `pages` says how large each is, `saving` makes files of them, `gathering` makes their
data from a run, and `catalogue` has their names.
"""

from backlight.figures.attention import draw_attention
from backlight.figures.bigram import draw_bigram_counts, draw_bigram_probabilities
from backlight.figures.distribution import draw_next_characters
from backlight.figures.dlogits import draw_dlogits
from backlight.figures.embedding import draw_embedding
from backlight.figures.finder import draw_rate_sweep
from backlight.figures.firing import draw_firing_rates
from backlight.figures.graph import draw_graph, graph_size
from backlight.figures.league import draw_league
from backlight.figures.loss import LossCurves, draw_loss
from backlight.figures.maps import draw_dead_units, draw_saturation
from backlight.figures.ratios import draw_gradient_to_data, draw_update_to_data
from backlight.figures.receptive import draw_receptive_field
from backlight.figures.ridges import (
    Ridge,
    draw_activation_gradients,
    draw_activations,
    draw_preactivations,
    draw_weight_gradients,
)
from backlight.figures.saving import FORMATS, new_figure, page_bytes, rendered, save_figure
from backlight.figures.style import DARK_STYLE, STYLE, Palette, palette
from backlight.figures.surprise import draw_surprise
from backlight.figures.weights import draw_weight_gradient, draw_weights_beside_log_counts

__all__ = [
    "DARK_STYLE",
    "FORMATS",
    "STYLE",
    "LossCurves",
    "Palette",
    "Ridge",
    "draw_activation_gradients",
    "draw_activations",
    "draw_attention",
    "draw_bigram_counts",
    "draw_bigram_probabilities",
    "draw_dead_units",
    "draw_dlogits",
    "draw_embedding",
    "draw_firing_rates",
    "draw_gradient_to_data",
    "draw_graph",
    "draw_league",
    "draw_loss",
    "draw_next_characters",
    "draw_preactivations",
    "draw_rate_sweep",
    "draw_receptive_field",
    "draw_saturation",
    "draw_surprise",
    "draw_update_to_data",
    "draw_weight_gradient",
    "draw_weight_gradients",
    "draw_weights_beside_log_counts",
    "graph_size",
    "new_figure",
    "page_bytes",
    "palette",
    "rendered",
    "save_figure",
]
