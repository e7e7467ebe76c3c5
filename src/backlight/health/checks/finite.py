"""Where a number first was not finite."""

import math
from typing import Final

from backlight.health.check import check
from backlight.health.context import Context
from backlight.health.findings import Advice, Case, Evidence, Finding, FindingText, several
from backlight.health.groups import BROKEN_INPUTS, BROKEN_NUMBERS
from backlight.watch.records import NonFinite

_HOW: Final = {
    "parameter": "a weight was not finite before anything was computed",
    "forward": "the layer's input was finite and its output was not",
    "loss": "the network's output was finite and the loss was not: the log of 0, or a division by 0",
    "backward": "everything was finite in the forward pass, and the gradient was not",
    "update": "the gradient was finite and the weight was not after the step",
}

_AT: Final = {
    "zero": {
        "sqrt": "the root of 0, whose slope is infinite",
        "pow": "a power of 0, whose slope is infinite",
        "log": "the log of 0",
        "div": "a division by 0",
        "norm": "the norm of 0 (zero length), whose slope is not defined",
        "std": "the standard deviation of numbers that are all alike, whose slope is infinite",
    },
    "negative": {"sqrt": "the root of a negative number", "log": "the log of a negative number",
                 "pow": "a power of a negative number"},
    "large": {"exp": "exp of a large number"},
    "masked row": {"softmax": "softmax of a row that a mask leaves empty: all of it is minus infinity"},
    "nothing": {
        "div": "0 divided by 0, since nothing in this minibatch counts",
        "cross_entropy": "the mean over no targets, since all of this minibatch are ignored",
        "mean": "the mean of a tensor without numbers, since nothing was selected",
    },
}  # fmt: skip
"""What an operation made of what it was given, in words."""

INPUT_NOT_FINITE = FindingText(
    id="input-not-finite",
    title="The inputs contain NaN or infinity.",
    because="One NaN in one example makes the loss of its batch NaN, and with it all gradients; after one step all "
    "weights are NaN, for good.",
    try_this=(
        "Find them in the data: (~np.isfinite(x)).sum(0) shows in which columns.",
        (
            "Fill or drop them before the split, or mark them in a column of their own; a division by a standard "
            "deviation of 0 makes them too."
        ),
    ),
    figures=("loss",),
    about="""
    NaN or infinity in the input. One such number makes the loss of its batch NaN, and after one step all weights.
    """,
)


@check("NaN in the input", INPUT_NOT_FINITE)
def input_not_finite(context: Context) -> list[Finding] | None:
    """NaN or infinity in what the model was given."""
    bad = [(r, one) for r in context.records for one in r.inputs if one.values.nonfinite]
    first = context.seen.first_nonfinite
    if first is None and not any(r.inputs for r in context.records):
        return None
    if not bad and not (first and first.direction == "input"):
        return []
    step = min([record.step for record, _ in bad] + ([first.step] if first and first.direction == "input" else []))
    names = dict.fromkeys([one.name for _, one in bad] or ([first.where] if first else []))
    return [
        context.finding(
            INPUT_NOT_FINITE,
            severity="fatal",
            where=[name if name.startswith("input") else f"input {name}" for name in names],
            evidence=(
                Evidence(what="first step with such an input", value=step),
                *(Evidence(what="numbers that are not finite", value=one.values.nonfinite) for _, one in bad[:1]),
            ),
        )
    ]


