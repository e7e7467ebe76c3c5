"""Whether units can still pass a gradient: not saturated, not dead."""

import numpy as np

from backlight.health.context import Context, finite, late
from backlight.health.findings import Evidence, Finding, percent
from backlight.health.thresholds import limit
from backlight.watch.records import LayerFacts


def saturated_units(context: Context) -> list[Finding] | None:
    """Squashing functions driven to their flat ends."""
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
    return [
        Finding(
            id="saturated-units",
            severity="warning" if context.learns else "serious",
            title=f"Most of layer {name} is saturated: its {context.layers[name].kind} is flat where its inputs lie.",
            where=tuple(worst),
            evidence=(
                *(Evidence(what=f"saturated in {n}, {when}", value=percent(found[n]), unit="%", expected=_most())
                  for n in worst[:3]),
                *([Evidence(what="the same at the end", value=percent(later[name]), unit="%")] if at_first else []),
            ),
            because="Near its ends a tanh or sigmoid hardly changes: the gradient is multiplied by less than 0.06 "
            "there, and the weights before it stop learning.",
            try_this=(
                context.say(
                    torch="Smaller weights before it: nn.init.xavier_normal_(layer.weight, gain=5/3) for tanh.",
                    ours='Smaller weights before it: Linear(..., nonlinearity="tanh", rng=rng) has the right scale.',
                ),
                context.say(
                    torch="Or a norm before the activation: nn.BatchNorm1d(units) or nn.LayerNorm(units).",
                    ours="Or a norm before the activation: BatchNorm1d(units), or --batch-norm for an mlp.",
                ),
                "If it came with training, a smaller learning rate.",
            ),
        )
    ]  # fmt: skip


def dead_units(context: Context) -> list[Finding] | None:
    """Units that no example wakes."""
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
        Finding(
            id="dead-units",
            severity="warning" if context.learns else "serious",
            title=f"Units of layer {worst[0]} are dead: no example wakes them.",
            where=tuple(worst),
            evidence=(
                *(Evidence(what=f"dead in {n}", value=percent(ends[n]), unit="% of the units") for n in worst[:3]),
                Evidence(what="batches without a sign of life", value=batches),
            ),
            because=_why_dead(context.layers[worst[0]]),
            try_this=(
                _first_remedy(context, early=early),
                context.say(
                    torch="nn.GELU(), or nn.LeakyReLU(0.01) for nn.ReLU(): they pass a gradient on both sides.",
                    ours="GELU() in its place: it passes a gradient on both sides.",
                ),
            ),
        )
    ]


def _saturated_at_the_end(context: Context, name: str) -> bool:
    """Return whether `saturated_units` says it already."""
    shares = finite(context.over_time(name, lambda record: record.saturated))
    return bool(shares) and float(np.median(late(shares))) > limit("saturated share")


def _first_remedy(context: Context, *, early: bool) -> str:
    if early:
        return context.say(
            torch="They were dead from the start: nn.init.zeros_(layer.bias) and Kaiming weights before them.",
            ours="They were dead from the start: a bias of 0 and Kaiming weights before them, as Linear has them.",
        )
    return "They died in training: a learning rate 3 to 10 times smaller, or a warm-up, so that no step is so large."


def _why_dead(facts: LayerFacts) -> str:
    if facts.one_sided:
        return "A unit that is 0 for every example has a gradient of 0 for every example: it can never come back."
    return "A unit at the end of its range for every example passes hardly any gradient, and says nothing."


def _most() -> str:
    return f"below {percent(limit('saturated share')):g}%"
