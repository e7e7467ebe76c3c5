"""Whether inputs and targets are fit to be learnt from."""

import math

import numpy as np

from backlight.health.context import Context, finite
from backlight.health.findings import Evidence, Finding, percent
from backlight.health.thresholds import limit


def input_scale(context: Context) -> list[Finding] | None:
    """Inputs far from mean 0 and variance 1."""
    sizes: dict[str, float] = {}
    for record in context.records:
        for one in record.inputs:
            if not one.ids and math.isfinite(one.values.rms):
                sizes[one.name] = max(sizes.get(one.name, 0.0), one.values.rms)
    if not sizes:
        return None
    large = [name for name, size in sizes.items() if size > limit("input size")]
    if not large:
        return []
    first = context.first
    ranges = [one.values for one in (first.inputs if first else ()) if one.name == large[0]]
    return [
        Finding(
            id="input-scale",
            severity="warning" if context.learns else "serious",
            title="The inputs are much larger than 1.",
            where=tuple(f"input {name}" for name in large),
            evidence=(
                Evidence(what="rms of the input", value=sizes[large[0]], expected="about 1"),
                *(Evidence(what="its mean", value=one.mean, expected="about 0") for one in ranges),
                *(Evidence(what="its largest number", value=one.high) for one in ranges),
            ),
            because="First weights are made for inputs of size 1. Larger ones make the first sums as much larger: "
            "they saturate or kill units, and the first logits are sure of anything.",
            try_this=(
                "Standardise by the training data: x = (x - train.mean(0)) / train.std(0); pixels: x / 255.",
                context.say(
                    torch="Or let the net do it: nn.BatchNorm1d(features) as the first layer.",
                    ours="Or let the net do it: BatchNorm1d(features) as the first layer.",
                ),
            ),
        )
    ]


def labels_constant(context: Context) -> list[Finding] | None:
    """Targets that are all the same class."""
    counts = context.labels
    if counts is None or counts.sum() < limit("labels for a verdict"):
        return None
    if len(counts) < 2 or (counts > 0).sum() > 1:
        return []
    return [
        Finding(
            id="labels-constant",
            severity="fatal",
            title=f"All labels are the same: class {int(counts.argmax())}.",
            evidence=(
                Evidence(what="labels seen", value=int(counts.sum())),
                Evidence(what="different ones", value=1, expected=f"up to {len(counts)}"),
            ),
            because="The loss falls to 0 within a few steps, since a constant answer is right: the net has learnt "
            "that, and nothing of the inputs.",
            try_this=(
                "Print a batch's labels as the loss gets them: y[:20], y.unique().",
                (
                    "Look at where they are made: the wrong column, an index used as a label, a mask that leaves one "
                    "class, files read in order of class without shuffling."
                ),
            ),
        )
    ]


def labels_unrelated(context: Context) -> list[Finding] | None:
    """A net that learns how often each label occurs, and nothing from its inputs, though its steps are in order."""
    progress = context.progress
    if progress is None or not progress.guess or context.labels is None or context.way is None:
        return None
    held_out = min((one.dev for one in context.seen.evaluations), default=progress.guess)
    lowest, highest = (1 + sign * limit("plateau at guess") for sign in (-1, 1))
    at_guess = lowest < held_out / progress.guess and lowest < progress.late / progress.guess < highest
    enough = progress.steps >= limit("steps for a last resort") and context.way > limit("way to go")
    if context.still_falls or not (enough and at_guess):
        return []
    return [
        Finding(
            id="labels-unrelated",
            severity="serious",
            title="The net has learnt how often each label occurs, and nothing from its inputs.",
            evidence=(
                Evidence(what=f"loss after {progress.steps:,} steps", value=progress.late),
                Evidence(
                    what="loss of guessing by the labels' frequencies", value=progress.guess, expected="a loss below"
                ),
                Evidence(what="way that the weights have gone", value=context.way, unit="times their size"),
            ),
            because="Weights move, gradients arrive, and yet the loss stays where guessing would: the labels do not "
            "belong to these inputs, or nothing in the inputs tells them apart.",
            try_this=(
                (
                    "Look at 20 pairs as the loss gets them, decoded: is each label that of its own input? Inputs and "
                    "labels must be shuffled by one permutation: x[order], y[order]."
                ),
                (
                    "Train on two examples of different classes alone: if the loss falls to 0, the net is fine and the "
                    "labels are not."
                ),
            ),
        )
    ]


def duplicates(context: Context) -> list[Finding] | None:
    """Held-out examples that were trained on."""
    split = context.seen.split
    if split is None or split.dev == 0:
        return None
    share = split.shared / split.dev
    if not share > limit("shared examples"):
        return []
    return [
        Finding(
            id="duplicates",
            severity="serious" if share > limit("many shared examples") else "warning",
            title="Held-out examples stand in the training data too.",
            evidence=(
                Evidence(what="held-out examples that are in training too", value=percent(share), unit="%"),
                Evidence(what="in numbers", value=split.shared, expected="0"),
                Evidence(what="held-out examples", value=split.dev),
            ),
            because="The held-out loss is to tell how the net does on what it has not seen. What was learnt by heart "
            "counts there as understood, so overfitting does not show.",
            try_this=(
                "Remove duplicates before the split; augment and oversample after it, the training part only.",
                context.say(
                    torch="Split by group (the person, the document, the item), not by row.",
                    ours='duplicates="together", the default, keeps copies on one side.',
                ),
            ),
        )
    ]


def target_scale(context: Context) -> list[Finding] | None:
    """Targets of a regression far from size 1."""
    known = [(r, r.target_mean, r.target_std) for r in context.records if r.target_std is not None]
    if not known:
        return None
    sizes = finite(math.hypot(mean or 0.0, std or 0.0) for _, mean, std in known)
    usual = float(np.median(sizes)) if sizes else 0.0
    if context.learns or not usual > limit("target size"):
        return []
    record, mean, std = known[0]
    outputs = () if record.output is None else (Evidence(what="rms of the first outputs", value=record.output.rms),)
    return [
        Finding(
            id="target-scale",
            severity="serious",
            title="The targets are much larger than what the net puts out.",
            where=() if context.output_layer is None else (context.output_layer,),
            evidence=(
                Evidence(what="mean of the targets", value=mean or 0.0, expected="about 0"),
                Evidence(what="standard deviation of the targets", value=std or 0.0, expected="about 1"),
                *outputs,
            ),
            because="A fresh net answers with numbers of size 1. It spends its steps on reaching the targets' level, "
            "and squared errors of that size make gradients that no usual learning rate fits.",
            try_this=(
                "Learn z = (y - train_y.mean()) / train_y.std(), and turn predictions back: y = z * std + mean.",
                "For prices and counts, learn log(y).",
            ),
        )
    ]
