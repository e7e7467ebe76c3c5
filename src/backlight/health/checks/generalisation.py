"""Whether what is learnt holds for new data; and what is left when nothing else explains a bad loss."""

import math

from backlight.health.check import check
from backlight.health.context import Context
from backlight.health.findings import Advice, Case, Evidence, Finding, FindingText, percent
from backlight.health.groups import BAD_BATCHES
from backlight.health.thresholds import limit

DUPLICATES = FindingText(
    id="duplicates",
    title="Held-out examples are in the training data too.",
    because="The held-out loss is meant to measure the network on new data. What was learnt by heart counts there as "
    "understood, so overfitting does not show.",
    try_this=(
        "Remove duplicates before the split; augment and oversample after it, the training part only.",
        Advice(
            torch="Split by group (the person, the document, the item), not by row.",
            ours='duplicates="together", the default, keeps copies on one side.',
        ),
    ),
    figures=("loss",),
    about="""
    Held-out examples that are in the training data too: the held-out loss then counts what was learnt by heart as
    understood.
    """,
)


@check("duplicates across the split", DUPLICATES)
def duplicates(context: Context) -> list[Finding] | None:
    """Held-out examples that were trained on."""
    split = context.seen.split
    if split is None or split.dev == 0:
        return None
    share = split.shared / split.dev
    if not share > limit("shared examples"):
        return []
    return [
        context.finding(
            DUPLICATES,
            severity="serious" if share > limit("many shared examples") else "warning",
            evidence=(
                Evidence(what="held-out examples that are in training too", value=percent(share), unit="%"),
                Evidence(what="in numbers", value=split.shared, expected="0"),
                Evidence(what="held-out examples", value=split.dev),
            ),
        )
    ]


OVERFITTING = FindingText(
    id="overfitting",
    title="The network overfits: the held-out loss was best at step {step} and has risen since.",
    because="From there on the network learns its examples by heart: what it gains on them, it loses on others.",
    try_this=(
        Advice(
            torch="Keep the weights of step {step}, or stop when the held-out loss has not fallen for a while.",
            ours="Keep the weights of step {step}, or stop when the held-out loss has not fallen for a while: "
            "--patience 5.",
        ),
        "Add data, or augment it.",
        Advice(
            torch="Dropout of 0.1 to 0.5, AdamW with weight_decay=0.1, or a smaller network.",
            ours="--dropout 0.2, --weight-decay 0.1, or a smaller network.",
        ),
    ),
    figures=("loss",),
    about="""
    The held-out loss was best earlier and has risen since, and the training loss is well below it. Lecture 3.
    """,
    explained_by=frozenset(
        {
            "labels-constant",
            "loss-sign",
            "learning-rate-too-high",
            "evaluation-mode",
            "running-statistics",
            "evaluation-inputs-differ",
            "evaluation-differs",
            "held-out-unrelated",
        }
    )
    | BAD_BATCHES,
)


@check("overfitting", OVERFITTING)
def overfitting(context: Context) -> list[Finding] | None:
    """A held-out loss that rises again while the training loss falls."""
    points = context.held_out
    if len(points) < limit("evaluations for a verdict"):
        return None
    if not context.overfits:
        return []
    best, last = min(points, key=lambda one: one.dev), points[-1]
    return [
        context.finding(
            OVERFITTING,
            severity="warning",
            evidence=(
                Evidence(what=f"held-out loss at step {best.step:,}", value=best.dev),
                Evidence(what=f"held-out loss at step {last.step:,}", value=last.dev),
                Evidence(what="training loss then", value=context.training_loss),
            ),
            values={"step": f"{best.step:,}"},
        )
    ]


LABELS_UNRELATED = FindingText(
    id="labels-unrelated",
    title="The network has learnt how often each label occurs, and nothing from its inputs.",
    because="Weights move, gradients arrive, and yet the loss stays where guessing would: the labels do not belong to "
    "these inputs, or nothing in the inputs tells them apart, or only combinations of inputs do that this network "
    "does not find.",
    try_this=(
        (
            "Print 20 pairs as the loss gets them, decoded: is each label that of its own input? Inputs and labels "
            "must be shuffled by one permutation: x[order], y[order]."
        ),
        (
            "Train on two examples of different classes only: if the loss falls to 0, the network is fine and the "
            "labels are not."
        ),
    ),
    figures=("loss",),
    about="""
    The loss has settled at that of a network which knows how often each label occurs and ignores its input: the entropy
    of the labels. Weights move by usual amounts and gradients arrive, so the steps are in order. Usually inputs and
    labels were shuffled by two different permutations. Reported only if nothing else explains it.
    """,
)


