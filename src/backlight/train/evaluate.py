"""The loss of a model on a whole split, each target counted once."""

import math

import numpy as np

from backlight.core import Batch
from backlight.models import LanguageModel
from backlight.text import Dataset, Sequences, Windows
from backlight.text.vocabulary import Vocabulary

CHUNK_TARGETS = 8_192
"""Targets evaluated at a time: enough for large matrix products, few enough to stay in the cache."""

SAMPLE_TARGETS = 500_000
"""A training split with more targets than this is judged by about so many of them, evenly spaced."""


def dataset(model: LanguageModel, vocabulary: Vocabulary, items: list[str], *, ends: bool) -> Dataset:
    """Return items as the examples that the model reads."""
    encoded = vocabulary.encode_items(items, ends=ends)
    kind = Windows if model.reads == "windows" else Sequences
    return kind(encoded, model.context)


def evenly(data: Dataset, targets: int) -> Batch:
    """Return examples with about so many targets, evenly spaced and always the same; all if there are no more."""
    size = max(1, min(len(data), targets * len(data) // data.targets))
    return data.batch(np.linspace(0, len(data) - 1, size).astype(np.int64))


def mean_nats(model: LanguageModel, data: Dataset, *, at_most: int | None = None) -> float:
    """Return the mean of -log p over the targets, in nats per character.

    Args:
        model: the model; a network is judged in the mode that it is in.
        data: the examples.
        at_most: about how many targets to take, evenly spaced, if there are more; None takes all.
    """
    per_example = max(1, data.targets // len(data))
    rows = max(1, CHUNK_TARGETS // per_example)
    if at_most is None or data.targets <= at_most:
        batches = data.chunks(rows)
    else:
        chosen = np.linspace(0, len(data) - 1, max(1, at_most // per_example)).astype(np.int64)
        batches = (data.batch(chosen[i : i + rows]) for i in range(0, len(chosen), rows))
    total, count = 0.0, 0
    for batch in batches:
        total += float(model.target_nats(batch.x, batch.y).sum(dtype=np.float64))
        count += int((batch.y >= 0).sum())
    return total / count


def bits(nats: float) -> float:
    """Return nats in bits: 1 nat is 1/ln 2 = 1.4427 bits."""
    return nats / math.log(2)
