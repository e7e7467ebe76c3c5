"""Whether the loss is given what it expects: logarithms or none, one sigmoid, the classes' axis, the targets' range."""

import math

import numpy as np

from backlight.health.check import check
from backlight.health.context import Context, late
from backlight.health.findings import Case, Evidence, Finding, FindingText, percent
from backlight.health.thresholds import limit
from backlight.watch.graph import NO_LOGARITHMS

_SCALES = frozenset({"mean", "sum", "div", "mul", "neg"})
_ADDS_UP = frozenset({"mean", "sum", "neg", "gather", "index", "select"})

LOSS_OF_PROBABILITIES = FindingText(
    id="loss-of-probabilities",
    title="{loss} expects log-probabilities and is given {given}.",
    because="Without the logarithm the loss is linear in the probabilities: a confident mistake costs no more than a "
    "hesitant one, the gradient vanishes where the answer is most wrong, and the loss ends below 0, where no "
    "likelihood or divergence can be.",
    try_this=(
        (
            "log_softmax in place of softmax: F.nll_loss(logits.log_softmax(-1), y), which is F.cross_entropy(logits, "
            "y); F.kl_div(logits.log_softmax(-1), p)."
        ),
        "For probabilities at inference: model(x).softmax(-1).",
    ),
    figures=("loss",),
    about="""
    nll_loss and kl_div take logarithms of probabilities: they only pick them out, or weigh them. Given probabilities or
    logits they compute something else without a word. So does a mean of sigmoids or softmaxes, which is a note: some
    losses are meant to be that. Lecture 2 derives the likelihood and its logarithm.
    """,
    cases={
        "mean": Case(
            title="The loss is a mean of probabilities, without their logarithms.",
            because="Its slope vanishes where the answer is most wrong, since the {given} is flat there, and a "
            "confident mistake costs no more than 1. A likelihood has the logarithm of each probability.",
            try_this=(
                (
                    "F.logsigmoid(score) in place of score.sigmoid().log() or score.sigmoid(), log_softmax in place of "
                    "softmax."
                ),
                "If it is meant, as in a share of pairs in the right order, nothing is wrong.",
            ),
        )
    },
)


@check("logarithms in the loss", LOSS_OF_PROBABILITIES)
def loss_of_probabilities(context: Context) -> list[Finding] | None:
    """An nll_loss or kl_div that is given no logarithms."""
    chain = context.chain
    if not chain:
        return None
    if (squash := next((op for op in chain if op not in _ADDS_UP), "")) in {"sigmoid", "softmax"}:
        return [
            context.finding(
                LOSS_OF_PROBABILITIES,
                severity="note" if context.learns else "warning",
                cases=("mean",),
                evidence=[Evidence(what=f"loss at step {r.step}", value=value) for r, value in context.losses[-1:]],
                values={"loss": "The loss", "given": squash},
            )
        ]
    at = next((place for place, op in enumerate(chain) if op.startswith("nll_loss")), None)
    loss = "nll_loss"
    if at is None and context.seen.framework == "torch":
        at, loss = _divergence(chain), "kl_div"
    given = chain[at + 1] if at is not None and at + 1 < len(chain) else ""
    negative = [(record, value) for record, value in context.losses if value < 0]
    if given not in NO_LOGARITHMS or (loss == "kl_div" and not (given == "softmax" and negative)):
        return []
    shown = negative[-1:] or context.losses[-1:]
    return [
        context.finding(
            LOSS_OF_PROBABILITIES,
            severity="serious",
            where=[one.name for one in context.called("softmax")[-1:]] if given == "softmax" else (),
            evidence=[
                Evidence(what=f"loss at step {r.step}", value=value, unit="nats", expected="0 or more")
                for r, value in shown
            ],
            values={"loss": loss, "given": "probabilities" if given in {"softmax", "sigmoid"} else "logits"},
        )
    ]


SIGMOID_TWICE = FindingText(
    id="sigmoid-twice",
    title="Two sigmoids: the loss takes one itself, and is given the result of another.",
    because="Numbers between 0 and 1 become probabilities between 0.5 and 0.73: the network can predict neither class "
    "confidently. The loss cannot fall below about 0.3 for a yes and 0.69 for a no.",
    try_this=(
        "Return the logits: drop nn.Sigmoid (or .sigmoid()) before nn.BCEWithLogitsLoss.",
        "For probabilities at inference: model(x).sigmoid().",
    ),
    figures=("loss",),
    about="""
    binary_cross_entropy_with_logits applies a sigmoid to what it is given. If the network ends with one already, its
    probabilities lie between sigmoid(0) = 0.5 and sigmoid(1) = 0.73.
    """,
)


