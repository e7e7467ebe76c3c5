"""Whether the optimiser's settings let the loss decide: not the weight decay, and not rounding noise."""

import math

import numpy as np

from backlight.health.check import check
from backlight.health.context import Context, finite
from backlight.health.findings import Advice, Case, Evidence, Finding, FindingText, number, percent
from backlight.health.groups import BROKEN_NUMBERS, NO_STEPS
from backlight.health.thresholds import limit
from backlight.watch.records import ParameterFacts, Setting

_SMALLEST = {"float16": 2.0**-24, "bfloat16": 2.0**-133, "float32": 2.0**-149, "float64": 2.0**-1074}
"""The smallest number above 0 of each type."""

WEIGHT_DECAY = FindingText(
    id="weight-decay-dominates",
    title="Weight decay is stronger than the loss: it pulls the weights to 0.",
    because="Weight decay adds a gradient of its own, always towards 0. Where it is the larger one, all weights become "
    "small and all answers alike.",
    try_this=(
        Advice(
            torch="weight_decay=1e-4 for SGD and Adam; AdamW with 0.01 to 0.1, whose decay is apart from the gradient.",
            ours="weight_decay=1e-4 for SGD (--weight-decay 1e-4), or AdamW with 0.01 to 0.1.",
        ),
        "None at all until the network fits its training data.",
    ),
    figures=("gradient-to-data", "update-to-data"),
    about="""
    Weight decay adds `weight_decay x weights` to the gradient. Where that is the larger part, all weights go to 0. Once
    a network has converged the two are equal by definition, so a network that has learnt gets no such finding.
    """,
    explained_by=BROKEN_NUMBERS | NO_STEPS | {"vanishing-signal", "dead-units", "gradients-are-zero"},
)


@check("weight decay", WEIGHT_DECAY)
def weight_decay_dominates(context: Context) -> list[Finding] | None:
    """A pull towards 0 that is stronger than the loss's. Not checked in a network that learns."""
    if context.seen.optimiser is None or not context.records:
        return None
    decays = [_number(group.get("weight_decay")) for group in context.seen.optimiser.groups]
    if not any(decays):
        return []
    ratios = {name: ratio for name in context.parameters if (ratio := _decay_over_gradient(context, name)) is not None}
    if not ratios:
        return None
    usual = float(np.median(list(ratios.values())))
    if context.learns or not usual > limit("decay over gradient"):
        return []
    worst = sorted(ratios, key=lambda name: -ratios[name])
    shrunk = {name: _shrinkage(context, name) for name in worst}
    name = min(shrunk, key=lambda one: shrunk[one])
    return [
        context.finding(
            WEIGHT_DECAY,
            severity="serious",
            where=worst[:6],
            evidence=(
                Evidence(what="weight decay x weights over gradient (rms)", value=usual, expected="below 0.1"),
                Evidence(what="weight decay", value=max(decays)),
                Evidence(what=f"size of {name}, last over first", value=shrunk[name]),
            ),
        )
    ]


ADAM_EPSILON = FindingText(
    id="adam-epsilon",
    title="Adam's epsilon of {eps} is too small: it steps along noise.",
    because="Adam divides by the root mean square of a number's gradients. Where these are 0 that is 0 / 0, and where "
    "they are rounding noise, the noise becomes steps of full length. Epsilon is there to damp both.",
    try_this=(
        Advice(torch="eps=1e-8, the default, in torch.optim.Adam.", ours="eps=1e-8, the default, in AdamW."),
        "For float16 weights: keep a float32 copy for the optimiser to step (autocast does), or eps=1e-4.",
    ),
    figures=("update-to-data", "loss"),
    about="""
    Adam's step is m̂ / (√v̂ + ε). With ε = 0 (or an ε that is 0 in float16: 1e-8 is) a number that never had a gradient
    gives 0/0. With a tiny one, gradients of 1e-12, which are rounding noise, become steps of full length. Kingma & Ba
    2015, arXiv:1412.6980, use 1e-8.
    """,
    cases={
        "zero": Case(title="Adam's epsilon is 0."),
        "zero in this dtype": Case(title="Adam's epsilon of {eps} is 0 in {dtype}: it divides by 0."),
    },
)


