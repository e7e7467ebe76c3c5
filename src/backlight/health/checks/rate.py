"""Whether steps are of a useful length. Only checked where the loss shows that something is wrong."""

import math

import numpy as np

from backlight.health.check import check
from backlight.health.context import Context
from backlight.health.findings import Advice, Case, Evidence, Finding, FindingText, number
from backlight.health.groups import BROKEN_INPUTS, BROKEN_NUMBERS, LOST_SIGNAL, NO_STEPS
from backlight.health.progress import LossTrend
from backlight.health.thresholds import limit

TOO_HIGH = FindingText(
    id="learning-rate-too-high",
    title="The learning rate is too high: each step throws the weights far away.",
    because="The gradient describes the loss only near the weights. A step that is too long raises the loss, and "
    "drives units to where they saturate or die.",
    try_this=(
        Advice(
            torch="A learning rate of {rate}, then a sweep around it.",
            ours="A learning rate of {rate} (--lr), then a sweep around it.",
        ),
        Advice(torch="A warm-up over the first steps.", ours="A warm-up over the first steps: --warmup 200."),
        Advice(
            torch="torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0) before optimizer.step().",
            ours="clip_grad_norm(parameters, 1.0) before the step, or --grad-clip 1.",
        ),
    ),
    figures=("loss", "update-to-data"),
    about="""
    Lecture 4 plots the standard deviation of each weight matrix's change over that of its weights: about 1e-3 per step
    is right. Ten or a hundred times as much is no fault where the loss falls, as Adam's first steps on small weights
    show. So this needs both: a ratio far off, and a loss that is no better than guessing, or that blew up.
    """,
    explained_by=BROKEN_INPUTS | BROKEN_NUMBERS | NO_STEPS
    | {"gradients-not-zeroed", "identical-units", "vanishing-signal", "accumulation-not-averaged"},
)  # fmt: skip


@check("learning rate too high", TOO_HIGH)
def learning_rate_too_high(context: Context) -> list[Finding] | None:
    """Steps as long as the weights themselves, and a loss that is the worse for it."""
    ratios, progress = context.update_ratios, context.progress
    if progress is None or not math.isfinite(progress.start) or context.seen.source == "log":
        return None  # a loss that is not finite at once is no step's fault
    diverged = _diverged(progress, longest=max(ratios, default=math.inf), kind=context.loss_kind)
    if not ratios and not diverged:
        return None
    longest = max(ratios, default=0.0)
    aimless = progress.learns_little and context.loss_kind != "other" and longest > limit("update too large")
    if not diverged and not aimless:
        return []
    return [
        context.finding(
            TOO_HIGH,
            severity="fatal" if diverged else "serious",
            evidence=(
                *([_change("largest", max(ratios))] if ratios else []), *_losses(context), *_rate(context),
            ),
            values={"rate": _better_rate(context, otherwise="a tenth or a hundredth of this one")},
        )
    ]  # fmt: skip


def _diverged(progress: LossTrend, *, longest: float, kind: str | None) -> bool:
    """Return whether long steps made the loss blow up.

    A loss that was falling and is NaN from some step on was not driven there by the steps. What a loss that is no
    cross-entropy and no squared error should come to is not known: that of a generator or of a policy may rise.

    Args:
        progress: how the loss went.
        longest: the largest change of the weights in one step, of their size.
        kind: of the loss; None if that is not known.
    """
    large, huge = limit("update too large where the loss blew up"), limit("update too large")
    level = limit("divergence") * abs(progress.start)
    if not math.isfinite(progress.late):
        last = progress.last_finite
        return huge < longest < math.inf or (last is not None and last > level and longest > large)
    if progress.late <= level:
        return False
    if kind in {"cross_entropy", "binary_cross_entropy", "mse"}:
        return longest > large
    far = progress.late > limit("divergence of any loss") * max(abs(progress.start), abs(progress.opening))
    return longest > huge or (kind is None and far and longest > large)


ACCUMULATED = FindingText(
    id="accumulation-not-averaged",
    title="The gradients of {passes} backward passes are summed, not averaged: each step is {passes} times too long.",
    because="backward() adds to .grad. The mean over a batch that is taken in {passes} parts is the sum of their "
    "gradients divided by {passes}; without that, it is as if the learning rate were {passes} times as large.",
    try_this=(
        "Divide the loss of each part by their number: (loss / {passes}).backward().",
        "Or a learning rate {passes} times smaller.",
    ),
    figures=("loss", "update-to-data"),
    about="""
    Several backward passes go into one step, the loss of each is the mean over its own targets, and the steps are so
    long that little is learnt.
    """,
    explained_by=BROKEN_INPUTS | BROKEN_NUMBERS | NO_STEPS | {"gradients-not-zeroed"},
)


