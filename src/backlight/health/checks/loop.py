"""Whether the loop does what a training loop does: gradients forgotten, steps taken, all parameters learning."""

import numpy as np

from backlight.health.context import Context
from backlight.health.findings import Evidence, Finding, several
from backlight.health.thresholds import limit
from backlight.watch.records import ParameterFacts


def gradients_not_zeroed(context: Context) -> list[Finding] | None:
    """Gradients of earlier steps that are still there when the next ones are added."""
    known = [r for r in context.records if r.left_over_norm is not None and r.step > 0]
    if not context.trained or not known:
        return None
    left = [r for r in known if r.left_over_norm]
    if len(left) * 2 <= len(known):
        return []
    last = left[-1]
    assert last.left_over_norm is not None  # noqa: S101
    return [
        Finding(
            id="gradients-not-zeroed",
            severity="serious",
            title="Gradients are not zeroed: each step adds to those of all steps before.",
            evidence=(
                Evidence(
                    what=f"norm of the gradients that stood there before step {last.step}'s backward pass",
                    value=last.left_over_norm, expected="0",
                ),
                Evidence(what="recorded steps that began so", value=len(left)),
                Evidence(what="recorded steps", value=len(known)),
            ),
            because="backward() adds to what stands in .grad. Without a reset the step follows the sum of all "
            "gradients since the beginning, most of them of weights that are long gone.",
            try_this=(
                "optimizer.zero_grad() once a step, before loss.backward() or after optimizer.step().",
                "If gradients of several batches are gathered on purpose: zero them after each optimizer.step().",
            ),
        )
    ]  # fmt: skip


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
    rates = [rate for r in records for rate in r.lr]
    at_zero = bool(rates) and not any(rates)
    title = "The learning rate is 0: no weight moves." if at_zero else "No step is taken: no weight has changed."
    return [
        Finding(
            id="no-step",
            severity="fatal",
            title=title,
            evidence=(
                Evidence(what="steps watched", value=context.seen.total_steps),
                Evidence(what="parameters that changed in any recorded step", value=0),
                *((Evidence(what="calls of the optimiser's step()", value=sum(calls)),) if calls else ()),
            ),
            because="Gradients are computed and nothing is done with them: the loss only varies with the batch.",
            try_this=(
                "optimizer.step() after loss.backward(), in every step.",
                context.say(
                    torch="Make the optimiser from this model's parameters, after it is on its device: "
                    "torch.optim.AdamW(model.parameters(), lr=3e-4).",
                    ours="Make the optimiser from this model's parameters: AdamW(model.parameters(), 3e-3).",
                ),
                *(("Look at the schedule: it gave a rate of 0 at every recorded step.",) if at_zero else ()),
            ),
        )
    ]


def not_in_optimiser(context: Context) -> list[Finding] | None:
    """Parameters that get gradients and are not stepped, while others are."""
    missing = [one for one in context.seen.parameters if one.requires_grad and _left_alone(context, one)]
    known = [one for one in context.seen.parameters if one.in_optimiser is not None or context.histories[one.name]]
    if not context.trained or not known:
        return None
    if not missing or len(missing) == len(context.seen.parameters):
        return []
    numbers = sum(int(np.prod(one.shape)) for one in missing)
    layers = tuple(dict.fromkeys(one.layer for one in missing))
    return [
        Finding(
            id="not-in-optimiser",
            severity="serious",
            title=f"{several(len(missing), 'parameter')} with a gradient that no optimiser steps.",
            where=tuple(one.name for one in missing),
            evidence=(
                Evidence(what="parameters left out", value=len(missing)),
                Evidence(what="numbers in them", value=numbers),
                Evidence(what="layers", value=len(layers)),
            ),
            because="These layers keep their first, random weights. The rest of the net learns around them, so the "
            "loss falls and nothing looks broken.",
            try_this=(
                "Give the optimiser all of them: model.parameters(), of the finished model.",
                context.say(
                    torch="Layers in a plain list are not found: nn.ModuleList. Layers that are made late need "
                    "optimizer.add_param_group({'params': layer.parameters()}).",
                    ours="Make the optimiser last, of the whole model.",
                ),
                context.say(
                    torch="If they are frozen on purpose: layer.requires_grad_(False) saves their gradients too.",
                    ours="If they are frozen on purpose, parameter.requires_grad = False saves their gradients too.",
                ),
            ),
        )
    ]


