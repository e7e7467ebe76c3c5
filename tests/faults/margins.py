"""How near healthy nets come to the thresholds: where the numbers in the table come from that no paper gives."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np

from backlight.core.measurements import Measurements
from backlight.health.case import MULTIPLIES, Case, finite

Number = Callable[[Case], float]
"""What is compared with a threshold; nan where the net has no such thing."""


def _extreme(values: list[float], of: Callable[[list[float]], float]) -> float:
    return of(values) if values else math.nan


def _first_loss(case: Case) -> float:
    logits = case.first.logits if case.first else None
    return math.nan if logits is None or logits.nats is None else logits.nats / math.log(logits.classes)


def _growth(case: Case) -> float:
    sizes = [one.output.rms for facts, one in case.layers_of(case.first) if facts.name != case.output_layer]
    inputs = [one.values.rms for one in (case.first.inputs if case.first else ()) if not one.ids]
    return _extreme(sizes, max) / max([1.0, *inputs])


def _signal_left(case: Case) -> float:
    hidden = [
        one.across for facts, one in case.layers_of(case.first)
        if facts.name != case.output_layer and one.across is not None and facts.role not in {"shape", "dropout"}
    ]  # fmt: skip
    return hidden[-1] if hidden else math.nan


def _signal_by_layer(case: Case) -> float:
    products = sum(facts.role in MULTIPLIES for facts, _ in case.layers_of(case.first)) - 1
    return _signal_left(case) ** (1 / max(products, 1))


def _saturated(case: Case) -> float:
    layers = [one for one in case.called("activation", "recurrent") if one.bounded]
    return _extreme([x for one in layers for x in case.over_time(one.name, lambda r: r.saturated)[:1]], max)


def _dead(case: Case) -> float:
    layers = [one for one in case.seen.layers if one.role != "softmax"]
    return _extreme([x for one in layers for x in case.over_time(one.name, lambda r: r.dead)[-1:]], max)


def _gradients(case: Case) -> float:
    def size(name: str) -> float:
        found = case.over_time(name, lambda r: None if r.gradient is None else r.gradient.rms)
        return float(np.median(found)) if found else math.nan

    layers = case.called("linear", "convolution", "embedding", "recurrent", "attention")
    sizes = finite(size(one.name) for one in layers)
    return sizes[0] / sizes[-1] if len(sizes) > 1 else math.nan


def _burst(case: Case) -> float:
    norms = finite(record.gradient_norm for record in case.records)
    return max(norms) / float(np.median(norms)) if norms else math.nan


def _decay(case: Case) -> float:
    groups = case.seen.optimiser.groups if case.seen.optimiser else ()
    decay = max((float(group.get("weight_decay") or 0) for group in groups), default=0.0)
    ratios = [
        decay * one.data.rms / one.gradient.rms
        for record in case.records for one in case.matrices(record) if one.gradient and one.gradient.rms > 0
    ]  # fmt: skip
    return float(np.median(ratios)) if ratios and decay else math.nan


def _input(case: Case) -> float:
    return _extreme([one.values.rms for r in case.records for one in r.inputs if not one.ids], max)


def _margin(case: Case) -> float:
    progress = case.progress
    if progress is None or progress.guess is None:
        return math.nan
    return 1 - progress.late / progress.guess


def _held_out(case: Case) -> float:
    losses = [one.dev for one in case.seen.evaluations]
    return min(losses[-2:]) / min(losses) if len(losses) > 2 else math.nan


def _shared(case: Case) -> float:
    split = case.seen.split
    return math.nan if split is None else split.shared / split.dev


def _same(case: Case) -> float:
    probes = [one for one in case.seen.probes if one.name in {"future", "neighbours", "repeat"} and one.scale > 0]
    return _extreme([one.changed / one.scale for one in probes], max)


def _faint(case: Case) -> float:
    return _extreme(finite(one.faint for history in case.histories.values() for one in history), max)


MARGINS: Final[dict[str, tuple[Number, Callable[[list[float]], float]]]] = {
    "margin below guessing": (_margin, min),
    "first loss over ln V": (_first_loss, max),
    "signal growth": (_growth, max),
    "signal left": (_signal_left, min),
    "signal left by each layer": (_signal_by_layer, min),
    "saturated share": (_saturated, max),
    "dead share": (_dead, max),
    "gradient decay": (_gradients, min),
    "gradient burst": (_burst, max),
    "update too large": (lambda case: _extreme(case.update_ratios, max), max),
    "update too small": (lambda case: float(np.median(case.update_ratios or [math.nan])), min),
    "way to go": (lambda case: case.way or math.nan, min),
    "decay over gradient": (_decay, max),
    "faint gradients": (_faint, max),
    "input size": (_input, max),
    "shared examples": (_shared, max),
    "held-out loss over its best": (_held_out, max),
    "same output": (_same, max),
}
"""For each threshold what is compared with it, and whether the largest or the smallest comes nearest."""


def numbers_of(seen: Measurements) -> dict[str, float]:
    """Return for each threshold the number of this net that is compared with it; what it has not is missing."""
    case = Case(seen)
    found = {name: number(case) for name, (number, _) in MARGINS.items()}
    return {name: value for name, value in found.items() if math.isfinite(value)}


def nearest(numbers: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return for each threshold the number that comes nearest to it."""
    return {
        name: worst([one[name] for one in numbers if name in one])
        for name, (_, worst) in MARGINS.items()
        if any(name in one for one in numbers)
    }
