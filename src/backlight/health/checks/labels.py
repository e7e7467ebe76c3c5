"""Whether targets of sequences are the ones that they should be."""

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
    "and most of the gradient goes into what nobody asks.",
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
