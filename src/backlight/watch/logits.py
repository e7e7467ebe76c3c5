"""What a model's output says about classes, and what the gradient of a loss tells of its targets."""

import math
from dataclasses import dataclass

import numpy as np

from backlight.core import NOT_A_TARGET, Array, FloatArray, IntArray
from backlight.watch.records import LogitsRecord, Spread
from backlight.watch.sequences import padded_share, shifts_of

MOST_CLASSES = 4_096
"""Up to so many, targets are counted."""

_TELLING = 1e-2
"""A row whose target's probability is nearer to 1 does not show the form of its gradient."""

_FIT = 0.05
"""How far a gradient may be from its form, as a share of its factor: half precision rounds to 0.4%."""

_MOST = 0.9
"""Share of the rows that must fit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Logits:
    """The output of one batch, before anything is computed from it.

    Attributes:
        logits: (N, V).
        gradient: (N, V) of the loss by them, unscaled; None if none came.
        targets: (N,) ids, with `NOT_A_TARGET`; None if they are to be found from the gradient.
        rising: whether the loss is the cross-entropy with its sign flipped; None if the gradient has to show it.
        ids: (B, T) that were read, B T = N, one for each row; None if there are no such.
    """

    logits: FloatArray
    gradient: FloatArray | None
    targets: IntArray | None = None
    rising: bool | None = False
    ids: Array | None = None


@np.errstate(all="ignore")
def logits_record(seen: Logits, values: Spread) -> LogitsRecord:
    """Return what the logits say.

    Args:
        seen: the logits; V at least 2.
        values: their distribution.
    """
    z = seen.logits.astype(np.float64)
    V = z.shape[-1]
    log_p = z - z.max(-1, keepdims=True)
    log_p -= np.log(np.exp(log_p).sum(-1, keepdims=True))
    p = np.exp(log_p)
    targets = seen.targets
    if targets is None and seen.gradient is not None:
        targets = targets_of(seen.gradient, log_p, rising=seen.rising)
    counted = None if targets is None else targets != NOT_A_TARGET
    known = counted is not None and bool(counted.any())
    hits = nats = counts = padded = None
    shifts: tuple[float, ...] = ()
    if known and targets is not None and counted is not None:
        if seen.ids is not None:
            asked = targets.reshape(seen.ids.shape)
            shifts, padded = shifts_of(seen.ids, asked), padded_share(seen.ids, asked)
        rows = np.flatnonzero(counted)
        hits = float((z[rows].argmax(-1) == targets[rows]).mean())
        nats = float(-log_p[rows, targets[rows]].mean())
        counts = tuple(np.bincount(targets[rows], minlength=V).tolist()) if V <= MOST_CLASSES else None
    return LogitsRecord(
        values=values,
        classes=V,
        max_probability=float(p.max(-1).mean()),
        entropy=float(-(p * log_p).sum(-1).mean()),
        rows_sum_to_one=rows_sum_to_one(seen.logits),
        accuracy=hits,
        targets=counts,
        gradient_rms=_rms(seen.gradient),
        nats=nats,
        shifts=shifts,
        padded=padded,
    )


@np.errstate(all="ignore")
def binary_record(seen: Logits, values: Spread, *, probabilities: bool) -> LogitsRecord:
    """Return what outputs (N, 1) say that a binary cross-entropy judges.

    Args:
        seen: the outputs.
        values: their distribution.
        probabilities: whether they are probabilities, rather than logits.
    """
    z = seen.logits.astype(np.float64).reshape(-1)
    p = np.clip(z if probabilities else 1 / (1 + np.exp(-np.clip(z, -700, 700))), 1e-300, 1 - 1e-16)
    hits = nats = counts = None
    if seen.gradient is not None:
        slope = seen.gradient.reshape(-1) * (-1 if seen.rising else 1)
        known = np.isfinite(slope) & (slope != 0)
        yes = (slope < 0)[known]  # p - 1 for a 1, p for a 0
        p_known = p[known]
        if len(yes):
            hits = float(((p_known > 0.5) == yes).mean())
            nats = float(-np.log(np.where(yes, p_known, 1 - p_known)).mean())
            counts = (int((~yes).sum()), int(yes.sum()))
    entropy = -(p * np.log(p) + (1 - p) * np.log1p(-p))
    return LogitsRecord(
        values=values,
        classes=1,
        max_probability=float(np.maximum(p, 1 - p).mean()),
        entropy=float(entropy.mean()),
        rows_sum_to_one=False,
        accuracy=hits,
        targets=counts,
        gradient_rms=_rms(seen.gradient),
        nats=nats,
    )


def known_targets(seen: Logits) -> IntArray | None:
    """Return the targets (N,) of a cross-entropy, if all are known."""
    found = seen.targets
    if found is None and seen.gradient is not None:
        z = seen.logits.astype(np.float64)
        found = targets_of(seen.gradient, z - np.logaddexp.reduce(z, -1)[:, None], rising=seen.rising)
    return None if found is None or (found == NOT_A_TARGET).any() else found


def binary_targets(seen: Logits) -> IntArray | None:
    """Return the targets (N,) of a binary cross-entropy as 0 and 1, if all are known."""
    slope = None if seen.gradient is None else seen.gradient.reshape(-1)
    if slope is None or not (np.isfinite(slope) & (slope != 0)).all():
        return None
    yes: IntArray = ((slope < 0) != bool(seen.rising)).astype(np.int64)
    return yes


def targets_of(gradient: FloatArray, log_p: FloatArray | None = None, *, rising: bool | None = False) -> IntArray:
    """Return the targets (N,) of a cross-entropy from its gradient by the logits (N, V).

    A row of it is, but for a factor, softmax(logits) - one_hot(target): only at the target it is negative. There it is
    minus the sum of all others, so that the largest in size show the factor's sign. A row of 0, or one that is not
    finite, shows no target; and none does if the gradient is not of that form, since the loss is then another one.

    Args:
        gradient: (N, V).
        log_p: (N, V) logarithms of the softmax, to check the gradient's form by; None lets it go unchecked.
        rising: whether the loss is the cross-entropy with its sign flipped; None if the gradient has to show it.
    """
    known = np.isfinite(gradient).all(-1) & (gradient != 0).any(-1)
    if rising is None:
        rising = bool((gradient[known].max(-1) + gradient[known].min(-1)).sum() > 0)
    falling = gradient if rising else -gradient
    targets = np.where(known, falling.argmax(-1), NOT_A_TARGET)
    if log_p is not None and known.any() and not _is_of_cross_entropy(-falling[known], log_p[known], targets[known]):
        targets[:] = NOT_A_TARGET
    return targets


def _is_of_cross_entropy(gradient: FloatArray, log_p: FloatArray, targets: IntArray) -> bool:
    """Return whether rows (N, V) are softmax - one_hot(target), times a factor that is the same for all of a class."""
    p = np.exp(log_p.astype(np.float64))
    left = 1 - p[np.arange(len(p)), targets]
    telling = left > _TELLING  # of a sure answer only rounding is left
    if not telling.any():
        return True
    p, g, targets, left = p[telling], gradient[telling].astype(np.float64), targets[telling], left[telling]
    rows = np.arange(len(p))
    factor = -g[rows, targets] / left
    expected = p * factor[:, None]
    expected[rows, targets] = -left * factor
    fits = np.abs(g - expected).max(-1) <= _FIT * factor
    usual = np.zeros(p.shape[-1])
    for one in np.unique(targets):
        usual[one] = np.median(factor[targets == one])
    fits &= np.abs(factor - usual[targets]) <= _FIT * usual[targets]
    return bool(fits.mean() >= _MOST)


def rows_sum_to_one(x: Array) -> bool:
    """Return whether all rows of (N, V) are probabilities."""
    return bool((x >= 0).all() and np.allclose(x.sum(-1), 1, atol=1e-4))


def _rms(x: FloatArray | None) -> float | None:
    return None if x is None else math.sqrt(float(np.mean(np.square(x, dtype=np.float64))))
