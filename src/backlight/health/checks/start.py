"""Whether the initial weights let signals through, keep units apart, and leave the network unsure."""

import math
from itertools import pairwise
from typing import Any

from backlight.health.check import check
from backlight.health.context import MULTIPLIES, Context
from backlight.health.findings import Advice, Evidence, Finding, FindingText, number, percent
from backlight.health.thresholds import limit
from backlight.watch.records import LayerFacts, StepRecord

_CARRIES_NOTHING = frozenset({"shape", "container", "dropout", "softmax"})

_INITIALISE = (
    Advice(
        torch='nn.init.kaiming_normal_(layer.weight, nonlinearity="{nonlinearity}"); nn.init.zeros_(layer.bias).',
        ours='Linear(..., nonlinearity="{nonlinearity}", rng=rng): weights with a std of gain / sqrt(fan_in).',
    ),
    Advice(
        torch="A norm after each layer (nn.BatchNorm1d, nn.LayerNorm) makes the initial scale matter less.",
        ours="A norm after each layer (BatchNorm1d, LayerNorm) makes the initial scale matter less.",
    ),
)

OVERCONFIDENT_START = FindingText(
    id="overconfident-start",
    title="The first predictions are confident and wrong.",
    because="The first steps are spent on unlearning a confident guess: the loss falls steeply and the rest of the "
    "network hardly learns meanwhile.",
    try_this=(
        Advice(
            torch="with torch.no_grad(): model.{layer}.weight.mul_(0.01); and its bias.zero_()",
            ours="Linear(..., scale=0.1, rng=rng) for the last layer, or --output-scale 0.1: a tenth as large.",
        ),
        "If all layers are too large, initialise them with gain / sqrt(fan_in) (Kaiming).",
    ),
    figures=("loss",),
    about="""
    An untrained network knows nothing, so its first loss ought to be ln V: 3.30 for 27 classes. A larger one is a
    confident guess, from a last layer whose weights are too large, and the first steps unlearn it: the first thousand
    where it is many times as large. Up to three times as large it is a note. Lecture 4, "fixing the initial loss".
    """,
    explained_by=frozenset({"input-scale", "exploding-signal"}),
)


@check("first loss against ln V", OVERCONFIDENT_START)
def overconfident_start(context: Context) -> list[Finding] | None:
    """First predictions that are confident and wrong, where an untrained network should know nothing."""
    first = context.first
    if first is None or first.logits is None or first.logits.classes < 2 or first.logits.nats is None:
        return None
    if context.chain[-1:] and context.chain[-1] in {"mul", "div"}:
        return []  # scaled on purpose, as cosines are
    if any(not one.requires_grad for one in context.parameters.values()):
        return []  # trained before: it may be sure of what it knows
    nats, V = first.logits.nats, first.logits.classes
    if not nats > limit("first loss over ln V") * math.log(V):
        return []
    is_slight = nats < limit("first loss far over ln V") * math.log(V)
    return [
        context.finding(
            OVERCONFIDENT_START,
            severity="note" if is_slight else "warning" if context.learns else "serious",
            where=() if context.output_layer is None else (context.output_layer,),
            evidence=(
                Evidence(
                    what="first loss", value=nats, unit="nats", expected=f"ln {V} = {math.log(V):.2f}, even odds"
                ),
                Evidence(
                    what="mean largest probability", value=round(100 * first.logits.max_probability), unit="%",
                    expected=f"about {number(percent(1 / V))}%",
                ),
                Evidence(what="standard deviation of the logits", value=first.logits.values.std, expected="below 1"),
            ),
            values={"layer": context.output_layer},
        )
    ]  # fmt: skip


