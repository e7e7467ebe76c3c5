"""How minibatches are drawn: whether they are mixed, and of enough different examples."""

import math

import numpy as np

from backlight.core import FloatArray, IntArray
from backlight.health.check import check
from backlight.health.context import Context
from backlight.health.findings import Case, Evidence, Finding, FindingText, percent
from backlight.health.thresholds import limit
from backlight.watch.records import InputRecord, StepRecord

_WHOLE = 8_192
"""Inputs of more numbers are recorded by some of their features only: these may be the same where others are not."""

NOT_SHUFFLED = FindingText(
    id="not-shuffled",
    title="The minibatches are not shuffled: most of them have targets of one class, and the class changes from time "
    "to time.",
    because="Each step then makes one class more likely for every input, and the next class undoes it. The loss jumps "
    "whenever the class changes, and little is learnt about the inputs.",
    try_this=(
        "DataLoader(dataset, batch_size=32, shuffle=True): files and tables often are in order of class.",
        "With your own indices: order = torch.randperm(len(x)) anew in each epoch, and batches of that order.",
    ),
    figures=("loss",),
    about="""
    The targets of each recorded minibatch are counted. Drawn at random, a minibatch has nearly the mixture of the whole
    training; sorted by class, it has one class, and all of them together have many. Batches of fewer than 8 targets are
    not judged, nor steps with several passes, of which each may have a class of its own.
    """,
)


@check("mixture of the minibatches", NOT_SHUFFLED)
def not_shuffled(context: Context) -> list[Finding] | None:
    """Minibatches of one class each."""
    counted = [
        (r.step, np.array(r.logits.targets, np.int64)) for r in context.records
        if r.logits is not None and r.logits.targets and r.forward_passes == r.backward_passes == 1
        and sum(r.logits.targets) >= limit("targets of a minibatch")
    ]  # fmt: skip
    known = [one for one in counted if len(one[1]) == len(counted[0][1])]
    if not context.trained or len(known) < limit("records of a trend"):
        return None
    whole = _entropy(np.sum([counts for _, counts in known], axis=0))
    single = float(np.median([_entropy(counts) for _, counts in known]))
    if whole < limit("mixture of all minibatches") or single > limit("mixture of a minibatch") * whole:
        return []
    usual = [(step, int(counts.argmax())) for step, counts in known]
    changed = next((one for one in usual if one[1] != usual[0][1]), usual[-1])
    return [
        context.finding(
            NOT_SHUFFLED,
            severity="warning" if context.learns else "serious",
            evidence=(
                Evidence(what="entropy of the targets in a minibatch (median)", value=single, unit="nats"),
                Evidence(what="entropy of the targets of all recorded minibatches", value=whole, unit="nats"),
                *(Evidence(what=f"most frequent class at step {step}", value=one) for step, one in (usual[0], changed)),
            ),
        )
    ]


FEW_EXAMPLES = FindingText(
    id="few-examples",
    title="The sampler draws few different examples: of {rows} in a minibatch, {different} are different.",
    because="The network learns these few by heart, and sees nothing of the others.",
    try_this=(
        (
            "WeightedRandomSampler takes a weight for each example, not for each class: "
            "weights = class_weights[labels]; its length is len(dataset)."
        ),
        "Print the indices of a minibatch, as the sampler or your own loop draws them.",
    ),
    figures=("loss",),
    about="""
    The rows of an input are compared, number by number. Drawn with replacement from as many examples as the minibatch
    has rows, 63% are different; reported below 25%. Inputs of fewer than 8 features, or of zeros and ones only, repeat
    by nature; of these, minibatches of a single example are reported.
    """,
    cases={
        "one": Case(
            title="All examples of a minibatch are the same one.",
            because="The network is shown one example in each step, with the targets of others: it can learn no more "
            "than their mean.",
            try_this=(
                (
                    "Store copies: memory.append(state.copy()). An environment or a reader may hand out one array "
                    "again and again, and change it in between: all that is stored is then its last contents."
                ),
                "Print a minibatch as the network reads it, and the indices that it was drawn by.",
            ),
        ),
    },
)


