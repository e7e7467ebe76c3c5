"""Sampling text from a model, and scoring text with it."""

from backlight.sample.checks import Avoids, Distant, SampleCheck, Valid, ValidByCommand, WithoutLabels
from backlight.sample.filters import probabilities
from backlight.sample.items import NotEnoughError, sample_items
from backlight.sample.sampler import Sample, SampleConfig, context_ids, sample_batch
from backlight.sample.score import Score, order, score_items

__all__ = [
    "Avoids",
    "Distant",
    "NotEnoughError",
    "Sample",
    "SampleCheck",
    "SampleConfig",
    "Score",
    "Valid",
    "ValidByCommand",
    "WithoutLabels",
    "context_ids",
    "order",
    "probabilities",
    "sample_batch",
    "sample_items",
    "score_items",
]
