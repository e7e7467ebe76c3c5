"""Whether all parameters that are to learn can: in the graph, in the optimiser, not frozen."""

import math

import numpy as np

from backlight.health.check import check
from backlight.health.context import Context
from backlight.health.findings import Advice, Case, Evidence, Finding, FindingText, several
from backlight.health.thresholds import limit
from backlight.watch.records import ParameterFacts

NOT_REACHED = FindingText(
    id="not-reached-by-gradient",
    title="The gradient does not reach {parameters}: the graph is cut.",
    because="Their layers compute, but between them and the loss something left the graph. They keep their initial "
    "values, and later layers adapt to them.",
    try_this=(
        (
            "Look between these layers and the next for .detach(), .data, .item(), .numpy(), torch.no_grad() or a "
            "torch.tensor(...) made of a tensor, and remove it."
        ),
        "Check with one step: {first}.grad must not be None after loss.backward().",
    ),
    figures=("gradient-to-data", "update-to-data"),
    about="""
    Parameters of layers that run, and that the loss does not depend on by the graph: a `.detach()`, `.data`, `.item()`,
    or a `no_grad()` is in between.
    """,
)

UNUSED = FindingText(
    id="unused-layer",
    title="Layers with parameters are never called.",
    because="They cost memory, and DistributedDataParallel waits for their gradients; perhaps forward() was meant to "
    "call them.",
    try_this=("Call them in forward(), or remove them from the model.",),
    figures=("activations",),
    about="""
    Parameters of a layer that `forward()` never calls.
    """,
)


@check("parameters cut off from the loss", NOT_REACHED, UNUSED)
def not_reached(context: Context) -> list[Finding] | None:
    """Parameters whose layers work, and that the loss does not depend on by the graph."""
    facts = [one for one in context.seen.parameters if one.requires_grad and 0 not in one.shape]
    if not any(one.reached is not None or context.histories[one.name] for one in facts):
        return None
    unreached = [one for one in facts if _unreached(context, one)]
    cut = [one for one in unreached if not _is_added(one, facts, unreached)]
    if not cut:
        return []
    ran = [one for one in cut if _runs(context, one.layer)]
    if ran:
        return [_detached(context, ran)]
    return None if context.layers_excused else [_unused(context, cut)]


NOT_IN_OPTIMISER = FindingText(
    id="not-in-optimiser",
    title="{parameters} have gradients but are in no optimiser.",
    because="These layers keep their initial, random weights. The rest of the network learns around them, so the loss "
    "falls and nothing looks broken.",
    try_this=(
        "Give the optimiser all of them: model.parameters(), of the finished model.",
        Advice(
            torch="Layers in a plain list are not found: use nn.ModuleList. Layers that are made late need "
            "optimizer.add_param_group({{'params': layer.parameters()}}).",
            ours="Make the optimiser last, of the whole model.",
        ),
        Advice(
            torch="If they are frozen on purpose: layer.requires_grad_(False) saves their gradients too.",
            ours="If they are frozen on purpose, parameter.requires_grad = False saves their gradients too.",
        ),
    ),
    figures=("update-to-data", "loss"),
    about="""
    Parameters with gradients that the optimiser does not have.
    """,
    cases={
        "replaced": Case(
            title="{parameters} were replaced at step {step}: the optimiser still has the old ones.",
            because="The optimiser steps the tensors that it was given. Those that stand in their place now get "
            "gradients, and nobody steps them.",
            try_this=(
                Advice(
                    torch="Make the optimiser anew, or optimizer.add_param_group({{'params': [...]}}) with the new "
                    "parameters, after load_state_dict(assign=True), to_empty(), remove_parametrizations() or a new "
                    "layer.",
                    ours="Make the optimiser anew, of the model as it is now.",
                ),
            ),
        ),
        "beside": Case(
            title="The loss has {count} of its own, which get gradients and are never changed.",
            because="They are no parameters of the network, so model.parameters() does not have them. They keep their "
            "initial, random numbers, and what they should have learnt is missing.",
            try_this=(
                "Give them to the optimiser too: list(model.parameters()) + list(criterion.parameters()).",
                (
                    "Those of a fixed network, such as one that compares pictures: requires_grad_(False) saves their "
                    "gradients."
                ),
            ),
        ),
    },
)


@check("parameters missing from the optimiser", NOT_IN_OPTIMISER)
def not_in_optimiser(context: Context) -> list[Finding] | None:
    """Parameters that get gradients and are not stepped, while others are."""
    found = _in_no_optimiser(context)
    return found or _beside(context) or found


def _beside(context: Context) -> list[Finding]:
    """Return a note on parameters that the loss depends on, that the network does not have, and that nobody steps."""
    shapes = () if context.seen.loss is None else context.seen.loss.unstepped
    if not shapes:
        return []
    return [
        context.finding(
            NOT_IN_OPTIMISER,
            severity="note",
            cases=("beside",),
            evidence=(
                Evidence(what="parameters that are not the network's and have not changed", value=len(shapes)),
                Evidence(what="numbers in them", value=sum(map(math.prod, shapes))),
            ),
            values={"count": "a parameter" if len(shapes) == 1 else f"{len(shapes)} parameters"},
        )
    ]


