"""Each check on records made by hand: silent on a healthy network, and just below its threshold; not above it."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.unit.health import records as make
from tests.unit.health.records import V, spread, well

from backlight.health import diagnose
from backlight.health.checks import CHECKS
from backlight.health.context import Context
from backlight.health.thresholds import THRESHOLDS, limit
from backlight.watch.records import (
    BatchStatistics,
    EvaluationInput,
    EvaluationPoint,
    LossFacts,
    LossPoint,
    Measurements,
    NonFinite,
    NotMeasured,
    OptimiserFacts,
    Probe,
    Relation,
    Reshape,
    SplitFacts,
    Spread,
    StepRecord,
)
from backlight.watch.trial import Observation, TrialResult

Seen = Callable[[float], Measurements]


def ids(seen: Measurements) -> set[str]:
    return {finding.id for finding in diagnose(seen).findings}


def test_a_healthy_network_has_no_finding():
    diagnosis = diagnose(well())
    assert diagnosis.findings == ()
    assert "saturated units" in diagnosis.checked
    assert "future leakage" in diagnosis.unknown
    usual = [one for one in CHECKS if one.of == "all"]
    assert len(diagnosis.checked) + len(diagnosis.unknown) == len(usual) < len(CHECKS)


def test_nothing_measured_nothing_said():
    diagnosis = diagnose(Measurements(framework="torch", source="watch", model="Empty"))
    assert diagnosis.findings == ()
    assert len(diagnosis.unknown) >= sum(one.of == "all" for one in CHECKS) - 1


def _start(nats: float) -> Measurements:
    seen = well()
    first = seen.steps[0]
    assert first.logits is not None
    changed = replace(first, loss=nats, logits=replace(first.logits, nats=nats, max_probability=0.9))
    return replace(seen, steps=(changed, *seen.steps[1:]))


def _batch_norm(rows: float) -> Measurements:
    seen = make.with_facts(well(), "act1", role="batch_norm", kind="BatchNorm1d", bounded=False, one_sided=False)
    seen = make.with_facts(seen, "fc1", bias=False)
    statistics = BatchStatistics(rows=int(rows), mean_apart=0.1, std_ratio=1.0)
    return make.with_layer(seen, "act1", batch=statistics, saturated=None, dead=None)


def _overfit(last: float) -> Measurements:
    points = [
        EvaluationPoint(step=s, dev=dev, train=0.5) for s, dev in ((50, 1.2), (100, 1.0), (150, last), (200, last))
    ]
    return replace(well(), evaluations=tuple(points))


def _gradients(first: float) -> Measurements:
    return make.with_layer(make.stuck(well()), "fc1", gradient=spread(0.01 * first))


def _dropout(p: float) -> Measurements:
    seen = make.stuck(well())
    return make.with_facts(seen, "act1", role="dropout", kind="Dropout", bounded=False, settings={"p": p})


def _probe(name: str, where: str = "", **details: float) -> Seen:
    def seen(changed: float) -> Measurements:
        probe = Probe(name=name, changed=changed, scale=1.0, details=details, where=where)  # type: ignore[arg-type]
        return replace(well(), probes=(probe,))

    return seen


def _by_class(*changed: float) -> Measurements:
    probes = (Probe(name="class", changed=one, scale=1.0, where=str(at)) for at, one in enumerate(changed))
    return replace(well(), probes=tuple(probes))


def _pictures(given: float, other: float) -> Measurements:
    """Pictures whose neighbours are so much alike as they are given, and read with their channels last."""
    return replace(well(), probes=(Probe(name="layout", changed=other, scale=given),))


def _directions(forward: int, backward: int, first: int, places: int = 9) -> Measurements:
    """A layer of two directions, and at how many places each is read."""
    details = {"first": float(first), "forward": float(forward)}
    probe = Probe(name="backward", changed=float(backward), scale=float(places), details=details, where="fc1")
    return replace(well(), probes=(probe,))


def _probes(**changed: float) -> Measurements:
    probes = (Probe(name=name, changed=one, scale=1.0) for name, one in changed.items())  # type: ignore[arg-type]
    return replace(well(), probes=tuple(probes))


def _loss() -> LossFacts:
    found = well().loss
    assert found is not None
    return found


def _chain(chain: tuple[str, ...], seen: Callable[[], Measurements] = well, **facts: object) -> Measurements:
    """Let the loss be made of the output by these ops, and nothing be known of classes."""
    loss = replace(_loss(), chain=chain, **facts)  # type: ignore[arg-type]
    return make.with_records(replace(seen(), loss=loss), logits=None)


def _attends(seen: Measurements) -> Measurements:
    return replace(seen, loss=replace(_loss(), ops={"addmm": 3, "softmax": 1}))


def _fading(end: float) -> Measurements:
    """Inputs whose spread falls to this share."""

    def inputs(record: StepRecord) -> dict[str, object]:
        return {"inputs": (replace(record.inputs[0], values=spread(end ** (record.step > 60))),)}

    return make.with_records(well(), inputs)


def _repeating(seen: Measurements) -> Measurements:
    """Four minibatches, again and again."""
    return make.with_records(
        seen, lambda r: {"inputs": (replace(r.inputs[0], digest=r.step // 20 % 4 if r.step > 4 else r.step % 4),)}
    )


def _autoencoder(across: float, narrow: float = 0.01) -> Measurements:
    """Outputs of the inputs' shape that differ by so much, and a loss of two terms that stays."""
    loss = replace(_loss(), kind="mse", pure=False, chain=("add", "mean", "pow", "sub", "addmm"))
    output = replace(spread(0.8), count=32 * 8)
    seen = make.with_layer(_regression_at(1.0), "fc2", across=narrow)
    return replace(make.with_layer(seen, "out", across=across, units=8, output=output), loss=loss)


def _batches(other: float, classes: int = 2, size: int = 32, **changes: Any) -> Measurements:
    """Minibatches of one class, and of so many targets of another; the class changes at step 100."""

    def targets(record: StepRecord) -> dict[str, object]:
        usual, rare = (0, 1) if record.step < 100 else (1, 0)
        counts = [0] * classes
        counts[usual], counts[rare] = size - int(other), int(other)
        assert record.logits is not None
        return {"logits": replace(record.logits, targets=tuple(counts), classes=classes, nats=None), **changes}

    return make.with_records(well(), targets)


def _rows(different: float) -> Measurements:
    return make.with_records(well(), lambda r: {"inputs": (replace(r.inputs[0], different=int(different)),)})


def _beside_another_input(**changes: Any) -> Measurements:
    """Rows that are copies of each other, and a further input."""
    return make.with_records(
        well(), lambda r: {"inputs": (replace(r.inputs[0], different=3), replace(r.inputs[0], name="1", **changes))}
    )


def _alike(constant: float) -> Measurements:
    """Inputs of zeros and ones, of which so many features are the same in all rows."""
    return make.with_records(
        well(), lambda r: {"inputs": (replace(r.inputs[0], shape=(64, 6), different=None, constant_share=constant),)}
    )


def _ids(share: float) -> Measurements:
    """Ids, of which so many are number 3."""
    seen = make.with_facts(well(), "fc1", role="embedding", kind="Embedding")
    return make.with_records(
        seen, lambda r: {"inputs": (replace(r.inputs[0], ids=True, common_id=3, common_share=share),)}
    )


def _copied(share: float) -> Measurements:
    return make.with_logits(well(), shifts=(share, 0.1, 0.1))


def _evaluated_on(mean: float, std: float = 1.0, name: str = "0") -> Measurements:
    """Inputs of mean 0 and standard deviation 1 in training, and these in evaluation."""
    judged = (EvaluationInput(step=s, name=name, mean=mean, std=std) for s in (50, 100, 150))
    return replace(well(), evaluation_inputs=tuple(judged))


def _evaluated_to(train: float, start: float = 2.3) -> Measurements:
    """A training loss that comes down to 1, and this one on the same data in evaluation."""
    seen = make.with_losses(well(), start=start, end=1.0)
    points = (EvaluationPoint(step=s, dev=train, train=train) for s in (50, 100, 150, 200))
    return replace(seen, evaluations=tuple(points))


