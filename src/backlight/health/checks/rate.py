"""Whether steps are of a useful length. Only judged where the loss shows that something is amiss."""

import math

import numpy as np

from backlight.health.context import Context
from backlight.health.findings import Evidence, Finding
from backlight.health.thresholds import limit


def learning_rate_too_high(context: Context) -> list[Finding] | None:
    """Steps as long as the weights themselves, and a loss that is the worse for it."""
    ratios, progress = context.update_ratios, context.progress
    if progress is None:
        return None
    diverged = not math.isfinite(progress.late) or progress.late > limit("divergence") * abs(progress.start)
    if not ratios and not diverged:
        return None
    longest = max(ratios, default=math.inf)
    if not (
        (diverged and longest > limit("update too large where the loss blew up"))
        or (progress.learns_little and longest > limit("update too large"))
    ):
        return []
    return [
        Finding(
            id="learning-rate-too-high",
            severity="fatal" if diverged else "serious",
            title="The learning rate is too high: each step throws the weights far away.",
            evidence=(
                *([_change("largest", longest)] if ratios else []),
                *_losses(context),
                *_rate(context),
            ),
            because="The gradient tells the way downhill only close by. A step across the valley lands higher than "
            "it began, and units are driven to where they saturate or die.",
            try_this=(
                _better_rate(context, too_high=True),
                context.say(
                    torch="A warm-up over the first steps.", ours="A warm-up over the first steps: --warmup 200."
                ),
                _clip(context),
            ),
        )
    ]  # fmt: skip


def learning_rate_too_low(context: Context) -> list[Finding] | None:
    """Steps too short to be noticed, and a loss that has hardly moved."""
    ratios, progress = context.update_ratios, context.progress
    if progress is None or not ratios or not progress.long_enough:
        return None
    usual = float(np.median(ratios))
    hardly_moved = progress.late > limit("loss hardly moved") * progress.opening > 0
    if progress.learns or not 0 < usual < limit("update too small") or not hardly_moved:
        return []
    return [
        Finding(
            id="learning-rate-too-low",
            severity="serious",
            title="The learning rate is too low: the weights hardly move.",
            evidence=(
                _change("usual", usual),
                *_losses(context),
                *_rate(context),
            ),
            because="At this pace the weights need thousands of steps to differ from what they were at first.",
            try_this=(
                _better_rate(context, too_high=False),
                context.say(
                    torch="A sweep: raise the rate by a constant factor from step to step, and take a tenth of the one "
                    "at which the loss turns upward.",
                    ours="backlight find-lr FILE --model NAME sweeps the rate and suggests one.",
                ),
            ),
        )
    ]  # fmt: skip


def _change(which: str, ratio: float) -> Evidence:
    return Evidence(
        what=f"{which} change of the weights in one step", value=ratio, unit="of their size",
        expected=f"about {limit('update as it should be'):g}",
    )  # fmt: skip


def _losses(context: Context) -> tuple[Evidence, ...]:
    progress = context.progress
    assert progress is not None  # noqa: S101  (the judges have asked)
    return (
        Evidence(what="loss at first", value=progress.start),
        Evidence(what=f"loss after {progress.steps:,} steps", value=progress.late),
    )


def _rate(context: Context) -> tuple[Evidence, ...]:
    rates = [rate for record in context.records for rate in record.lr[:1]]
    return (Evidence(what="learning rate, at its highest", value=max(rates)),) if rates else ()


def _better_rate(context: Context, *, too_high: bool) -> str:
    """Return advice on the rate: the one that would make the usual change right, to a power of ten."""
    if not context.rates_that_fit:
        return "A learning rate of a tenth or a hundredth." if too_high else "Ten or a hundred times the rate."
    power = f"1e{round(math.log10(float(np.median(context.rates_that_fit))))}"
    option = context.say(torch="", ours=f" (--lr {power})")
    return f"A learning rate of about {power}{option}, and from there by a sweep."


def _clip(context: Context) -> str:
    return context.say(
        torch="torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0) before optimizer.step().",
        ours="clip_grad_norm(parameters, 1.0) before the step, or --clip 1.",
    )
