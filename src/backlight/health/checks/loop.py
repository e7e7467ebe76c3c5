"""Whether the loop does what a training loop does: it calls the network, zeroes gradients, takes steps."""

from backlight.health.check import check
from backlight.health.context import Context
from backlight.health.findings import Advice, Case, Evidence, Finding, FindingText
from backlight.health.thresholds import limit

NO_STEP = FindingText(
    id="no-step",
    title="No step is taken: no weight has changed.",
    because="Gradients are computed and not used: the loss only varies with the batch.",
    try_this=(
        "optimizer.step() after loss.backward(), in every step.",
        Advice(
            torch="Make the optimiser from this model's parameters, after it is on its device: "
            "torch.optim.AdamW(model.parameters(), lr=3e-4).",
            ours="Make the optimiser from this model's parameters: AdamW(model.parameters(), 3e-3).",
        ),
    ),
    figures=("update-to-data", "loss"),
    about="""
    No parameter has changed in any recorded step.
    """,
    cases={
        "rate 0": Case(
            title="The learning rate is 0: no weight moves.",
            try_this=("Check the schedule: the learning rate was 0 in every recorded step.",),
        ),
        "of another": Case(
            title="No step is taken: the optimiser has none of this network's parameters, but those of another.",
            because="The optimiser steps tensors that the network does not use: those of a copy, or those that it had "
            "before they were replaced, as to_empty(), load_state_dict(assign=True) and a new layer do.",
            try_this=("Make the optimiser last: after the network is copied, moved, loaded and taken apart.",),
        ),
        "no backward": Case(
            title="No step is taken: no gradient is computed.",
            because="The loss depends on the network, and no backward pass was seen: parameters have no gradient.",
            try_this=("loss.backward() before optimizer.step(), in every step.",),
        ),
    },
    explained_by=frozenset({"single-output", "no-graph", "gradients-are-zero", "never-called", "updates-rounded-away"}),
)


@check("steps taken", NO_STEP)
def no_step(context: Context) -> list[Finding] | None:
    """Weights that never change."""
    records = context.records
    moves = [one.moved for r in records for one in r.parameters if one.moved is not None]
    calls = [r.optimiser_steps for r in records if r.optimiser_steps is not None]
    if not context.trained or len(records) < limit("records for a verdict") or not (moves or calls):
        return None
    still = bool(moves) and not any(moves)
    never_called = bool(calls) and not any(calls)
    if not (still or (never_called and not any(moves))):
        return []
    pulled = any(one.gradient is not None for r in records for one in r.parameters)
    if not pulled and not any(r.detached is False for r in records):
        return None  # nothing comes to these parameters, whoever steps them
    rates = [rate for r in records for rate in r.lr]
    foreign = 0 if context.seen.optimiser is None else context.seen.optimiser.foreign
    own = any(one.in_optimiser for one in context.seen.parameters)
    cases = (
        ("no backward", not pulled), ("of another", foreign > 0 and not own), ("rate 0", bool(rates) and not any(rates))
    )  # fmt: skip
    return [
        context.finding(
            NO_STEP,
            severity="fatal",
            cases=[name for name, holds in cases if holds][:1],
            evidence=(
                Evidence(what="steps watched", value=context.seen.total_steps),
                Evidence(what="parameters that changed in any recorded step", value=0),
                *((Evidence(what="calls of the optimiser's step()", value=sum(calls)),) if calls else ()),
                *((Evidence(what="parameters that the optimiser has of others", value=foreign),) if foreign else ()),
            ),
        )
    ]


NEVER_CALLED = FindingText(
    id="never-called",
    title="The network was never called in training mode with gradients: another one is trained.",
    because="None of its layers ran, no gradient came to its parameters, and none of them moved. So nothing was learnt "
    "about the network that is trained.",
    try_this=(
        (
            "Watch the network that the loop calls and the optimiser steps: not a copy, an average of the weights, or "
            "the network that a wrapper was made of a copy of."
        ),
        "If its passes are meant to be in torch.no_grad(), there is nothing here to watch.",
    ),
    figures=("update-to-data",),
    about="""
    In no recorded step did the network run with gradients, get one, or change.
    """,
)

LAYERS_NOT_SEEN = FindingText(
    id="layers-not-seen",
    title="No layer was seen to run: the network is compiled, or it runs inside a transformation.",
    because="torch.compile and torch.func call no hooks, so only parameters, gradients and the loss were measured. "
    "Units that are dead or saturated, signals that vanish or explode, and the inputs, could not be checked.",
    try_this=(
        "Train the network without torch.compile for a few hundred steps, watch that, and compile it afterwards.",
    ),
    figures=("update-to-data", "loss"),
    about="""
    The parameters get gradients or move, and no layer was called in any recorded step.
    """,
)


@check("calls of the network", NEVER_CALLED, LAYERS_NOT_SEEN)
def calls_seen(context: Context) -> list[Finding] | None:
    """A network whose layers were not seen to run."""
    records = context.records
    if not context.trained or len(records) < limit("records for a verdict") or not context.seen.parameters:
        return None
    if any(r.layers for r in records) or not any(one.parameters for one in context.seen.layers):
        return []
    works = any(one.moved or one.gradient is not None for r in records for one in r.parameters)
    evidence = (
        Evidence(what="recorded steps", value=len(records)),
        Evidence(what="recorded steps in which a layer ran", value=0, expected="all"),
    )
    if works:
        return [context.finding(LAYERS_NOT_SEEN, severity="note", evidence=evidence)]
    if context.layers_excused or any(r.forward_passes for r in records) or not any(r.parameters for r in records):
        return []
    return [context.finding(NEVER_CALLED, severity="serious", evidence=evidence)]


NOT_ZEROED = FindingText(
    id="gradients-not-zeroed",
    title="Gradients are not zeroed: each step adds to those of all steps before.",
    because="backward() adds to what is already in .grad. Without a reset, each step follows the sum of all gradients "
    "since the beginning, most of them of weights that have long changed.",
    try_this=(
        "optimizer.zero_grad() once a step, before loss.backward() or after optimizer.step().",
        "If gradients of several batches are accumulated on purpose: zero them after each optimizer.step().",
    ),
    figures=("loss", "update-to-data"),
    about="""
    `backward()` adds to what is already in `.grad`. Gradients that were there when a step's first backward pass began
    are of earlier steps. Accumulating gradients over several batches on purpose is not reported: they are zeroed after
    each step.
    """,
    # zero_grad() is of the optimiser, and only of its own parameters
    explained_by=frozenset({"not-in-optimiser"}),
)


@check("gradients zeroed", NOT_ZEROED)
def gradients_not_zeroed(context: Context) -> list[Finding] | None:
    """Gradients of earlier steps that are still there when the next ones are added."""
    known = [(r, r.left_over_norm) for r in context.records if r.left_over_norm is not None and r.step > 0]
    if not context.trained or not known:
        return None
    left = [(r, norm) for r, norm in known if norm]
    if len(left) * 2 <= len(known):
        return []
    last, norm = left[-1]
    return [
        context.finding(
            NOT_ZEROED,
            severity="serious",
            evidence=(
                Evidence(
                    what=f"norm of the gradients that were there before step {last.step}'s backward pass", value=norm,
                    expected="0",
                ),
                Evidence(what="recorded steps that began so", value=len(left)),
                Evidence(what="recorded steps", value=len(known)),
            ),
        )
    ]  # fmt: skip