@check("sigmoids before the loss", SIGMOID_TWICE)
def sigmoid_twice(context: Context) -> list[Finding] | None:
    """A sigmoid whose result goes into a loss that takes one too."""
    chain = context.chain
    at = next((place for place, op in enumerate(chain) if op == "binary_cross_entropy_with_logits"), None)
    if at is None:
        return None if not chain else []
    if chain[at + 1 : at + 2] != ("sigmoid",):
        return []
    ends = [one.name for one in context.called("activation")[-1:] if one.kind.lower() == "sigmoid"]
    shown = [Evidence(what=f"loss at step {r.step}", value=value, unit="nats") for r, value in context.losses[-1:]]
    ranges = [r.output for r in context.records[-1:] if r.output is not None and chain[-1] == "sigmoid"]
    shown += [Evidence(what="largest output", value=one.high, expected="above 1 for a sure yes") for one in ranges]
    return [context.finding(SIGMOID_TWICE, severity="serious", where=ends, evidence=shown)]


TARGETS_OUTSIDE_RANGE = FindingText(
    id="targets-outside-range",
    title="Targets of the binary cross-entropy lie outside of 0 to 1.",
    because="A binary cross-entropy is 0 or more for targets between 0 and 1. Beyond them it has no lowest value: the "
    "outputs grow without bound, and say yes everywhere.",
    try_this=(
        "Make the targets 0 or 1: y / 255 for masks that are stored as pictures, (y > 0).float() for any masks.",
        "Print y.min() and y.max() as the loss gets them.",
    ),
    figures=("loss",),
    about="""
    The targets of a binary cross-entropy are probabilities. Masks read from pictures have 0 and 255, and labels such as
    -1 and 1 are outside too. The loss is then below 0, which it cannot be otherwise.
    """,
)


@check("range of the targets", TARGETS_OUTSIDE_RANGE)
def targets_outside_range(context: Context) -> list[Finding] | None:
    """A binary cross-entropy below 0, though nothing takes its sign."""
    chain = context.chain
    if context.loss_kind != "binary_cross_entropy" or not context.losses:
        return None
    if "neg" in chain or not chain[0].startswith(("binary_cross_entropy", "mean", "sum")):
        return []
    negative = [(record, value) for record, value in context.losses if value < 0]
    if not negative:
        return []
    (first, one), (last, other) = negative[0], negative[-1]
    return [
        context.finding(
            TARGETS_OUTSIDE_RANGE,
            severity="fatal",
            evidence=(
                Evidence(what=f"loss at step {first.step}", value=one, unit="nats", expected="0 or more"),
                *((Evidence(what=f"loss at step {last.step}", value=other, unit="nats"),) if last is not first else ()),
            ),
        )
    ]


SOFTMAX_AXIS = FindingText(
    id="softmax-axis",
    title="The loss's softmax is taken over the batch (dim=0), not over the classes.",
    because="Each class's numbers then sum to 1 over the examples: what one example gets, another loses. Alone, an "
    "example always gets probability 1 for everything.",
    try_this=(
        "dim=-1 (or dim=1): F.log_softmax(logits, dim=-1), nn.LogSoftmax(dim=-1).",
        "Without dim, old versions of PyTorch chose an axis by the number of axes.",
    ),
    figures=("loss",),
    about="""
    A softmax over the first axis of (batch, classes) normalises over examples. The loss falls somewhat all the same,
    since examples of a batch compete for their class.
    """,
)


@check("axis of the softmax", SOFTMAX_AXIS)
def softmax_axis(context: Context) -> list[Finding] | None:
    """A softmax over the examples of (batch, classes)."""
    loss, first = context.seen.loss, context.first
    if loss is None or first is None or loss.kind != "cross_entropy" or len(loss.output_shape) != 2:
        return None
    rows, columns = loss.output_shape
    if loss.softmax_axis != 0 or rows != first.batch_size or 1 in (rows, columns) or rows == columns:
        return []
    return [
        context.finding(
            SOFTMAX_AXIS,
            severity="serious",
            where=[one.name for one in context.called("softmax")[-1:]],
            evidence=(
                Evidence(what="numbers that the softmax sums over", value=rows, expected=f"{columns}, one for a class"),
                Evidence(what="examples in the batch", value=rows),
            ),
        )
    ]