EXPLODING_SIGNAL = FindingText(
    id="exploding-signal",
    title="Signals grow from layer to layer: the initial weights are too large.",
    because="A sum of n products grows with sqrt(n) times the size of the weights. Large sums saturate tanh and "
    "sigmoid, make the logits overconfident, and send back gradients as large.",
    try_this=_INITIALISE,
    figures=("preactivations", "activations"),
    about="""
    A sum of n products of independent numbers of variance 1 has variance n. Weights of standard deviation gain/√n keep
    it at 1 from layer to layer; with larger ones signals grow by the same factor in each layer. Lecture 4, "Kaiming
    init"; He et al. 2015, arXiv:1502.01852; Glorot & Bengio 2010.
    """,
    explained_by=frozenset({"input-scale"}),
)


@check("exploding signals", EXPLODING_SIGNAL)
def exploding_signal(context: Context) -> list[Finding] | None:
    """Activations that grow from layer to layer before any step is taken."""
    first = context.first
    if first is None or not first.layers:
        return None
    reference = _reference(first)
    # what a tanh or sigmoid reads goes no further: `saturated_units` checks that
    squashed = {name for facts in context.seen.layers if facts.bounded for name in facts.reads}
    wild = [
        (facts, one) for facts, one in context.layers_of(first)
        if facts.role not in _CARRIES_NOTHING and facts.name != context.output_layer
        and one.output.rms > limit("signal growth") * reference and facts.name not in squashed
    ]  # fmt: skip
    if not wild:
        return []
    worst = wild[-1][1].output.rms
    return [
        context.finding(
            EXPLODING_SIGNAL,
            severity="serious",
            where=[facts.name for facts, _ in wild[:6]],
            evidence=(
                *(Evidence(what=f"rms of {f.name}'s output", value=one.output.rms) for f, one in wild[:3]),
                Evidence(what="rms of the input", value=reference, expected="about the same all the way"),
                Evidence(what="growth at the end", value=worst / reference, unit="times"),
            ),
            values=_nonlinearity(context),
        )
    ]


VANISHING_SIGNAL = FindingText(
    id="vanishing-signal",
    title="The signal vanishes: the input of the last layer hardly depends on the network's input.",
    because="Each layer makes the differences between examples smaller; gradients shrink by the same factors on the "
    "way back, so the network learns the labels' frequencies and then next to nothing.",
    try_this=_INITIALISE,
    figures=("preactivations", "activations"),
    about="""
    With smaller weights signals fade, until what reaches the last layer no longer depends on the input. Measured as the
    spread of each unit from example to example: biases that differ from unit to unit are no signal.
    """,
)


@check("vanishing signals", VANISHING_SIGNAL)
def vanishing_signal(context: Context) -> list[Finding] | None:
    """Activations that hardly depend on the input any more when they reach the last layer."""
    path = _path(context)
    if not path:
        return None
    features, across = path[-1]
    across = max(across, _read_by_the_last(context))
    if across > limit("signal left") or any(_all_dead(context, facts) for facts, _ in path):
        return []  # `dead_units` reports dead ones
    if path[0][1] <= limit("signal left"):
        return None  # a batch of examples that are all alike shows nothing
    factor = across ** (1 / max(1, sum(facts.role in MULTIPLIES for facts, _ in path)))
    if context.learns and factor > limit("signal left by each layer"):
        return []  # many layers that each lose a little, as with PyTorch's default: Adam makes up for it
    if not context.learns and _kept_by(path, frozenset({"activation"})) < _kept_by(path, MULTIPLIES):
        return []  # it is the activations that are flat: `vanishing_gradients` reports that
    return [
        context.finding(
            VANISHING_SIGNAL,
            severity="warning" if context.learns else "serious",
            where=[facts.name for facts, left in path if left <= 10 * across][:6],
            evidence=(
                Evidence(
                    what=f"change of {features.name}'s output from example to example (std)", value=across,
                    expected="0.1 to 1",
                ),
                Evidence(what="factor from layer to layer", value=factor, expected="near 1"),
            ),
            values=_nonlinearity(context),
        )
    ]  # fmt: skip