def _runs_away(end: float, power: float = 3.0) -> Measurements:
    """A loss that begins at 2, and is minus this in the last quarter's middle."""

    def loss(step: int) -> float:
        return 2.0 - (end + 2.0) * (step / (0.875 * make.STEPS)) ** power

    losses = tuple(LossPoint(step=step, loss=loss(step)) for step in range(make.STEPS))
    seen = replace(well(), loss=LossFacts(kind="other", chain=("sub", "mean", "addmm")), losses=losses, evaluations=())
    return make.with_records(seen, lambda r: {"loss": loss(r.step), "logits": None})


def _softmax(together: float, positions: int = 16) -> Measurements:
    """A softmax over positions, whose weights have this mean of the sum of their squares."""
    seen = make.with_facts(
        well(), "act1", role="softmax", kind="softmax", bounded=False, reads_shape=(32, 4, positions, positions)
    )
    return make.with_layer(seen, "act1", output=spread(math.sqrt(together / positions)), saturated=None, dead=None)


def _lowered(fall: float, at: int = 40) -> Measurements:
    """A rate that is gone from a step on, and a loss that falls by this share of it until then and stays."""

    def loss(step: int) -> float:
        return 1.5 - 1.5 * fall * min(step, at) / at

    def changed(record: StepRecord) -> dict[str, object]:
        assert record.logits is not None
        nats = loss(record.step)
        rate = 1e-6 if record.step >= at else 1e-2
        return {"loss": nats, "lr": (rate,), "logits": replace(record.logits, nats=nats)}

    losses = tuple(LossPoint(step=step, loss=loss(step)) for step in range(make.STEPS))
    return replace(make.with_records(well(), changed), losses=losses, evaluations=())


def _time_first() -> Measurements:
    """A recurrent layer that takes the batch of 32 for time."""
    seen = make.with_facts(
        well(), "act1", role="recurrent", kind="LSTM", reads_shape=(32, 8, 4), settings={"batch_first": False}
    )
    return replace(seen, loss=replace(_loss(), output_shape=(32, V)))


def _regression_at(loss: float) -> Measurements:
    """Targets of variance 1, and a loss that stays at this."""
    losses = tuple(LossPoint(step=step, loss=loss) for step in range(make.STEPS))
    seen = make.with_records(_unrelated(), logits=None, loss=loss, target_mean=0.0, target_std=1.0)
    return replace(seen, loss=LossFacts(kind="mse", reduction="mean"), losses=losses, evaluations=())


def _negative_fall() -> Measurements:
    losses = tuple(LossPoint(step=step, loss=make.fall(step, start=1.0, end=-2.0)) for step in range(make.STEPS))
    seen = make.with_records(well(), lambda r: {"logits": None, "loss": make.fall(r.step, start=1.0, end=-2.0)})
    return replace(seen, losses=losses, evaluations=())


def _regression(size: float) -> Measurements:
    """Targets of this mean and a spread of 1, of which nothing is learnt."""
    seen = make.with_records(well(), logits=None, target_mean=size, target_std=1.0)
    losses = tuple(LossPoint(step=step, loss=size**2) for step in range(make.STEPS))
    return replace(seen, loss=LossFacts(kind="mse", reduction="mean"), losses=losses)


def _kept(share: float, *, scale: float | None = None, seen: Measurements | None = None) -> Measurements:
    """Gradients of which a share is left at the step; all steps have gradients of one length."""
    return make.with_records(seen or make.stuck(well()), backward_norm=1.0, step_norm=share, scale=scale)


def _never_finite() -> Measurements:
    """The loss is not finite from the third step on, and so are the weights."""
    losses = tuple(replace(one, loss=math.nan if one.step >= 3 else one.loss) for one in well().losses)
    seen = make.with_records(_all(well(), data=spread(1.0, nonfinite=3)), loss=math.nan, logits=None)
    return replace(seen, losses=losses, first_nonfinite=NonFinite(where="loss", direction="loss", step=3))


# what is found, of which number, well below the threshold, well above it
def _logged(loss: Callable[[int], float], norm: float = 1.0, *, dev: float = 1.0, steps: int = 400) -> Measurements:
    """Let a log alone be known: its losses, and gradient norms that end `norm` times as high as they began."""
    records = tuple(
        StepRecord(step=step, loss=loss(step), gradient_norm=norm if step > steps * 0.7 else 1.0)
        for step in range(0, steps, 4)
    )
    return Measurements(
        framework="torch", source="log", model="", total_steps=steps, steps=records,
        losses=tuple(LossPoint(step=one.step, loss=one.loss or 0.0) for one in records),
        evaluations=(EvaluationPoint(step=steps - 1, dev=dev),),
    )  # fmt: skip


def _falls(step: int) -> float:
    return 2.0 - step / 400


def _tried(name: str, what: str, value: float, *, where: tuple[str, ...] = ("fc1",)) -> Measurements:
    """Let a trial have measured something."""
    seen = (Observation(what=what, value=value),)
    return replace(well(), trials=(TrialResult(name=name, question="?", seen=seen, where=where),))


