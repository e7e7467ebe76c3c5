"""Where the first number came from that is not a number."""

from typing import Final

from backlight.health.context import Context
from backlight.health.findings import Evidence, Finding

_HOW: Final = {
    "parameter": "a weight was not finite before anything was computed",
    "forward": "its input was finite and its output was not",
    "loss": "the logits were finite and the loss was not: the log of 0, or a division by 0",
    "backward": "everything was finite on the way forward, and its gradient was not",
    "update": "the gradient was finite and the weight was not after the step",
}


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
        Finding(
            id="input-not-finite",
            severity="fatal",
            title="The input holds numbers that are not finite.",
            where=tuple(name if name.startswith("input") else f"input {name}" for name in names),
            evidence=(
                Evidence(what="first step with such an input", value=step),
                *(Evidence(what="numbers that are not finite", value=one.values.nonfinite) for _, one in bad[:1]),
            ),
            because="One NaN in one example makes the loss of its batch NaN, and with it all gradients; after one step "
            "all weights are NaN, for good.",
            try_this=(
                "Find them in the data: (~np.isfinite(x)).sum(0) says in which columns.",
                (
                    "Fill or drop them before the split, or mark them by a column of their own; a division by a "
                    "standard deviation of 0 makes them too."
                ),
            ),
        )
    ]


def not_finite(context: Context) -> list[Finding] | None:
    """A number that stopped being one inside the net."""
    first = context.seen.first_nonfinite
    if first is None:
        return [] if context.records else None
    if first.direction == "input":
        return []  # said by `input_not_finite`
    return [
        Finding(
            id="not-finite",
            severity="fatal",
            title=f"A number stopped being finite at step {first.step}, first in {first.where}.",
            where=(first.where,),
            evidence=(Evidence(what=f"step; {_HOW[first.direction]}", value=first.step),),
            because="Once a weight is NaN or infinite, everything that is computed from it is, for good.",
            try_this=(
                "A smaller learning rate, and gradients clipped to a norm of 1.",
                (
                    "In this layer: the log or root of 0, a division by a sum that can be 0, exp of a large number, a "
                    "row that a mask leaves empty. Add 1e-8, or take the fused op (log_softmax, cross_entropy)."
                ),
                context.say(
                    torch="torch.autograd.set_detect_anomaly(True) names the op; in float16, a GradScaler or bfloat16.",
                    ours="backlight explain shows the values op by op.",
                ),
            ),
        )
    ]
