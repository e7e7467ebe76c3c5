"""What is measured on a network while it is trained is what NumPy measures on the same arrays, in both frameworks."""

import copy
import math
from typing import Any

import numpy as np
import pytest
from tests.oracle.watching import CLASSES, FEATURES, Framework, Step, agrees, both, layers_of

from backlight.core import ConfigError
from backlight.health import diagnose, watch
from backlight.watch import numbers
from backlight.watch.records import Measurements, StepRecord
from backlight.watch.torch_nn import statistics

MATRICES = {"0.weight", "3.weight", "5.weight"}


def train(
    framework: Framework, model: Any, *, steps: int = 3, zeroed: bool = True, stepped: bool = True, part: int = 0,
    every: int = 1,
) -> Measurements:  # fmt: skip
    """Train while watching; `part`: the optimiser has only this many parameters, the last."""
    rng = np.random.default_rng(7)
    optimiser = framework.sgd(list(model.parameters())[-part:], 0.1)
    with watch(model, optimiser=optimiser, every=every) as watcher, np.errstate(all="ignore"):
        for _ in range(steps):
            loss = framework.loss(model, *framework.batch(rng))
            loss.backward()
            if stepped:
                optimiser.step()
            if zeroed:
                model.zero_grad()
            watcher.step(loss)
    return watcher.measurements()