EDGES: list[tuple[str, str, Seen, float, float]] = [
    (
        "updates-rounded-away", "share of rounded updates",
        lambda x: _tried("weights", "half-precision numbers left as they were", 100 * x), 0.49, 0.51,
    ),
    ("loss-rose", "divergence", lambda x: _logged(lambda step: 2.0 * (1 + (x - 1) * (step >= 280))), 1.4, 1.6),
    ("gradient-norm-rose", "gradient burst", lambda x: _logged(_falls, x), 90, 110),
    ("class-never-right", "right on average", lambda x: _tried("outcome", "right", 100 * x), 0.49, 0.51),
    ("overconfident-start", "first loss over ln V", lambda x: _start(x * math.log(V)), 1.4, 1.6),
    ("exploding-signal", "signal growth", lambda x: make.with_layer(well(), "act1", output=spread(x)), 29, 31),
    ("vanishing-signal", "signal left", lambda x: make.with_layer(well(), "act2", across=x), 1.1e-4, 0.9e-4),
    ("saturated-units", "saturated share", lambda x: make.with_layer(well(), "act1", saturated=x), 0.49, 0.51),
    ("dead-units", "dead share", lambda x: make.with_layer(well(), "act2", dead=x, dead_now=x), 0.39, 0.41),
    ("vanishing-gradients", "gradient decay", _gradients, 1.1e-3, 0.9e-3),
    ("exploding-gradients", "gradient decay", _gradients, 900, 1100),
    (
        "learning-rate-too-high", "update too large",
        lambda x: make.with_parameter(make.stuck(well()), update_to_data=x), 0.9, 1.1,
    ),
    (
        "learning-rate-too-low", "update too small",
        lambda x: make.with_parameter(make.stuck(well()), update_to_data=x), 3.1e-4, 2.9e-4,
    ),
    (
        "learning-rate-too-high", "update too large where the loss blew up",
        lambda x: make.with_parameter(make.with_losses(well(), start=2.3, end=30.0), update_to_data=x), 0.009, 0.011,
    ),
    (
        "weight-decay-dominates", "decay over gradient",
        # a rate of 0.01: the decay shrinks by 1e-4 x where a step changes 2e-3
        lambda x: make.with_optimiser(make.stuck(well()), kind="AdamW", weight_decay=0.2 * x), 0.9, 1.1,
    ),
    (
        "weight-decay-dominates", "decay over gradient",
        # weights of 0.2, gradients of 0.02
        lambda x: make.with_optimiser(make.stuck(well()), kind="SGD", weight_decay=x / 10), 0.9, 1.1,
    ),
    # weights of 0.2, steps of 0.01 x
    ("updates-rounded-away", "step over rounding", lambda x: _rounded(lr=0.2 * 2**-8 * x), 1.1, 0.9),
    (
        "updates-rounded-away", "step over rounding",
        lambda x: make.with_optimiser(_rounded(lr=0.2 * 2**-11 * x, dtype="float16"), eps=1e-4), 1.1, 0.9,
    ),
    ("updates-rounded-away", "share of rounded updates", lambda x: _rounded(lr=1e-4, only=x), 0.49, 0.51),
    ("frozen-untrained", "numbers of a fresh matrix", lambda x: _frozen(count=int(x)), 199, 201),
    ("input-scale", "input size",
     lambda x: make.with_records(well(), lambda r: {"inputs": (replace(r.inputs[0], values=spread(x)),)}), 9, 11),
    ("target-scale", "target size", _regression, 29, 31),
    ("duplicates", "shared examples",
     lambda x: replace(well(), split=SplitFacts(train=8000, dev=1000, shared=int(x))), 10, 11),
    ("batch-norm-small-batch", "examples for batch norm", _batch_norm, 8, 7),
    ("dropout-too-high", "dropout", _dropout, 0.6, 0.61),
    ("overfitting", "held-out loss over its best", _overfit, 1.02, 1.04),
    ("sees-the-future", "same output", _probe("future"), 0.9e-3, 1.1e-3),
    ("examples-mixed", "same output", _probe("neighbours"), 0.9e-3, 1.1e-3),
    ("random-in-evaluation", "same output", _probe("repeat"), 0.9e-3, 1.1e-3),
    ("input-ignored", "same output", _probe("input"), 1.1e-3, 0.9e-3),
    ("running-statistics", "running mean", lambda x: _norm(1e-4, mean_apart=x), 0.95, 1.05),
    ("running-statistics", "running spread", lambda x: _norm(1e-4, std_ratio=x), 1.95, 2.05),
    ("running-statistics", "running spread", lambda x: _norm(1e-4, std_ratio=1 / x), 1.95, 2.05),
    # 180 steps: the last that is recorded
    ("running-statistics", "first statistics left",
     lambda x: _norm(1 - x ** (1 / 180), mean_apart=3.0), 0.09, 0.11),
    ("rate-ended", "rate that is left",
     lambda x: _rates(lambda step: 0.1 if step < 50 else 0.1 * x, make.stuck(well())), 1.1e-3, 0.9e-3),
    ("clipped-before-unscaling", "gradient left by a clip",
     lambda x: make.with_records(_kept(x / 65536, scale=65536.0), gradient_norm=1 / 65536), 0.011, 0.009),
    ("clip-too-short", "gradient left by a clip", _kept, 0.011, 0.009),
    ("clip-too-short", "same length",
     lambda x: make.with_records(_kept(1e-4), lambda r: {"gradient_norm": 0.5 + 0.5 * x * (r.step == 20)}),
     1.1e-3, 0.9e-3),
    ("learning-rate-too-high", "divergence of any loss",
     lambda x: replace(make.with_parameter(make.with_records(well(), logits=None), update_to_data=0.02), loss=None,
                       losses=tuple(replace(one, loss=2.0 if one.step < 20 else 2.0 * x) for one in well().losses)),
     9, 11),
    ("input-ignored", "same output", _probe("input", where="1"), 1.1e-3, 0.9e-3),
    ("optimiser-remade", "steps by optimisers of one step", lambda x: replace(
        well(), optimiser=OptimiserFacts(kind="Adam", groups=({"lr": 1e-2, "beta1": 0.9},), replaced=round(200 * x))),
        0.5, 0.51),
    ("class-not-in-loss", "same output", lambda x: _by_class(x, 0.5), 1.1e-3, 0.9e-3),
    ("inputs-scrambled", "neighbours in a picture", lambda x: _pictures(0.0, x), 0.09, 0.11),
    ("inputs-scrambled", "neighbours that are mixed", lambda x: _pictures(x, 1.0), 0.51, 0.49),
    ("inputs-scrambled", "rows in a picture", lambda x: make.with_facts(
        _probe("channels last")(x), "fc1", role="convolution"), 0.49, 0.51),
    ("reads-padding", "same output", _probe("padding"), 0.9e-3, 1.1e-3),
    ("state-carried-over", "same output", _probe("history", repeat=0.0), 0.9e-3, 1.1e-3),
    ("state-carried-over", "chance of memory", lambda x: _probe("history", repeat=x)(1.0), 0.11, 0.09),
    ("mask-inverted", "same output", lambda x: _probes(content=x, input=0.5), 1.1e-3, 0.9e-3),
    ("no-positions", "same output", lambda x: _attends(_probes(order=x, input=0.5)), 1.1e-3, 0.9e-3),
    ("output-constant", "spread of the outputs", _autoencoder, 0.11, 0.09),
    ("output-constant", "spread at a bottleneck", lambda x: _autoencoder(0.05, x), 0.021, 0.019),
    ("inputs-drift", "fading of the inputs", lambda x: _fading(1 / x), 9, 11),
    ("inputs-repeat", "held-out loss over its best", lambda x: _repeating(_overfit(x)), 1.02, 1.04),
    ("padding-counted", "targets at padding", lambda x: make.with_logits(well(), padded=x), 0.19, 0.21),
    ("output-range", "targets beyond the output",
     lambda x: make.with_records(_chain(("mean", "pow", "sub", "relu"), kind="mse"), beyond=x), 0.04, 0.06),
    ("logits-bounded", "logits near their bound",
     lambda x: make.with_logits(well(), values=replace(spread(0.5), low=-x, high=x)), 0.89, 0.91),
    ("labels-shifted", "targets that are ids read",
     lambda x: make.with_logits(well(), shifts=(0.1, 0.1, x)), 0.98, 1.0),
    ("labels-shifted", "targets that are the next ids",
     lambda x: make.with_logits(well(), shifts=(0.1, x, 1.0)), 0.51, 0.49),
    ("labels-shifted", "loss of a copy",
     lambda x: make.with_logits(make.with_losses(well(), start=2.3, end=x * math.log(V)), shifts=(1.0, 0.1, 0.1)),
     0.04, 0.001),
    ("labels-unrelated", "targets told from inputs",
     lambda x: replace(_unrelated(), relation=Relation(examples=500, beyond_chance=x)), 5.1, 4.9),
    ("labels-unrelated", "targets not told from inputs",
     lambda x: replace(_regression_at(1.1), relation=Relation(examples=500, beyond_chance=x, products=True)), 3.1, 2.9),
    ("labels-unrelated", "plateau above guess",
     lambda x: replace(_regression_at(1 + x), relation=Relation(examples=500, beyond_chance=0.0, products=True)),
     0.26, 0.24),
    ("not-shuffled", "mixture of a minibatch", _batches, 2, 1),
    ("not-shuffled", "targets of a minibatch", lambda x: _batches(0, size=int(x)), 7, 8),
    ("few-examples", "different examples", _rows, 9, 8),
    ("few-examples", "different examples", _alike, 0.99, 1.0),
    ("one-id", "share of one id", _ids, 0.79, 0.81),
    ("copies-inputs", "targets that can be copied", _copied, 0.59, 0.61),
    ("evaluation-inputs-differ", "inputs of another scale", _evaluated_on, 4.9, 5.1),
    ("evaluation-inputs-differ", "inputs of another scale", lambda x: _evaluated_on(0.0, std=1 / x), 4.9, 5.1),
    ("evaluation-inputs-differ", "inputs of another scale", lambda x: _evaluated_on(0.0, std=x), 4.9, 5.1),
    ("evaluation-differs", "loss in evaluation", _evaluated_to, 1.95, 2.2),
    ("evaluation-differs", "evaluation near the start", lambda x: _evaluated_to(4.0, start=x), 8.3, 7.7),
    ("loss-unbounded", "size of a loss without floor", _runs_away, 19, 22),
    ("attention-saturated", "weight on one position", _softmax, 0.69, 0.71),
    ("attention-saturated", "positions of attention", lambda x: _softmax(0.9, positions=int(x)), 7, 8),
    ("rate-ended", "fall of a network that learns", _lowered, 0.09, 0.13),
    ("held-out-unrelated", "learnt well", lambda x: _held_out(2.6, x * math.log(V)), 0.51, 0.49),
    ("class-never-a-target", "classes to count", lambda x: _never(int(x), each=60), 21, 20),
    ("class-never-a-target", "targets for each class", lambda x: _never(10, each=x), 40, 60),
    ("adam-epsilon", "faint gradients",
     lambda x: make.with_parameter(make.with_optimiser(well(), eps=1e-16), faint=x), 0.009, 0.011),
]  # fmt: skip


