"""Experiments on a network in evaluation mode: something it reads is changed, and what that changes is looked at.

What is read is only ever put together from numbers of the batch itself, so that every id stays one that the network
knows.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from backlight.core import NOT_A_TARGET, Array, FloatArray
from backlight.watch.records import Probe
from backlight.watch.sequences import padding_of

Run = Callable[[Array], FloatArray]

_NEXT = 0.9
"""Share of targets that must be the id after theirs for a task to count as predicting the next."""


def probes_of(run: Run, x: Array, y: Array | None, *, causal: bool | None, tied: bool = False) -> list[Probe]:
    """Return what the experiments show that fit this batch.

    Args:
        run: from what is read, (B, ...), to the network's output, in evaluation mode.
        x: what is read.
        y: the targets; None if they are not known.
        causal: whether outputs must not depend on later inputs; None lets the targets decide: it is so if they are the
            next ids.
        tied: whether rows belong together, so that each may depend on the others.
    """
    out = run(x)
    again = run(x)
    found = [_probe("repeat", again, out)]
    if len(x) < 2 or not x.size:
        return found
    other = np.roll(x, 1, axis=0)
    if not np.array_equal(other, x, equal_nan=True):
        found.append(_input(run, x, other, out))
        found.append(_history(run, x, other))
        if not tied and one_target_each(x, y, out) and not _is_of_pairs(run, x, out):
            found.append(_neighbours(run, x, out))
    if is_sequence(x, out):
        if causal if causal is not None else predicts_next(x, y):
            found += _future(run, x, other, out)
        if y is not None and x.dtype.kind in "iu" and np.array_equal(x, y):
            found.append(_own(run, x, other, out))
    elif x.ndim == 2 and x.dtype.kind in "iu" and out.shape[:1] == x.shape[:1]:
        found += _of_places(run, x, other, out)
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


def input_probe(name: str, after: FloatArray, before: FloatArray) -> Probe:
    """Return what another input than the first changes.

    Args:
        name: of the input.
        after: the output once that input's examples have changed places.
        before: the output.
    """
    return _probe("input", after, before, where=name)


def _input(run: Run, x: Array, other: Array, out: FloatArray) -> Probe:
    """Let the examples change places; if that changes nothing, let all places of an example have the same id."""
    probe = _probe("input", run(other), out)
    if probe.changed > 1e-3 * probe.scale or x.ndim != 2 or x.dtype.kind not in "iu":
        return probe
    again = _probe("input", run(np.repeat(x[:, :1], x.shape[1], axis=1)), out)
    return max(probe, again, key=lambda one: one.changed)


def _history(run: Run, x: Array, other: Array) -> Probe:
    """Let the network read something else between two passes of the same batch: it should not remember."""
    run(x)
    before, same = run(x), run(x)
    run(other)
    return _probe("history", run(x), same, {"repeat": _probe("repeat", same, before).changed})


def _is_of_pairs(run: Run, x: Array, out: FloatArray) -> bool:
    """Return whether the output has a number for each pair of examples, such as a similarity or a covariance."""
    return len(x) in out.shape[1:] and run(x[:-1]).shape[1:] != out.shape[1:]


def _neighbours(run: Run, x: Array, out: FloatArray) -> Probe:
    """Keep the first example, then the last: what runs along the batch reaches one of them only."""
    probes = [
        _probe("neighbours", run(np.repeat(x[at : at + 1], len(x), axis=0))[at], out[at]) for at in (0, len(x) - 1)
    ]
    return max(probes, key=lambda one: -math.inf if math.isnan(one.changed) else one.changed)


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


def _own(run: Run, x: Array, other: Array, out: FloatArray) -> Probe:
    """Change the last place only: what is given there must not change if the target is what stands there."""
    changed = np.concatenate([x[:, :-1], other[:, -1:]], axis=1)
    after = run(changed)
    earlier = _probe("future", after[:, :-1], out[:, :-1])
    probe = _probe("own", after[:, -1], out[:, -1])
    return Probe(name="own", changed=probe.changed, scale=probe.scale, details={"earlier": earlier.changed})


def _of_places(run: Run, x: Array, other: Array, out: FloatArray) -> Iterator[Probe]:
    """Yield what ids (B, T) at their places do to an output for each example."""
    order = np.random.default_rng(0).permutation(x.shape[1])
    if x.shape[1] > 2 and not np.array_equal(x[:, order], x):
        yield _probe("order", run(x[:, order]), out)
    padding = padding_of(x)
    if padding is None:
        return
    rows = padding.any(1)
    content = np.where(padding | np.roll(padding, 1, axis=0), x, other)
    if not np.array_equal(content[rows], x[rows]):
        yield _probe("content", run(content)[rows], out[rows])
    short = padding[:, -1]  # of these the last place may go
    if short.sum() > 1 and x.shape[1] > 2:
        try:
            after = run(x[short][:, :-1])
        except (RuntimeError, ValueError, IndexError):
            return  # it takes sequences of one length only
        yield _probe("padding", after, out[short])


def one_target_each(x: Array, y: Array | None, out: FloatArray) -> bool:
    """Return whether the first axis is surely that of the examples. Unless they are tied, they may not mix then."""
    return y is not None and y.shape[:1] == x.shape[:1] == out.shape[:1] and y.ndim == 1


def is_sequence(x: Array, out: FloatArray) -> bool:
    """Return whether there is an output for each place of a sequence."""
    return x.ndim >= 2 and out.ndim >= 3 and out.shape[:2] == x.shape[:2]


def _probe(
    name: Any, after: FloatArray, before: FloatArray, details: Mapping[str, float] | None = None, where: str = ""
) -> Probe:
    a, b = after.astype(np.float64), before.astype(np.float64)
    changed = float(np.abs(a - b).max()) if a.shape == b.shape and a.size else math.nan
    level = 0.0
    if name == "input" and b.size:  # what an output is for any input is no part of what it should change
        varies = (b != b[:1]).any(0)
        b = b[:, varies] if varies.any() else b  # outputs that are filled with a number, such as -1e9, are none
        level = b.mean()
    scale = math.sqrt(float(np.mean((b - level) ** 2))) if b.size else math.nan
    return Probe(name=name, changed=changed, scale=scale, details=dict(details or {}), where=where)
