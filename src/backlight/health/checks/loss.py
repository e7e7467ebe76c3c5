"""Whether the loss is what it should be: of the right sign, a mean, of logits and not of probabilities."""

import math

from backlight.health.context import Context
from backlight.health.findings import Evidence, Finding
from backlight.health.thresholds import limit
from backlight.watch.records import LogitsRecord, StepRecord

_SOFTMAXES = frozenset({"softmax", "log_softmax"})
_NEVER_NEGATIVE = frozenset({"cross_entropy", "binary_cross_entropy", "mse"})


def loss_sign(context: Context) -> list[Finding] | None:
    """A loss that falls where the error rises."""
    told = [(r.step, r.loss, r.logits.nats if r.logits else None) for r in context.records if math.isfinite(r.loss)]
    if not told:
        return None
    kind = context.loss_kind
    negative = [one for one in told if one[1] < 0]
    opposite = [one for one in told if one[2] is not None and one[2] > 0.01 and _close(one[1], -one[2])]
    if not opposite and not (negative and kind in _NEVER_NEGATIVE):
        return None if kind is None and not any(one[2] for one in told) else []
    step, loss, nats = (opposite or negative)[-1]
    evidence = [Evidence(what=f"loss at step {step}", value=loss, unit="nats", expected="0 or more")]
    if nats is not None:
        evidence.append(Evidence(what="cross-entropy of the same logits", value=nats, unit="nats", expected="falling"))
    return [
        Finding(
            id="loss-sign",
            severity="fatal",
            title="The loss has the wrong sign: each step makes the predictions worse.",
            evidence=tuple(evidence),
            because="A cross-entropy or squared error is never negative. An optimiser goes downhill, so with the sign "
            "flipped it makes the right answers less likely, for ever and without a bound.",
            try_this=(
                context.say(
                    torch="Take the minus away: loss = F.cross_entropy(logits, y), or nn.NLLLoss of log-probabilities.",
                    ours="Take the minus away: loss = cross_entropy(logits, y).",
                ),
                context.say(
                    torch="If the loss is a score to be raised: maximize=True in the optimiser, or its negative.",
                    ours="If the loss is a score to be raised, minimise its negative.",
                ),
            ),
        )
    ]


def loss_summed(context: Context) -> list[Finding] | None:
    """A loss that is summed over the batch, so that the steps grow with it."""
    pairs = [(r, r.logits) for r in context.records if r.logits and r.logits.nats and math.isfinite(r.loss)]
    by_graph = (
        context.seen.loss is not None and context.seen.loss.reduction == "sum" and context.loss_kind == "cross_entropy"
    )
    summed = [r for r, logits in pairs if _is_sum(r, logits)]
    if (pairs and len(summed) * 2 <= len(pairs)) or not (summed or by_graph):
        return [] if pairs else None  # a sum that is divided afterwards is a mean
    record = summed[0] if summed else context.first
    assert record is not None  # noqa: S101  (one of the two was found in it)
    targets = _targets(record)
    evidence = [Evidence(what=f"loss at step {record.step}", value=record.loss, unit="nats")]
    if record.logits and record.logits.nats is not None:
        evidence.append(Evidence(what="mean over the targets", value=record.logits.nats, unit="nats"))
    if targets:
        evidence.append(Evidence(what="targets in the batch", value=targets))
    return [
        Finding(
            id="loss-summed",
            severity="warning" if context.learns else "serious",
            title="The loss is a sum over the batch, not a mean.",
            evidence=tuple(evidence),
            because="Gradients are as many times larger as there are targets, and so are SGD's steps: the learning "
            "rate then means something else for each batch size, and the usual values are far too large.",
            try_this=(
                context.say(
                    torch='F.cross_entropy(logits, y) with reduction="mean", its default.',
                    ours="cross_entropy(logits, y), which is the mean; divide a sum of your own by the targets.",
                ),
                "Or keep the sum, and divide the learning rate by the number of targets.",
            ),
        )
    ]