def _never(classes: int, *, each: float) -> Measurements:
    """Targets of all classes but the last, so many for each class on average."""
    seen = well()
    of_a_class = each * classes / len(seen.steps) / (classes - 1)
    return make.with_logits(seen, classes=classes, targets=(round(of_a_class),) * (classes - 1) + (0,))


@pytest.mark.parametrize(
    ("found", "seen", "note", "more"),
    [
        ("overconfident-start", lambda x: _start(x * math.log(V)), 2.9, 3.1),
        ("vanishing-gradients", lambda x: replace(_gradients(x), source="examine", losses=()), 1.1e-4, 0.9e-4),
    ],
    ids=["overconfident-start", "vanishing-gradients"],
)
def test_what_is_slight_is_a_note(found: str, seen: Seen, note: float, more: float):
    severities = [{one.id: one.severity for one in diagnose(seen(x)).findings}[found] for x in (note, more)]
    assert severities[0] == "note"
    assert severities[1] != "note"


@pytest.mark.parametrize(
    ("found", "threshold", "seen", "fine", "faulty"), EDGES, ids=[f"{i}-{edge[0]}" for i, edge in enumerate(EDGES)]
)
def test_at_the_threshold(found: str, threshold: str, seen: Seen, fine: float, faulty: float):
    assert threshold in THRESHOLDS
    assert found not in ids(seen(fine))
    assert found in ids(seen(faulty))


# -- what is there or not ----------------------------------------------------------------------------------------------


def _negative() -> Measurements:
    seen = make.with_losses(well(), start=2.3, end=60.0)
    seen = replace(seen, losses=tuple(LossPoint(step=one.step, loss=-one.loss) for one in seen.losses))
    return make.with_records(seen, lambda one: {"loss": -one.loss})


def _summed() -> Measurements:
    seen = make.stuck(well())  # 32 targets in each batch
    seen = replace(seen, losses=tuple(LossPoint(step=one.step, loss=32 * one.loss) for one in seen.losses))
    return make.with_records(seen, lambda one: {"loss": 32 * one.loss})


def _twice_outside() -> Measurements:
    """Softmax between the model's logits and the loss."""
    chain = ("nll_loss", "log_softmax", "softmax", "addmm")
    return replace(well(), loss=LossFacts(kind="cross_entropy", reduction="mean", chain=chain, classes=V))


def _twice_inside() -> Measurements:
    """Softmax as the model's last layer; the loss takes its output as logits."""
    return make.with_logits(well(), rows_sum_to_one=True)


def _unrelated() -> Measurements:
    return make.with_parameter(make.with_losses(well(), start=2.302, end=2.302), update_to_data=2e-2)


def _scalar() -> Measurements:
    seen = make.with_losses(well(), start=0.0, end=0.0)
    return make.with_logits(seen, classes=1, targets=(32,), max_probability=1.0, entropy=0.0)


def _broadcast() -> Measurements:
    """Targets of variance 1, all held against outputs near 0: the gradient points to their mean."""
    seen = make.with_records(well(), logits=None, loss=1.05, output=spread(0.2), target_mean=0.0, target_std=1e-8)
    losses = tuple(LossPoint(step=step, loss=1.05) for step in range(make.STEPS))
    return replace(seen, loss=LossFacts(kind="mse", reduction="mean"), losses=losses)


def _never_reset() -> Measurements:
    return make.with_records(well(), left_over_norm=0.4)


def _all(seen: Measurements, **changes: object) -> Measurements:
    return make.with_parameter(seen, *(one.name for one in seen.parameters), **changes)


def _evaluation_mode() -> Measurements:
    seen = make.with_facts(well(), "act1", role="dropout", kind="Dropout", bounded=False, settings={"p": 0.2})
    for name in ("fc1", "act1", "fc2", "act2", "out"):
        seen = make.with_layer(seen, name, training=False)
    return seen


def _frozen_norms() -> Measurements:
    seen = make.with_facts(well(), "act1", role="batch_norm", kind="BatchNorm1d", bounded=False)
    seen = make.with_facts(make.with_facts(seen, "fc1", bias=False), "fc2", reads=())
    return make.with_layer(seen, "act1", training=False)


def _biased_norm() -> Measurements:
    seen = make.with_facts(well(), "act1", role="batch_norm", kind="BatchNorm1d", bounded=False)
    return make.with_layer(seen, "act1", dead=None, saturated=None)


def _constant_weights() -> Measurements:
    return make.with_parameter(well(), identical_units=True)


def _nan_input() -> Measurements:
    return make.with_records(well(), lambda one: {"inputs": (replace(one.inputs[0], values=spread(1.0, nonfinite=2)),)})


def _broken(direction: str) -> Measurements:
    return replace(well(), first_nonfinite=NonFinite(where="fc2", direction=direction, step=3))  # type: ignore[arg-type]