NOT_FINITE = FindingText(
    id="not-finite",
    title="NaN or infinity at step {step}, first in {where}.",
    because="Once a weight is NaN or infinite, everything that is computed from it is, for good.",
    try_this=(
        (
            "In this layer: the log or root of 0, a division by a sum that can be 0, exp of a large number, a row that "
            "a mask leaves empty. Add 1e-8, or use the fused op (log_softmax, cross_entropy)."
        ),
        Advice(
            torch="torch.autograd.set_detect_anomaly(True) names the op; in float16, use a GradScaler or bfloat16.",
            ours="backlight explain shows the values op by op.",
        ),
        "If the numbers had been growing: a smaller learning rate, and gradients clipped to a norm of 1.",
    ),
    figures=("loss", "update-to-data", "activations"),
    about="""
    The first number that was NaN or infinite, and whether it arose in the input, a weight, the forward pass, the loss,
    the backward pass or the optimiser's step. The network is run once more on that batch to find the operation: the
    first that was given finite numbers and returned one that is not.
    """,
    cases={
        "from the start": Case(
            title="Weights that are NaN or infinite before the first step: {where}.",
            try_this=(
                "Load other weights: a checkpoint of a run that had diverged holds such numbers.",
                "If the weights are new, look for memory that was never filled (torch.empty) or a division by 0.",
            ),
        ),
        "operation": Case(title="NaN or infinity at step {step}, first in {where}: {cause}."),
        "masked row": Case(
            try_this=(
                (
                    "Leave out examples of which nothing is left (sequences of padding only), or let each row of the "
                    "mask keep at least one place: its first."
                ),
                (
                    "Or fill with a large negative number (-1e9) in place of minus infinity, and zero the row "
                    "afterwards. PyTorch's MultiheadAttention gives 0 for such a row with need_weights=False, and NaN "
                    "with True."
                ),
            ),
        ),
        "zero": Case(
            try_this=(
                (
                    "Keep the argument away from 0: (x + 1e-8).sqrt(), x.clamp(min=1e-8).log(), x / (sum + 1e-8). With "
                    "torch.where, keep it away on both sides: the gradient of the side not taken is computed too."
                ),
            ),
        ),
        "nothing": Case(
            because="The loss is a mean over the targets that count, and in this minibatch there are none: 0 / 0.",
            try_this=(
                (
                    "Count what is left in each minibatch: (y != -100).sum(), mask.sum(). Texts that were cut at a "
                    "maximum length may have lost their answers, or all labels were masked."
                ),
                "Leave out examples without a target, or divide by max(count, 1).",
            ),
        ),
        "negative": Case(try_this=("Keep the argument above 0: clamp(min=1e-8), or a softplus before it.",)),
        "large": Case(
            try_this=(
                (
                    "Subtract the maximum before exp, or use logsumexp, softmax or softplus, which do so; or clamp the "
                    "argument."
                ),
            ),
        ),
    },
    explained_by=BROKEN_NUMBERS | BROKEN_INPUTS | {"learning-rate-too-high", "gradients-not-zeroed"},
)

LOSS_NOT_FINITE = FindingText(
    id="told-loss-not-finite",
    title="The loss was NaN or infinite in {some}, and the training went on.",
    because="The weights and the gradients stayed finite, so nothing is lost; but those batches taught nothing, or the "
    "number that is reported is not what is minimised.",
    try_this=(
        (
            "Look at such a batch: targets that are all ignored (the mean of nothing is NaN), or a class that is "
            "masked by minus infinity and has a share of the targets all the same, as label smoothing gives it."
        ),
    ),
    figures=("loss",),
    about="""
    The reported loss was NaN or infinite in some steps, while gradients and weights stayed finite.
    """,
    cases={"batch": Case(title="The loss of this batch is NaN or infinite, and its gradients are finite.")},
    explained_by=frozenset({"not-finite", "input-not-finite", "learning-rate-too-high"}),
)


@check("NaN elsewhere", NOT_FINITE, LOSS_NOT_FINITE)
def not_finite(context: Context) -> list[Finding] | None:
    """NaN or infinity that arose inside the network."""
    first = context.seen.first_nonfinite
    if first is None:
        return [] if context.records else None
    if first.direction == "input":
        return []  # `input_not_finite` reports it
    if first.direction == "loss" and _goes_on(context):
        return [_loss_only(context, first)]
    at_once = first.direction == "parameter" and first.step == 0
    cause = _AT.get(first.at, {}).get(first.op, f"in the operation {first.op}" if first.op else "")
    how = f"step; {_HOW[first.direction]}"
    if first.inputs_finite is False and first.direction == "forward":
        how = "step; the layer's output was not finite, and some of what it read was not either"
    return [
        context.finding(
            NOT_FINITE,
            severity="fatal",
            where=(first.where,),
            evidence=(Evidence(what=how, value=first.step),),
            cases=(
                *(("from the start",) if at_once else ()),
                *(("operation",) if cause and not at_once else ()),
                *((first.at,) if first.at in NOT_FINITE.cases else ()),
            ),
            values={"step": first.step, "where": first.where, "cause": cause},
        )
    ]


def _goes_on(context: Context) -> bool:
    """Return whether the training went on with finite numbers: losses, or at least weights and gradients."""
    progress = context.progress
    if progress is not None and math.isfinite(progress.late):
        return True
    last = context.records[-1].parameters if context.records else ()
    pulled = [one.gradient for one in last if one.gradient is not None]
    return bool(pulled) and not any(one.nonfinite for one in (*pulled, *(one.data for one in last)))


def _loss_only(context: Context, first: NonFinite) -> Finding:
    broken = [point.step for point in context.seen.losses if not math.isfinite(point.loss)]
    return context.finding(
        LOSS_NOT_FINITE,
        severity="warning",
        evidence=(
            Evidence(what="first step with such a loss", value=first.step),
            Evidence(what="steps watched", value=context.seen.total_steps),
        ),
        cases=() if context.trained else ("batch",),
        values={"some": several(max(len(broken), 1), "step")},
    )
