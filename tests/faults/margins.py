"""How near healthy nets come to the thresholds: where the numbers in the table come from that no paper gives."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np

from backlight.health.context import MULTIPLIES, Context, finite
from backlight.watch.records import Measurements

Number = Callable[[Context], float]
"""What is compared with a threshold; nan where the net has no such thing."""


def _extreme(values: list[float], of: Callable[[list[float]], float]) -> float:
    return of(values) if values else math.nan


def _first_loss(context: Context) -> float:
    logits = context.first.logits if context.first else None
    return math.nan if logits is None or logits.nats is None else logits.nats / math.log(logits.classes)


def _growth(context: Context) -> float:
    sizes = [one.output.rms for facts, one in context.layers_of(context.first) if facts.name != context.output_layer]
    inputs = [one.values.rms for one in (context.first.inputs if context.first else ()) if not one.ids]
    return _extreme(sizes, max) / max([1.0, *inputs])


def _signal_left(context: Context) -> float:
    hidden = [
        one.across for facts, one in context.layers_of(context.first)
        if facts.name != context.output_layer and one.across is not None and facts.role not in {"shape", "dropout"}
    ]  # fmt: skip
    return hidden[-1] if hidden else math.nan


def _signal_by_layer(context: Context) -> float:
    products = sum(facts.role in MULTIPLIES for facts, _ in context.layers_of(context.first)) - 1
    return _signal_left(context) ** (1 / max(products, 1))


def _saturated(context: Context) -> float:
    layers = [one for one in context.called("activation", "recurrent") if one.bounded]
    return _extreme([x for one in layers for x in context.over_time(one.name, lambda r: r.saturated)[:1]], max)


def _dead(context: Context) -> float:
    layers = [one for one in context.seen.layers if one.role != "softmax"]
    return _extreme([x for one in layers for x in context.over_time(one.name, lambda r: r.dead)[-1:]], max)


def _gradients(context: Context) -> float:
    def size(name: str) -> float:
        found = context.over_time(name, lambda r: None if r.gradient is None else r.gradient.rms)
        return float(np.median(found)) if found else math.nan

    layers = context.called("linear", "convolution", "embedding", "recurrent", "attention")
    sizes = finite(size(one.name) for one in layers)
    return sizes[0] / sizes[-1] if len(sizes) > 1 else math.nan


def _burst(context: Context) -> float:
    norms = finite(record.gradient_norm for record in context.records)
    return max(norms) / float(np.median(norms)) if norms else math.nan


def _decay(context: Context) -> float:
    groups = context.seen.optimiser.groups if context.seen.optimiser else ()
    decay = max((float(group.get("weight_decay") or 0) for group in groups), default=0.0)
    ratios = [
        decay * one.data.rms / one.gradient.rms
        for record in context.records for one in context.matrices(record) if one.gradient and one.gradient.rms > 0
    ]  # fmt: skip
    return float(np.median(ratios)) if ratios and decay else math.nan


def _input(context: Context) -> float:
    return _extreme([one.values.rms for r in context.records for one in r.inputs if not one.ids], max)


def _margin(context: Context) -> float:
    progress = context.progress
    if progress is None or progress.guess is None:
        return math.nan
    return 1 - progress.late / progress.guess


def _held_out(context: Context) -> float:
    losses = [one.dev for one in context.seen.evaluations]
    return min(losses[-2:]) / min(losses) if len(losses) > 2 else math.nan


def _shared(context: Context) -> float:
    split = context.seen.split
    return math.nan if split is None else split.shared / split.dev


def _same(context: Context) -> float:
    probes = [one for one in context.seen.probes if one.name in {"future", "neighbours", "repeat"} and one.scale > 0]
    return _extreme([one.changed / one.scale for one in probes], max)


def _faint(context: Context) -> float:
    return _extreme(finite(one.faint for history in context.histories.values() for one in history), max)


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
    "update too large": (lambda context: _extreme(context.update_ratios, max), max),
    "update too small": (lambda context: float(np.median(context.update_ratios or [math.nan])), min),
    "way to go": (lambda context: context.way or math.nan, min),
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
    context = Context(seen)
    found = {name: number(context) for name, (number, _) in MARGINS.items()}
    return {name: value for name, value in found.items() if math.isfinite(value)}


def nearest(numbers: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return for each threshold the number that comes nearest to it."""
    return {
        name: worst([one[name] for one in numbers if name in one])
        for name, (_, worst) in MARGINS.items()
        if any(name in one for one in numbers)
    }
