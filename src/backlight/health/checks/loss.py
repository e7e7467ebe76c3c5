"""Whether the loss is what it should be: of the right sign, a mean, of logits and not of probabilities."""

import math

from backlight.health.check import check
from backlight.health.context import Context
from backlight.health.findings import Advice, Case, Evidence, Finding, FindingText
from backlight.health.thresholds import limit
from backlight.watch.records import LogitsRecord, StepRecord

_SOFTMAXES = frozenset({"softmax", "log_softmax"})
_NEVER_NEGATIVE = frozenset({"cross_entropy", "binary_cross_entropy", "mse"})

LOSS_SIGN = FindingText(
    id="loss-sign",
    title="The loss has the wrong sign: each step makes the predictions worse.",
    because="A cross-entropy or squared error is never negative. An optimiser minimises the loss, so with the sign "
    "flipped it makes the right answers less likely, without bound.",
    try_this=(
        Advice(
            torch="Remove the minus: loss = F.cross_entropy(logits, y), or nn.NLLLoss of log-probabilities.",
            ours="Remove the minus: loss = cross_entropy(logits, y).",
        ),
        Advice(
            torch="If the loss is a score to be maximised: maximize=True in the optimiser, or its negative.",
            ours="If the loss is a score to be maximised, minimise its negative.",
        ),
    ),
    figures=("loss",),
    about="""
    The loss falls where the error rises: a minus too many, or a score that is minimised. A cross-entropy or squared
    error below 0 is proof; so is a loss that is minus the cross-entropy of its own logits.
    """,
    explained_by=frozenset({"targets-outside-range", "loss-of-probabilities"}),
)


@check("sign of the loss", LOSS_SIGN)
def loss_sign(context: Context) -> list[Finding] | None:
    """A loss that falls where the error rises."""
    reported = [(r.step, loss, r.logits.nats if r.logits else None) for r, loss in context.losses]
    if not reported:
        return None
    kind = context.loss_kind
    negative = [one for one in reported if one[1] < 0]
    opposite = [one for one in reported if one[2] is not None and one[2] > 0.01 and _close(one[1], -one[2])]
    if not opposite and not (negative and kind in _NEVER_NEGATIVE):
        return None if kind is None and not any(one[2] for one in reported) else []
    step, loss, nats = (opposite or negative)[-1]
    evidence = [Evidence(what=f"loss at step {step}", value=loss, unit="nats", expected="0 or more")]
    if nats is not None:
        evidence.append(Evidence(what="cross-entropy of the same logits", value=nats, unit="nats", expected="falling"))
    return [context.finding(LOSS_SIGN, severity="fatal", evidence=evidence)]


NO_GRAPH = FindingText(
    id="no-graph",
    title="The network's output has no grad_fn: the loss cannot be backpropagated.",
    because="No parameter gets a gradient, so none can learn. A loss that is made to require a gradient hides "
    "PyTorch's error and changes nothing.",
    try_this=(
        "No .data, .detach(), .item(), .numpy() and no torch.no_grad() between the layers and what forward returns.",
        "No torch.tensor(loss) or loss.requires_grad_(): the loss has a graph if the output has one.",
    ),
    figures=("gradient-to-data",),
    about="""
    What a layer computes has a graph, by which gradients go back. .data, .detach(), torch.no_grad() and a way through
    NumPy end it.
    """,
)


@check("graph of the output", NO_GRAPH)
def no_graph(context: Context) -> list[Finding] | None:
    """An output from which no gradient can go back, though parameters are to learn."""
    known = [one.detached for one in context.records if one.detached is not None]
    if not known:
        return None
    if not all(known) or not any(one.requires_grad for one in context.parameters.values()):
        return []
    return [
        context.finding(
            NO_GRAPH,
            severity="fatal",
            where=() if context.output_layer is None else (context.output_layer,),
            evidence=(
                Evidence(what="recorded steps in which the output has no graph", value=len(known), expected="0"),
            ),
        )
    ]


LOSS_SUMMED = FindingText(
    id="loss-summed",
    title="The loss is summed over the batch, not averaged.",
    because="Gradients are multiplied by the number of targets, and so are SGD's steps: the learning rate then means "
    "something else for each batch size, and the usual values are far too large.",
    try_this=(
        Advice(
            torch='F.cross_entropy(logits, y) with reduction="mean", its default.',
            ours="cross_entropy(logits, y), which is the mean; divide your own sum by the number of targets.",
        ),
        "Or keep the sum, and divide the learning rate by the number of targets.",
    ),
    figures=("loss", "update-to-data"),
    about="""
    The loss is summed over the batch, so its gradient is multiplied by the number of targets. With a learning rate to
    match nothing is lost (then this is a warning); with a usual one the steps are far too long, and they change with
    the batch size.
    """,
)


