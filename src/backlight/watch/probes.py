"""Experiments on a network in evaluation mode: something it reads is changed, and what that changes is looked at.

What is read is only ever put together from numbers of the batch itself, so that every id stays one that the network
knows.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from backlight.core import NOT_A_TARGET, Array, FloatArray
from backlight.watch.records import Probe

Run = Callable[[Array], FloatArray]

_NEXT = 0.9
"""Share of targets that must be the id after theirs for a task to count as predicting the next."""


def probes_of(run: Run, x: Array, y: Array | None, *, causal: bool | None) -> list[Probe]:
    """Return what the experiments show that fit this batch.

    Args:
        run: from what is read, (B, ...), to the network's output, in evaluation mode.
        x: what is read.
        y: the targets; None if they are not known.
        causal: whether outputs must not depend on later inputs; None lets the targets decide: it is so if they are the
            next ids.
    """
    out = run(x)
    found = [_probe("repeat", run(x), out)]
    if len(x) < 2 or not x.size:
        return found
    other = np.roll(x, 1, axis=0)
    if not np.array_equal(other, x, equal_nan=True):
        found.append(_probe("input", run(other), out))
        if _one_target_each(x, y, out):
            among = np.concatenate([x[:1], np.repeat(x[:1], len(x) - 1, axis=0)])
            found.append(_probe("neighbours", run(among)[:1], out[:1]))
    if _is_sequence(x, out) and (causal if causal is not None else predicts_next(x, y)):
        found += _future(run, x, other, out)
    return found


def predicts_next(x: Array, y: Array | None) -> bool:
    """Return whether the targets (B, T) are the ids after those of x (B, T)."""
    if y is None or x.ndim != 2 or y.shape != x.shape or x.shape[1] < 2 or y.dtype.kind not in "iu":
        return False
    counted = y[:, :-1] != NOT_A_TARGET
    return bool(counted.any() and (y[:, :-1] == x[:, 1:])[counted].mean() >= _NEXT)


def modes_probe(training: FloatArray, evaluation: FloatArray, losses: Mapping[str, float]) -> Probe:
    """Return how far the outputs of the two modes are apart.

    Args:
        training: the output in training mode.
        evaluation: that in evaluation mode.
        losses: "train_loss" and "eval_loss", where they are known.
    """
    return _probe("modes", training, evaluation, losses)


def _future(run: Run, x: Array, other: Array, out: FloatArray) -> list[Probe]:
    """Change the second half of each sequence to that of its neighbour."""
    cut = x.shape[1] // 2
    changed = np.concatenate([x[:, :cut], other[:, cut:]], axis=1)
    if cut == 0 or np.array_equal(changed, x, equal_nan=True):
        return []
    after = run(changed)
    probe = _probe("future", after[:, :cut], out[:, :cut])
    apart = np.abs(after[:, :cut] - out[:, :cut]).reshape(len(x), cut, -1).max((0, 2))
    moved = np.flatnonzero(apart > 1e-4 * probe.scale)
    details = {"position": float(moved[0])} if len(moved) else {}
    return [Probe(name="future", changed=probe.changed, scale=probe.scale, details=details)]


def _one_target_each(x: Array, y: Array | None, out: FloatArray) -> bool:
    """Return whether the first axis is surely that of the examples: then, and only then, they may not mix."""
    return y is not None and y.shape[:1] == x.shape[:1] == out.shape[:1] and y.ndim == 1


def _is_sequence(x: Array, out: FloatArray) -> bool:
    return x.ndim >= 2 and out.ndim >= 3 and out.shape[:2] == x.shape[:2]


def _probe(name: Any, after: FloatArray, before: FloatArray, details: Mapping[str, float] | None = None) -> Probe:
    a, b = after.astype(np.float64), before.astype(np.float64)
    changed = float(np.abs(a - b).max()) if a.shape == b.shape and a.size else math.nan
    return Probe(name=name, changed=changed, scale=math.sqrt(float(np.mean(b * b))), details=dict(details or {}))