def _in_no_optimiser(context: Context) -> list[Finding] | None:
    missing = [one for one in context.seen.parameters if one.requires_grad and _left_alone(context, one)]
    known = [one for one in context.seen.parameters if one.in_optimiser is not None or context.histories[one.name]]
    if not context.trained or not known:
        return None
    replaced = [one for one in missing if one.replaced is not None]
    if not missing or (len(missing) == len(context.seen.parameters) and not replaced):
        return []
    return [
        context.finding(
            NOT_IN_OPTIMISER,
            severity="serious",
            where=[one.name for one in missing],
            evidence=(
                Evidence(what="parameters left out", value=len(missing)),
                Evidence(what="numbers in them", value=_numbers_in(missing)),
                Evidence(what="layers", value=len({one.layer for one in missing})),
            ),
            cases=("replaced",) if replaced else (),
            values={
                "parameters": several(len(missing), "parameter"),
                "step": min((one.replaced or 0 for one in replaced), default=0),
            },
        )
    ]


TIE_BROKEN = FindingText(
    id="tie-broken",
    title="{first} and {second} began as copies of each other and are two tensors: a weight tie is broken.",
    because="Input and output embeddings that share one tensor get the gradients of both. Two tensors that only began "
    "with the same numbers drift apart, and cost twice the memory.",
    try_this=(
        (
            "Tie them last, after the model is made, loaded and moved: model.head.weight = model.embedding.weight; and "
            "make the optimiser after that."
        ),
        "load_state_dict(assign=True), to_empty(), and copies that are made tensor by tensor, break a tie.",
    ),
    figures=("update-to-data",),
    about="""
    A table of embeddings and a matrix of the same shape held the very same numbers at first, which chance does not do,
    and are not the same tensor.
    """,
)


@check("tied weights", TIE_BROKEN)
def tie_broken(context: Context) -> list[Finding] | None:
    """A matrix that began as a copy of an embedding's table."""
    if not context.trained or not context.records or not any(one.table for one in context.seen.parameters):
        return None
    pairs = [
        (one, context.parameters[one.copy_of]) for one in context.seen.parameters if one.copy_of in context.parameters
    ]
    pairs = [(one, table) for one, table in pairs if one.requires_grad and table.requires_grad]
    if not pairs:
        return []
    one, table = pairs[0]
    return [
        context.finding(
            TIE_BROKEN,
            severity="warning",
            where=[name for pair in pairs for name in (pair[1].name, pair[0].name)],
            evidence=(Evidence(what="numbers that were the same at first", value=_numbers_in([one])),),
            values={"first": table.name, "second": one.name},
        )
    ]


ALL_FROZEN = FindingText(
    id="all-frozen",
    title="Every parameter is frozen: nothing in this network can learn.",
    because="No parameter has requires_grad, so none of them gets a gradient. That is right for a network that is only "
    "used, and wrong for one that is to be trained.",
    try_this=(
        Advice(
            torch="model.requires_grad_(True), or only of the layers that are to learn: "
            "model.head.requires_grad_(True).",
            ours="parameter.requires_grad = True for the parameters that are to learn.",
        ),
        "Make the optimiser afterwards, of the parameters that learn.",
    ),
    figures=("update-to-data",),
    about="""
    All parameters have `requires_grad=False`. A frozen network that feeds another one which learns is fine.
    """,
)


@check("parameters that can learn", ALL_FROZEN)
def all_frozen(context: Context) -> list[Finding] | None:
    """A network of which every parameter is frozen."""
    parameters = context.seen.parameters
    if not parameters:
        return None
    if any(one.requires_grad for one in parameters):
        return []
    evidence = (
        Evidence(what="parameters", value=len(parameters)),
        Evidence(what="of them with requires_grad", value=0, expected="those that are to learn"),
    )
    return [context.finding(ALL_FROZEN, severity="warning", evidence=evidence)]


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
    history = context.histories[facts.name]
    if any(one.gradient is not None and one.gradient.rms != 0 for one in history):
        return False  # by a way that the graph does not show, as that of a reentrant checkpoint
    if facts.reached is not None:
        return not facts.reached
    gradients = [one.gradient for past in context.histories.values() for one in past]
    return bool(history) and all(one.gradient is None for one in history) and any(g is not None for g in gradients)


def _is_added(one: ParameterFacts, facts: list[ParameterFacts], unreached: list[ParameterFacts]) -> bool:
    """Return whether this is the bias of a layer that is in the graph.

    Of a network that returns the slope of a number by its input, such as an energy, the last bias has no part in it.
    """
    return len(one.shape) < 2 and any(
        other.layer == one.layer and other.weight_matrix and other not in unreached for other in facts
    )


def _runs(context: Context, layer: str) -> bool:
    facts = context.layers.get(layer)
    return facts is None or facts.depth is not None


def _detached(context: Context, cut: list[ParameterFacts]) -> Finding:
    return context.finding(
        NOT_REACHED,
        severity="serious",
        where=[one.name for one in cut],
        evidence=(
            Evidence(what="parameters without a gradient", value=len(cut)),
            Evidence(what="numbers in them", value=_numbers_in(cut)),
            Evidence(what="numbers in the model", value=_numbers_in(context.seen.parameters)),
        ),
        values={"parameters": several(len(cut), "parameter"), "first": cut[0].name},
    )


def _unused(context: Context, cut: list[ParameterFacts]) -> Finding:
    return context.finding(
        UNUSED,
        severity="note",
        where=dict.fromkeys(one.layer for one in cut),
        evidence=(Evidence(what="parameters that nothing uses", value=len(cut)),),
    )


def _numbers_in(parameters: tuple[ParameterFacts, ...] | list[ParameterFacts]) -> int:
    return sum(int(np.prod(one.shape)) for one in parameters)