THERE: list[tuple[str, Callable[[], Measurements]]] = [
    ("input-contains-target", lambda: replace(
        well(), relation=Relation(examples=500, beyond_chance=9.0, same_as=3))),
    ("not-shuffled", lambda: _batches(0, classes=V)),
    ("loss-flat", lambda: _logged(lambda step: 2.0 + 0.01 * (step % 3))),
    ("loss-flat", lambda: _logged(lambda step: 1.0 if step < 100 else 0.2 if step % 8 else 3.2)),
    ("loss-zeroed", lambda: _logged(lambda step: _falls(step) * (step < 200), math.nan)),
    ("loss-zeroed", lambda: _logged(lambda step: _falls(step) * (step < 200), dev=math.nan)),
    ("state-not-saved", lambda: _tried("modes and saved weights", "after saving and loading", 0.0)),
    ("loss-sign", _negative),
    ("loss-summed", _summed),
    ("loss-summed", lambda: replace(
        make.with_records(well(), logits=None), loss=LossFacts(kind="cross_entropy", reduction="sum"))),
    ("softmax-twice", _twice_outside),
    ("softmax-twice", _twice_inside),
    ("sigmoid-twice", lambda: _chain(
        ("binary_cross_entropy_with_logits", "sigmoid", "addmm"), kind="binary_cross_entropy", pure=False)),
    ("loss-of-probabilities", lambda: _chain(("nll_loss", "softmax", "addmm"), kind="other")),
    ("loss-of-probabilities", lambda: _chain(("nll_loss", "addmm"), kind="other")),
    ("loss-of-probabilities", lambda: _chain(
        ("div", "sum", "sub", "mul", "softmax", "addmm"), _negative, kind="other")),
    ("targets-outside-range", lambda: _chain(
        ("binary_cross_entropy_with_logits", "addmm"), _negative, kind="binary_cross_entropy")),
    ("softmax-axis", lambda: replace(well(), loss=replace(_loss(), softmax_axis=0, output_shape=(32, V)))),
    ("axes-exchanged", lambda: replace(
        well(), loss=replace(_loss(), exchanges=(Reshape(before=(32, 12, 32), after=(32, 4, 12, 8)),)))),
    ("batch-first", _time_first),
    ("unregistered-layers", lambda: replace(well(), loss=replace(_loss(), foreign=6))),
    ("no-graph", lambda: make.with_records(well(), detached=True)),
    ("labels-shifted", lambda: replace(
        make.with_logits(well(), shifts=(1.0, 0.1, 0.1)), probes=(Probe(name="own", changed=0.5, scale=1.0),))),
    ("single-output", _scalar),
    ("loss-broadcast", _broadcast),
    ("loss-broadcast", lambda: replace(well(), loss=replace(_loss(), kind="other", compared=32, output_shape=(32, 2)))),
    ("loss-of-probabilities", lambda: _chain(("neg", "mean", "sigmoid", "mul", "addmm"), kind="other")),
    ("softmax-of-one", lambda: replace(well(), loss=replace(_loss(), single_softmaxes=1))),
    ("class-never-a-target", lambda: make.with_logits(well(), targets=(16, 16, 16, 16, 16, 16, 16, 16, 16, 0))),
    ("held-out-unrelated", lambda: _held_out(2.6)),
    ("best-not-kept", lambda: replace(well(), restored_itself=150)),
    ("not-in-optimiser", lambda: replace(well(), loss=replace(_loss(), unstepped=((5, 16),)))),
    ("not-learning", lambda: _likenesses(math.log(127))),
    ("not-learning", lambda: _shares_as_targets(2.303, 2.303)),
    ("not-learning", lambda: _shares_as_targets(2.303, 2.302, noise=0.02)),
    ("not-learning", lambda: _rare_large_losses(0.9)),
    ("labels-constant", lambda: make.with_logits(well(), targets=(0, 0, 32, 0, 0, 0, 0, 0, 0, 0))),
    ("labels-unrelated", _unrelated),
    ("gradients-not-zeroed", _never_reset),
    ("no-step", lambda: make.with_records(_all(make.stuck(well()), moved=False), optimiser_steps=0)),
    ("no-step", lambda: make.with_records(_all(make.stuck(well()), moved=False), lr=(0.0,))),
    ("not-in-optimiser", lambda: make.with_parameter_facts(well(), "fc1.weight", in_optimiser=False)),
    ("not-in-optimiser", lambda: _without_optimiser(make.with_parameter(well(), "fc1.weight", moved=False))),
    ("not-reached-by-gradient", lambda: _cut_off("fc1.weight")),
    ("not-reached-by-gradient", lambda: make.with_parameter(make.with_parameter_facts(
        _last_bias_without_a_slope(), "out.weight", reached=False), "out.weight", gradient=None)),
    ("unused-layer", lambda: make.with_facts(
        _cut_off("fc1.weight"), "fc1", depth=None)),
    ("evaluation-mode", _evaluation_mode),
    ("no-nonlinearity", lambda: make.without(well(), "act1")),
    ("examples-mixed", lambda: _mixing(
        role="attention", reads_shape=(32, 4, 8), settings={"batch_first": False})),
    ("examples-mixed", lambda: _mixing(role="batch_norm", settings={"track_running_stats": True})),
    ("vanishing-signal", lambda: _faint("fc2", "act2", "out")),
    ("input-scale", lambda: _bytes(100.0)),
    ("frozen-untrained", lambda: _frozen(count=4096)),
    ("bias-before-batch-norm", _biased_norm),
    ("few-examples", lambda: _beside_another_input(different=3)),
    ("few-examples", lambda: _beside_another_input(values=spread(0.0), different=None)),  # a mask that masks nothing
    ("layers-shared", lambda: make.with_facts(well(), "fc1", aliases=("blocks.0", "blocks.1", "blocks.2"))),
    ("layers-shared", lambda: make.with_facts(make.stuck(well()), "fc1", aliases=("blocks.0", "blocks.1", "blocks.2"))),
    ("backward-direction-unread", lambda: _directions(1, 1, 8)),
    ("identical-units", _constant_weights),
    ("input-not-finite", _nan_input),
    ("not-finite", lambda: _broken("forward")),
    ("adam-epsilon", lambda: make.with_optimiser(well(), eps=0.0)),
    ("not-learning", lambda: make.with_parameter(
        make.with_losses(well(), start=2.8, end=2.8), update_to_data=2e-2)),
    ("all-frozen", lambda: replace(
        well(), parameters=tuple(replace(one, requires_grad=False) for one in well().parameters))),
    ("evaluation-mode", lambda: _evaluation_mode_from(100)),
    ("no-step", lambda: _all(make.stuck(_of_another()), moved=False)),
    ("no-step", lambda: make.with_records(_all(make.stuck(well()), moved=False, gradient=None), detached=False)),
    ("not-in-optimiser", lambda: make.with_parameter_facts(well(), "fc1.weight", in_optimiser=False, replaced=20)),
    ("never-called", lambda: make.with_records(
        _all(well(), gradient=None, moved=False), layers=(), forward_passes=0)),
    ("layers-not-seen", lambda: make.with_records(well(), layers=(), forward_passes=0)),
    ("gradients-are-zero", lambda: make.with_records(_kept(0.0), gradient_norm=0.0)),
    ("gradients-are-zero", lambda: make.with_records(_kept(0.0), gradient_norm=0.0, backward_norm=math.inf)),
    ("tie-broken", lambda: _tied("fc1.weight", requires_grad=True)),
    ("told-loss-not-finite", lambda: replace(_broken("loss"), losses=_one_nan())),
    ("not-finite", _never_finite),
    ("accumulation-not-averaged", lambda: make.with_records(
        make.with_parameter(make.stuck(well()), update_to_data=2.0), backward_passes=16, pass_share=1.0)),
]  # fmt: skip


def _held_out(dev: float, train: float = 0.1, told: float = 9.0) -> Measurements:
    """Evaluations that all come to the same, of a network whose targets can be told from its inputs so well."""
    points = tuple(EvaluationPoint(step=step, dev=dev, train=train) for step in (50, 100, 150, 200))
    return replace(well(), evaluations=points, relation=Relation(examples=500, beyond_chance=told))


def _likenesses(loss: float) -> Measurements:
    """Losses of 128 choices between examples, of which no class is known."""
    seen = make.with_parameter(make.with_losses(well(), start=5.1, end=loss), update_to_data=1e-3)
    seen = make.with_records(seen, logits=None)
    return replace(seen, loss=LossFacts(kind="other", pure=False, choices=128, chain=("nll_loss", "log_softmax", "mm")))


def _shares_as_targets(start: float, end: float, noise: float = 0.0) -> Measurements:
    """A cross-entropy with probabilities as targets, whose entropy is not known."""
    seen = make.with_parameter(make.with_losses(well(), start=start, end=end), update_to_data=2e-2)
    chain = ("neg", "mean", "sum", "mul", "log_softmax", "addmm")
    points = tuple(replace(one, loss=one.loss + noise * (-1) ** one.step) for one in seen.losses)
    return replace(make.with_records(seen, logits=None), loss=replace(_loss(), chain=chain), losses=points)


def _rare_large_losses(usual: float) -> Measurements:
    """A squared error that every tenth minibatch is a hundred times as large; the others end at this."""
    seen = make.with_parameter(well(), update_to_data=2e-2)
    points = tuple(
        replace(one, loss=100.0 if one.step % 10 == 0 else 1.0 + (usual - 1.0) * min(one.step / 50, 1.0))
        for one in seen.losses
    )
    held_out = tuple(replace(one, dev=10.0, train=10.0) for one in seen.evaluations)
    loss = LossFacts(kind="mse", chain=("mse_loss", "addmm"))
    seen = make.with_records(seen, logits=None, target_mean=0.0, target_std=3.0)
    return replace(seen, losses=points, evaluations=held_out, loss=loss)


def _faint(*names: str) -> Measurements:
    """Layers that hardly differ between examples, and a last one of which it is not known what it reads."""
    seen = make.stuck(well())
    for name in names:
        seen = make.with_layer(seen, name, across=1e-6)
    return make.with_facts(seen, "out", reads=())


def _rounded(*, lr: float, dtype: str = "bfloat16", only: float = 1.0, moved: float = 0.0) -> Measurements:
    """Weights of a type, and steps of a size; `only` a share of the weights are of the size 0.2, others of 0.002."""
    seen = make.with_records(well(), lr=(lr,))
    for name in ("fc1.weight", "fc2.weight", "out.weight"):
        seen = make.with_parameter_facts(seen, name, dtype=dtype)
        seen = make.with_parameter(seen, name, update_to_data=moved)
    if only < 1:
        sizes = {
            "fc1.weight": (8, round(1000 * only)),
            "fc2.weight": (8, 1000 - round(1000 * only)),
            "out.weight": (8, 0),
        }
        for name, shape in sizes.items():
            seen = make.with_parameter_facts(seen, name, shape=shape)
        seen = make.with_parameter(seen, "fc2.weight", data=spread(0.002))
    return seen


