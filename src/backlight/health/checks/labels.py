"""Whether targets of sequences are the ones that they should be."""

import numpy as np

from backlight.health.check import check
from backlight.health.context import Context, is_changed
from backlight.health.findings import Case, Evidence, Finding, FindingText, percent
from backlight.health.thresholds import limit

LABELS_SHIFTED = FindingText(
    id="labels-shifted",
    title="The targets are the ids that the network reads: shift them by one.",
    because="The answer is part of the question: the network learns to copy, the loss goes to 0, and nothing is learnt "
    "about what comes next.",
    try_this=(
        "x, y = ids[:, :-1], ids[:, 1:].",
        "Or leave the shift to the loss, and do it once: models of Hugging Face shift the labels themselves.",
    ),
    figures=("loss",),
    about="""
    A language model is asked for the next id: y[t] = x[t + 1]. If targets are the ids at the same place, there is
    nothing to predict; if they are those two places on, they were shifted twice, once in the data and once in the loss,
    and the network learns to skip one.
    """,
    cases={
        "twice": Case(
            title="The targets were shifted twice: they are the ids two places on, not the next ones.",
            because="The network learns to skip an id. Its loss is that of a harder task, and what it generates has "
            "every other id missing.",
            try_this=(
                "Shift once: either y = ids[:, 1:] in the data, or logits[:, :-1] against ids[:, 1:] in the loss.",
            ),
        )
    },
)


@check("shift of the targets", LABELS_SHIFTED)
def labels_shifted(context: Context) -> list[Finding] | None:
    """Targets of a language model that are the ids read, or those two places on."""
    known = [(r, r.logits.shifts) for r in context.records if r.logits is not None and r.logits.shifts]
    if not known:
        return None
    same, following, second = ([one[1][k] if len(one[1]) > k else 0.0 for one in known] for k in range(3))
    every, few = limit("targets that are ids read"), limit("targets that are the next ids")
    case: tuple[str, ...] = ()
    if min(second) > every and max(following) < few:
        case, found, expected = ("twice",), min(second), "about 0%: those stand two places on"
    elif min(same) > every and max(following) < few and _copies(context):
        found, expected = min(same), "about 0%: those stand at the same place"
    else:
        return []
    last = known[-1][0]
    return [
        context.finding(
            LABELS_SHIFTED,
            severity="serious",
            evidence=(
                Evidence(what="targets that are ids read", value=percent(found), unit="%", expected=expected),
                Evidence(what="targets that are the next id", value=percent(max(following)), unit="%", expected="100%"),
                *((Evidence(what=f"loss at step {last.step}", value=last.loss, unit="nats"),) if last.loss else ()),
            ),
            cases=case,
        )
    ]


PADDING_COUNTED = FindingText(
    id="padding-counted",
    title="The loss counts the padding: {share}% of the targets stand where the inputs are filled up.",
    because="What follows padding is padding, which is learnt at once. The loss then says little about real targets, "
    "and most of the gradient is spent on padding.",
    try_this=(
        (
            "Leave these targets out: y.masked_fill(x == pad, -100), as F.cross_entropy ignores -100; or "
            "ignore_index=pad."
        ),
        "Or batches of sequences of similar length, which need little padding.",
    ),
    figures=("loss",),
    about="""
    Sequences of unlike length are filled up to the longest of a batch. Targets there are to be left out of the loss
    (ignore_index): otherwise its mean is mostly over padding. What counts as padding is an id that stands at the ends
    of many sequences, or at their beginnings, and nowhere else.
    """,
)


@check("padding in the targets", PADDING_COUNTED)
def padding_counted(context: Context) -> list[Finding] | None:
    """Targets that count where sequences are filled up."""
    known = [(r, r.logits.padded) for r in context.records if r.logits is not None and r.logits.padded is not None]
    if not known:
        return None
    share = sum(one for _, one in known) / len(known)
    if not share > limit("targets at padding"):
        return []
    last = known[-1][0]
    return [
        context.finding(
            PADDING_COUNTED,
            severity="warning",
            evidence=(
                Evidence(what="targets that stand at padding", value=percent(share), unit="%", expected="0%"),
                *((Evidence(what=f"loss at step {last.step}", value=last.loss, unit="nats"),) if last.loss else ()),
            ),
            values={"share": f"{percent(share):g}"},
        )
    ]


COPIES_INPUTS = FindingText(
    id="copies-inputs",
    title="Most targets are the ids that the network reads at their places: {share}% of them.",
    because="The network can copy these, and the loss of the few that it has to predict is lost among them. A low loss "
    "then says little.",
    try_this=(
        (
            "For masked language modelling, count the loss of the masked places only: labels[~masked] = -100, which "
            "F.cross_entropy ignores."
        ),
        "For predicting the next id, shift the targets by one: x, y = ids[:, :-1], ids[:, 1:].",
    ),
    figures=("loss",),
    about="""
    In a masked language model, about 15% of the ids are hidden, and the loss is counted there only: Devlin et al. 2019,
    arXiv:1810.04805, 3.1. A denoising autoencoder counts all ids on purpose. Then this note can be ignored.
    """,
    explained_by=frozenset({"labels-shifted", "padding-counted", "one-id"}),
)


