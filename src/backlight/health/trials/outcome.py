"""How right is the network for each class, each position and each length: a mean can hide a class never right."""

from typing import Final

import numpy as np

from backlight.core import Array, IntArray
from backlight.health.trials.subject import MOST_ROWS, Subject, classes, counted
from backlight.watch.sequences import padding_of
from backlight.watch.trial import Observation, Part, TrialResult

QUESTION: Final = "Is the network as right for each class, position and length as on average?"
_NAME: Final = "outcome"
_SHOWN: Final = 8
HALF: Final = 0.5
"""Share of targets that must be right before a class that is never right says something."""
LEAST: Final = 20
"""Targets of a class, a position or a length that are needed for a share."""


def outcome(subject: Subject) -> TrialResult:
    """Take the mean apart: by class, by position, by length."""
    kind = subject.kind
    if kind is None or kind == "mse":
        why = "it needs a loss whose graph is that of a cross-entropy"
        return TrialResult(name=_NAME, question=QUESTION, not_run=why)
    one = subject.copy()
    inputs, targets = subject.examples
    view = one.view(inputs, targets)
    if view.x is not None and len(view.x) > MOST_ROWS:
        rows, count = np.linspace(0, len(view.x) - 1, MOST_ROWS).astype(np.int64), len(view.x)
        inputs, targets = one.rows(inputs, rows, count), one.rows(targets, rows, count)
        view = one.view(inputs, targets)
    output, _ = one.output(inputs, targets, training=False)
    chosen = None if output is None or view.y is None else classes(output, view.y, kind)
    if chosen is None or view.y is None or not counted(view.y).any():
        return TrialResult(
            name=_NAME, question=QUESTION, not_run="it needs an output of classes, and targets that are classes"
        )
    return _told(view.x, view.y.astype(np.int64), chosen)


def _told(x: Array | None, y: IntArray, chosen: Array) -> TrialResult:
    counts = counted(y)
    targets, hits = y[counts], (chosen == y)[counts]
    whole = float(hits.mean())
    shares = _by(targets, hits)
    never = [label for label, (share, _) in shares.items() if share == 0]
    is_one = len(np.unique(chosen[counts])) == 1 and len(np.unique(targets)) > 1
    seen = [
        Observation(what="right", value=100 * whole, unit="%"),
        Observation(what="classes never right", value=len(never)),
        *(
            Observation(what=f"class {label}, {count} targets: right", value=100 * share, unit="%")
            for label, (share, count) in sorted(shares.items(), key=lambda item: item[1])[:_SHOWN]
        ),
    ]
    showed = [f"{100 * whole:.0f}% of {len(targets):,} targets are right"]
    points: dict[Part, str] = {}
    if is_one:
        showed.append("the network says the same class for all")
    elif never:
        showed.append(f"never right: class {', '.join(map(str, never[:_SHOWN]))}")
        if whole > HALF:
            points["labels"] = f"class {never[0]} is never right while {100 * whole:.0f}% of all targets are"
    elif shares:
        showed.append("every class with enough targets is right at times")
    groups = {}
    if y.ndim == 2:
        groups["position"] = np.broadcast_to(np.arange(y.shape[1]), y.shape)
    lengths = _lengths(x, y)
    if lengths is not None:
        groups["length"] = np.broadcast_to(lengths.reshape(-1, *[1] * (y.ndim - 1)), y.shape)
    for what, of in groups.items():
        _along(what, of[counts], hits, seen, showed)
    return TrialResult(
        name=_NAME, question=QUESTION,
        done="The examples were run once in evaluation mode, and what is right was counted apart.",
        seen=tuple(seen), showed=tuple(showed), points_to=points, where=() if is_one else tuple(map(str, never)),
    )  # fmt: skip


def _by(groups: Array, hits: Array) -> dict[int, tuple[float, int]]:
    """Return the share that is right and the number of targets, for each group that has enough."""
    found = {}
    for group in np.unique(groups):
        of = hits[groups == group]
        if len(of) >= LEAST:
            found[int(group)] = float(of.mean()), len(of)
    return found


def _along(what: str, groups: IntArray, hits: Array, seen: list[Observation], showed: list[str]) -> None:
    """Compare the first, the middle and the last third of positions or lengths."""
    edges = np.quantile(groups, [1 / 3, 2 / 3])
    thirds = np.searchsorted(edges, groups, side="left")
    shares = {}
    for third in np.unique(thirds):
        of = thirds == third
        if of.sum() >= LEAST:
            name = f"{what} {int(groups[of].min())} to {int(groups[of].max())}"
            shares[name] = float(hits[of].mean())
            seen.append(Observation(what=f"{name}: right", value=100 * shares[name], unit="%"))
    if len(shares) > 1:
        best, worst = max(shares, key=lambda one: shares[one]), min(shares, key=lambda one: shares[one])
        showed.append(f"by {what}: {100 * shares[best]:.0f}% right at {best}, {100 * shares[worst]:.0f}% at {worst}")


def _lengths(x: Array | None, y: Array) -> IntArray | None:
    """Return how long each sequence of ids is without its padding; None if they are all of one length."""
    if x is None or x.ndim != 2 or x.dtype.kind not in "iu" or len(x) != len(y):
        return None
    padding = padding_of(x)
    if padding is None:
        return None
    found: IntArray = (~padding).sum(1)
    return found if len(np.unique(found)) > 1 else None
