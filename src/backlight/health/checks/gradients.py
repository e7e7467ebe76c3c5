"""Whether gradients reach the first layers in a size that can be used."""

import math
from typing import Final

import numpy as np

from backlight.health.check import check
from backlight.health.context import Context
from backlight.health.findings import Advice, Case, Evidence, Finding, FindingText
from backlight.health.groups import BROKEN_INPUTS, BROKEN_NUMBERS, NO_STEPS
from backlight.health.thresholds import limit

_SLOPES: Final = {
    None: "",
    "sigmoid": " (a sigmoid's slope is at most 0.25)",
    "tanh": " (a tanh's slope is 1 near 0 and nearly 0 at its ends)",
    "relu": " (a ReLU's slope is 0 for half of its inputs)",
}

_WITH_WEIGHTS = frozenset({"linear", "convolution", "embedding", "recurrent", "attention"})

VANISHING_GRADIENTS = FindingText(
    id="vanishing-gradients",
    title="Vanishing gradients: next to nothing of the loss's gradient reaches the first layers.",
    because="The gradient is multiplied by each layer's slope and weights{slope}: a few factors below 1 leave nothing "
    "for the layers that read the input.",
    try_this=("Shortcuts around the layers, x + f(x), or a norm before each activation.",),
    figures=("activation-gradients", "weight-gradients", "gradient-to-data"),
    about="""
    On the way back the gradient is multiplied by each layer's weights and slopes. A sigmoid's slope is at most 0.25;
    eight of them leave 1.5e-5 of the gradient at best. Hochreiter 1991; Glorot & Bengio 2010.
    """,
    cases={
        "sigmoid": Case(
            try_this=(
                Advice(
                    torch="nn.ReLU() or nn.GELU() in place of nn.Sigmoid(), with Kaiming weights.",
                    ours="ReLU() or GELU() in place of Sigmoid(), with Linear's matching nonlinearity=.",
                ),
            )
        ),
        "others": Case(
            try_this=(
                Advice(
                    torch='Larger initial weights: nn.init.kaiming_normal_(layer.weight, nonlinearity="{kind}").',
                    ours='Larger initial weights: Linear(..., nonlinearity="{kind}", rng=rng), with a std of '
                    "gain / sqrt(fan_in).",
                ),
            )
        ),
    },
    explained_by=BROKEN_INPUTS | NO_STEPS
    | {"dead-units", "saturated-units", "identical-units", "learning-rate-too-high", "weight-decay-dominates"},
)  # fmt: skip


@check("vanishing gradients", VANISHING_GRADIENTS)
def vanishing_gradients(context: Context) -> list[Finding] | None:
    """Gradients that shrink from layer to layer on the way back. Not checked in a network that learns."""
    sizes = _gradient_sizes(context)
    if len(sizes) < 2:
        return None
    first, last = next(iter(sizes)), list(sizes)[-1]
    ratio = sizes[first] / sizes[last] if sizes[last] else math.nan
    if context.learns or not ratio < limit("gradient decay"):
        return []
    factor = ratio ** (1 / (len(sizes) - 1)) if ratio > 0 else 0.0
    may_learn = not context.trained and ratio > limit("gradient decay before any step")
    return [
        context.finding(
            VANISHING_GRADIENTS,
            severity="note" if may_learn else "serious",
            where=[name for name, size in sizes.items() if size < limit("gradient decay") ** 0.5 * sizes[last]],
            evidence=(
                Evidence(what=f"gradient at {first} over gradient at {last} (rms)", value=ratio, expected="near 1"),
                Evidence(what="factor from layer to layer", value=factor, expected="near 1"),
            ),
            cases=("sigmoid" if context.nonlinearity == "sigmoid" else "others",),
            values={"slope": _SLOPES[context.nonlinearity], "kind": context.nonlinearity or "relu"},
        )
    ]


EXPLODING_GRADIENTS = FindingText(
    id="exploding-gradients",
    title="Exploding gradients: they grow from layer to layer on the way back.",
    because="One step along such a gradient throws the weights far from where they were: the loss jumps.",
    try_this=(
        Advice(
            torch="torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0) between backward() and step().",
            ours="clip_grad_norm(parameters, 1.0) before the step, or --grad-clip 1.",
        ),
        "Smaller initial weights (gain / sqrt(fan_in)), or a norm in each layer.",
    ),
    figures=("activation-gradients", "weight-gradients", "gradient-to-data"),
    about="""
    Gradients that are multiplied by factors above 1 on the way back, or that are a hundred times as large in some
    steps. Recurrent networks are known for it, and clipping limits it: Pascanu, Mikolov & Bengio 2013, arXiv:1211.5063.
    """,
    cases={"burst": Case(title="Exploding gradients: in some steps they are far larger than usual.")},
    explained_by=BROKEN_INPUTS | BROKEN_NUMBERS
    | {"learning-rate-too-high", "gradients-not-zeroed", "overconfident-start", "no-step"},
)  # fmt: skip


@check("exploding gradients", EXPLODING_GRADIENTS)
def exploding_gradients(context: Context) -> list[Finding] | None:
    """Gradients that grow on the way back, or burst now and then. Not checked in a network that learns."""
    sizes = _gradient_sizes(context)
    norms = [r.gradient_norm for r in context.records if r.gradient_norm is not None and math.isfinite(r.gradient_norm)]
    if len(sizes) < 2 and not norms:
        return None
    if context.learns:
        return []
    names = list(sizes)
    ratio = sizes[names[0]] / sizes[names[-1]] if len(names) > 1 and sizes[names[-1]] else 0.0
    burst = max(norms) / float(np.median(norms)) if norms and np.median(norms) > 0 else 0.0
    if not ratio > 1 / limit("gradient decay") and not burst > limit("gradient burst"):
        return []
    return [
        context.finding(
            EXPLODING_GRADIENTS,
            severity="serious",
            where=names[:1] if ratio > burst else (),
            evidence=(
                Evidence(
                    what="gradient of the first layer over that of the last (rms)", value=ratio, expected="near 1"
                ),
                Evidence(what="largest gradient norm over the usual one", value=burst, expected="below 10"),
            ),
            cases=() if ratio > burst else ("burst",),
        )
    ]


def _gradient_sizes(context: Context) -> dict[str, float]:
    """Return the median rms of the gradient by each layer's output, first layer to last."""
    found: dict[str, float] = {}
    for facts in context.called(*_WITH_WEIGHTS):
        sizes = context.over_time(facts.name, lambda record: None if record.gradient is None else record.gradient.rms)
        usable = [size for size in sizes if math.isfinite(size)]
        if usable:
            found[facts.name] = float(np.median(usable))
    return found
