"""Whether inputs and targets are fit to be learnt from."""

import math

import numpy as np

from backlight.health.check import check
from backlight.health.context import MULTIPLIES, Context, finite
from backlight.health.findings import Advice, Case, Evidence, Finding, FindingText
from backlight.health.thresholds import limit
from backlight.watch.records import StepRecord

INPUT_SCALE = FindingText(
    id="input-scale",
    title="The inputs are much larger than 1.",
    because="Initial weights are made for inputs of size 1. With larger ones the first sums are too large: they "
    "saturate or kill units, and the first predictions are overconfident.",
    try_this=(
        "Standardise by the training data: x = (x - train.mean(0)) / train.std(0); pixels: x / 255.",
        Advice(
            torch="Or let the network do it: nn.BatchNorm1d(features) as the first layer.",
            ours="Or let the network do it: BatchNorm1d(features) as the first layer.",
        ),
    ),
    figures=("preactivations", "activations"),
    about="""
    Inputs much larger than 1 make the first sums too large, whatever the initial weights are.
    """,
)


@check("scale of the inputs", INPUT_SCALE)
def input_scale(context: Context) -> list[Finding] | None:
    """Inputs far from mean 0 and variance 1."""
    sizes: dict[str, float] = {}
    for record in context.records:
        for one in record.inputs:
            if not one.ids and math.isfinite(one.values.rms):
                sizes[one.name] = max(sizes.get(one.name, 0.0), one.values.rms)
    within = _read_by_the_first(context) if not sizes else None
    if within is not None:
        sizes[f"of {within[0]}"] = within[1]
    if not sizes:
        return None
    large = [name for name, size in sizes.items() if size > limit("input size")]
    if not large:
        return []
    first = context.first
    ranges = [one.values for one in (first.inputs if first else ()) if one.name == large[0]]
    return [
        context.finding(
            INPUT_SCALE,
            severity="warning" if context.learns else "serious",
            where=[f"input {name}" for name in large],
            evidence=(
                Evidence(what="rms of the input", value=sizes[large[0]], expected="about 1"),
                *(Evidence(what="its mean", value=one.mean, expected="about 0") for one in ranges),
                *(Evidence(what="its largest number", value=one.high) for one in ranges),
            ),
        )
    ]


def _read_by_the_first(context: Context) -> tuple[str, float] | None:
    """Return the first layer and the size of what it reads, where the network is given whole numbers that are no ids.

    Bytes may be scaled inside of the network.
    """
    first = context.first
    if first is None or not first.inputs or context.called("embedding"):
        return None
    found = next(((one, record) for one, record in context.layers_of(first) if one.role in MULTIPLIES), None)
    if found is None or found[0].reads:
        return None
    size = context.size_read(found[0], found[1].output.rms)
    return None if size is None else (found[0].name, size)


INPUTS_DRIFT = FindingText(
    id="inputs-drift",
    title="The inputs fade while the network is trained: stored examples are changed in place.",
    because="What is done to an example is done to the stored one, and again to the result in the next epoch. After "
    "some epochs nothing of the examples is left, and dead units and a loss that stays are what follows.",
    try_this=(
        "No +=, sub_(), clamp_() and the like on a stored example; x = x.clone() first, in __getitem__ or the loop.",
        "torch.from_numpy and slices share memory with what they are made from: what is done to one is done to both.",
    ),
    figures=("loss",),
    about="""
    The spread of the inputs falls steadily to a tenth or less while the network is trained. Examples are as they are:
    their spread varies from batch to batch, and goes nowhere.
    """,
)