@check("labels against inputs", LABELS_UNRELATED)
def labels_unrelated(context: Context) -> list[Finding] | None:
    """A network that learns how often each label occurs, and nothing from its inputs, though its steps are in order."""
    progress = context.progress
    if progress is None or not progress.guess or context.way is None:
        return None
    relation = context.seen.relation
    if relation is not None and relation.beyond_chance > limit("targets told from inputs"):
        return []  # the labels are in order: it is the network that does not see it
    unrelated = relation is not None and relation.beyond_chance < limit("targets not told from inputs")
    if context.labels is None and not (unrelated and relation is not None and relation.products):
        return None  # numbers may lie in combinations of inputs that no simple model has
    held_out = min((one.dev for one in context.seen.evaluations), default=progress.guess)
    lowest, highest = (1 + sign * limit("plateau at guess") for sign in (-1, 1))
    if unrelated:  # examples are learnt by heart, and others forgotten: the loss may stand above guessing
        highest = 1 + limit("plateau above guess")
    at_guess = lowest < held_out / progress.guess and lowest < progress.late / progress.guess < highest
    enough = progress.steps >= limit("steps for a last resort") and context.way > limit("way to go")
    if context.still_falls or not (enough and at_guess):
        return []
    return [
        context.finding(
            LABELS_UNRELATED,
            severity="serious",
            evidence=(
                Evidence(what=f"loss after {progress.steps:,} steps", value=progress.late),
                Evidence(
                    what="loss of guessing by the labels' frequencies", value=progress.guess, expected="a loss below"
                ),
                Evidence(what="distance that the weights have moved", value=context.way, unit="times their size"),
            ),
        )
    ]


NOT_LEARNING = FindingText(
    id="not-learning",
    title="The loss is no better than guessing, and has stopped falling.",
    because="Something keeps the network from learning, and no measurement here says what.",
    try_this=(
        (
            "Overfit one batch: take two examples, no dropout, no weight decay. A network that cannot learn them by "
            "heart has a bug in model, loss or loop; one that can has one in the data or the settings."
        ),
        "Try learning rates over several powers of ten.",
    ),
    figures=("loss", "update-to-data", "gradient-to-data"),
    about="""
    The loss is no better than guessing, has stopped falling, and no check found the cause. Try to learn two examples by
    heart: a network that cannot do that has a bug in the model or the loop.
    """,
    cases={
        "told": Case(
            because="A linear model or the nearest neighbour predicts these targets from these inputs: the data is in "
            "order, and something in the network, the loss or the loop keeps it from being learnt.",
            try_this=(
                (
                    "Call backlight.health.examine(model, x, y): it tests what the output depends on, which shows "
                    "masks, axes and positions that are wrong."
                ),
            ),
        )
    },
)


@check("a loss that falls", NOT_LEARNING)
def not_learning(context: Context) -> list[Finding] | None:
    """A loss that is no better than guessing after many steps, for whatever reason."""
    progress = context.progress
    if not context.trained or progress is None or progress.steps < limit("steps for a last resort"):
        return None
    if context.seen.source == "log":
        return None  # what the loss is, and whether the network was new, is not known
    at_chance = _at_chance(context, progress.late)
    if context.loss_kind == "other" and context.labels is None and not at_chance:
        return None  # a custom loss, such as a reward or an adversary's, may stay where it is
    if (progress.learns and not at_chance) or progress.few_outweigh or (_of_shares(context) and progress.fell):
        return []
    is_early = context.way is not None and 0 < context.way < limit("way to go")
    if context.still_falls or (is_early and at_chance is None):
        return []
    chance = progress.guess if at_chance is None else at_chance
    guess = () if chance is None else (Evidence(what="loss of guessing", value=chance),)
    relation = context.seen.relation
    is_told = relation is not None and relation.beyond_chance > limit("targets told from inputs")
    return [
        context.finding(
            NOT_LEARNING,
            severity="serious",
            cases=("told",) if is_told else (),
            evidence=(
                Evidence(what="loss at first", value=progress.start),
                Evidence(what=f"loss after {progress.steps:,} steps", value=progress.late),
                *guess,
                *(
                    Evidence(
                        what="a linear model or the nearest neighbour, above guessing",
                        value=one.beyond_chance,
                        unit="standard errors",
                    )
                    for one in (relation,)
                    if one is not None and is_told
                ),
            ),
        )
    ]


def _of_shares(context: Context) -> bool:
    """Return whether the targets of a cross-entropy are shares of the classes, so that its lowest value is not 0."""
    chain = context.chain
    return "log_softmax" in chain and not _has_right_one(context) and "mul" in chain[: chain.index("log_softmax")]


def _has_right_one(context: Context) -> bool:
    """Return whether one choice of each target is right, as the graph of the loss shows."""
    return any(op.startswith("nll_loss") for op in context.chain)


def _at_chance(context: Context, loss: float) -> float | None:
    """Return ln n, if a loss whose softmax chooses between n other numbers than the logits stays at it; else None.

    Of the likenesses of examples to one another, that to itself is often left out: ln(n - 1). Only where one of them is
    right: with shares as targets, as another network's probabilities, the lowest loss is their entropy, up to ln n.
    """
    seen = context.seen.loss
    n = 0 if seen is None or context.labels is not None or not _has_right_one(context) else seen.choices or 0
    within = limit("plateau at guess")
    is_at = n > 2 and (1 - within) * math.log(n - 1) < loss < (1 + within) * math.log(n)
    return math.log(n) if is_at else None