def _frozen(*, low: float = -1.0, high: float = 1.0, std: float = 3**-0.5, count: int = 512) -> Measurements:
    """A frozen first layer whose numbers are spread so, in units of 1/sqrt(fan_in)."""
    unit = 8**-0.5
    seen = make.with_parameter_facts(well(), "fc1.weight", requires_grad=False)
    data = Spread(count=count, mean=0.0, std=std * unit, rms=std * unit, low=low * unit, high=high * unit, nonfinite=0)
    return make.with_parameter(seen, "fc1.weight", data=data, gradient=None, moved=False)


def _on_a_frozen_body() -> Measurements:
    seen = well()
    for name in ("fc1", "fc2"):
        seen = make.with_parameter_facts(seen, f"{name}.weight", requires_grad=False)
    return make.with_parameter(seen, "out.weight", data=spread(0.0), identical_units=True)


def _bytes(size: float) -> Measurements:
    """Whole numbers that are no ids, which the network scales so that the first layer reads some of this size."""
    seen = make.with_records(well(), lambda r: {"inputs": tuple(replace(one, ids=True) for one in r.inputs)})
    weight = next(one for one in seen.steps[0].parameters if one.name == "fc1.weight").data.rms
    return make.with_layer(seen, "fc1", output=spread(size * weight * math.sqrt(8)))


def _evaluation_mode_from(step: int) -> Measurements:
    """Evaluation mode in all layers from some step on."""
    seen = make.with_facts(make.with_facts(well(), "fc2", reads=()), "act1", role="dropout", kind="Dropout",
                           bounded=False, settings={"p": 0.2})  # fmt: skip
    return make.with_records(
        seen, lambda r: {"layers": tuple(replace(one, training=r.step < step) for one in r.layers)}
    )


def _of_another() -> Measurements:
    seen = well()
    for one in seen.parameters:
        seen = make.with_parameter_facts(seen, one.name, in_optimiser=False)
    assert seen.optimiser is not None
    return replace(seen, optimiser=replace(seen.optimiser, foreign=6))


def _tied(name: str, **facts: object) -> Measurements:
    table = make.with_parameter_facts(well(), "fc2.weight", table=True, weight_matrix=False)
    return make.with_parameter_facts(table, name, copy_of="fc2.weight", **facts)


def _one_nan() -> tuple[LossPoint, ...]:
    return tuple(replace(one, loss=math.nan) if one.step == 3 else one for one in well().losses)


def _norm(momentum: float, **statistics: float) -> Measurements:
    """A batch norm that was compared with its batch late in the training."""
    seen = make.with_facts(make.with_facts(well(), "fc1", bias=False), "fc2", reads=())
    seen = make.with_facts(
        seen, "act1", role="batch_norm", kind="BatchNorm1d", bounded=False, settings={"momentum": momentum}
    )
    batch = BatchStatistics(**{"rows": 32, "mean_apart": 0.1, "std_ratio": 1.0, **statistics})
    return make.with_layer(seen, "act1", batch=batch, saturated=None, dead=None)


def _rates(rate: Callable[[int], float], seen: Measurements) -> Measurements:
    return make.with_records(seen, lambda one: {"lr": (rate(one.step),)})


def _cut_off(name: str) -> Measurements:
    return make.with_parameter(make.with_parameter_facts(well(), name, reached=False), name, gradient=None)


def _last_bias_without_a_slope() -> Measurements:
    facts = {"layer": "out", "shape": (10,), "weight_matrix": False}
    return make.with_parameter_facts(_cut_off("fc2.weight"), "fc2.weight", **facts)


def _without_optimiser(seen: Measurements) -> Measurements:
    """Let it not be known what the optimiser has."""
    for one in seen.parameters:
        seen = make.with_parameter_facts(seen, one.name, in_optimiser=None, group=None)
    return make.with_records(replace(seen, optimiser=None), optimiser_steps=None, lr=())


@pytest.mark.parametrize(("found", "seen"), THERE, ids=[f"{i}-{one[0]}" for i, one in enumerate(THERE)])
def test_what_is_there_is_found(found: str, seen: Callable[[], Measurements]):
    assert found in ids(seen())


def test_gradients_whose_norm_overflowed_are_told_from_those_that_were_lost():
    said = {}
    for norm in (1.0, 1e19):
        seen = make.with_records(_kept(0.0), gradient_norm=0.0, backward_norm=norm)
        (said[norm],) = (one.title for one in diagnose(seen).findings if one.id == "gradients-are-zero")
    assert "overflow" in said[1e19]
    assert "overflow" not in said[1.0]


def test_passes_that_are_divided_by_their_number_are_no_fault():
    def found(share: float) -> set[str]:
        seen = make.with_parameter(make.stuck(well()), update_to_data=2.0)
        return ids(make.with_records(seen, backward_passes=16, pass_share=share))

    assert "accumulation-not-averaged" in found(1.0)
    assert "accumulation-not-averaged" not in found(1 / 16)
    assert "learning-rate-too-high" in found(1 / 16)