@check("spread of the inputs over the training", INPUTS_DRIFT)
def inputs_drift(context: Context) -> list[Finding] | None:
    """Inputs whose spread shrinks steadily."""
    spreads: dict[str, list[float]] = {}
    for record in context.records:
        for one in record.inputs:
            if not one.ids and math.isfinite(one.values.std):
                spreads.setdefault(one.name, []).append(one.values.std)
    known = {name: found for name, found in spreads.items() if len(found) >= limit("records of a trend")}
    if not known:
        return None
    return [
        context.finding(
            INPUTS_DRIFT,
            severity="warning" if context.learns else "serious",
            where=[f"input {name}"],
            evidence=(
                Evidence(what="spread of the input at first", value=found[0]),
                Evidence(what="spread at the end", value=found[-1], expected="about the same"),
            ),
        )
        for name, found in known.items()
        if _fades(found)
    ]


INPUTS_REPEAT = FindingText(
    id="inputs-repeat",
    title="The same minibatches repeat: {records} recorded steps read {different} of them.",
    because="The network sees few examples, or the same random numbers are drawn for them in each epoch, and learns "
    "these by heart: the loss on them falls, and on others it rises.",
    try_this=(
        "next(iter(loader)) begins anew each time: for x, y in loader, and shuffle=True.",
        (
            "Augment with random numbers that differ from epoch to epoch: no seed inside __getitem__, and workers that "
            "are seeded by worker_init_fn with the epoch."
        ),
    ),
    figures=("loss",),
    about="""
    The inputs of recorded steps are compared, number by number. Reported only where the network overfits: the whole
    training data in each step is fine.
    """,
    explained_by=frozenset({"few-examples"}),
)


@check("variety of the minibatches", INPUTS_REPEAT)
def inputs_repeat(context: Context) -> list[Finding] | None:
    """Minibatches that come again, of a network that learns them by heart."""
    digests = [tuple(one.digest for one in record.inputs) for record in context.records if record.inputs]
    if not context.trained or len(digests) < limit("records of a trend") or any(None in one for one in digests):
        return None
    different = len(set(digests))
    if different * 2 > len(digests) or not context.overfits:
        return []
    return [
        context.finding(
            INPUTS_REPEAT,
            severity="warning",
            evidence=(
                Evidence(what="recorded steps", value=len(digests)),
                Evidence(what="different minibatches among them", value=different, expected=f"{len(digests)}"),
            ),
            values={"records": len(digests), "different": different},
        )
    ]


LABELS_CONSTANT = FindingText(
    id="labels-constant",
    title="All labels are the same: class {label}.",
    because="The loss falls to 0 within a few steps, since a constant answer is right: the network has learnt that, "
    "and nothing about the inputs.",
    try_this=(
        "Print a batch's labels as the loss gets them: y[:20], y.unique().",
        (
            "Check where they are made: the wrong column, an index used as a label, a mask that leaves one class, "
            "files read in order of class without shuffling."
        ),
    ),
    figures=("loss",),
    about="""
    Every label so far was of one class. The loss goes to 0 and means nothing.
    """,
    explained_by=frozenset({"few-examples"}),
)


@check("variety of the labels", LABELS_CONSTANT)
def labels_constant(context: Context) -> list[Finding] | None:
    """Targets that are all the same class."""
    counts = context.labels
    if counts is None or counts.sum() < limit("labels for a verdict"):
        return None
    if len(counts) < 2 or (counts > 0).sum() > 1:
        return []
    return [
        context.finding(
            LABELS_CONSTANT,
            severity="fatal",
            evidence=(
                Evidence(what="labels", value=int(counts.sum())),
                Evidence(what="different ones", value=1, expected=f"up to {len(counts)}"),
            ),
            values={"label": int(counts.argmax())},
        )
    ]


TARGET_SCALE = FindingText(
    id="target-scale",
    title="The targets are much larger than the network's outputs.",
    because="An untrained network answers with numbers of size 1. It spends its steps on reaching the targets' level, "
    "and squared errors of that size make gradients that no usual learning rate fits.",
    try_this=(
        "Learn z = (y - train_y.mean()) / train_y.std(), and convert predictions back: y = z * std + mean.",
        "For prices and counts, learn log(y).",
    ),
    figures=("loss",),
    about="""
    Targets of a regression with a size far from 1. Standardise them, and convert predictions back.
    """,
)