def softmax_twice(context: Context) -> list[Finding] | None:
    """Probabilities where the loss expects logits."""
    loss = context.seen.loss
    chain = () if loss is None else loss.chain
    in_chain = _second_softmax(chain)
    pairs = [(r, r.logits) for r in context.records if r.logits and r.logits.nats is not None]
    taken_as_logits = [
        (r, logits) for r, logits in pairs
        if logits.rows_sum_to_one and logits.classes > 1 and _close(r.loss, logits.nats)
    ]  # fmt: skip
    if not in_chain and not (taken_as_logits and len(taken_as_logits) == len(pairs)):
        return [] if chain or pairs else None
    record = taken_as_logits[-1][0] if taken_as_logits else context.records[-1]
    classes = record.logits.classes if record.logits else (loss.classes if loss else None) or 2
    # the best that is possible: probability 1 for the right class and 0 for the others, taken as logits
    floor = math.log(1 + (classes - 1) / math.e)
    return [
        Finding(
            id="softmax-twice",
            severity="serious",
            title="Softmax is taken twice: the loss is given probabilities where it expects logits.",
            where=tuple(one.name for one in context.called("softmax")[-1:]),
            evidence=(
                Evidence(what=f"loss at step {record.step}", value=record.loss, unit="nats"),
                Evidence(
                    what=f"the lowest loss that probabilities of {classes} classes can reach so", value=floor,
                    unit="nats", expected="0",
                ),
            ),
            because="Numbers between 0 and 1 differ by at most 1, so the second softmax can never be sure: the loss "
            "cannot fall below the number above, and gradients are a fraction of what they should be.",
            try_this=(
                context.say(
                    torch="Return the logits: drop nn.Softmax (or .softmax()) before nn.CrossEntropyLoss.",
                    ours="Give cross_entropy the logits: drop the .softmax() before it.",
                ),
                context.say(
                    torch="For probabilities at inference: model(x).softmax(-1). For log-probabilities: nn.NLLLoss.",
                    ours="For probabilities at inference: model(x).softmax(-1).",
                ),
            ),
        )
    ]  # fmt: skip


def loss_broadcast(context: Context) -> list[Finding] | None:
    """A squared error of all outputs with all targets, since (N, 1) and (N,) were stretched to (N, N)."""
    known = [r for r in context.records if r.target_std is not None and r.output is not None and math.isfinite(r.loss)]
    if context.loss_kind != "mse" or not known:
        return None
    stretched = [record for record in known if _pulled_to_one_number(record)]
    if len(stretched) * 2 <= len(known):
        return []
    record = stretched[-1]
    return [
        Finding(
            id="loss-broadcast",
            severity="fatal",
            title="Outputs and targets are broadcast: each output is held against every target.",
            evidence=(
                Evidence(what="spread of the targets, by the loss", value=math.sqrt(_spread_by_loss(record))),
                Evidence(what="spread of the targets, by the gradient", value=record.target_std or 0.0),
            ),
            because="An output of shape (N, 1) minus targets of shape (N,) is (N, N): the mean of its squares pulls "
            "all outputs to the targets' mean, and nothing can be learnt of the input.",
            try_this=(
                "Give both one shape: loss_fn(model(x).squeeze(-1), y), or y.unsqueeze(-1).",
                "PyTorch warns of it in mse_loss; a difference written by hand says nothing.",
            ),
        )
    ]


def single_output(context: Context) -> list[Finding] | None:
    """A softmax over one number, which is always 1."""
    known = [r.logits for r in context.records if r.logits]
    if not known:
        return None
    if known[0].classes != 1 or context.loss_kind != "cross_entropy":
        return []
    losses = [r.loss for r in context.records if math.isfinite(r.loss)]
    return [
        Finding(
            id="single-output",
            severity="fatal",
            title="The net has one output, and the loss takes a softmax over it: the probability is always 1.",
            where=() if context.output_layer is None else (context.output_layer,),
            evidence=(
                Evidence(what="outputs", value=1, expected="one for each class"),
                Evidence(what="largest loss", value=max(losses, default=math.nan), unit="nats"),
            ),
            because="exp(z) / exp(z) is 1 whatever z is: the loss is 0 from the first step on, all gradients are 0, "
            "and nothing is learnt.",
            try_this=(
                context.say(
                    torch="nn.Linear(features, classes) as the last layer, with F.cross_entropy.",
                    ours="Linear(features, classes, rng=rng) as the last layer, with cross_entropy.",
                ),
                "For two classes and one output: F.binary_cross_entropy_with_logits. For a number: F.mse_loss.",
            ),
        )
    ]


def _spread_by_loss(record: StepRecord) -> float:
    """Return what is left of a mean squared error if all targets were the one that the gradient points to."""
    output, mean = record.output, record.target_mean or 0.0
    assert output is not None  # noqa: S101  (the caller has asked)
    return max(record.loss - (output.std**2 + (output.mean - mean) ** 2), 0.0)


def _pulled_to_one_number(record: StepRecord) -> bool:
    left = _spread_by_loss(record)
    return left > 0.5 * record.loss and (record.target_std or 0.0) ** 2 < limit("same loss") * left


def _second_softmax(chain: tuple[str, ...]) -> bool:
    """Return whether the loss takes a log-softmax, and what it takes it of went through a softmax already."""
    takes = [place for place, op in enumerate(chain) if op in {"log_softmax", "cross_entropy"}]
    return bool(takes) and any(op in _SOFTMAXES for op in chain[takes[-1] + 1 :])


def _is_sum(record: StepRecord, logits: LogitsRecord) -> bool:
    targets = _targets(record)
    if not targets or targets < 2 or logits.nats is None:
        return False
    return _close(record.loss / targets, logits.nats)


def _targets(record: StepRecord) -> int | None:
    return sum(record.logits.targets) if record.logits and record.logits.targets else record.batch_size


def _close(a: float, b: float | None) -> bool:
    return b is not None and math.isclose(a, b, rel_tol=limit("same loss"), abs_tol=1e-6)
