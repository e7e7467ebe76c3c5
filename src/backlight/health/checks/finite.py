"""Where a number first was not finite."""

from typing import Final

from backlight.health.check import check
from backlight.health.context import Context
from backlight.health.findings import Advice, Case, Evidence, Finding, FindingText
from backlight.health.groups import BROKEN_INPUTS, BROKEN_NUMBERS

_HOW: Final = {
    "parameter": "a weight was not finite before anything was computed",
    "forward": "the layer's input was finite and its output was not",
    "loss": "the network's output was finite and the loss was not: the log of 0, or a division by 0",
    "backward": "everything was finite in the forward pass, and the gradient was not",
    "update": "the gradient was finite and the weight was not after the step",
}

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
        "A smaller learning rate, and gradients clipped to a norm of 1.",
        (
            "In this layer: the log or root of 0, a division by a sum that can be 0, exp of a large number, a row that "
            "a mask leaves empty. Add 1e-8, or use the fused op (log_softmax, cross_entropy)."
        ),
        Advice(
            torch="torch.autograd.set_detect_anomaly(True) names the op; in float16, use a GradScaler or bfloat16.",
            ours="backlight explain shows the values op by op.",
        ),
    ),
    figures=("loss", "update-to-data", "activations"),
    about="""
    The first number that was NaN or infinite, and whether it arose in the input, a weight, the forward pass, the loss,
    the backward pass or the optimiser's step.
    """,
    cases={
        "from the start": Case(
            title="{where} holds NaN or infinity before the first step.",
            try_this=(
                "Load other weights: a checkpoint of a run that had diverged holds such numbers.",
                "If the weights are new, look for memory that was never filled (torch.empty) or a division by 0.",
            ),
        ),
    },
    explained_by=BROKEN_NUMBERS | BROKEN_INPUTS | {"learning-rate-too-high", "gradients-not-zeroed"},
)


@check("NaN elsewhere", NOT_FINITE)
def not_finite(context: Context) -> list[Finding] | None:
    """NaN or infinity that arose inside the network."""
    first = context.seen.first_nonfinite
    if first is None:
        return [] if context.records else None
    if first.direction == "input":
        return []  # `input_not_finite` reports it
    return [
        context.finding(
            NOT_FINITE,
            severity="fatal",
            where=(first.where,),
            evidence=(Evidence(what=f"step; {_HOW[first.direction]}", value=first.step),),
            cases=("from the start",) if first.direction == "parameter" and first.step == 0 else (),
            values={"step": first.step, "where": first.where},
        )
    ]
