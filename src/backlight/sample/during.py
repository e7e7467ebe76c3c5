"""Samples while a model is trained: what a terminal prints at each evaluation, and what the run keeps of it."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from backlight.core import DomainError
from backlight.models import LanguageModel
from backlight.sample.sampler import Sample, SampleConfig, sample_batch
from backlight.training import Run

_ITEMS: Final = 5
_ITEM_LENGTH, _TEXT_LENGTH = 16, 48
_STREAM: Final = 3
"""A random stream of its own, so that sampling does not change the training."""


def samples_at(run: Run, model: LanguageModel, step: int) -> Sequence[Sample] | None:
    """Return a few samples of a run's model after `step` steps; None if its logits are not finite.

    Args:
        run: the run.
        model: its model, with the weights of that step.
        step: how many steps have been taken.
    """
    rng = np.random.default_rng([run.config.seed, _STREAM, step])
    config = SampleConfig(max_length=_ITEM_LENGTH if run.ends else _TEXT_LENGTH, labels=run.labels)
    try:
        return sample_batch(model, run.vocabulary, _ITEMS if run.ends else 1, config=config, rng=rng, ends=run.ends)
    except DomainError:  # the trainer stops if the loss is not finite; a sample does not decide that
        return None


def keep_samples(run: Run, step: int, samples: Sequence[Sample]) -> list[str]:
    """Append samples to the run's files, and return their texts; empty ones are left out."""
    texts = [run.composed(sample.text) for sample in samples if sample.text]
    run.store.append_sampled(step, texts)
    return texts