def not_reached(context: Context) -> list[Finding] | None:
    """Parameters whose layers work, and that the loss does not depend on by the graph."""
    facts = [one for one in context.seen.parameters if one.requires_grad]
    if not any(one.reached is not None or context.histories[one.name] for one in facts):
        return None
    cut = [one for one in facts if _unreached(context, one)]
    if not cut:
        return []
    ran = [one for one in cut if _runs(context, one.layer)]
    return [_detached(context, ran)] if ran else [_unused(cut)]


def evaluation_mode(context: Context) -> list[Finding] | None:
    """Steps taken in evaluation mode, by a net in which that makes a difference."""
    differ = [
        one for one in context.seen.layers
        if one.role == "batch_norm" or (one.role in {"dropout", "attention", "recurrent"} and _drops(one.settings))
    ]  # fmt: skip
    if not context.trained or not differ or not context.records:
        return None
    names = {one.name for one in differ}
    modes = [one.training for r in context.records for one in r.layers if one.name in names]
    others = [one.training for r in context.records for one in r.layers if one.name not in names]
    if not modes or any(modes) or (others and any(others)):
        return []
    return [
        Finding(
            id="evaluation-mode",
            severity="serious",
            title="The net is trained in evaluation mode.",
            where=tuple(one.name for one in differ),
            evidence=(
                Evidence(what="layers that differ between the modes", value=len(differ)),
                Evidence(what="recorded steps in training mode", value=0, expected="all"),
            ),
            because="Dropout drops nothing, and batch norm uses running statistics that never move: it normalises by "
            "those of the first weights, or of another training.",
            try_this=(
                "model.train() before the training loop, and again after each evaluation (model.eval() stays on).",
                "To freeze batch norms on purpose, set only them: norm.eval() after model.train().",
            ),
        )
    ]


def _left_alone(context: Context, facts: ParameterFacts) -> bool:
    """Return whether a parameter got gradients and was not the optimiser's, or never moved while others did."""
    history = context.histories[facts.name]
    pulled = [one for one in history if one.gradient is not None and one.gradient.rms > 0]
    if not pulled:
        return False
    if facts.in_optimiser is not None:
        return not facts.in_optimiser
    moves = [one.moved for one in pulled if one.moved is not None]
    others = [one.moved for name, past in context.histories.items() if name != facts.name for one in past]
    return len(moves) >= limit("records for a verdict") and not any(moves) and any(others)


def _unreached(context: Context, facts: ParameterFacts) -> bool:
    if facts.reached is not None:
        return not facts.reached
    history = context.histories[facts.name]
    gradients = [one.gradient for past in context.histories.values() for one in past]
    return bool(history) and all(one.gradient is None for one in history) and any(g is not None for g in gradients)


def _runs(context: Context, layer: str) -> bool:
    facts = context.layers.get(layer)
    return facts is None or facts.depth is not None


def _detached(context: Context, cut: list[ParameterFacts]) -> Finding:
    numbers = sum(int(np.prod(one.shape)) for one in cut)
    total = sum(int(np.prod(one.shape)) for one in context.seen.parameters)
    return Finding(
        id="not-reached-by-gradient",
        severity="serious",
        title=f"The gradient does not reach {several(len(cut), 'parameter')}: the graph is cut.",
        where=tuple(one.name for one in cut),
        evidence=(
            Evidence(what="parameters without a gradient", value=len(cut)),
            Evidence(what="numbers in them", value=numbers),
            Evidence(what="numbers in the model", value=total),
        ),
        because="Their layers compute, but between them and the loss something left the graph. They stay as they "
        "were at first, and everything after them learns to live with it.",
        try_this=(
            (
                "Look between these layers and the next for .detach(), .data, .item(), .numpy(), torch.no_grad() or a "
                "torch.tensor(...) made of a tensor, and take it out."
            ),
            f"Check with one step: {cut[0].name}.grad must not be None after loss.backward().",
        ),
    )


def _unused(cut: list[ParameterFacts]) -> Finding:
    return Finding(
        id="unused-layer",
        severity="note",
        title="Layers with parameters are never called.",
        where=tuple(dict.fromkeys(one.layer for one in cut)),
        evidence=(Evidence(what="parameters that nothing uses", value=len(cut)),),
        because="They cost memory, and DistributedDataParallel waits for their gradients; perhaps forward() was meant "
        "to call them.",
        try_this=("Call them in forward(), or take them out of the model.",),
    )


def _drops(settings: object) -> bool:
    """Return whether a layer's settings say that it drops numbers."""
    if not hasattr(settings, "get"):
        return False
    shares = (settings.get("p"), settings.get("dropout"))
    return any(isinstance(share, int | float) and share > 0 for share in shares)
