"""The pictures that only the course has, a file a lesson: each gives a function that draws on axes, for `show`."""

from backlight.lessons.drawings.batch_norm import by_depth, compared, falling, gate, spreads
from backlight.lessons.drawings.bigrams import one_hot, picked_row, smoothing
from backlight.lessons.drawings.by_hand import Mirror, beside, cascade, influence, mirrors, product_paths, pulls
from backlight.lessons.drawings.gpt import named_curves, score_tables
from backlight.lessons.drawings.micrograd import curve, plane, secants
from backlight.lessons.drawings.mlp import embeddings, fits, network, sweep
from backlight.lessons.drawings.wavenet import dilations, windowed

__all__ = [
    "Mirror",
    "beside",
    "by_depth",
    "cascade",
    "compared",
    "curve",
    "dilations",
    "embeddings",
    "falling",
    "fits",
    "gate",
    "influence",
    "mirrors",
    "named_curves",
    "network",
    "one_hot",
    "picked_row",
    "plane",
    "product_paths",
    "pulls",
    "score_tables",
    "secants",
    "smoothing",
    "spreads",
    "sweep",
    "windowed",
]