@check("variety of the examples", FEW_EXAMPLES)
def few_examples(context: Context) -> list[Finding] | None:
    """Minibatches whose rows are copies of each other."""
    known = [pair for record in context.records if (pair := _of_all_inputs(record)) is not None]
    if not context.trained or len(known) < limit("records of a trend"):
        return None
    shares = [different / rows for rows, different in known]
    if float(np.median(shares)) > limit("different examples"):
        return []
    rows, different = known[int(np.argsort(shares)[len(shares) // 2])]
    return [
        context.finding(
            FEW_EXAMPLES,
            severity="serious",
            evidence=(
                Evidence(what="rows of a minibatch", value=rows),
                Evidence(what="different ones among them", value=different, expected=f"about {rows}"),
                Evidence(what="recorded minibatches", value=len(known)),
            ),
            values={"rows": rows, "different": different},
            cases=("one",) if different == 1 else (),
        )
    ]


def _of_all_inputs(record: StepRecord) -> tuple[int, int] | None:
    """Return how many rows a minibatch has, and how many differ in some input; None if that is not known.

    Beside a state that is carried over, or a further input, equal rows of the first one are no copies.
    """
    varying = [one for one in record.inputs if one.ids or one.values.std != 0 or one is record.inputs[0]]
    sizes, counts = {one.shape[0] for one in varying}, [_different(one) for one in varying]
    known = [one for one in counts if one is not None]
    if len(sizes) != 1 or len(known) < len(counts):
        return None
    (rows,) = sizes
    return (rows, max(known)) if rows >= limit("targets of a minibatch") else None


def _different(one: InputRecord) -> int | None:
    """Return how many rows differ; where rows repeat by nature, 1 if all are equal, and else all of them."""
    if one.different is not None or one.constant_share is None or math.prod(one.shape) > _WHOLE:
        return one.different
    return 1 if one.constant_share == 1 else one.shape[0]


ONE_ID = FindingText(
    id="one-id",
    title="Nearly all ids that the network reads are the same: {share}% are {id}.",
    because="An unknown word, or one outside of the vocabulary, becomes one id. If nearly all do, the inputs say "
    "nothing.",
    try_this=(
        (
            "Decode a minibatch and read it. A vocabulary of lower-case words and a text that is not lowered, or of "
            "another tokenizer's words, gives the id of unknown words everywhere."
        ),
        "Build the vocabulary from the training text, with the same splitting and the same case.",
    ),
    figures=("loss",),
    about="""
    How often the most frequent id stands in the inputs. Padding is left out: an id that stands at the ends of many
    rows, or at their beginnings, and nowhere else.
    """,
)


@check("variety of the ids", ONE_ID)
def one_id(context: Context) -> list[Finding] | None:
    """Inputs of which nearly all numbers are one id."""
    known = [one for record in context.records for one in record.inputs if one.common_share is not None]
    if not known or not context.called("embedding"):
        return None
    name = known[0].name
    shares = [one.common_share or 0.0 for one in known if one.name == name]
    share = float(np.median(shares))
    if share < limit("share of one id"):
        return []
    return [
        context.finding(
            ONE_ID,
            severity="warning" if context.learns else "serious",
            where=[f"input {name}"],
            evidence=(
                Evidence(what="ids that are the most frequent one", value=percent(share), unit="%"),
                Evidence(what="inputs compared", value=len(shares)),
            ),
            values={"share": f"{percent(share):g}", "id": known[0].common_id},
        )
    ]


def _entropy(counts: IntArray) -> float:
    p: FloatArray = counts[counts > 0] / max(counts.sum(), 1)
    return float(-(p * np.log(p)).sum())
