"""What the doctor would have said at each step of a training: the steps at which findings became true."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Final

from backlight.health.diagnosis import Diagnosis, diagnose
from backlight.watch.records import Measurements

LOOKS: Final = 16
"""Steps at which a training is diagnosed at first; between two that differ, the step of the change is searched."""


def over_time(seen: Measurements, *, looks: int = LOOKS) -> list[tuple[int, Diagnosis]]:
    """Return the diagnoses of a training at some steps, at those where their findings change, and at its end.

    A finding that comes and goes between two of the first `looks` steps is not seen.

    Args:
        seen: measurements of a whole training.
        looks: at how many steps to look first.

    Returns:
        Pairs of a number of steps taken and the diagnosis of everything up to there, in ascending order.
    """
    stops = sorted({*(one.step + 1 for one in seen.steps), *(one.step for one in seen.evaluations), seen.total_steps})
    if seen.source == "examine" or len(stops) < 2:
        return [(seen.total_steps, diagnose(seen))]
    places = sorted({round(at * (len(stops) - 1) / max(looks - 1, 1)) for at in range(looks)})
    known: dict[int, Diagnosis] = {}

    def at(place: int) -> Diagnosis:
        if place not in known:
            known[place] = diagnose(as_of(seen, stops[place]))
        return known[place]

    shown = {*places}
    for before, after in pairwise(places):
        if _findings(at(before)) != _findings(at(after)):
            shown.add(_first_change(before, after, lambda place: _findings(at(place))))
    return [(stops[place], at(place)) for place in sorted(shown)]


def as_of(seen: Measurements, step: int) -> Measurements:
    """Return what had been measured after `step` steps of a training."""
    first = seen.first_nonfinite
    return replace(
        seen,
        total_steps=min(step, seen.total_steps),
        steps=tuple(one for one in seen.steps if one.step < step),
        losses=tuple(one for one in seen.losses if one.step < step),
        evaluations=tuple(one for one in seen.evaluations if one.step <= step),
        first_nonfinite=first if first is not None and first.step <= step else None,
        not_measured=tuple(one for one in seen.not_measured if one.step is None or one.step < step),
    )


def _first_change(before: int, after: int, findings: Callable[[int], Sequence[tuple[str, str]]]) -> int:
    """Return a place at which the findings are no longer those at `before`, as at `after`, found by halving."""
    old = findings(before)
    while after - before > 1:
        middle = (before + after) // 2
        before, after = (middle, after) if findings(middle) == old else (before, middle)
    return after


def _findings(diagnosis: Diagnosis) -> Sequence[tuple[str, str]]:
    return [(one.id, one.severity) for one in diagnosis.findings]
