"""What a log alone shows: no layer and no weight was seen, so nothing is blamed; what the numbers did is said."""

import math

import numpy as np

from backlight.health.check import check
from backlight.health.context import Context, finite
from backlight.health.findings import Evidence, Finding, FindingText
from backlight.health.thresholds import limit

LOSS_ROSE = FindingText(
    id="loss-rose",
    title="The loss ended {times} times as high as it began.",
    because="Each step is meant to lower it. Steps that are too long raise it, and so does a change in the data.",
    try_this=(
        "A learning rate a tenth as high, a warm-up, or gradients clipped to a norm of 1.",
        "If this is the loss of a policy or of an adversary, it may rise, and no action is needed.",
        "To learn which layer it comes from, train some hundred steps under backlight.health.watch.",
    ),
    figures=("loss",),
    about="""
    Found in a log alone: the mean loss of the last quarter is well above that of the first losses, by more than they
    vary.
    """,
    explained_by=frozenset({"not-finite"}),
)

LOSS_FLAT = FindingText(
    id="loss-flat",
    title="The loss has hardly fallen.",
    because="Where weights are random at first, the first hundreds of steps usually lower the loss by far more than "
    "this. A network that was trained before, and one trained by rewards, may stay where it is.",
    try_this=(
        "Train some hundred steps under backlight.health.watch: it sees gradients, updates and outputs.",
        "Call backlight.health.examine(model, x, y, trials=True): its experiments narrow down the cause.",
    ),
    figures=("loss",),
    about="""
    Found in a log alone: the mean loss of the last quarter is within a few percent of that of the first losses, and it
    has stopped falling. What the loss is, and what guessing would come to, a log does not say.
    """,
    explained_by=frozenset({"not-finite", "loss-zeroed", "rate-ended"}),
)


@check("course of the logged loss", LOSS_ROSE, LOSS_FLAT, of="log")
def logged_loss(context: Context) -> list[Finding] | None:
    """A loss that rose, or did not fall."""
    progress = context.progress
    if progress is None or len(context.losses) < limit("records of a trend"):
        return None
    began, ended = progress.opening, progress.late
    if not (math.isfinite(ended) and began > 0 and ended > 0):
        return []
    seen = (Evidence(what="loss at first", value=began), Evidence(what="loss at the end", value=ended))
    by_chance = limit("fall beyond chance") * max(progress.spread, 0.0)
    if ended > limit("divergence") * began and ended - began > by_chance:
        values = {"times": f"{ended / began:.2g}"}
        return [context.finding(LOSS_ROSE, severity="warning", evidence=seen, values=values)]
    enough = progress.steps >= limit("steps for a last resort")
    if enough and not progress.learns and not context.still_falls:
        return [context.finding(LOSS_FLAT, severity="note", evidence=seen)]
    return []


LOSS_ZEROED = FindingText(
    id="loss-zeroed",
    title="From step {step} on the logged loss is exactly 0, and other numbers beside it are NaN.",
    because="Some training loops write 0 where a loss was NaN, as Hugging Face's Trainer does with "
    "logging_nan_inf_filter=True: the network has broken, and the log hides it.",
    try_this=(
        "logging_nan_inf_filter=False in TrainingArguments, to see what the loss is.",
        "In float16, use bf16=True or fp16=True (with its scaler) in place of a model loaded as float16.",
        "A smaller learning rate, and a look at the batch of that step: labels that are all -100 have a NaN mean.",
    ),
    figures=("loss",),
    about="""
    Found in a log alone: a loss that was above 0 is exactly 0 from some step to the end, and gradient norms or held-out
    losses of that time are NaN.
    """,
    explained_by=frozenset({"input-not-finite"}),
)


@check("zeros that hide a NaN", LOSS_ZEROED, of="log")
def loss_zeroed(context: Context) -> list[Finding] | None:
    """A log that says 0 for NaN."""
    records = context.records
    if len(records) < limit("records for a verdict"):
        return None
    above = [at for at, one in enumerate(records) if one.loss != 0]
    rest = records[above[-1] + 1 :] if above else ()
    if len(rest) < 2:
        return []
    norms = [one.gradient_norm for one in rest if one.gradient_norm is not None]
    held_out = [one.dev for one in context.seen.evaluations if one.step >= rest[0].step]
    odd = [one for one in (*norms, *held_out) if not math.isfinite(one)]
    if not odd:
        return []
    return [
        context.finding(
            LOSS_ZEROED,
            severity="fatal",
            evidence=(
                Evidence(what="entries with a loss of exactly 0", value=len(rest)),
                Evidence(what="gradient norms and held-out losses then that are NaN or infinite", value=len(odd)),
            ),
            values={"step": f"{rest[0].step:,}"},
        )
    ]


NORM_ROSE = FindingText(
    id="gradient-norm-rose",
    title="The norm of the gradients ended {times} times as high as it began.",
    because="A norm that keeps rising usually comes before a loss that jumps or is NaN.",
    try_this=(
        "Gradients clipped to a norm near the usual one, a smaller learning rate, or a longer warm-up.",
        "Train some hundred steps under backlight.health.watch: it shows which layer's gradients grow.",
    ),
    figures=("loss",),
    about="""
    Found in a log alone: the median norm of the gradients in the last quarter is a hundred times that of the first
    quarter.
    """,
    explained_by=frozenset({"not-finite", "loss-zeroed", "loss-rose"}),
)


@check("logged gradient norms", NORM_ROSE, of="log")
def logged_norms(context: Context) -> list[Finding] | None:
    """Gradients that grow and grow."""
    norms = finite(one.gradient_norm for one in context.records)
    if len(norms) < limit("records of a trend"):
        return None
    quarter = len(norms) // 4
    began, ended = float(np.median(norms[:quarter])), float(np.median(norms[-quarter:]))
    if not (began > 0 and ended > limit("gradient burst") * began):
        return []
    return [
        context.finding(
            NORM_ROSE,
            severity="warning",
            evidence=(
                Evidence(what="norm in the first quarter, median", value=began),
                Evidence(what="norm in the last quarter, median", value=ended),
            ),
            values={"times": f"{ended / began:.2g}"},
        )
    ]