@check("targets that are read", COPIES_INPUTS)
def copies_inputs(context: Context) -> list[Finding] | None:
    """Targets most of which stand in the inputs at the same place."""
    known = [r.logits.shifts for r in context.records if r.logits is not None and r.logits.shifts]
    if not known or not context.trained:
        return None
    same = float(np.median([one[0] for one in known]))
    following = max(one[1] if len(one) > 1 else 0.0 for one in known)
    some = limit("targets that can be copied") < same < limit("targets that are ids read")  # of all, others judge
    if not some or following > limit("targets that are the next ids"):
        return []
    return [
        context.finding(
            COPIES_INPUTS,
            severity="note",
            evidence=(
                Evidence(what="targets that are the id read at their place", value=percent(same), unit="%"),
                Evidence(what="targets that are the next id", value=percent(following), unit="%"),
            ),
            values={"share": f"{percent(same):g}"},
        )
    ]


INPUT_CONTAINS_TARGET = FindingText(
    id="input-contains-target",
    title="The target is among the inputs: feature {column} is the target itself, but for scale and level.",
    because="The network reads the answer. The loss is low on training and held-out data alike, and when the network "
    "is used the answer is not there.",
    try_this=(
        "Remove the column: features = table.drop(columns=[target]).",
        "For a time series, shift the inputs: what is to be forecast for time t may only be read for t + 1.",
    ),
    figures=("loss",),
    about="""
    Each feature of the first examples, and each channel of a sequence, is compared with the targets. Reported if the
    correlation is 1 within rounding. Inputs of one feature, inputs that are ids, and targets as large as the whole
    input, as of an autoencoder, are not judged.
    """,
)


@check("targets among the inputs", INPUT_CONTAINS_TARGET)
def input_contains_target(context: Context) -> list[Finding] | None:
    """A feature that is the target."""
    relation = context.seen.relation
    if relation is None:
        return None
    if relation.same_as is None:
        return []
    return [
        context.finding(
            INPUT_CONTAINS_TARGET,
            severity="warning",
            where=[f"feature {relation.same_as}"],
            evidence=(
                Evidence(what="examples compared", value=relation.examples),
                Evidence(what="size of the correlation between the feature and the target", value=1.0),
            ),
            values={"column": relation.same_as},
        )
    ]


def _copies(context: Context) -> bool:
    """Return whether the network can copy what it reads, or has learnt to: then there is nothing else to learn."""
    probe = context.probe("own")
    if probe is not None:
        is_causal = probe.details.get("earlier", 0.0) <= limit("same output") * probe.scale
        return is_causal and is_changed(probe)
    progress = context.progress
    if progress is None or not progress.long_enough or not progress.guess:
        return False
    return progress.late < limit("loss of a copy") * progress.guess


NEVER_A_TARGET = FindingText(
    id="class-never-a-target",
    title="{classes} of the {total} classes {are} never a target.",
    because="The network learns never to predict what it is never asked for, and its output for it is of no use. Often "
    "the labels begin at another number than the network's classes do.",
    try_this=(
        (
            "Compare how labels are numbered with what each output means. Detectors often have the background as class "
            "0: objects then begin at 1."
        ),
        "Give the network as many outputs as there are labels.",
    ),
    figures=("loss",),
    about="""
    Targets are counted over all recorded steps. Only for up to 20 classes, and with 50 targets seen for each of them: a
    rare class may be missing by chance. A note: a class may be there for later.
    """,
)


@check("classes that occur", NEVER_A_TARGET)
def never_a_target(context: Context) -> list[Finding] | None:
    """Outputs of a classifier that no label asks for."""
    counts = context.labels
    if counts is None or not 2 < len(counts) <= limit("classes to count"):
        return None
    if counts.sum() < limit("targets for each class") * len(counts):
        return None
    missing = np.flatnonzero(counts == 0)
    if not len(missing) or len(missing) > len(counts) - 2:
        return []  # with one class alone, `labels_constant` has more to say
    return [
        context.finding(
            NEVER_A_TARGET,
            severity="note",
            where=() if context.output_layer is None else (context.output_layer,),
            evidence=(
                *(Evidence(what=f"targets of class {k}", value=0) for k in missing[:3]),
                Evidence(what="targets seen", value=int(counts.sum())),
            ),
            values={"classes": len(missing), "total": len(counts), "are": "is" if len(missing) == 1 else "are"},
        )
    ]


CLASS_NOT_IN_LOSS = FindingText(
    id="class-not-in-loss",
    title="Whatever the network answers for class {label}, the loss is the same.",
    because="These examples have no gradient: the network learns from the other classes only, and is never wrong about "
    "these. In a loss of the form y * score, a class 0 is multiplied away.",
    try_this=(
        "A hinge loss takes labels of -1 and 1: y = 2 * y - 1. So do soft margins, and cosine_embedding_loss.",
        "If the class is left out on purpose (a weight of 0, ignore_index), no action is needed.",
    ),
    figures=("loss",),
    about="""
    In one batch, the outputs for the examples of one class at a time are replaced by large numbers of both signs. The
    loss must change.
    """,
)


@check("classes in the loss", CLASS_NOT_IN_LOSS)
def class_not_in_loss(context: Context) -> list[Finding] | None:
    """Classes on whose examples the loss does not depend."""
    probes = [one for one in context.seen.probes if one.name == "class"]
    if not probes:
        return None
    without = [one for one in probes if one.changed <= limit("same output") * max(one.scale, 1e-12)]
    if not without or len(without) == len(probes):
        return []  # of none of them: then the loss is another one
    return [
        context.finding(
            CLASS_NOT_IN_LOSS,
            severity="serious" if len(probes) == 2 else "warning",
            where=[f"class {one.where}" for one in without],
            evidence=(
                Evidence(what="change of the loss", value=without[0].changed, expected="above 0"),
                Evidence(what="the same for other classes, at most", value=max(one.changed for one in probes)),
            ),
            values={"label": ", ".join(one.where for one in without)},
        )
    ]