@check("mean or sum in the loss", LOSS_SUMMED)
def loss_summed(context: Context) -> list[Finding] | None:
    """A loss that is summed over the batch, so that the steps grow with it."""
    pairs = [(r, loss, r.logits) for r, loss in context.losses if r.logits and r.logits.nats]
    is_divided = bool({"div", "mul", "mean"} & set(context.chain))
    by_graph = (
        context.seen.loss is not None
        and context.seen.loss.reduction == "sum"
        and context.loss_kind == "cross_entropy"
        and not is_divided
    )
    summed = [r for r, loss, logits in pairs if _is_sum(r, loss, logits)]
    if (pairs and len(summed) * 2 <= len(pairs)) or not (summed or by_graph):
        return [] if pairs else None  # a sum that is divided afterwards is a mean
    record = summed[0] if summed else context.first
    assert record is not None  # noqa: S101  (one of the two was found in it)
    targets = _targets(record)
    evidence = []
    if record.loss is not None:
        evidence.append(Evidence(what=f"loss at step {record.step}", value=record.loss, unit="nats"))
    if record.logits and record.logits.nats is not None:
        evidence.append(Evidence(what="mean over the targets", value=record.logits.nats, unit="nats"))
    if targets:
        evidence.append(Evidence(what="targets in the batch", value=targets))
    return [context.finding(LOSS_SUMMED, severity="warning" if context.learns else "serious", evidence=evidence)]


SOFTMAX_TWICE = FindingText(
    id="softmax-twice",
    title="Double softmax: the loss is given probabilities where it expects logits.",
    because="Numbers between 0 and 1 differ by at most 1, so the second softmax can never be confident: the loss "
    "cannot fall below the number above, and gradients are a fraction of what they should be.",
    try_this=(
        Advice(
            torch="Return the logits: drop nn.Softmax (or .softmax()) before nn.CrossEntropyLoss.",
            ours="Give cross_entropy the logits: drop the .softmax() before it.",
        ),
        Advice(
            torch="For probabilities at inference: model(x).softmax(-1). For log-probabilities: nn.NLLLoss.",
            ours="For probabilities at inference: model(x).softmax(-1).",
        ),
    ),
    figures=("loss",),
    about="""
    The loss takes a log-softmax of what it is given, and it is given probabilities. They lie between 0 and 1, so even a
    perfect answer leaves a loss of ln(1 + (V - 1)/e): 1.46 for 10 classes, 2.36 for 27. Lecture 2 derives the softmax,
    lecture 3 the fused cross-entropy that expects logits.
    """,
)


@check("double softmax", SOFTMAX_TWICE)
def softmax_twice(context: Context) -> list[Finding] | None:
    """Probabilities where the loss expects logits."""
    loss = context.seen.loss
    chain = () if loss is None else loss.chain
    in_chain = _second_softmax(chain)
    pairs = [(r, value, r.logits) for r, value in context.losses if r.logits and r.logits.nats is not None]
    taken_as_logits = [
        r for r, value, logits in pairs
        if logits.rows_sum_to_one and logits.classes > 1 and _close(value, logits.nats)
    ]  # fmt: skip
    if not in_chain and not (taken_as_logits and len(taken_as_logits) == len(pairs)):
        return [] if chain or pairs else None
    record = taken_as_logits[-1] if taken_as_logits else context.records[-1]
    classes = record.logits.classes if record.logits else (loss.classes if loss else None) or 2
    # the best that is possible: probability 1 for the right class and 0 for the others, taken as logits
    floor = math.log(1 + (classes - 1) / math.e)
    value = math.nan if record.loss is None else record.loss
    return [
        context.finding(
            SOFTMAX_TWICE,
            severity="serious",
            where=[one.name for one in context.called("softmax")[-1:]],
            evidence=(
                Evidence(what=f"loss at step {record.step}", value=value, unit="nats"),
                Evidence(
                    what=f"the lowest loss that probabilities of {classes} classes can reach so", value=floor,
                    unit="nats", expected="0",
                ),
            ),
        )
    ]  # fmt: skip


LOSS_BROADCAST = FindingText(
    id="loss-broadcast",
    title="Outputs and targets are broadcast: each output is compared with every target.",
    because="An output of shape (N, 1) minus targets of shape (N,) is (N, N): the mean of its squares pulls all "
    "outputs to the targets' mean, and nothing about the input can be learnt.",
    try_this=(
        "Give both the same shape: loss_fn(model(x).squeeze(-1), y), or y.unsqueeze(-1).",
        "PyTorch warns of it in mse_loss; a difference written by hand says nothing.",
    ),
    figures=("loss",),
    about="""
    Outputs of shape (N, 1) minus targets of shape (N,) make (N, N) differences. The gradient then pulls every output to
    the same number, though the loss shows that the targets differ. Or the output is made one number on the way to the
    loss, as by a sum() without dim, and that is compared with every target, which the loss's graph shows.
    """,
    cases={
        "one": Case(
            title="The whole output is made one number, which is compared with each of {compared} targets.",
            because="A sum() or mean() without dim goes over the batch too. One number cannot be right for several "
            "targets: it comes to their mean, and no example gets an answer of its own.",
            try_this=("Name the axis: output.sum(dim=1), one number for each example.",),
        )
    },
)


