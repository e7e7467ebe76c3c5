"""Labels of items in what a model samples and scores: `text/labels.py` has their form in the text."""

from collections.abc import Sequence
from dataclasses import replace

from backlight.sample import (
    SampleConfig,
    Score,
)
from backlight.text.labels import spelled, split


def after_label(config: SampleConfig, mark: str) -> SampleConfig:
    """Return the settings for texts that begin with a label: this one, or any if there is none."""
    return replace(
        config,
        prefix=mark + config.prefix if mark else config.prefix,
        min_length=config.min_length + 1 if config.min_length else 0,
        template=f"{mark or '?'}{config.template}" if config.template else "",
        pattern=f".(?:{config.pattern})" if config.pattern else "",
    )


def with_label(score: Score, labels: Sequence[str]) -> Score:
    """Return a score with the label in words."""
    label, _ = split(score.text, labels)
    (_, nats), *rest = score.per_character
    return replace(score, text=spelled(score.text, labels), per_character=((label or "", nats), *rest))