@both
@pytest.mark.parametrize("way", ["kernel", "numpy", "device"])
def test_a_recorded_step_is_what_numpy_says(
    framework: Framework, way: str, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    if way != "kernel":
        monkeypatch.setattr(statistics, "kernel", lambda: None)
        monkeypatch.setattr(numbers, "kernel", lambda: None)
    if way == "device":  # as a large tensor on another device is measured
        monkeypatch.setattr(statistics, "is_near", lambda _: False)
    model = framework.net()
    optimiser = framework.sgd(model.parameters(), 0.1, momentum=0.9)
    names = [str(at) for at in range(6)]
    with watch(model, optimiser=optimiser, every=1) as watcher:
        for taken in range(13):
            x, y = framework.batch(rng)
            step = Step(framework, model, names)
            loss = framework.loss(model, x, y)
            loss.backward()
            step.after_backward()
            optimiser.step()
            model.zero_grad()
            watcher.step(loss)
            step.close()
            if taken not in {0, 1, 12}:
                continue
            measured = watcher.measurements()
            record = measured.steps[-1]
            step.agrees(record, matrices=MATRICES)
            assert [layer.name for layer in record.layers] == names
            assert record.step == taken
            assert record.loss == pytest.approx(loss.item())
            assert (record.lr, record.batch_size) == ((0.1,), 7)
            tanh, relu = (layers_of(record)[names[at]] for at in (2, 4))
            bounded, rectified = (step.output(names[at]).reshape(7, -1) for at in (2, 4))
            assert tanh.saturated == pytest.approx((np.abs(bounded) > 0.97).mean())
            assert relu.dead_now == pytest.approx((rectified <= 0).all(0).mean())
            assert relu.dead_over == min(taken + 1, 10)
            normal = step.output(names[1]).reshape(7, -1)
            assert layers_of(record)[names[1]].across == pytest.approx(np.sqrt(normal.var(0).mean()), rel=1e-4)
            assert record.logits is not None
            assert record.logits.targets == tuple(np.bincount(y, minlength=CLASSES))
            assert record.logits.nats == pytest.approx(record.loss, rel=1e-5)
            agrees(record.inputs[0].values, x)


@both
def test_the_structure_is_recorded(framework: Framework, rng: np.random.Generator) -> None:
    model = framework.net()
    with watch(model, optimiser=framework.adamw(model.parameters(), 0.1, weight_decay=0.2)) as watcher:
        loss = framework.loss(model, *framework.batch(rng))
        loss.backward()
        watcher.step(loss)
    found, names = watcher.measurements(), [str(at) for at in range(6)]
    roles = ["linear", "batch_norm", "activation", "linear", "activation", "linear"]
    assert [fact.role for fact in found.layers] == roles
    assert [fact.reads for fact in found.layers] == [(), *((name,) for name in names[:-1])]
    assert [fact.bounded for fact in found.layers] == [False, False, True, False, False, False]
    assert [fact.one_sided for fact in found.layers] == [False, False, False, False, True, False]
    assert found.layers[0].bias
    assert (found.layers[3].fan_in, found.layers[3].fan_out) == (8, 6)
    assert found.layers[1].settings["eps"] == 1e-5
    assert found.loss is not None
    assert (found.loss.kind, found.loss.reduction, found.loss.classes) == ("cross_entropy", "mean", CLASSES)
    chain = {"backlight": ("cross_entropy", "linear"), "torch": ("nll_loss", "log_softmax", "addmm")}
    assert found.loss.chain == chain[framework.name]
    assert {"tanh", "relu"} <= set(found.loss.ops)
    assert found.optimiser is not None
    assert found.optimiser.kind == "AdamW"
    assert found.optimiser.groups[0]["weight_decay"] == 0.2
    assert all(fact.reached and fact.in_optimiser for fact in found.parameters)
    assert {fact.name for fact in found.parameters if fact.weight_matrix} == MATRICES


@both
def test_a_squared_error_shows_its_targets(framework: Framework, rng: np.random.Generator) -> None:
    model = framework.sequential(framework.linear(FEATURES, 1))
    y = 100 + 5 * rng.standard_normal((9, 1)).astype(np.float32)
    with watch(model) as watcher:
        loss = framework.mse(model(framework.tensor(framework.batch(rng, 9)[0])), framework.tensor(y))
        loss.backward()
        watcher.step(loss)
    record = watcher.measurements().steps[0]
    assert record.target_mean == pytest.approx(y.mean(), rel=1e-5)
    assert record.target_std == pytest.approx(y.std(), rel=1e-4)


@both
def test_mistakes_in_the_loop_show(framework: Framework) -> None:
    def run(**changes: Any) -> StepRecord:
        return train(framework, framework.net(), **changes).steps[-1]

    assert run().left_over_norm == 0
    forgotten = run(zeroed=False)
    assert forgotten.left_over_norm > 0.1 * forgotten.gradient_norm > 0
    still = run(stepped=False)
    assert still.optimiser_steps == 0
    assert not any(one.moved for one in still.parameters)
    partly = run(part=4)
    assert [one.moved for one in partly.parameters] == [False] * 4 + [True] * 4


@both
def test_units_that_are_all_alike_show(framework: Framework) -> None:
    model = framework.net()
    framework.put(next(iter(model.parameters())), 0.5)
    alike = [one.identical_units for one in train(framework, model).steps[0].parameters]
    assert alike == [True, None, None, None, False, None, False, None]


def breaks(framework: Framework) -> Any:
    """Return a module that gives what is not finite once its `broken` is set."""

    class Breaks(framework.module):  # type: ignore[name-defined, misc]
        broken = False

        def forward(self, x: Any) -> Any:
            return x * (math.inf if self.broken else 1.0)

    return Breaks()


@both
@pytest.mark.parametrize("at", [3, 13], ids=["recorded", "between"])
@pytest.mark.parametrize("out", ["forward", "input", "parameter"])
def test_where_a_number_first_was_not_finite_is_found(
    framework: Framework, out: str, at: int, rng: np.random.Generator
) -> None:
    odd = breaks(framework)
    model = framework.sequential(framework.linear(FEATURES, 8), odd, framework.linear(8, CLASSES))
    optimiser = framework.sgd(model.parameters(), 0.01)
    with watch(model, optimiser=optimiser) as watcher, np.errstate(all="ignore"):
        for taken in range(at + 8):
            x, y = framework.batch(rng)
            if taken == at:
                odd.broken = out == "forward"
                if out == "input":
                    x[1, 2] = math.nan
                if out == "parameter":
                    framework.put(list(model.parameters())[2], math.nan)
            loss = framework.loss(model, x, y)
            model.zero_grad()
            loss.backward()
            optimiser.step()
            watcher.step(loss)
    found = watcher.measurements().first_nonfinite
    assert found is not None
    assert (found.step, found.direction) == (at, out)
    assert found.where == {"forward": "1", "parameter": "2.weight", "input": "0"}[out]
    if out == "forward":
        assert found.inputs_finite
    expected = "input-not-finite" if out == "input" else "not-finite"
    assert [one.id for one in diagnose(watcher.measurements()).findings if one.severity == "fatal"] == [expected]


@both
def test_held_out_data_are_not_taken_for_training(framework: Framework, rng: np.random.Generator) -> None:
    model = framework.net()
    optimiser = framework.sgd(model.parameters(), 0.1)
    with watch(model, optimiser=optimiser) as watcher:
        for _ in range(3):
            loss = framework.loss(model, *framework.batch(rng))
            model.zero_grad()
            loss.backward()
            optimiser.step()
            watcher.step(loss)
            model.eval()
            held_out = np.full((2, FEATURES), 50, np.float32), np.zeros(2, np.int64)
            dev = framework.loss(model, *held_out)  # with a graph that nobody uses
            model.train()
            watcher.evaluation(dev=dev.item())
    measured = watcher.measurements()
    assert [point.step for point in measured.evaluations] == [1, 2, 3]
    for record in measured.steps:
        assert (record.batch_size, record.forward_passes) == (7, 1)
        assert all(layer.training and layer.gradient is not None for layer in record.layers)
        assert record.inputs[0].values.high < 10


@both
def test_nothing_stays_behind_after_an_exception(framework: Framework, rng: np.random.Generator) -> None:
    model = framework.net()
    optimiser = framework.sgd(model.parameters(), 0.1)
    with pytest.raises(KeyError), watch(model, optimiser=optimiser):  # noqa: PT012  (it is what happens inside)
        framework.loss(model, *framework.batch(rng)).backward()
        raise KeyError
    assert not any(module._forward_hooks for _, module in model.named_modules())
    assert not (optimiser._hooks if framework.name == "backlight" else optimiser._optimizer_step_post_hooks)
    with pytest.raises(ConfigError, match="is not watching"):
        watch(model).step()


@both
def test_a_copy_of_a_watched_network_is_not_watched(framework: Framework, rng: np.random.Generator) -> None:
    model = framework.net()
    with watch(model, every=1) as watcher:
        loss = framework.loss(model, *framework.batch(rng))
        loss.backward()
        copied = copy.deepcopy(model)
        framework.loss(copied, *framework.batch(rng)).backward()
        watcher.step(loss)
    record = watcher.measurements().steps[0]
    assert (record.forward_passes, record.backward_passes) == (1, 1)
    assert not watcher.measurements().not_measured


# -- what is said of what was not measured -----------------------------------------------------------------------------


@both
@pytest.mark.parametrize("loss", ["vector", "none", "nan", "string"])
def test_a_loss_that_is_no_number_breaks_nothing_and_is_not_passed_over(
    framework: Framework, loss: str, rng: np.random.Generator
) -> None:
    model = framework.net()
    optimiser = framework.sgd(model.parameters(), 0.1)
    with watch(model, optimiser=optimiser) as watcher:
        for _ in range(12):
            real = framework.loss(model, *framework.batch(rng))
            model.zero_grad()
            real.backward()
            optimiser.step()
            vector = framework.tensor(np.ones(3, np.float32))
            watcher.step({"vector": vector, "none": None, "nan": math.nan, "string": "0.5 nats"}[loss])
    measured, text = watcher.measurements(), str(diagnose(watcher.measurements()))
    assert measured.total_steps == 12
    assert all(record.layers and record.parameters for record in measured.steps)
    assert len(measured.losses) == (12 if loss == "nan" else 0)
    if loss == "nan":
        assert "NaN" in text or "not finite" in text
    elif loss != "none":
        assert "the loss from step 0 on (watcher.step(loss) takes one number" in " ".join(text.split())


@both
def test_nothing_is_said_to_be_healthy_that_was_not_measured(framework: Framework, rng: np.random.Generator) -> None:
    model = framework.net()
    with watch(model) as watcher:
        pass
    assert "Nothing was measured: no training step was watched." in str(diagnose(watcher.measurements()))
    short = framework.sequential(framework.linear(FEATURES, CLASSES))
    assert "Too little was measured" in str(diagnose(train(framework, short, steps=1)))
    frozen = framework.net()
    for parameter in frozen.parameters():
        parameter.requires_grad = False
    with watch(frozen) as watcher:
        for _ in range(12):
            watcher.step(framework.loss(frozen, *framework.batch(rng)))
    found = diagnose(watcher.measurements())
    assert "No findings" not in str(found)
    assert "all-frozen" in {one.id for one in found.findings}


@both
def test_weights_that_are_nan_from_the_start_are_the_finding(framework: Framework) -> None:
    model = framework.net()
    framework.put(next(iter(model.parameters())), math.nan)
    found = diagnose(train(framework, model, steps=12)).findings
    assert [one.id for one in found if one.severity in {"fatal", "serious"}] == ["not-finite"]
    assert "before the first step" in found[0].title


@both
@pytest.mark.parametrize(
    ("options", "expected"), [({"every": 0}, "every must be at least 1"), ({"optimiser": 3}, "an optimiser of")]
)
def test_what_cannot_be_watched_is_refused_in_one_line(framework: Framework, options: Any, expected: str) -> None:
    with pytest.raises(ConfigError, match=expected) as error:
        watch(framework.net(), **options)
    assert "\n" not in str(error.value)
