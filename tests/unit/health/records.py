"""Measurements made by hand: a net that is well, and ways to change single numbers of it."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from backlight.watch.records import (
    EvaluationPoint,
    InputRecord,
    LayerFacts,
    LayerRecord,
    LogitsRecord,
    LossFacts,
    LossPoint,
    Measurements,
    OptimiserFacts,
    ParameterFacts,
    ParameterRecord,
    Spread,
    StepRecord,
)

V = 10
RECORDED = (0, 1, 2, 3, 4, *range(20, 200, 20))
STEPS = 200


def spread(rms: float = 1.0, *, mean: float = 0.0, nonfinite: int = 0) -> Spread:
    std = math.sqrt(max(rms**2 - mean**2, 0))
    return Spread(count=64, mean=mean, std=std, rms=rms, low=mean - 3 * std, high=mean + 3 * std, nonfinite=nonfinite)


def _layers() -> tuple[LayerFacts, ...]:
    return (
        LayerFacts(
            name="fc1", kind="Linear", role="linear", depth=0, calls=1, bias=True, fan_in=8, fan_out=64,
            parameters=("fc1.weight", "fc1.bias"),
        ),
        LayerFacts(name="act1", kind="Tanh", role="activation", bounded=True, depth=1, calls=1, reads=("fc1",)),
        LayerFacts(
            name="fc2", kind="Linear", role="linear", depth=2, calls=1, bias=True, fan_in=64, fan_out=64,
            parameters=("fc2.weight", "fc2.bias"), reads=("act1",),
        ),
        LayerFacts(name="act2", kind="ReLU", role="activation", one_sided=True, depth=3, calls=1, reads=("fc2",)),
        LayerFacts(
            name="out", kind="Linear", role="linear", depth=4, calls=1, bias=True, fan_in=64, fan_out=V,
            parameters=("out.weight", "out.bias"), reads=("act2",),
        ),
    )  # fmt: skip


def _parameters() -> tuple[ParameterFacts, ...]:
    shapes = {"fc1": (64, 8), "fc2": (64, 64), "out": (V, 64)}
    found = []
    for layer, shape in shapes.items():
        common: dict[str, Any] = {"layer": layer, "in_optimiser": True, "group": 0, "reached": True}
        found.append(ParameterFacts(name=f"{layer}.weight", shape=shape, weight_matrix=True, fan_in=shape[1], **common))
        found.append(ParameterFacts(name=f"{layer}.bias", shape=shape[:1], weight_matrix=False, **common))
    return tuple(found)


def fall(step: int, *, start: float = 2.3, end: float = 1.0, steps: int = STEPS) -> float:
    return end + (start - end) * math.exp(-5 * step / steps)


def record(step: int, loss: float) -> StepRecord:
    alive = {"dead_now": 0.0, "dead": 0.0, "dead_over": min(step + 1, 10)}
    extras: dict[str, dict[str, Any]] = {"act1": {"saturated": 0.1, **alive}, "act2": alive}
    return StepRecord(
        step=step,
        loss=loss,
        lr=(1e-2,),
        batch_size=32,
        layers=tuple(
            LayerRecord(
                name=name, output=spread(0.8), gradient=spread(0.01), units=64, across=0.6, **extras.get(name, {})
            )
            for name in ("fc1", "act1", "fc2", "act2", "out")
        ),
        parameters=tuple(
            ParameterRecord(
                name=facts.name, data=spread(0.2), gradient=spread(0.02), grad_to_data=0.1, update_to_data=2e-3,
                moved=True, identical_units=False if facts.weight_matrix else None, faint=0.0,
            )
            for facts in _parameters()
        ),
        inputs=(InputRecord(name="0", shape=(32, 8), ids=False, values=spread(1.0)),),
        logits=LogitsRecord(
            values=spread(0.5), classes=V, max_probability=0.2, entropy=2.1, rows_sum_to_one=False, accuracy=0.3,
            targets=(3, 3, 3, 3, 3, 3, 3, 3, 4, 4), gradient_rms=0.01, nats=loss,
        ),
        output=spread(0.5),
        gradient_norm=0.5,
        left_over_norm=0.0,
        optimiser_steps=1,
    )  # fmt: skip


def well() -> Measurements:
    """Return what is measured on a small classifier of 10 classes that learns."""
    return Measurements(
        framework="torch",
        source="watch",
        model="Sequential",
        interval=20,
        total_steps=STEPS,
        layers=_layers(),
        parameters=_parameters(),
        optimiser=OptimiserFacts(kind="Adam", groups=({"lr": 1e-2, "eps": 1e-8, "weight_decay": 0.0},)),
        loss=LossFacts(
            kind="cross_entropy", reduction="mean", chain=("nll_loss", "log_softmax", "addmm"), classes=V,
            ops={"addmm": 3, "tanh": 1, "relu": 1},
        ),
        steps=tuple(record(step, fall(step)) for step in RECORDED),
        losses=tuple(LossPoint(step=step, loss=fall(step)) for step in range(STEPS)),
        evaluations=tuple(EvaluationPoint(step=s, dev=fall(s) + 0.1, train=fall(s)) for s in (50, 100, 150, 200)),
    )  # fmt: skip


Changes = Callable[[StepRecord], dict[str, Any]]


def with_records(seen: Measurements, changes: Changes | None = None, **fixed: Any) -> Measurements:
    """Change all records, by fixed values or by what a function of the record gives."""
    steps = (replace(one, **fixed, **(changes(one) if changes else {})) for one in seen.steps)
    return replace(seen, steps=tuple(steps))


def with_losses(seen: Measurements, *, start: float, end: float, nats: bool = True) -> Measurements:
    """Change how the loss went."""

    def of(step: int) -> float:
        return fall(step, start=start, end=end)

    def changed(one: StepRecord) -> dict[str, Any]:
        assert one.logits is not None
        logits = replace(one.logits, nats=of(one.step)) if nats else one.logits
        return {"loss": of(one.step), "logits": logits}

    points = tuple(LossPoint(step=step, loss=of(step)) for step in range(STEPS))
    held_out = tuple(replace(one, dev=of(one.step) + 0.1, train=of(one.step)) for one in seen.evaluations)
    return replace(with_records(seen, changed), losses=points, evaluations=held_out)


def stuck(seen: Measurements) -> Measurements:
    """Let the loss stay at that of guessing."""
    return with_losses(seen, start=2.4, end=2.3)


def with_layer(seen: Measurements, name: str, **changes: Any) -> Measurements:
    """Change one layer in all records."""
    return with_records(
        seen, lambda one: {"layers": tuple(replace(x, **changes) if x.name == name else x for x in one.layers)}
    )


def with_parameter(seen: Measurements, *names: str, **changes: Any) -> Measurements:
    """Change some parameters in all records; all matrices if none is named."""
    chosen = names or tuple(one.name for one in seen.parameters if one.weight_matrix)
    return with_records(
        seen,
        lambda one: {"parameters": tuple(replace(x, **changes) if x.name in chosen else x for x in one.parameters)},
    )


def with_logits(seen: Measurements, **changes: Any) -> Measurements:
    """Change the logits' numbers in all records."""
    return with_records(seen, lambda one: {"logits": replace(one.logits, **changes) if one.logits else None})


def with_facts(seen: Measurements, name: str, **changes: Any) -> Measurements:
    """Change what is known of one layer."""
    return replace(seen, layers=tuple(replace(one, **changes) if one.name == name else one for one in seen.layers))


def with_parameter_facts(seen: Measurements, name: str, **changes: Any) -> Measurements:
    """Change what is known of one parameter."""
    changed = (replace(one, **changes) if one.name == name else one for one in seen.parameters)
    return replace(seen, parameters=tuple(changed))


def with_optimiser(seen: Measurements, kind: str = "Adam", **settings: Any) -> Measurements:
    """Change the optimiser's settings."""
    return replace(seen, optimiser=OptimiserFacts(kind=kind, groups=({"lr": 1e-2, **settings},)))


def without(seen: Measurements, name: str) -> Measurements:
    """Leave out a layer, its records, and join what it stood between."""
    gone = next(one for one in seen.layers if one.name == name)
    layers = tuple(
        replace(one, reads=tuple(r for read in one.reads for r in (gone.reads if read == name else (read,))))
        for one in seen.layers
        if one.name != name
    )
    return with_records(
        replace(seen, layers=layers), lambda one: {"layers": tuple(x for x in one.layers if x.name != name)}
    )
