"""What experiments on the network show: what it wrongly depends on, and what it wrongly does not depend on."""

import math

import numpy as np

from backlight.health.check import check
from backlight.health.context import MULTIPLIES, Context, finite, is_changed, late
from backlight.health.findings import Advice, Case, Evidence, Finding, FindingText
from backlight.health.groups import LOST_SIGNAL, NO_STEPS
from backlight.health.thresholds import limit
from backlight.watch.records import LayerFacts

SEES_THE_FUTURE = FindingText(
    id="sees-the-future",
    title="Future leakage: predictions depend on what they are to predict.",
    because="The loss falls, in training and on held-out data, because the answer can be read off. When text is "
    "generated there is no future to read, and the network knows nothing.",
    try_this=(
        Advice(
            torch="F.scaled_dot_product_attention(q, k, v, is_causal=True), or a mask that is -inf above the diagonal: "
            "torch.triu(torch.full((T, T), -torch.inf), diagonal=1).",
            ours="CausalSelfAttention, or scores.masked_fill(later, -inf) before the softmax.",
        ),
        (
            "A bidirectional recurrence, a convolution with padding on both sides, or a mean and variance along the "
            "sequence leak it too: pad on the left, and normalise over the channels."
        ),
        "Check the targets: y is x shifted by one, y[t] = x[t + 1].",
    ),
    figures=("loss",),
    about="""
    The last ids of a sequence are replaced. No logit before them may change. Lecture 7, the mask of attention.
    """,
    # a network that is random in evaluation mode gives other outputs whatever is changed
    explained_by=frozenset({"random-in-evaluation", "examples-mixed", "state-carried-over"}),
)


@check("future leakage", SEES_THE_FUTURE)
def sees_the_future(context: Context) -> list[Finding] | None:
    """Predictions that change when what comes after them does."""
    probe = context.probe("future")
    if probe is None or not is_changed(probe):
        return None if probe is None else []
    position = probe.details.get("position")
    return [
        context.finding(
            SEES_THE_FUTURE,
            severity="fatal",
            where=[one.name for one in context.called("attention")[:3]],
            evidence=(
                Evidence(what="change of earlier logits when later ids change", value=probe.changed, expected="0"),
                Evidence(what="rms of the logits", value=probe.scale),
                *((Evidence(what="earliest position that changes", value=position),) if position is not None else ()),
            ),
        )
    ]


EXAMPLES_MIXED = FindingText(
    id="examples-mixed",
    title="Examples leak into each other: the output for one depends on the others in its batch.",
    because="In evaluation mode examples are independent. A view() or reshape() where a transpose was meant, or a sum "
    "over the wrong axis, mixes them; the network trains all the same.",
    try_this=(
        "Look for .view() or .reshape() where axes were to change places: that is .transpose() or .permute().",
        "Check dim= of softmax, mean, norm and cat: 0 is the batch.",
    ),
    figures=("activations",),
    about="""
    The other examples of a batch are replaced, in evaluation mode. The output for the first one must not change. A.
    Karpathy's "A Recipe for Training Neural Networks" calls it "use backprop to chart dependencies".
    """,
    explained_by=frozenset({"random-in-evaluation", "state-carried-over"}),
)


@check("leaks between examples", EXAMPLES_MIXED)
def examples_mixed(context: Context) -> list[Finding] | None:
    """Outputs that change with the other examples of the batch."""
    probe = context.probe("neighbours")
    if probe is None or not is_changed(probe):
        return None if probe is None else []
    if any(_runs_along_rows(one) or _uses_its_batch(one) for one in context.seen.layers):
        return None  # rows that are one sequence, or are normalised together, belong together
    return [
        context.finding(
            EXAMPLES_MIXED,
            severity="fatal",
            evidence=(
                Evidence(what="change of the first output when the others change", value=probe.changed, expected="0"),
                Evidence(what="rms of the outputs", value=probe.scale),
            ),
        )
    ]


def _runs_along_rows(one: LayerFacts) -> bool:
    """Return whether a layer is given all rows as one sequence: without a batch axis, or with one of size 1."""
    shape = one.reads_shape
    if one.role not in {"recurrent", "attention"} or not 2 <= len(shape) <= 3:
        return False
    return len(shape) == 2 or shape[0 if one.settings.get("batch_first", True) else 1] == 1


def _uses_its_batch(one: LayerFacts) -> bool:
    """Return whether a batch norm has no running statistics, and takes those of the batch in evaluation mode too."""
    return one.role == "batch_norm" and one.settings.get("track_running_stats") is False


INPUT_IGNORED = FindingText(
    id="input-ignored",
    title="The output does not depend on the input.",
    because="Whatever is read, the answer is the same: the signal is lost on the way, through dead units, vanished "
    "weights or a branch that is never used.",
    try_this=("Print the standard deviation over the examples after each layer: where does it become 0?",),
    figures=("activations", "loss"),
    about="""
    The input is replaced. The output must change.
    """,
    cases={
        "one": Case(
            title="Input {name} makes no difference to the output.",
            because="It is given to the network and not used, or the result of what is done with it is dropped.",
            try_this=("masked_fill, clamp and the like return their result: scores = scores.masked_fill(mask, -inf).",),
        )
    },
    explained_by=LOST_SIGNAL | NO_STEPS | {"vanishing-gradients", "weight-decay-dominates", "input-scale"},
)


