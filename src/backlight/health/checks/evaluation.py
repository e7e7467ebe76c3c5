"""Whether what is evaluated is what is trained: the same preprocessing of the inputs, the same network."""

import math

import numpy as np

from backlight.health.check import check
from backlight.health.context import Context, finite, late
from backlight.health.findings import Evidence, Finding, FindingText
from backlight.health.thresholds import limit
from backlight.watch.records import EvaluationInput, InputRecord

EVALUATION_INPUTS_DIFFER = FindingText(
    id="evaluation-inputs-differ",
    title="In evaluation, the inputs are on a different scale from those in training.",
    because="It learns from the one and is judged by the other. The held-out loss says nothing about what "
    "was learnt, and looks like overfitting.",
    try_this=(
        (
            "Preprocess held-out data like training data, with the mean and standard deviation of the training data: "
            "(x - train.mean(0)) / train.std(0)."
        ),
        "Give both datasets the same transform but for the random parts: ToTensor() and Normalize(...) in both.",
    ),
    figures=("loss",),
    about="""
    Mean and standard deviation of the inputs are compared: in recorded training steps, and in calls under
    torch.no_grad() between steps. Reported if in all evaluations the mean is more than five standard deviations away,
    or the standard deviation five times as large or as small.
    """,
)


@check("inputs in evaluation", EVALUATION_INPUTS_DIFFER)
def evaluation_inputs_differ(context: Context) -> list[Finding] | None:
    """Inputs that are preprocessed in training and not in evaluation, or the other way round."""
    trained: dict[str, list[InputRecord]] = {}
    for record in context.records:
        for one in record.inputs:
            if not one.ids and math.isfinite(one.values.std):
                trained.setdefault(one.name, []).append(one)
    asked = False
    for name, known in trained.items():
        judged = [one for one in context.seen.evaluation_inputs if one.name == name and math.isfinite(one.std)]
        if len(judged) < limit("evaluations for a verdict"):
            continue
        asked = True
        mean = float(np.median([one.values.mean for one in known]))
        std = float(np.median([one.values.std for one in known]))
        if std > 0 and all(_is_another_scale(one, mean, std) for one in judged):
            return [_of_scale(context, name, mean, std, judged[-1])]
    return [] if asked else None


def _is_another_scale(one: EvaluationInput, mean: float, std: float) -> bool:
    times = limit("inputs of another scale")
    return abs(one.mean - mean) > times * max(std, one.std) or not std / times < one.std < std * times


def _of_scale(context: Context, name: str, mean: float, std: float, other: EvaluationInput) -> Finding:
    return context.finding(
        EVALUATION_INPUTS_DIFFER,
        severity="serious",
        where=[f"input {name}"],
        evidence=(
            Evidence(what="mean of the input in training", value=mean),
            Evidence(what="in evaluation", value=other.mean, expected=f"about {mean:.3g}"),
            Evidence(what="its standard deviation in training", value=std),
            Evidence(what="in evaluation", value=other.std, expected=f"about {std:.3g}"),
        ),
    )


HELD_OUT_UNRELATED = FindingText(
    id="held-out-unrelated",
    title="On held-out data the network is worse than guessing from the first evaluation to the last.",
    because="In the training data the labels can be told from the inputs, and the network has learnt to. Overfitting "
    "begins with a held-out loss that falls. Here it never does: held-out labels mean something else, or held-out "
    "inputs are prepared in another way.",
    try_this=(
        (
            "Compare how classes are numbered in both parts: train_set.class_to_idx == test_set.class_to_idx. Folders "
            "that are listed in another order, or classes that are missing from one part, change the numbers."
        ),
        "Evaluate on the training data by the same function: its loss should be that of the training.",
        "Print 20 held-out pairs as the network gets them, decoded: is each label that of its own input?",
    ),
    figures=("loss",),
    about="""
    The held-out loss is above that of guessing, the entropy of the labels, in every evaluation, while the loss on the
    training data falls far below it and a linear model or the nearest neighbour tells these labels from these inputs.
    """,
    explained_by=frozenset(
        {"evaluation-inputs-differ", "evaluation-mode", "running-statistics", "random-in-evaluation"}
    ),
)