IDENTICAL_UNITS = FindingText(
    id="identical-units",
    title="All units of a layer have the same weights.",
    because="Units with the same weights compute the same and get the same gradient, so they stay alike: the layer is "
    "worth one unit, however wide it is. Only random initial weights break the symmetry.",
    try_this=_INITIALISE,
    figures=("preactivations", "activations"),
    about="""
    All units of a layer have the same weights. They compute the same and get the same gradient, so they stay the same:
    the layer is one unit wide. Zeros in the last layer alone, or at the end of a residual branch, are fine and not
    reported.
    """,
)


@check("identical units", IDENTICAL_UNITS)
def identical_units(context: Context) -> list[Finding] | None:
    """Units that all start with the same weights, and so stay copies of each other."""
    first = context.first
    known = [] if first is None else [one for one in context.matrices(first) if one.identical_units is not None]
    if not known:
        return None
    # weights that are drawn anew in each step have a mean and a spread, of one shape: the spread may begin constant
    told_apart = {_place(context, one.name) for one in known if not one.identical_units}
    same = [one for one in known if one.identical_units and _place(context, one.name) not in told_apart]
    # a last layer or a residual branch of zeros is fine: what it reads differs from unit to unit
    constant = [one for one in same if one.data.rms > 0]
    last = context.layers.get(context.output_layer or "")
    if len(constant) < 2 and (len(same) < len(known) or (last and {one.name for one in same} <= set(last.parameters))):
        return []
    return [
        context.finding(
            IDENTICAL_UNITS,
            severity="serious",
            where=[one.name for one in same],
            evidence=(
                Evidence(what="weight matrices whose units are all alike", value=len(same)),
                Evidence(what="weight matrices", value=len(known)),
                Evidence(what=f"spread of {same[0].name}", value=same[0].data.std, expected="about 1 / sqrt(fan_in)"),
            ),
            values=_nonlinearity(context),
        )
    ]


def _place(context: Context, name: str) -> tuple[str, tuple[int, ...]]:
    """Return the layer of a parameter and its shape."""
    facts = context.parameters[name]
    return facts.layer, tuple(facts.shape)


def _nonlinearity(context: Context) -> dict[str, Any]:
    return {"nonlinearity": context.nonlinearity or "relu"}


def _reference(first: StepRecord) -> float:
    """Return the size of what the network reads: 1 for ids, whose vectors are its own."""
    sizes = [one.values.rms for one in first.inputs if not one.ids and math.isfinite(one.values.rms)]
    return max([1.0, *sizes])


def _path(context: Context) -> list[tuple[LayerFacts, float]]:
    """Return the layers before the output layer, each with how much its output depends on the input, in order."""
    last = context.layers[context.output_layer].depth if context.output_layer else None
    return [
        (facts, one.across) for facts, one in context.layers_of(context.first)
        if one.across is not None and math.isfinite(one.across) and facts.role not in _CARRIES_NOTHING
        and last is not None and (facts.depth or 0) < last
    ]  # fmt: skip


def _read_by_the_last(context: Context) -> float:
    """Return how much the last layer's input depends on the network's, by its output; 0 if the layer before tells.

    What a sum of branches gives to the last layer is no layer's output.
    """
    facts = context.layers.get(context.output_layer or "")
    if facts is None or facts.reads or facts.role not in MULTIPLIES:
        return 0.0
    output = next((one.across for known, one in context.layers_of(context.first) if known.name == facts.name), None)
    return context.size_read(facts, output) or 0.0


def _all_dead(context: Context, facts: LayerFacts) -> bool:
    return any(dead > limit("whole layer dead") for dead in context.over_time(facts.name, lambda one: one.dead_now)[:1])


def _kept_by(path: list[tuple[LayerFacts, float]], roles: frozenset[str]) -> float:
    """Return which share of the signal layers of these roles leave, on average; 1 if there are none."""
    pairs = [(before, after) for (_, before), (facts, after) in pairwise(path) if facts.role in roles]
    shares = [after / before for before, after in pairs if before > 0 and after > 0]
    return math.exp(sum(map(math.log, shares)) / len(shares)) if shares else 1.0