@check("dependence on the input", INPUT_IGNORED)
def input_ignored(context: Context) -> list[Finding] | None:
    """Outputs that stay the same whatever is read."""
    probes = [one for one in context.seen.probes if one.name == "input"]
    if not probes:
        return None
    same = [one for one in probes if one.changed <= limit("same output") * one.scale]
    if not same or _is_zero_at_the_end(context):
        return []
    probe = next((one for one in same if not one.where), same[0])
    return [
        context.finding(
            INPUT_IGNORED,
            severity="warning" if probe.where else "serious",
            where=[f"input {probe.where}"] if probe.where else (),
            evidence=(
                Evidence(what="change of the output when the input changes", value=probe.changed, expected="above 0"),
                Evidence(what="spread of the output", value=probe.scale),
            ),
            cases=("one",) if probe.where else (),
            values={"name": probe.where},
        )
    ]


OUTPUT_CONSTANT = FindingText(
    id="output-constant",
    title="The outputs do not differ between examples: one answer is given to all.",
    because="The network has learnt the mean of what it is asked for, and takes nothing from its input. In a loss of "
    "several terms, one outweighs: of an autoencoder, the divergence of the latents (posterior collapse).",
    try_this=(
        (
            "Reduce both terms alike: sum over features and latents, then the mean over the batch, as in "
            "(x - out).square().sum(1).mean() + kl.sum(1).mean(). A mean over pixels beside a sum over latents is off "
            "by the number of pixels."
        ),
        "Train with the divergence left out: if the outputs then differ, give it a small weight and raise that slowly.",
    ),
    figures=("activations", "loss"),
    about="""
    The network is to give back what has its input's shape, and its outputs differ from example to example by less than
    a tenth of what the inputs do, and a layer on the way by less than a fiftieth: what passes it is not the input, and
    the rest is noise. Kingma & Welling 2014, arXiv:1312.6114, equation 10: both terms are sums.
    """,
    explained_by=LOST_SIGNAL | NO_STEPS | {"no-graph", "inputs-drift"},
)


@check("spread of the outputs", OUTPUT_CONSTANT)
def output_constant(context: Context) -> list[Finding] | None:
    """Outputs that end as the same for all examples, where they should be like the inputs."""
    loss, first, name = context.seen.loss, context.first, context.output_layer
    progress = context.progress
    if not context.trained or loss is None or first is None or name is None or progress is None:
        return None
    given = [(one.units, one.output.count) for _, one in context.layers_of(first) if one.name == name]
    inputs = [one for one in first.inputs if not one.ids and (one.shape[-1], math.prod(one.shape)) in given]
    across = finite(context.over_time(name, lambda record: record.across))
    if not inputs or not across or not progress.long_enough:
        return None
    left, spread = float(np.median(late(across))), inputs[0].values.std
    narrow = [
        one.name for one in context.called(*MULTIPLIES)
        if one.name != name and _varies_less(context, one.name, limit("spread at a bottleneck") * spread)
    ]  # fmt: skip
    if context.still_falls or not (left < limit("spread of the outputs") * spread and narrow and "add" in loss.chain):
        return []
    return [
        context.finding(
            OUTPUT_CONSTANT,
            severity="serious",
            where=(name, *narrow),
            evidence=(
                Evidence(what="change of the output from example to example (std)", value=left),
                Evidence(what="spread of the input", value=spread, expected="about the same"),
                Evidence(what="terms that are added up in the loss", value=1 + loss.chain.count("add")),
            ),
        )
    ]


RANDOM_IN_EVALUATION = FindingText(
    id="random-in-evaluation",
    title="Randomness in eval mode: the same batch gives another output each time.",
    because="Something draws random numbers, or moves running statistics, though model.eval() was called: losses and "
    "answers are noisier than the network is.",
    try_this=(
        Advice(
            torch="F.dropout(x, p, training=self.training): without the last argument it always drops.",
            ours="A layer that draws random numbers has to check self.training, as Dropout does.",
        ),
        "Dropout as a module, made in __init__, follows model.eval() by itself.",
    ),
    figures=("loss",),
    about="""
    The same batch twice, in evaluation mode. The output must not change.
    """,
)


@check("randomness in eval mode", RANDOM_IN_EVALUATION)
def random_in_evaluation(context: Context) -> list[Finding] | None:
    """An evaluation that comes out differently the second time."""
    probe = context.probe("repeat")
    if probe is None or not is_changed(probe):
        return None if probe is None else []
    return [
        context.finding(
            RANDOM_IN_EVALUATION,
            severity="warning",
            evidence=(
                Evidence(what="change between two passes", value=probe.changed, expected="0"),
                Evidence(what="rms of the output", value=probe.scale),
            ),
        )
    ]


def _varies_less(context: Context, name: str, much: float) -> bool:
    """Return whether a layer's output varies over the examples by less than this at the end."""
    across = finite(context.over_time(name, lambda record: record.across))
    return bool(across) and float(np.median(late(across))) < much


def _is_zero_at_the_end(context: Context) -> bool:
    """Return whether the last layer begins with weights of 0: that is meant, and over after the first step."""
    first = context.first
    return first is not None and any(
        one.data.rms == 0
        for one in context.matrices(first)
        if context.parameters[one.name].layer == context.output_layer
    )