@check("Adam's epsilon", ADAM_EPSILON)
def adam_epsilon(context: Context) -> list[Finding] | None:
    """An epsilon that no longer keeps Adam from dividing by next to nothing."""
    optimiser = context.seen.optimiser
    if optimiser is None or "adam" not in optimiser.kind.lower():
        return None
    given = {place: _number(group["eps"]) for place, group in enumerate(optimiser.groups) if "eps" in group}
    if not given:
        return None
    zero = [
        one for one in context.seen.parameters
        if one.requires_grad and one.group in given and given[one.group] < _SMALLEST.get(one.dtype, 0.0)
    ]  # fmt: skip
    faint = _faint(context)
    eps = min(given.values())
    tiny = eps < limit("epsilon") and faint is not None and faint > limit("faint gradients")
    if not zero and not tiny:
        return []
    broken = context.seen.first_nonfinite
    evidence = [Evidence(what="epsilon", value=eps, expected="1e-8")]
    if faint is not None:
        what = "gradients below 1e-8, which full steps are made of"
        evidence.append(Evidence(what=what, value=percent(faint), unit="%"))
    if broken is not None:
        what = f"first step with a number that is not finite ({broken.where})"
        evidence.append(Evidence(what=what, value=broken.step))
    return [
        context.finding(
            ADAM_EPSILON,
            severity="fatal" if broken is not None else "warning",
            where=[one.name for one in zero[:6]],
            evidence=evidence,
            cases=() if not zero else ("zero in this dtype" if eps > 0 else "zero",),
            values={"eps": number(eps), "dtype": _dtype(zero)},
        )
    ]


OPTIMISER_REMADE = FindingText(
    id="optimiser-remade",
    title="A new optimiser is made for each step: its momentum and its averages are those of one gradient.",
    because="An optimiser keeps what it has learnt of the gradients: momentum, and the averages of Adam. Made anew, it "
    "begins with none, and each step is a first step.",
    try_this=(
        "Make it once, before the loop: optimiser = torch.optim.Adam(model.parameters(), lr).",
        "For another rate, write to it: for group in optimiser.param_groups: group['lr'] = lr; or use a schedule.",
    ),
    figures=("update-to-data", "loss"),
    about="""
    The optimisers that step the network are followed. Reported if most steps were the only one of their optimiser, and
    it is of a kind that keeps a state.
    """,
)


@check("optimisers over the training", OPTIMISER_REMADE)
def optimiser_remade(context: Context) -> list[Finding] | None:
    """Optimisers that take one step each."""
    optimiser = context.seen.optimiser
    if optimiser is None or context.seen.framework != "torch" or not context.trained:
        return None
    keeps = any("beta1" in group or _number(group.get("momentum")) for group in optimiser.groups)
    most = optimiser.replaced > limit("steps by optimisers of one step") * context.seen.total_steps
    if not (keeps and most and optimiser.replaced >= limit("records for a verdict")):
        return []
    return [
        context.finding(
            OPTIMISER_REMADE,
            severity="warning",
            evidence=(
                Evidence(what="optimisers that took one step", value=optimiser.replaced, expected="0"),
                Evidence(what="steps", value=context.seen.total_steps),
            ),
        )
    ]


def _dtype(zero: list[ParameterFacts]) -> str:
    return zero[0].dtype if zero else ""


def _decay_over_gradient(context: Context, name: str) -> float | None:
    """Return the median over records of the decay's share in a weight's step over the loss's."""
    facts, optimiser = context.parameters[name], context.seen.optimiser
    if optimiser is None or not facts.weight_matrix or facts.group is None:
        return None
    decay = _number(optimiser.groups[facts.group].get("weight_decay"))
    history = [(record, one) for record in context.records for one in record.parameters if one.name == name]
    if not decay or not history:
        return None
    if optimiser.kind == "AdamW":
        # its decay goes beside the gradient: lr x decay of the weights, against the whole step
        at = facts.group
        ratios = [r.lr[at] * decay / one.update_to_data for r, one in history if one.update_to_data and len(r.lr) > at]
    else:
        ratios = [decay * one.data.rms / one.gradient.rms for _, one in history if one.gradient and one.gradient.rms]
    usable = finite(ratios)
    return float(np.median(usable)) if usable else None


def _shrinkage(context: Context, name: str) -> float:
    sizes = finite(one.data.rms for one in context.histories[name])
    return sizes[-1] / sizes[0] if sizes and sizes[0] > 0 else math.nan


def _faint(context: Context) -> float | None:
    """Return the largest share, over weight matrices, of faint gradients (median over records)."""
    shares = [finite(one.faint for one in history) for history in context.histories.values()]
    return max((float(np.median(found)) for found in shares if found), default=None)


def _number(value: Setting) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