@check("shapes of outputs and targets", LOSS_BROADCAST)
def loss_broadcast(context: Context) -> list[Finding] | None:
    """A difference of all outputs, or of one number made of them, and each target, by broadcasting."""
    graph = context.seen.loss
    if graph is not None and graph.compared:
        return [
            context.finding(
                LOSS_BROADCAST,
                severity="serious",
                cases=("one",),
                evidence=(
                    Evidence(what="numbers that the network returned", value=math.prod(graph.output_shape)),
                    Evidence(what="numbers of it that are compared", value=1, expected="one for each target"),
                    Evidence(what="targets", value=graph.compared),
                ),
                values={"compared": graph.compared},
            )
        ]
    known = [(r, loss) for r, loss in context.losses if r.target_std is not None and r.output is not None]
    if context.loss_kind != "mse" or not known:
        return None
    stretched = [(record, loss) for record, loss in known if _pulled_to_one_number(record, loss)]
    if len(stretched) * 2 <= len(known):
        return []
    record, loss = stretched[-1]
    return [
        context.finding(
            LOSS_BROADCAST,
            severity="fatal",
            evidence=(
                Evidence(what="spread of the targets, by the loss", value=math.sqrt(_spread_by_loss(record, loss))),
                Evidence(what="spread of the targets, by the gradient", value=record.target_std or 0.0),
            ),
        )
    ]


SINGLE_OUTPUT = FindingText(
    id="single-output",
    title="The network has one output, and the loss takes a softmax over it: the probability is always 1.",
    because="exp(z) / exp(z) is 1 whatever z is: the loss is 0 from the first step on, all gradients are 0, and "
    "nothing is learnt.",
    try_this=(
        Advice(
            torch="nn.Linear(features, classes) as the last layer, with F.cross_entropy.",
            ours="Linear(features, classes, rng=rng) as the last layer, with cross_entropy.",
        ),
        "For two classes and one output: F.binary_cross_entropy_with_logits. For a number: F.mse_loss.",
    ),
    figures=("loss",),
    about="""
    A softmax over one number is 1. For two classes with one output there is the binary cross-entropy with logits.
    """,
)


@check("an output for each class", SINGLE_OUTPUT)
def single_output(context: Context) -> list[Finding] | None:
    """A softmax over one number, which is always 1."""
    known = [r.logits for r in context.records if r.logits]
    if not known:
        return None
    if known[0].classes != 1 or context.loss_kind != "cross_entropy":
        return []
    largest = max((loss for _, loss in context.losses), default=math.nan)
    return [
        context.finding(
            SINGLE_OUTPUT,
            severity="fatal",
            where=() if context.output_layer is None else (context.output_layer,),
            evidence=(
                Evidence(what="outputs", value=1, expected="one for each class"),
                Evidence(what="largest loss", value=largest, unit="nats"),
            ),
        )
    ]


def _spread_by_loss(record: StepRecord, loss: float) -> float:
    """Return what is left of a mean squared error if all targets were the one that the gradient points to."""
    output, mean = record.output, record.target_mean or 0.0
    assert output is not None  # noqa: S101  (the caller has asked)
    return max(loss - (output.std**2 + (output.mean - mean) ** 2), 0.0)


def _pulled_to_one_number(record: StepRecord, loss: float) -> bool:
    left = _spread_by_loss(record, loss)
    return left > 0.5 * loss and (record.target_std or 0.0) ** 2 < limit("same loss") * left


def _second_softmax(chain: tuple[str, ...]) -> bool:
    """Return whether the loss takes a log-softmax, and what it takes it of went through a softmax already."""
    takes = [place for place, op in enumerate(chain) if op in {"log_softmax", "cross_entropy"}]
    return bool(takes) and any(op in _SOFTMAXES for op in chain[takes[-1] + 1 :])


def _is_sum(record: StepRecord, loss: float, logits: LogitsRecord) -> bool:
    targets = _targets(record)
    if not targets or targets < 2 or logits.nats is None:
        return False
    return _close(loss / targets, logits.nats)


def _targets(record: StepRecord) -> int | None:
    return sum(record.logits.targets) if record.logits and record.logits.targets else record.batch_size


def _close(a: float, b: float | None) -> bool:
    return b is not None and math.isclose(a, b, rel_tol=limit("same loss"), abs_tol=1e-6)