LOGITS_BOUNDED = FindingText(
    id="logits-bounded",
    title="The logits are bounded by 1: the loss cannot fall below {floor:.2f}.",
    because="The softmax of numbers between -1 and 1 gives the best of {classes} classes a probability of at most "
    "{best}%. The network cannot become surer, and nearly right answers are pushed on as hard as wrong ones.",
    try_this=(
        "Scale the logits: cosines times 10 to 30, or times a learnt factor, as exp(nn.Parameter(torch.tensor(2.66))).",
        "No tanh, sigmoid or normalisation after the last linear layer.",
    ),
    figures=("loss",),
    about="""
    Cosine similarities, or the results of a tanh, lie between -1 and 1. As logits of V classes they leave a loss of at
    least ln(1 + (V - 1) exp(-2)): 0.80 for 10 classes. Wang et al. 2017, arXiv:1704.06369, scale cosines for this
    reason.
    """,
)


@check("size of the logits", LOGITS_BOUNDED)
def logits_bounded(context: Context) -> list[Finding] | None:
    """Logits that come up to 1, and never beyond it, however long the network is trained."""
    known = [r.logits for r in context.records if r.logits is not None and r.logits.classes > 2]
    if not context.trained or context.progress is None or not context.progress.long_enough or not known:
        return None
    reach = [max(abs(one.values.low), abs(one.values.high)) for one in known]
    near, classes = limit("logits near their bound"), known[0].classes
    is_bounded = max(reach) <= 1 + 1e-3 and min(late(reach)) > near
    if not is_bounded or any(one.rows_sum_to_one for one in known):
        return []
    floor = math.log(1 + (classes - 1) * math.exp(-2))
    return [
        context.finding(
            LOGITS_BOUNDED,
            severity="warning",
            where=() if context.output_layer is None else (context.output_layer,),
            evidence=(
                Evidence(what="largest logit in size, in all records", value=max(reach)),
                Evidence(what="loss over the last steps", value=context.progress.late, unit="nats"),
                Evidence(what="lowest loss that is possible", value=floor, unit="nats", expected="0"),
            ),
            values={"floor": floor, "classes": classes, "best": f"{percent(math.exp(-floor)):g}"},
        )
    ]


OUTPUT_RANGE = FindingText(
    id="output-range",
    title="The output cannot reach {share}% of the targets: it comes out of a {op}.",
    because="The results of a ReLU are never below 0, those of a sigmoid lie between 0 and 1, those of a tanh between "
    "-1 and 1. Beyond that the error stays, and a ReLU that is 0 gets no gradient either.",
    try_this=(
        "No activation after the last layer of a regression.",
        "Or targets in that range: y = (y - y.min()) / (y.max() - y.min()) for a sigmoid.",
    ),
    figures=("loss",),
    about="""
    The last op of the network has a range, and the targets lie outside of it.
    """,
)


@check("range of the output", OUTPUT_RANGE)
def output_range(context: Context) -> list[Finding] | None:
    """Targets that the output's own last op cannot reach."""
    known = [(r, r.beyond) for r in context.records if r.beyond is not None]
    if not known:
        return None
    share = float(np.median(late([one for _, one in known])))
    if not share > limit("targets beyond the output"):
        return []
    record = known[-1][0]
    ends = () if record.output is None else (("lowest", record.output.low), ("highest", record.output.high))
    spread = [Evidence(what=f"{which} output", value=value) for which, value in ends]
    mean = () if record.target_mean is None else (Evidence(what="mean of the targets", value=record.target_mean),)
    op = {"relu": "ReLU"}.get(context.chain[-1], context.chain[-1]) if context.chain else "bounded activation"
    return [
        context.finding(
            OUTPUT_RANGE,
            severity="serious",
            where=[one.name for one in context.called("activation")[-1:]],
            evidence=(
                Evidence(what="targets out of reach", value=percent(share), unit="%", expected="0"),
                *mean,
                *spread,
            ),
            values={"share": f"{percent(share):g}", "op": op},
        )
    ]


def _divergence(chain: tuple[str, ...]) -> int | None:
    """Return where a kl_div's last op is: it is target * log(target) - target * input, added up."""
    at = next((place for place, op in enumerate(chain) if op not in _SCALES), None)
    return at + 1 if at is not None and at and chain[at : at + 2] == ("sub", "mul") else None
