"""Whether units can still pass a gradient: not saturated, not dead."""

import numpy as np

from backlight.health.check import check
from backlight.health.context import Context, finite, late
from backlight.health.findings import Advice, Case, Evidence, Finding, FindingText, percent
from backlight.health.groups import BROKEN_INPUTS, BROKEN_NUMBERS
from backlight.health.thresholds import limit

SATURATED_UNITS = FindingText(
    id="saturated-units",
    title="Most of layer {layer} is saturated: its {kind} is flat where its inputs lie.",
    because="Near its ends a tanh or sigmoid hardly changes: the gradient is multiplied by less than 0.06 there, and "
    "the weights before it stop learning.",
    try_this=(
        Advice(
            torch="Smaller weights before it: nn.init.xavier_normal_(layer.weight, gain=5/3) for tanh.",
            ours='Smaller weights before it: Linear(..., nonlinearity="tanh", rng=rng) has the right scale.',
        ),
        Advice(
            torch="Or a norm before the activation: nn.BatchNorm1d(units) or nn.LayerNorm(units).",
            ours="Or a norm before the activation: BatchNorm1d(units), or --batch-norm for an mlp.",
        ),
        "If it developed during training, lower the learning rate.",
    ),
    figures=("activations", "saturation"),
    about="""
    A tanh or sigmoid beyond 0.97 of its range has a slope below 0.06 and passes next to no gradient. Lecture 4, "fixing
    the saturated tanh", shows the picture: white where |tanh| > 0.97.
    """,
    explained_by=BROKEN_INPUTS | BROKEN_NUMBERS | {"learning-rate-too-high", "gradients-not-zeroed"},
)


@check("saturated units", SATURATED_UNITS)
def saturated_units(context: Context) -> list[Finding] | None:
    """Bounded activations driven to their flat ends."""
    layers = [one for one in context.called("activation", "recurrent") if one.bounded]
    shares = {one.name: finite(context.over_time(one.name, lambda record: record.saturated)) for one in layers}
    shares = {name: found for name, found in shares.items() if found}
    if not shares:
        return None
    at_first = {name: found[0] for name, found in shares.items() if found[0] > limit("saturated share")}
    later = {name: float(np.median(late(found))) for name, found in shares.items()}
    worn = {} if context.learns else {n: share for n, share in later.items() if share > limit("saturated share")}
    found = at_first or worn
    if not found:
        return []
    worst = sorted(found, key=lambda name: -found[name])
    when = "at the first step" if at_first else "over the last steps"
    name = worst[0]
    most = f"below {percent(limit('saturated share')):g}%"
    return [
        context.finding(
            SATURATED_UNITS,
            severity="warning" if context.learns else "serious",
            where=worst,
            evidence=(
                *(Evidence(what=f"saturated in {n}, {when}", value=percent(found[n]), unit="%", expected=most)
                  for n in worst[:3]),
                *([Evidence(what="the same at the end", value=percent(later[name]), unit="%")] if at_first else []),
            ),
            values={"layer": name, "kind": context.layers[name].kind},
        )
    ]  # fmt: skip


DEAD_UNITS = FindingText(
    id="dead-units",
    title="Dead units in layer {layer}: no example activates them.",
    because="A unit that is 0 for every example has a gradient of 0 for every example: it can never recover.",
    try_this=(
        Advice(
            torch="nn.GELU(), or nn.LeakyReLU(0.01) for nn.ReLU(): they pass a gradient on both sides.",
            ours="GELU() in its place: it passes a gradient on both sides.",
        ),
    ),
    figures=("dead-units", "preactivations"),
    about="""
    A ReLU that is 0 for every example gets no gradient and never recovers. Reported when most of a layer has been
    inactive for ten recorded batches. The cause is a large negative bias, or one step that was too long. Lecture 4.
    """,
    cases={
        "early": Case(
            try_this=(
                Advice(
                    torch="They were dead from the start: nn.init.zeros_(layer.bias) and Kaiming weights before them.",
                    ours="They were dead from the start: a bias of 0 and Kaiming weights before them, as by default.",
                ),
            )
        ),
        "late": Case(
            try_this=(
                "They died in training: a learning rate 3 to 10 times smaller, or a warm-up, to avoid large steps.",
            )
        ),
        "bounded": Case(
            because="A unit at the end of its range for every example passes hardly any gradient and carries no signal."
        ),
    },
    explained_by=BROKEN_INPUTS
    | BROKEN_NUMBERS
    | {"learning-rate-too-high", "gradients-not-zeroed", "vanishing-signal", "inputs-drift", "labels-constant"},
)


@check("dead units", DEAD_UNITS)
def dead_units(context: Context) -> list[Finding] | None:
    """Units that no example activates."""
    known = {
        one.name: context.over_time(one.name, lambda record: record.dead)
        for one in context.seen.layers
        if one.one_sided or (one.bounded and one.role != "softmax" and not _saturated_at_the_end(context, one.name))
    }
    ends = {name: found[-1] for name, found in known.items() if found}
    if not ends:
        return None
    worst = sorted((n for n, share in ends.items() if share > limit("dead share")), key=lambda n: -ends[n])
    if not worst:
        return []
    batches = max(context.over_time(worst[0], lambda record: record.dead_over), default=0)
    early = context.over_time(worst[0], lambda record: record.dead_now)[0] > limit("dead share")
    return [
        context.finding(
            DEAD_UNITS,
            severity="note" if context.learns or (context.trained and context.loss_kind == "other") else "serious",
            where=worst,
            evidence=(
                *(Evidence(what=f"dead in {n}", value=percent(ends[n]), unit="% of the units") for n in worst[:3]),
                Evidence(what="batches in which they were inactive", value=batches),
            ),
            cases=("early" if early else "late", *(() if context.layers[worst[0]].one_sided else ("bounded",))),
            values={"layer": worst[0]},
        )
    ]


def _saturated_at_the_end(context: Context, name: str) -> bool:
    """Return whether `saturated_units` reports it already."""
    shares = finite(context.over_time(name, lambda record: record.saturated))
    return bool(shares) and float(np.median(late(shares))) > limit("saturated share")
