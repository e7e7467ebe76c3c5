"""Pictures of the text that a run learnt from."""

import numpy as np

from backlight.figures import pages
from backlight.figures.data.source import NoPictureError, Source
from backlight.figures.pages import Page

MOST = 400
"""Characters beyond which a table of pairs is nothing but a grey square."""


def bigram_counts(source: Source) -> Page:
    """Return the table of how often each character follows each other one."""
    check_size(source)
    return pages.bigram_counts(source.counts, source.labels)


def bigram_probabilities(source: Source) -> Page:
    """Return the same as shares of each row."""
    check_size(source)
    totals = source.counts.sum(axis=1, keepdims=True)
    with np.errstate(invalid="ignore"):
        return pages.bigram_probabilities(source.counts / totals, source.labels)


def firing_rates(source: Source) -> Page:
    """Return how often each unit of a one-hot encoding of the last character is 1."""
    return pages.firing_rates(source.counts.sum(axis=1) / source.counts.sum(), source.labels)


def check_size(source: Source) -> None:
    """Raise NoPictureError for so many characters that a cell for each pair could not be seen."""
    if source.vocabulary.size > MOST:
        raise NoPictureError(
            f"a table of pairs can be read for up to {MOST} characters; this run has {source.vocabulary.size}"
        )