@check("held-out labels", HELD_OUT_UNRELATED)
def held_out_unrelated(context: Context) -> list[Finding] | None:
    """A held-out loss that is never better than guessing, of a network that learns what can be learnt."""
    points, progress, relation = context.held_out, context.progress, context.seen.relation
    if progress is None or progress.guess is None or relation is None:
        return None
    if len(points) < limit("evaluations for a verdict"):
        return None
    is_told = relation.beyond_chance > limit("targets told from inputs")
    least = min(one.dev for one in points)
    if not (is_told and least > progress.guess and context.training_loss < limit("learnt well") * progress.guess):
        return []
    return [
        context.finding(
            HELD_OUT_UNRELATED,
            severity="serious",
            evidence=(
                Evidence(what="lowest held-out loss", value=least, expected=f"below {progress.guess:.3g}, guessing"),
                Evidence(what="held-out loss at the end", value=points[-1].dev),
                Evidence(what="loss on the training data at the end", value=context.training_loss),
                Evidence(
                    what="a linear model or the nearest neighbour on the training data, above guessing",
                    value=relation.beyond_chance, unit="standard errors",
                ),
            ),
        )
    ]  # fmt: skip


BEST_NOT_KEPT = FindingText(
    id="best-not-kept",
    title="load_state_dict() was given the network's own parameters: nothing was restored.",
    because="state_dict() returns the parameters themselves, not copies. What was kept as the best state has changed "
    "with every step since, so the network is as it was before.",
    try_this=(
        "best = copy.deepcopy(model.state_dict()), or torch.save(model.state_dict(), path) and torch.load(path).",
    ),
    figures=("loss",),
    about="""
    The memory of what load_state_dict() is given is compared with that of the parameters. `best = model.state_dict()`
    keeps no weights: it is a dictionary of the same tensors.
    """,
)


@check("restored weights", BEST_NOT_KEPT)
def best_not_kept(context: Context) -> list[Finding] | None:
    """A network that is given its own parameters to load, after steps that have changed them."""
    step = context.seen.restored_itself
    if step is None:
        is_seen = context.seen.source == "watch" and context.seen.framework == "torch"
        return [] if is_seen and context.records else None
    return [context.finding(BEST_NOT_KEPT, severity="warning", evidence=(Evidence(what="loaded at step", value=step),))]


EVALUATION_DIFFERS = FindingText(
    id="evaluation-differs",
    title="The training data has a much higher loss in evaluation than in the training steps.",
    because="It is the same data, so the network that is evaluated is not the one that is trained, or is not run in "
    "the same way: an average of the weights that lags or runs away, a copy that is not updated, running statistics of "
    "a batch norm that are far off, other preprocessing, or another loss.",
    try_this=(
        "Evaluate the network that is trained, on a minibatch that it was just trained on: the losses should agree.",
        "Check the average of the weights: average = decay * average + (1 - decay) * weights, in each step.",
        "model.eval() for the evaluation and model.train() after it; a batch norm's momentum of about 0.1.",
    ),
    figures=("loss",),
    about="""
    The loss on training data that is reported with `watcher.evaluation(dev=..., train=...)` is compared with the losses
    of the minibatches around it. Evaluation has no dropout and no augmentation, so it should be lower, if anything.
    """,
    explained_by=frozenset(
        {"evaluation-inputs-differ", "evaluation-mode", "random-in-evaluation", "batch-norm-small-batch"}
    ),
)


@check("training data in evaluation", EVALUATION_DIFFERS)
def evaluation_differs(context: Context) -> list[Finding] | None:
    """An evaluation on training data that disagrees with the training itself."""
    known = finite(one.train for one in context.held_out if one.train is not None)
    progress = context.progress
    if not context.trained or progress is None or len(known) < limit("evaluations for a verdict"):
        return None
    evaluated, trained = float(np.min(late(known))), progress.late
    noise = 3 * progress.spread
    if not (progress.learns and trained > 0 and evaluated > limit("loss in evaluation") * trained + noise):
        return []
    if evaluated < limit("evaluation near the start") * progress.start:
        return []
    return [
        context.finding(
            EVALUATION_DIFFERS,
            severity="warning",
            evidence=(
                Evidence(what="loss of the minibatches at the end", value=trained),
                Evidence(what="loss of the training data in evaluation", value=evaluated, expected="about the same"),
                Evidence(what="loss of the first minibatch", value=progress.start),
            ),
        )
    ]