@check("accumulated gradients", ACCUMULATED)
def accumulation_not_averaged(context: Context) -> list[Finding] | None:
    """Gradients of several passes that are added up, in a network whose steps are too long."""
    known = [(r.backward_passes, r.pass_share) for r in context.records if r.pass_share is not None]
    if not context.trained or not known or context.progress is None:
        return None
    passes, share = (float(np.median(one)) for one in zip(*known, strict=True))
    whole = abs(share - 1) < limit("same loss")
    if passes < 2 or not whole or not learning_rate_too_high.look(context):
        return []
    return [
        context.finding(
            ACCUMULATED,
            severity="serious",
            evidence=(
                Evidence(what="backward passes in a step", value=passes),
                Evidence(what="what the loss of each is multiplied by", value=share, expected=f"{1 / passes:.3g}"),
                _change("largest", max(context.update_ratios, default=math.nan)),
                *_losses(context),
            ),
            values={"passes": number(round(passes))},
        )
    ]


TOO_LOW = FindingText(
    id="learning-rate-too-low",
    title="The learning rate is too low: the weights hardly move.",
    because="At this pace the weights need thousands of steps to differ from their initial values.",
    try_this=(
        Advice(
            torch="A learning rate of {rate}, then a sweep around it.",
            ours="A learning rate of {rate} (--lr), then a sweep around it.",
        ),
        Advice(
            torch="A sweep: raise the rate by a constant factor from step to step, and use a tenth of the one at which "
            "the loss begins to rise.",
            ours="backlight find-lr FILE --model NAME sweeps the rate and suggests one.",
        ),
    ),
    figures=("loss", "update-to-data"),
    about="""
    The change of the weights per step is below a tenth of what is right, and the loss has hardly moved.
    """,
    cases={
        "warm-up": Case(
            title="The learning rate is too low: it is still rising at the end, the warm-up is too long.",
            because="The schedule has not yet come to the rate that was asked for: the weights hardly move.",
            try_this=(
                ("A shorter warm-up: some hundred steps, or a twentieth of the training; and check whether it counts "
                "steps or epochs."),
            ),
        )
    },
    explained_by=BROKEN_INPUTS | NO_STEPS | LOST_SIGNAL | {"optimiser-remade"}
    | {"vanishing-gradients", "weight-decay-dominates", "softmax-twice", "rate-ended", "clipped-before-unscaling",
       "clip-too-short", "gradients-are-zero", "updates-rounded-away"},
)  # fmt: skip


@check("learning rate too low", TOO_LOW)
def learning_rate_too_low(context: Context) -> list[Finding] | None:
    """Steps too short to be noticed, and a loss that has hardly moved."""
    ratios, progress = context.update_ratios, context.progress
    if progress is None or not ratios or not progress.long_enough:
        return None
    usual = float(np.median(ratios))
    hardly_moved = progress.late > limit("loss hardly moved") * progress.opening > 0
    if progress.learns or not 0 < usual < limit("update too small") or not hardly_moved:
        return []
    rates = [max(r.lr) for r in context.records if r.lr]
    rises = (
        len(rates) > 2 and rates == sorted(rates) and rates[-1] > limit("rise of a warm-up") * rates[len(rates) // 2]
    )
    return [
        context.finding(
            TOO_LOW,
            severity="serious",
            evidence=(_change("usual", usual), *_losses(context), *_rate(context)),
            cases=("warm-up",) if rises else (),
            values={"rate": _better_rate(context, otherwise="ten or a hundred times this one")},
        )
    ]


def _change(which: str, ratio: float) -> Evidence:
    return Evidence(
        what=f"{which} change of the weights in one step", value=ratio, unit="of their size",
        expected=f"about {limit('update as it should be'):g}",
    )  # fmt: skip


def _losses(context: Context) -> tuple[Evidence, ...]:
    progress = context.progress
    assert progress is not None  # noqa: S101  (the checks have asked)
    return (
        Evidence(what="loss at first", value=progress.start),
        Evidence(what=f"loss after {progress.steps:,} steps", value=progress.late),
    )


def _rate(context: Context) -> tuple[Evidence, ...]:
    rates = [rate for record in context.records for rate in record.lr[:1]]
    return (Evidence(what="learning rate, at its highest", value=max(rates)),) if rates else ()


def _better_rate(context: Context, *, otherwise: str) -> str:
    """Return the rate that would make the usual change right, to a power of ten, in words."""
    if not context.rates_that_fit:
        return otherwise
    return f"about 1e{round(math.log10(float(np.median(context.rates_that_fit))))}"
