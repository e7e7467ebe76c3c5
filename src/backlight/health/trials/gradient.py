"""Is the gradient that of the loss? Each weight is moved a little, and the loss is looked at."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from backlight.health.trials.subject import Subject
from backlight.watch.replica import Slope
from backlight.watch.trial import Observation, Part, TrialResult

QUESTION: Final = "Is the gradient of each weight the slope of the loss?"
_NAME: Final = "gradient"
_WEIGHTS: Final = 24
"""So many weights are moved; of a larger network, evenly spaced ones."""
_APART: Final = 0.02
"""A gradient that is so much off, relative to the larger of the two, is another one. Rounding and the kinks of ReLU are
counted beside it."""
_DOUBTS: Final = 3
_NAMED: Final = 4


def gradient(subject: Subject) -> TrialResult:
    """Compare gradients with the loss's differences, in the direction of each gradient and in a random one."""
    if not subject.has_loss:
        return TrialResult(name=_NAME, question=QUESTION, not_run="it needs targets, or an output with a loss")
    found = subject.copy().slopes(subject.inputs, subject.targets, _WEIGHTS)
    if isinstance(found, str):
        return TrialResult(name=_NAME, question=QUESTION, not_run=found)
    factor = _factor(found) if subject.step is not None else 1.0
    wrong = [one for one in found if _differs(one, factor)]
    return _told(found, wrong, factor)


def _factor(found: Sequence[Slope]) -> float:
    """Return what all gradients are multiplied by, as by clipping or accumulation; 1 if they agree on no number."""
    ratios = [one.gradient / one.measured for one in found if one.along and abs(one.measured) > _DOUBTS * one.doubt]
    usual = float(np.median(ratios)) if ratios else 1.0
    alike = [abs(one - usual) <= _APART * abs(usual) for one in ratios]
    return usual if usual > 0 and sum(alike) > len(alike) / 2 else 1.0


def _differs(one: Slope, factor: float) -> bool:
    pulled = one.gradient / factor
    larger = max(abs(pulled), abs(one.measured))
    return bool(abs(pulled - one.measured) > _APART * larger + _DOUBTS * one.doubt)


def _told(found: Sequence[Slope], wrong: Sequence[Slope], factor: float) -> TrialResult:
    known = list(dict.fromkeys(one.name for one in found))
    other = list(dict.fromkeys(one.name for one in wrong))
    pulled = {one.name for one in found if one.gradient}
    without = [name for name in other if name not in pulled]
    differing = [name for name in other if name in pulled]
    seen = [
        Observation(what="weights that were moved", value=len(known)),
        Observation(what="of these, moved without a gradient, though the loss changes", value=len(without)),
        Observation(what="of these, with a gradient that is not the loss's slope", value=len(differing)),
    ]
    showed: list[str] = []
    points: dict[Part, str] = {}
    if not other:
        showed.append("the loss changes by what the gradients say")
    if abs(factor - 1) > _APART:
        seen.append(Observation(what="gradients as a multiple of the loss's slope", value=factor))
        showed.append(
            f"all gradients are {factor:.3g} times the loss's slope: your step scales, clips or accumulates them"
        )
    if without:
        showed.append(
            f"the loss depends on {_listed(without)}, and no gradient comes there: the graph is cut. That is so on "
            "purpose where weights are averages of others"
        )
    if differing:
        worst = max((one for one in wrong if one.name in pulled), key=lambda one: abs(one.gradient - one.measured))
        showed.append(
            f"the gradient of {_listed(differing)} is not the slope of the loss ({worst.name}: {worst.gradient:.3g} by "
            f"the gradient, {worst.measured:.3g} by moving it). That is so on purpose where a target is detached, or "
            "rounding is passed straight through; else a term of the loss has no graph, or a backward pass is wrong"
        )
    last = known[-1].rpartition(".")[0] if known else ""
    stepped = [name for name in without if any(one.name == name and one.stepped for one in found)]
    if any(name.rpartition(".")[0] == last for name in stepped):  # in the layer that is nearest to the loss, too
        points["loss"] = "a part of the loss gives no gradient: it is detached, or has no graph"
    elif stepped:
        points["network"] = (
            f"the gradient is cut off between the loss and {_listed(stepped)}, which the optimiser steps"
        )
    return TrialResult(
        name=_NAME, question=QUESTION,
        done="In training mode and with the same random numbers, each weight was moved a little and back.",
        seen=tuple(seen), showed=tuple(showed), points_to=points, where=tuple(other),
        likelier=("not-reached-by-gradient",) if without else (),
        less_likely=() if other else ("no-graph", "not-reached-by-gradient"),
    )  # fmt: skip


def _listed(names: Sequence[str]) -> str:
    rest = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {rest} more" if rest > 0 else "")
