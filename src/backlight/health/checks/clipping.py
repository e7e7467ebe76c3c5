"""What becomes of the gradients between the backward pass and the optimiser's step: zeroed, clipped, scaled."""

import math

import numpy as np

from backlight.health.check import check
from backlight.health.context import Context
from backlight.health.findings import Case, Evidence, Finding, FindingText, number
from backlight.health.thresholds import limit
from backlight.watch.records import StepRecord

ARE_ZERO = FindingText(
    id="gradients-are-zero",
    title="All gradients are 0 when the optimiser steps: zero_grad() stands between backward() and step().",
    because="The backward pass left gradients, and nothing of them was there when the optimiser read them. What still "
    "moves the weights is weight decay or momentum.",
    try_this=("The order is optimizer.zero_grad(), loss.backward(), optimizer.step(); or zero_grad() after step().",),
    figures=("loss", "update-to-data"),
    about="""
    The norm of a gradient after the backward pass, and of the same gradient when the optimiser steps: there it is 0, as
    are all others. Something in between took them away.
    """,
    cases={
        "overflow": Case(
            title="All gradients are 0 when the optimiser steps: the norm that they were clipped by overflowed.",
            because="The sum of the squares is beyond the largest float32, so the norm is infinite, and clipping "
            "multiplies everything by max_norm / infinity = 0.",
            try_this=(
                "Make the loss smaller: it is multiplied by something huge, or it is a sum of very many terms.",
                "clip_grad_norm_(..., error_if_nonfinite=True) stops at such a step in place of going on.",
            ),
        )
    },
)

CLIPPED_SCALED = FindingText(
    id="clipped-before-unscaling",
    title="Gradients are clipped before scaler.unscale_(optimizer): they are still multiplied by {scale}.",
    because="The clip makes the scaled gradients {norm} long, and the division by the scale then leaves a {scale}th of "
    "that: steps so short that nothing is learnt.",
    try_this=(
        (
            "scaler.scale(loss).backward(); scaler.unscale_(optimizer); clip_grad_norm_(...); scaler.step(optimizer); "
            "scaler.update()."
        ),
    ),
    figures=("loss", "update-to-data"),
    about="""
    In mixed precision the loss is multiplied by a scale, and with it the gradients. A clip before they are divided by
    it again cuts them to its norm over the scale, in every step. A higher learning rate would only hide that.
    """,
)

CLIPPED_SHORT = FindingText(
    id="clip-too-short",
    title="Every gradient is clipped, to a norm of {norm}, and little is learnt: only 1/{part} of it is left.",
    because="Where the clip acts in every step, all steps have one length, however large the gradient is; here one "
    "that is too short to get anywhere.",
    try_this=(
        "A larger max_norm, above the usual norm of the gradients (about {usual}), so that only outliers are cut.",
        (
            "If gradients are scaled, as by a GradScaler: unscale them before they are clipped, and give the scaler to "
            "watch(..., scaler=scaler)."
        ),
    ),
    figures=("loss", "update-to-data"),
    about="""
    The gradients have the same norm in every recorded step, a small part of what the backward pass left, and the loss
    has hardly moved. A clip that always acts is no fault where the rate was set for it: a network that learns gets no
    such finding.
    """,
    explained_by=frozenset({"clipped-before-unscaling", "gradients-are-zero", "rate-ended", "no-step"}),
)


@check("gradients kept until the step", ARE_ZERO, CLIPPED_SCALED, CLIPPED_SHORT)
def gradients_kept(context: Context) -> list[Finding] | None:
    """Gradients that are gone, or cut to next to nothing, when the optimiser reads them."""
    followed = [r for r in context.records if r.backward_norm and r.step_norm is not None]
    if not context.trained or len(followed) < limit("records for a verdict"):
        return None
    gone = [r for r in followed if r.step_norm == 0 and not r.gradient_norm]
    if len(gone) * 2 > len(followed):
        return [_are_zero(context, gone, followed)]
    left = [(r, share) for r in followed if (share := _share_left(r)) is not None]
    same = _same_length(followed)
    if same is None or not left or len(left) < len(followed):
        return []
    share = float(np.median([one for _, one in left]))
    scale = float(np.median([r.scale or 1.0 for r in followed]))
    if scale > 1 and share < limit("gradient left by a clip") and same * scale > limit("gradient left by a clip"):
        found = (
            Evidence(what="scale of the loss", value=scale),
            Evidence(what="norm of all gradients at the step, in every one", value=same),
            Evidence(what="the same, times the scale", value=same * scale),
        )
        values = {"scale": number(scale), "norm": number(float(f"{same * scale:.3g}"))}
        return [context.finding(CLIPPED_SCALED, severity="fatal", evidence=found, values=values)]
    if context.progress is None or context.progress.learns or share > limit("gradient left by a clip"):
        return []
    evidence = (
        Evidence(what="norm of all gradients at the step, in every one", value=same),
        Evidence(what="share of a gradient that is left at the step", value=share, expected="1"),
    )
    values = {"norm": number(float(f"{same:.3g}")), "part": number(round(1 / share)), "usual": number(same / share)}
    return [context.finding(CLIPPED_SHORT, severity="serious", evidence=evidence, values=values)]


def _are_zero(context: Context, gone: list[StepRecord], followed: list[StepRecord]) -> Finding:
    longest = max(r.backward_norm or 0.0 for r in gone)
    return context.finding(
        ARE_ZERO,
        severity="fatal",
        # beyond its root, the squares of a float32 overflow
        cases=("overflow",) if not longest < limit("norm whose square overflows") else (),
        evidence=(
            Evidence(what="norm of a gradient after the backward pass", value=longest),
            Evidence(what="norm of the same gradient at the step", value=0),
            Evidence(what="recorded steps of which that is true", value=len(gone)),
            Evidence(what="recorded steps", value=len(followed)),
        ),
    )


def _share_left(record: StepRecord) -> float | None:
    """Return which part of a gradient was left at the step, apart from the loss's scale; None if that is unknown."""
    before, after = record.backward_norm, record.step_norm
    if not before or after is None or not math.isfinite(before) or not math.isfinite(after):
        return None
    return after / before * (record.scale or 1.0)


def _same_length(records: list[StepRecord]) -> float | None:
    """Return the norm that all gradients together have in every step; None if it differs."""
    norms = [r.gradient_norm for r in records if r.gradient_norm is not None and math.isfinite(r.gradient_norm)]
    if len(norms) < len(records) or not norms:
        return None
    usual = float(np.median(norms))
    return usual if usual > 0 and max(abs(one / usual - 1) for one in norms) < limit("same length") else None