@check("scale of the targets", TARGET_SCALE)
def target_scale(context: Context) -> list[Finding] | None:
    """Targets of a regression far from size 1."""
    known = [(r, r.target_mean, r.target_std) for r in context.records if r.target_std is not None]
    if not known:
        return None
    sizes = finite(math.hypot((mean or 0.0) - _level(r), std or 0.0) for r, mean, std in known)
    usual = float(np.median(sizes)) if sizes else 0.0
    if context.learns or not usual > limit("target size"):
        return []
    record, mean, std = known[0]
    outputs = () if record.output is None else (Evidence(what="rms of the first outputs", value=record.output.rms),)
    return [
        context.finding(
            TARGET_SCALE,
            severity="serious",
            where=() if context.output_layer is None else (context.output_layer,),
            evidence=(
                Evidence(what="mean of the targets", value=mean or 0.0, expected="about 0"),
                Evidence(what="standard deviation of the targets", value=std or 0.0, expected="about 1"),
                *outputs,
            ),
        )
    ]


INPUTS_SCRAMBLED = FindingText(
    id="inputs-scrambled",
    title="The pixels of the pictures are mixed: channels that were last were brought forward by a reshape.",
    because="reshape and view keep all numbers in their order and only cut that order anew. What now looks like a "
    "channel is a part of the picture, with all colours in turn.",
    try_this=(
        "Pictures (N, H, W, C) become (N, C, H, W) by x.permute(0, 3, 1, 2), in NumPy by x.transpose(0, 3, 1, 2).",
        "Look at one as the network gets it: plt.imshow(x[0].permute(1, 2, 0)).",
    ),
    figures=("activations",),
    about="""
    In one batch of pictures (N, C, H, W) with two to four channels, neighbouring pixels are hardly alike along one of
    the two axes; read as (N, H, W, C), in the same order of numbers, they are along both.
    """,
    cases={
        "last": Case(
            title="The channels of the pictures come last: rows are read as channels.",
            because="A convolution reads (N, C, H, W). Given (N, H, W, C), it takes each row for a channel.",
        )
    },
)


@check("order of axes in pictures", INPUTS_SCRAMBLED)
def inputs_scrambled(context: Context) -> list[Finding] | None:
    """Pictures that were reshaped where their axes were to change places, or that were left with channels last."""
    layout, last = context.probe("layout"), context.probe("channels last")
    if layout is not None:
        alike, given = layout.changed, layout.scale
        if not (alike > limit("neighbours in a picture") and given < limit("neighbours that are mixed") * alike):
            return []
        return [
            context.finding(
                INPUTS_SCRAMBLED,
                severity="serious",
                evidence=(
                    Evidence(what=_LIKENESS, value=alike),
                    Evidence(what="the same as they are given", value=given, expected="about as much"),
                ),
            )
        ]
    if last is None:
        return None
    if not (last.changed > limit("rows in a picture") and context.called("convolution")):
        return []
    rows = Evidence(what=_LIKENESS, value=last.changed)
    return [context.finding(INPUTS_SCRAMBLED, severity="warning", evidence=(rows,), cases=("last",))]


_LIKENESS = "correlation of neighbouring pixels, with channels last"


def _level(record: StepRecord) -> float:
    """Return what the outputs are on average: a last bias may know the targets' mean from the start."""
    return 0.0 if record.output is None or not math.isfinite(record.output.mean) else record.output.mean


def _fades(spreads: list[float]) -> bool:
    """Return whether a spread becomes much smaller, from quarter to quarter."""
    quarters = [float(np.median(part)) for part in np.array_split(np.array(spreads), 4)]
    falls = quarters == sorted(quarters, reverse=True)
    return falls and quarters[-1] * limit("fading of the inputs") < quarters[0]