HEALTHY: dict[str, Callable[[], Measurements]] = {
    "weights that have a constant spread beside their mean": lambda: make.with_parameter(
        make.with_parameter_facts(well(), "fc2.weight", layer="fc1", shape=(64, 8)), "fc1.weight", "out.weight",
        identical_units=True,
    ),
    "an optimiser without a state for each step": lambda: replace(
        well(), optimiser=OptimiserFacts(kind="SGD", groups=({"lr": 1e-2, "momentum": 0.0},), replaced=199)
    ),
    "few different rows beside a state that is carried over": lambda: _beside_another_input(
        shape=(1, 32, 8), different=None
    ),
    "few different rows beside rows that differ": lambda: _beside_another_input(different=32),
    "both directions, each where it has read all": lambda: _directions(1, 1, 0),
    "both directions at every place": lambda: _directions(9, 9, 0),
    "both directions of a sequence of two": lambda: _directions(1, 1, 1, places=2),
    "the backward direction at the last place, beside all of the forward one": lambda: _directions(9, 1, 8),
    "a loss that depends on no class's outputs": lambda: _by_class(0.0, 0.0),
    "rows of pictures without a convolution": lambda: _probe("channels last")(0.9),
    "shares as targets, near to one another, that are learnt": lambda: _shares_as_targets(2.303, 2.293),
    "a few targets that are grossly wrong": lambda: _rare_large_losses(0.1),
    "likenesses that are learnt": lambda: _likenesses(math.log(100)),
    "shares as targets, whose entropy is near that of guessing": lambda: replace(
        _likenesses(math.log(127)),
        loss=LossFacts(kind="other", pure=False, choices=128, chain=("neg", "mean", "mul", "log_softmax", "mm")),
    ),
    "vanishing gradients in a network that learns": lambda: make.with_layer(well(), "fc1", gradient=spread(1e-9)),
    "long steps in a network that learns": lambda: make.with_parameter(well(), update_to_data=5.0),
    "short steps in a network that learns": lambda: make.with_parameter(well(), update_to_data=1e-7),
    "strong decay in a network that learns": lambda: make.with_optimiser(well(), kind="SGD", weight_decay=5.0),
    "much dropout in a network that learns": lambda: make.with_facts(
        make.with_facts(well(), "fc2", reads=()), "act1", role="dropout", bounded=False, settings={"p": 0.8}
    ),
    "large targets in a network that learns": lambda: replace(
        make.with_records(well(), logits=None, target_mean=1000.0, target_std=100.0),
        losses=tuple(LossPoint(step=s, loss=make.fall(s, start=2e4, end=10.0)) for s in range(200)),
    ),
    "batch norms frozen on purpose": _frozen_norms,
    "a frozen layer": lambda: make.with_parameter_facts(
        make.with_parameter(well(), "fc1.weight", moved=False, gradient=None), "fc1.weight",
        requires_grad=False, in_optimiser=False, reached=False,
    ),
    "a last layer of zeros": lambda: make.with_parameter(
        well(), "out.weight", identical_units=True, data=spread(0.0)
    ),
    "a narrow layer on purpose": lambda: make.with_facts(make.without(well(), "act1"), "fc1", fan_out=4),
    "a warm-up that begins at 0": lambda: _first_step_still(well()),
    "log-probabilities for the loss of them": lambda: replace(
        well(), loss=LossFacts(kind="cross_entropy", reduction="mean", chain=("nll_loss", "log_softmax", "addmm"))
    ),
    "probabilities whose log the loss takes": lambda: make.with_records(
        make.with_logits(well(), rows_sum_to_one=True), lambda one: {"loss": one.loss * 0.3}
    ),
    "a sum that is divided by the targets": lambda: replace(
        well(), loss=LossFacts(kind="cross_entropy", reduction="sum", chain=("div", "nll_loss", "log_softmax", "addmm"))
    ),
    "minibatches of one class each, in steps of several passes, as of a discriminator": lambda: _batches(
        0, backward_passes=2
    ),
    "a class that is rare, in minibatches that often have none of it": lambda: make.with_logits(
        well(), targets=(31, 1), classes=2, nats=None
    ),
    "a loss that falls below 0 ever more slowly, as of a density": lambda: _runs_away(40, power=0.5),
    "inputs of another scale that training never saw by that name": lambda: _evaluated_on(100.0, name="1"),
    "targets that are all read at their places, as an autoencoder's": lambda: make.with_logits(
        well(), shifts=(1.0, 0.1, 0.1)
    ),
    "a contrastive loss, whose softmax is of products": lambda: replace(
        make.with_logits(_unrelated(), nats=2.3),
        loss=LossFacts(kind="cross_entropy", reduction="mean", chain=("nll_loss", "log_softmax", "div", "mm", "div")),
        losses=well().losses, evaluations=well().evaluations,
    ),
    "targets that are all alike": lambda: replace(
        make.with_records(well(), lambda r: {"logits": None, "loss": 0.04 + r.loss / 100, "output": spread(0.2),
                                             "target_mean": 0.0, "target_std": 0.0}),
        loss=LossFacts(kind="mse", reduction="mean"),
        losses=tuple(LossPoint(step=s, loss=0.05 * 0.97**s) for s in range(200)),
    ),
    "a reward, which may be negative": lambda: replace(
        make.with_records(well(), logits=None, loss=-5.0), loss=LossFacts(kind="other"),
        losses=tuple(LossPoint(step=s, loss=-5.0) for s in range(200)),
    ),
    "a padding mask, where nothing can be changed": lambda: _probes(content=math.nan, input=0.5),
    "a network that ignores what it reads in whatever order": lambda: make.with_losses(
        _attends(_probes(order=0.5, input=0.5)), start=2.3, end=1.0
    ),
    "targets that are the ids read, of a network that cannot see these": lambda: replace(
        make.with_logits(well(), shifts=(1.0, 0.1, 0.1)), probes=(Probe(name="own", changed=0.0, scale=1.0),)
    ),
    "targets that are the ids read, of a network that sees all others too": lambda: replace(
        make.with_logits(well(), shifts=(1.0, 0.1, 0.1)),
        probes=(Probe(name="own", changed=0.5, scale=1.0, details={"earlier": 0.3}),),
    ),
    "a recurrent layer that is given time first": lambda: replace(
        _time_first(), loss=replace(_loss(), output_shape=(8, V))
    ),
    "one step whose output has no graph": lambda: _at_first(
        make.with_records(well(), detached=True), make.with_records(well(), detached=False)
    ),
    "a softmax over as many examples as there are classes": lambda: replace(
        well(), loss=replace(_loss(), softmax_axis=0, output_shape=(32, 32))
    ),
    "a network that is trained on, and sure of something else": lambda: make.with_parameter_facts(
        _start(5.0), "fc1.bias", requires_grad=False, in_optimiser=False
    ),
    "a parameter that is another network's": lambda: replace(
        well(), loss=replace(_loss(), foreign=2),
        optimiser=OptimiserFacts(kind="Adam", groups=({"lr": 1e-2},), foreign=2),
    ),
    "a divergence of log-probabilities": lambda: _chain(("div", "sum", "sub", "mul", "log_softmax", "addmm")),
    "a loss of several terms that falls below 0": lambda: replace(_negative_fall(), loss=replace(_loss(), pure=False)),
    "a last layer of zeros that makes the output 0": lambda: replace(
        make.with_parameter(well(), "out.weight", identical_units=True, data=spread(0.0)),
        probes=(Probe(name="input", changed=0.0, scale=0.0),),
    ),
    "duplicates by chance": lambda: replace(well(), split=SplitFacts(train=8000, dev=1000, shared=3)),
    "outputs that all become alike, of another shape than the inputs": lambda: make.with_layer(
        well(), "out", across=1e-4
    ),
    "a log of a loss that falls": lambda: _logged(_falls),
    "a log of a loss that comes down to 0": lambda: _logged(lambda step: _falls(step) * (step < 200)),
    "a log of a short training": lambda: _logged(lambda _: 2.0, steps=60),
    "a log of a loss that is negative": lambda: _logged(lambda step: -1.0 - step / 100),
    "a network whose state is saved": lambda: _tried("modes and saved weights", "after saving", 0.0, where=()),
    "a trial that was not made": lambda: replace(
        well(), trials=(TrialResult(name="modes and saved weights", question="?", where=("a",), not_run="no time"),)),
    "a held-out loss that wavers": lambda: _overfit(1.02),
    "minibatches that repeat, of a network that does not overfit": lambda: _repeating(well()),
    "inputs whose spread varies": lambda: make.with_records(
        well(), lambda r: {"inputs": (replace(r.inputs[0], values=spread(1.0 if r.step // 20 % 2 else 0.01)),)}
    ),
    "a few inactive units": lambda: make.with_layer(well(), "act2", dead=0.1, dead_now=0.3),
    "few labels yet": lambda: _cut(make.with_logits(well(), targets=(0, 0, 8, 0, 0, 0, 0, 0, 0, 0)), 1),
    "a loss that falls slowly": lambda: _slow(2.40, 2.24),
    "a held-out loss that falls where the training's wavers": lambda: replace(
        _unrelated(), evaluations=tuple(EvaluationPoint(step=50 * n, dev=2.7 - 0.1 * n) for n in (1, 2, 3, 4))
    ),
    "a loss that begins low and moves little, by short steps": lambda: make.with_parameter(
        make.with_losses(well(), start=2.2, end=2.12), update_to_data=1e-6
    ),
    "units that were inactive at first": lambda: _at_first(make.with_layer(well(), "act2", dead=0.9, dead_now=0.9)),
    "one bad evaluation": lambda: replace(
        well(),
        evaluations=tuple(
            EvaluationPoint(step=s, dev=dev, train=0.5) for s, dev in ((50, 1.2), (100, 1.0), (150, 1.0), (200, 1.4))
        ),
    ),
    "norms frozen late on purpose": lambda: make.with_records(
        _frozen_norms(),
        lambda r: {"layers": tuple(replace(x, training=x.name != "act1" or r.step < 100) for x in r.layers)}),
    "one evaluation's mode in a recorded step": lambda: make.with_records(
        _evaluation_mode_from(1000),
        lambda r: {"layers": tuple(replace(x, training=r.step != 100) for x in r.layers)}),
    "running statistics that lag, with the usual momentum and no cost": lambda: _norm(0.1, mean_apart=3.0),
    "a clip that always acts, in a network that learns": lambda: _kept(1e-4, seen=well()),
    "a clip of unscaled gradients, and a scale": lambda: _kept(0.5 / 65536, scale=65536.0),
    "a schedule that ends at 0": lambda: _rates(lambda step: 0.1 * (1 - step / 180), make.stuck(well())),
    "a schedule that ended where all was learnt": lambda: _rates(lambda step: 0.1 if step < 50 else 0.0, well()),
    "gradients that are averaged over passes": lambda: make.with_records(
        well(), backward_passes=16, pass_share=1 / 16),
    "gradients that are summed over passes, of a network that learns": lambda: make.with_records(
        well(), backward_passes=16, pass_share=1.0),
    "a frozen copy of a table": lambda: _tied("fc1.weight", requires_grad=False),
    "a gradient that comes by a way that the graph does not show": lambda: make.with_parameter_facts(
        well(), "fc1.weight", reached=False),
    "the last bias of a network that returns the slope of its output": _last_bias_without_a_slope,
    "layers that run inside a transformation": lambda: replace(
        make.with_records(_all(well(), gradient=None, moved=False), layers=(), forward_passes=0, optimiser_steps=None),
        not_measured=(NotMeasured(what="the layers", because="the network is run inside a transformation"),)),
    "a generator whose loss rises": lambda: replace(
        make.with_parameter(make.with_records(well(), logits=None), update_to_data=0.05), loss=LossFacts(kind="other"),
        losses=tuple(replace(one, loss=0.7 + one.step / 10) for one in well().losses)),
    "many layers that each lose a little": lambda: _deep(make.with_layer(well(), "act2", across=0.5e-4), 8),
    "small steps in float32": lambda: _rounded(lr=1e-5, dtype="float32"),
    "small steps, rounded by chance": lambda: _rounded(lr=1e-4, moved=2**-7),
    "frozen weights that were trained, beyond the bound": lambda: _frozen(low=-1.3, high=1.2),
    "frozen weights that do not come near the bound": lambda: _frozen(low=-0.9, high=0.9),
    "frozen weights that are not spread evenly": lambda: _frozen(std=0.4),
    "fresh weights that learn": lambda: make.with_parameter_facts(_frozen(), "fc1.weight", requires_grad=True),
    "a last layer of zeros on a frozen network": _on_a_frozen_body,
    "bytes that the network scales itself": lambda: _bytes(1.0),
    "rows that are one sequence": lambda: _mixing(role="recurrent", reads_shape=(32, 8)),
    "rows that are one sequence, of a batch of one": lambda: _mixing(
        role="attention", reads_shape=(32, 1, 8), settings={"batch_first": False}),
    "a batch norm without running statistics": lambda: _mixing(
        role="batch_norm", settings={"track_running_stats": False}),
    "a product whose output also goes around the next one": lambda: make.with_facts(
        make.without(well(), "act1"), "out", reads=()),
    "a product whose output is also read by a module of its own": lambda: make.with_facts(
        make.without(well(), "act1"), "act2", role="other", one_sided=False, reads=("fc1", "fc2")),
    "a branch from 0 before the last layer": lambda: make.with_facts(
        make.with_layer(well(), "act2", across=0.0), "out", reads=()),
}  # fmt: skip


def _mixing(**facts: Any) -> Measurements:
    """Rows that depend on each other, by a layer of these facts."""
    return make.with_facts(_probe("neighbours")(1.0), "fc1", **{"fan_in": None, **facts})


def _cut(seen: Measurements, records: int) -> Measurements:
    return replace(seen, steps=seen.steps[:records])


def _at_first(seen: Measurements, later: Measurements | None = None) -> Measurements:
    """Let only the first record be changed."""
    return replace(seen, steps=(seen.steps[0], *(later or well()).steps[1:]))


def _slow(start: float, end: float) -> Measurements:
    """A loss that has not come below guessing yet, and is on its way."""
    seen = make.with_parameter(make.with_losses(well(), start=start, end=end), update_to_data=2e-2)
    losses = tuple(replace(one, loss=start + (end - start) * one.step / make.STEPS) for one in seen.losses)
    return replace(seen, losses=losses, evaluations=())


def _deep(seen: Measurements, more: int) -> Measurements:
    """Put linear layers of the second's kind before the last one."""
    fc2 = next(one for one in seen.layers if one.name == "fc2")
    extra = tuple(replace(fc2, name=f"fc2{i}", reads=(), parameters=()) for i in range(more))
    seen = replace(seen, layers=(*seen.layers[:3], *extra, *seen.layers[3:]))
    return make.with_records(
        seen,
        lambda r: {
            "layers": (*r.layers[:3], *(replace(r.layers[2], name=one.name) for one in extra), *r.layers[3:]),
        },
    )


def _first_step_still(seen: Measurements) -> Measurements:
    still = tuple(replace(one, moved=False, update_to_data=0.0) for one in seen.steps[0].parameters)
    return replace(seen, steps=(replace(seen.steps[0], lr=(0.0,), parameters=still), *seen.steps[1:]))


@pytest.mark.parametrize("seen", HEALTHY.values(), ids=HEALTHY.keys())
def test_what_is_healthy_has_no_finding(seen: Callable[[], Measurements]):
    assert ids(seen()) == set()


def test_a_loss_that_came_down_to_guessing_has_learnt_the_frequencies_only():
    seen = make.with_parameter(make.with_losses(well(), start=8.0, end=2.302), update_to_data=2e-2)
    flat = tuple(replace(one, loss=8.0 if one.step < 30 else 2.302) for one in seen.losses)
    held_out = tuple(replace(one, dev=2.302) for one in seen.evaluations)
    assert "labels-unrelated" in ids(replace(seen, losses=flat, evaluations=held_out))


def test_a_loss_that_blew_up_shows_the_rate_without_any_record():
    losses = tuple(LossPoint(step=step, loss=2.3 * 1.05**step) for step in range(100))
    seen = Measurements(framework="backlight", source="examine", model="MLP", losses=losses)
    assert ids(seen) == {"learning-rate-too-high"}


def test_labels_of_a_contrastive_loss_are_not_the_outputs_classes():
    chain = ("nll_loss", "log_softmax", "div", "mm", "div")
    seen = replace(_unrelated(), loss=LossFacts(kind="cross_entropy", reduction="mean", chain=chain))
    assert ids(seen) == {"not-learning"}


def test_last_resorts_are_silent_where_something_serious_was_found():
    seen = make.with_records(_unrelated(), lambda r: {"inputs": (replace(r.inputs[0], values=spread(100.0)),)})
    assert ids(_unrelated()) == {"labels-unrelated"}
    assert ids(seen) == {"input-scale"}


def test_a_held_out_loss_that_rises_is_overfitting_and_one_that_never_fell_is_not():
    better_once = EvaluationPoint(step=20, dev=2.2, train=1.0)
    seen = _held_out(2.6)
    assert ids(replace(seen, evaluations=(better_once, *seen.evaluations))) == {"overfitting"}
    assert ids(seen) == {"held-out-unrelated"}
    assert "held-out-unrelated" not in ids(_held_out(2.6, told=1.0))  # learnt by heart


def test_every_check_has_found_something_here():
    """A check that no test makes speak may as well not be there."""
    spoken = set()
    for seen in [edge[2](edge[4]) for edge in EDGES] + [make_it() for _, make_it in THERE]:
        spoken |= {one.what for one in CHECKS if one.look(Context(seen))}
    silent = [one.what for one in CHECKS if one.what not in spoken]
    assert not silent, (
        f"no test here makes these checks find anything: {silent}. Add to EDGES in this file records just below and "
        "above the check's threshold, or to THERE records in which it finds something."
    )


def test_every_threshold_has_an_edge_or_a_reason():
    used = {edge[1] for edge in EDGES}
    assert used <= set(THRESHOLDS)
    assert all(limit(name) == THRESHOLDS[name].value for name in THRESHOLDS)


@pytest.mark.parametrize(
    ("kind", "advice", "because"),
    [
        ("Tanh", 'nonlinearity="tanh"', "a tanh's slope"),
        ("Sigmoid", "in place of nn.Sigmoid()", "a sigmoid's slope"),
        ("ReLU", 'nonlinearity="relu"', "a ReLU's slope"),
        ("Softsign", 'nonlinearity="relu"', "slope and weights: a few"),
    ],
)
def test_advice_names_the_network_s_own_non_linearity(kind, advice, because):
    seen = _gradients(0.9e-3)
    layers = tuple(replace(one, kind=kind) if one.role == "activation" else one for one in seen.layers)
    (found,) = [one for one in diagnose(replace(seen, layers=layers)).findings if one.id == "vanishing-gradients"]
    assert advice in found.try_this[0]
    assert because in found.because


def test_layers_that_are_shared_are_a_note_unless_nothing_is_learnt():
    seen = [
        make.with_facts(one, "fc1", aliases=("blocks.0", "blocks.1", "blocks.2"))
        for one in (well(), make.stuck(well()))
    ]
    found = [next(one for one in diagnose(each).findings if one.id == "layers-shared") for each in seen]
    assert [one.severity for one in found] == ["note", "warning"]
