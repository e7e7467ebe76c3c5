"""The distribution of several arrays taken together, from the distribution of each."""

import math
from collections.abc import Sequence

import numpy as np

from backlight.watch.records import BINS, Histogram, Spread


def pooled(spreads: Sequence[Spread]) -> Spread:
    """Return the spread of all numbers together.

    The variance is the mean of the variances and the variance of the means. Histograms are joined where all have one.
    """
    if len(spreads) == 1:
        return spreads[0]
    counts = np.array([one.count for one in spreads], np.float64)
    share = counts / counts.sum()
    means = np.array([one.mean for one in spreads])
    mean = float(share @ means)
    variance = float(share @ np.array([one.std**2 for one in spreads]) + share @ (means - mean) ** 2)
    return Spread(
        count=int(counts.sum()),
        mean=mean,
        std=math.sqrt(variance) if variance >= 0 else math.nan,
        rms=math.sqrt(mean**2 + variance) if variance >= 0 else math.nan,
        low=min(one.low for one in spreads) if math.isfinite(mean) else math.nan,
        high=max(one.high for one in spreads) if math.isfinite(mean) else math.nan,
        nonfinite=sum(one.nonfinite for one in spreads),
        histogram=_joined([one.histogram for one in spreads]),
    )


def _joined(histograms: Sequence[Histogram | None]) -> Histogram | None:
    """Return one histogram of the widest range.

    Ranges are the same or, around 0, powers of two apart: then each bin of the narrow one lies in one of the wide one.
    """
    known = [one for one in histograms if one is not None]
    if not known or len(known) < len(histograms):
        return None
    wide = max(known, key=lambda one: one.high)
    counts = np.zeros(BINS, np.int64)
    for one in known:
        times = (wide.high - wide.low) / (one.high - one.low)
        places = np.floor((np.arange(BINS) - BINS / 2 + 0.5) / times + BINS / 2).astype(np.intp)
        np.add.at(counts, places, one.counts)
    return Histogram(low=wide.low, high=wide.high, counts=tuple(counts.tolist()))
