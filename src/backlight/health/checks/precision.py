"""Whether the optimiser's steps are large enough for the weights' number format."""

import math
from typing import Final

import numpy as np

from backlight.health.check import check
from backlight.health.context import Context, late
from backlight.health.findings import Advice, Evidence, Finding, FindingText, percent
from backlight.health.groups import BROKEN_NUMBERS
from backlight.health.thresholds import limit
from backlight.watch.records import ParameterFacts

_HALF_STEP: Final = {"float16": 2.0**-11, "bfloat16": 2.0**-8}
"""Half the distance to the next number, relative to a number just above a power of two: with p bits, 2**-p."""

ROUNDED_AWAY = FindingText(
    id="updates-rounded-away",
    title="Most updates are smaller than {dtype} can tell apart: the weights do not move.",
    because="A weight and an update are added, and the sum is rounded to the next number of the weights' format. Where "
    "the update is less than half the distance to it, the sum is the old weight, step after step.",
    try_this=(
        Advice(
            torch="Keep the weights in float32 and let torch.autocast compute in {dtype}.",
            ours="Keep the weights in float32.",
        ),
        "For weights that must stay in {dtype}: an optimiser with float32 copies of them, or with stochastic rounding.",
    ),
    figures=("update-to-data", "loss"),
    about="""
    bfloat16 keeps 8 binary digits: next to 0.1, numbers are 0.0005 apart, and an update of less than half of that is
    lost. A step of Adam is about the learning rate, one of SGD the rate times the gradient. Reported where that is less
    than half the distance for most of the weights, and no more than that was measured. Micikevicius et al. 2018,
    arXiv:1710.03740, section 3.1.
    """,
    explained_by=BROKEN_NUMBERS,
)


@check("rounding of the updates", ROUNDED_AWAY)
def updates_rounded_away(context: Context) -> list[Finding] | None:
    """Weights of 16 bits whose updates are below half the distance between two numbers, or did nothing in a trial."""
    tried = _tried(context)
    if tried is not None:
        return [tried]
    short = [
        one for one in context.seen.parameters
        if one.dtype in _HALF_STEP and one.requires_grad and one.weight_matrix and one.in_optimiser is not False
    ]  # fmt: skip
    found = [(one, step) for one in short if (step := _step_over_rounding(context, one)) is not None]
    if not found:
        return None if short or not context.seen.parameters else []
    sizes = np.array([math.prod(one.shape) for one, _ in found])
    lost = np.array([step < limit("step over rounding") for _, step in found])
    share = float(sizes @ lost / sizes.sum())
    if share <= limit("share of rounded updates"):
        return []
    where = [one.name for (one, _), is_lost in zip(found, lost, strict=True) if is_lost]
    return [
        context.finding(
            ROUNDED_AWAY,
            severity="warning" if context.learns else "serious",
            where=where[:6],
            evidence=(
                Evidence(
                    what="a step, over half the distance between numbers of the weights' size (median)",
                    value=float(np.median([step for _, step in found])), expected="well above 1",
                ),
                Evidence(what="weights that this is too small for", value=percent(share), unit="%", expected="0"),
            ),
            values={"dtype": found[0][0].dtype},
        )
    ]  # fmt: skip


def _tried(context: Context) -> Finding | None:
    """Return what ten steps of a copy have shown, if most numbers stayed as they were."""
    trial = context.trial("weights")
    still = None if trial is None else trial.number("half-precision numbers left as they were")
    if trial is None or still is None or not still > 100 * limit("share of rounded updates"):
        return None
    dtypes = (one.dtype for one in context.seen.parameters if one.dtype in _HALF_STEP)
    return context.finding(
        ROUNDED_AWAY,
        severity="serious" if still > 100 * limit("nearly all numbers left as they were") else "warning",
        where=trial.where,
        evidence=(
            Evidence(
                what="numbers with a gradient that ten steps did not change", value=round(still), unit="%",
                expected="few",
            ),
        ),
        values={"dtype": next(dtypes, "half precision")},
    )  # fmt: skip


def _step_over_rounding(context: Context, facts: ParameterFacts) -> float | None:
    """Return an update's size over half the distance between two numbers of the weights' size."""
    optimiser = context.seen.optimiser
    if optimiser is None or facts.group is None:
        return None
    adaptive = "adam" in optimiser.kind.lower()
    steps = []
    for record in context.records:
        one = next((one for one in record.parameters if one.name == facts.name), None)
        if one is None or one.gradient is None or not one.gradient.rms or facts.group >= len(record.lr):
            continue
        expected = record.lr[facts.group] * (1.0 if adaptive else one.gradient.rms)
        measured = (one.update_to_data or 0.0) * one.data.std
        # stochastic rounding and compensated sums move weights further than the step itself, now and then
        if expected > 0 and one.data.rms > 0 and math.isfinite(measured):
            steps.append(max(expected, measured) / (one.data.rms * _HALF_STEP[facts.dtype]))
    return float(np.median(late(steps))) if steps else None
