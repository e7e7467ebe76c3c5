"""Watching a network of ours: what is measured is what NumPy says, and not a bit of the training changes."""

import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from backlight import nn
from backlight.autograd import Tensor, mse
from backlight.core import Batch, ConfigError, RunError
from backlight.health import compare_splits, examine, watch
from backlight.models import GPT, MLP, GPTConfig, MLPConfig, RecurrentModel
from backlight.models.recurrent import LSTMConfig
from backlight.optim import SGD, AdamW
from backlight.runs import RunDirectory
from backlight.training import DivergenceError, Run
from backlight.training.run_watcher import load_measurements
from backlight.watch.records import LayerRecord, Measurements, Spread, StepRecord

Make = Callable[..., Run]

SMALL_GPT = {"model": "gpt", "settings": {"context": 6, "n_embd": 8, "n_layer": 1, "n_head": 2, "dropout": 0.1}}
BATCH_NORM = {"settings": {"context": 3, "embedding": 2, "hidden": [5], "batch_norm": True}}
LSTM = {"model": "lstm", "settings": {"context": 6, "embedding": 4, "hidden": [5], "dropout": 0.1}}


def agrees(spread: Spread | None, x: np.ndarray) -> None:
    assert spread is not None
    rms = math.sqrt(float((x.astype(np.float64) ** 2).mean()))
    assert spread.count == x.size
    expected = [x.mean(), x.std(), rms, x.min(), x.max()]
    found = [spread.mean, spread.std, spread.rms, spread.low, spread.high]
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=1e-6 * rms)


def layers_of(record: StepRecord) -> dict[str, LayerRecord]:
    return {layer.name: layer for layer in record.layers}


def net(rng: np.random.Generator, **changes: Any) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(4, 8, rng=rng), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 6, rng=rng), nn.ReLU(),
        nn.Linear(6, 5, **changes, rng=rng),
    )  # fmt: skip


def step(model: nn.Module, rng: np.random.Generator, *, forget: bool = True) -> Tensor:
    x, y = Tensor(rng.standard_normal((7, 4)).astype(np.float32)), rng.integers(0, 5, 7)
    loss = nn.cross_entropy(model(x), y)
    if forget:
        model.zero_grad()
    loss.backward()
    return loss


def test_a_recorded_step_is_what_numpy_says(rng: np.random.Generator) -> None:
    model = net(rng)
    optimiser = SGD(model.parameters(), 0.1, momentum=0.9)
    outputs: dict[str, Any] = {}
    with watch(model, optimiser=optimiser, every=1) as watcher:
        for _ in range(3):
            removers = [
                module.register_forward_hook(lambda *seen, name=name: outputs.__setitem__(name, seen[2]))
                for name, module in model.named_modules() if name
            ]  # fmt: skip
            before = {name: one.array.copy() for name, one in model.named_parameters()}
            x, y = rng.standard_normal((7, 4)).astype(np.float32), rng.integers(0, 5, 7)
            loss = nn.cross_entropy(model(Tensor(x)), y)
            for out in outputs.values():
                out.retain_grad()
            model.zero_grad()
            loss.backward()
            gradients = {name: one.grad.numpy().copy() for name, one in model.named_parameters()}
            optimiser.step()
            model.zero_grad()
            watcher.step(loss)
            for remove in removers:
                remove()
    seen = watcher.measurements()
    record = seen.steps[-1]
    assert record.loss == pytest.approx(loss.item())
    assert (record.lr, record.batch_size, record.left_over_norm) == ((0.1,), 7, 0)
    assert (record.forward_passes, record.backward_passes, record.optimiser_steps) == (1, 1, 1)
    assert [layer.name for layer in record.layers] == [f"{at}" for at in range(6)]
    for layer in record.layers:
        agrees(layer.output, outputs[layer.name].numpy())
        agrees(layer.gradient, outputs[layer.name].grad.numpy())
    by_name = layers_of(record)
    tanh, relu = outputs["2"].numpy(), outputs["4"].numpy()
    assert by_name["2"].saturated == pytest.approx((np.abs(tanh) > 0.97).mean())
    assert by_name["4"].dead_now == pytest.approx((relu <= 0).all(0).mean())
    assert by_name["4"].dead_over == 3
    assert by_name["3"].across == pytest.approx(np.sqrt(outputs["3"].numpy().var(0).mean()), rel=1e-4)
    for parameter in record.parameters:
        name = parameter.name
        agrees(parameter.data, before[name])
        agrees(parameter.gradient, gradients[name])
        change = dict(model.named_parameters())[name].array - before[name]
        if before[name].std() > 0:
            assert parameter.update_to_data == pytest.approx(change.std() / before[name].std(), rel=1e-3)
            assert parameter.grad_to_data == pytest.approx(gradients[name].std() / before[name].std(), rel=1e-4)
        assert parameter.moved
    assert record.logits is not None
    assert record.logits.targets == tuple(np.bincount(y, minlength=5))
    assert record.logits.nats == pytest.approx(record.loss, rel=1e-5)
    agrees(record.inputs[0].values, x)


def test_structure_is_told(rng: np.random.Generator) -> None:
    model = net(rng)
    with watch(model, optimiser=AdamW(model.parameters(), 0.1, weight_decay=0.2)) as watcher:
        watcher.step(step(model, rng))
    seen = watcher.measurements()
    assert [fact.role for fact in seen.layers] == [
        "linear",
        "batch_norm",
        "activation",
        "linear",
        "activation",
        "linear",
    ]
    assert [fact.reads for fact in seen.layers] == [(), *((f"{at}",) for at in range(5))]
    assert seen.layers[0].bias
    assert (seen.layers[3].fan_in, seen.layers[3].fan_out) == (8, 6)
    assert [fact.bounded for fact in seen.layers] == [False, False, True, False, False, False]
    assert seen.loss is not None
    assert (seen.loss.kind, seen.loss.chain, seen.loss.classes) == ("cross_entropy", ("cross_entropy", "linear"), 5)
    assert seen.optimiser is not None
    assert seen.optimiser.groups[0]["weight_decay"] == 0.2
    assert all(fact.reached and fact.in_optimiser for fact in seen.parameters)
    assert [fact.weight_matrix for fact in seen.parameters if fact.name.endswith("weight")] == [True, False, True, True]


def test_a_squared_error_tells_its_targets(rng: np.random.Generator) -> None:
    model = nn.Linear(4, 1, rng=rng)
    y = 100 + 5 * rng.standard_normal((9, 1)).astype(np.float32)
    with watch(model) as watcher:
        loss = mse(model(Tensor(rng.standard_normal((9, 4)).astype(np.float32))), Tensor(y))
        loss.backward()
        watcher.step(loss)
    record = watcher.measurements().steps[0]
    assert (record.target_mean, record.target_std) == (pytest.approx(y.mean()), pytest.approx(y.std()))


def test_slips_of_the_loop_show(rng: np.random.Generator) -> None:
    def run(*, forget: bool = True, steps: bool = True, half: bool = False) -> StepRecord:
        model = net(rng)
        parameters = model.parameters()
        optimiser = SGD(parameters[-4:] if half else parameters, 0.1)
        with watch(model, optimiser=optimiser, every=1) as watcher:
            for _ in range(3):
                loss = step(model, rng, forget=forget)
                if steps:
                    optimiser.step()
                watcher.step(loss)
        return watcher.measurements().steps[-1]

    assert run().left_over_norm == 0
    assert run(forget=False).left_over_norm > 0.1
    still = run(steps=False)
    assert still.optimiser_steps == 0
    assert not any(one.moved for one in still.parameters)
    assert [one.moved for one in run(half=True).parameters] == [False] * 4 + [True] * 4


def test_units_that_are_all_alike_show(rng: np.random.Generator) -> None:
    model = net(rng)
    model[0].weight.array[...] = 0.5
    with watch(model) as watcher:
        watcher.step(step(model, rng))
    alike = [one.identical_units for one in watcher.measurements().steps[0].parameters]
    assert alike == [True, None, None, None, False, None, False, None]


@pytest.mark.parametrize("at", [3, 13], ids=["recorded", "between"])
@pytest.mark.parametrize("out", ["forward", "parameter"])
def test_where_a_number_first_was_not_finite_is_found(out: str, at: int, rng: np.random.Generator) -> None:
    class Breaks(nn.Module):
        broken = False

        def forward(self, x: Tensor) -> Tensor:
            return x * (math.inf if self.broken else 1.0)

    breaks = Breaks()
    model = nn.Sequential(nn.Linear(4, 8, rng=rng), breaks, nn.Linear(8, 5, rng=rng))
    optimiser = SGD(model.parameters(), 0.01)
    with watch(model, optimiser=optimiser) as watcher, np.errstate(all="ignore"):
        for taken in range(at + 8):
            if taken == at and out == "forward":
                breaks.broken = True
            if taken == at and out == "parameter":
                model[2].weight.array[0, 0] = math.nan
            loss = step(model, rng)
            optimiser.step()
            watcher.step(loss)
    found = watcher.measurements().first_nonfinite
    assert found is not None
    assert (found.step, found.direction) == (at, out)
    assert found.where == {"forward": "1", "parameter": "2.weight"}[out]


def test_looks_at_held_out_data_are_not_taken_for_training(rng: np.random.Generator) -> None:
    model = net(rng)
    optimiser = SGD(model.parameters(), 0.1)
    with watch(model, optimiser=optimiser) as watcher:
        for _ in range(3):
            loss = step(model, rng)
            optimiser.step()
            watcher.step(loss)
            model.eval()
            model(Tensor(np.full((2, 4), 50, np.float32)))
            model.train()
    for record in watcher.measurements().steps:
        assert (record.batch_size, record.forward_passes) == (7, 1)
        assert all(layer.training and layer.gradient is not None for layer in record.layers)


def test_nothing_stays_behind_after_an_exception(rng: np.random.Generator) -> None:
    model = net(rng)
    optimiser = SGD(model.parameters(), 0.1)
    with pytest.raises(KeyError), watch(model, optimiser=optimiser):  # noqa: PT012  (it is what happens inside)
        step(model, rng)
        raise KeyError
    assert all("_forward_hooks" not in vars(module) for _, module in model.named_modules())
    assert not optimiser._hooks
    with pytest.raises(ConfigError, match="is not watching"):
        watch(model).step()


@pytest.mark.parametrize(
    ("options", "says"),
    [({"every": 0}, "every must be at least 1"), ({"scaler": 1}, "a gradient scaler is for PyTorch")],
)
def test_what_cannot_be_asked_is_said(options: dict[str, Any], says: str, rng: np.random.Generator) -> None:
    with pytest.raises(ConfigError, match=says):
        watch(net(rng), **options)


def test_copies_across_a_split_are_counted() -> None:
    facts = compare_splits(["a", "b", "b", "c"], ["b", "d"])
    assert (facts.train, facts.dev, facts.shared) == (4, 2, 1)
    rows = np.arange(12).reshape(6, 2)
    assert compare_splits(rows, rows[[1, 1, 5]]).shared == 3
    assert compare_splits([(rows[0], 1)], [(rows[0], 1), (rows[0], 2)]).shared == 1


# -- one batch ---------------------------------------------------------------------------------------------------------


MODELS = [
    lambda rng: MLP(MLPConfig(vocabulary_size=9, context=6, embedding=3, hidden=(5,), batch_norm=True), rng=rng),
    lambda rng: GPT(GPTConfig(vocabulary_size=9, context=6, n_embd=8, n_layer=1, n_head=2, dropout=0.2), rng=rng),
    lambda rng: RecurrentModel(LSTMConfig(vocabulary_size=9, context=6, embedding=3, hidden=(5,)), rng=rng),
]


@pytest.mark.parametrize("fresh", [True, False])
@pytest.mark.parametrize("make_model", MODELS, ids=["MLP", "GPT", "LSTM"])
def test_examining_leaves_a_network_as_it_was(make_model: Any, fresh: bool, rng: np.random.Generator) -> None:
    model = make_model(rng)
    ids = rng.integers(0, 9, (5, 7))
    batch = Batch(ids[:, :-1], ids[:, 1:] if model.reads == "sequences" else ids[:, -1])
    if not fresh:
        model.flat()
        model.loss(batch).backward()
        next(model.children()).eval()

    def state() -> Any:
        tensors = [*model.parameters(), *(buffer for _, buffer in model.named_buffers())]
        return (
            [one.array.tobytes() for one in tensors],
            [None if one._grad is None else one._grad.tobytes() for one in tensors],
            [module.training for _, module in model.named_modules()],
            [sorted(vars(module)) for _, module in model.named_modules()],
            [json.dumps(rng.bit_generator.state, default=str) for rng in model.generators()],
        )

    before = state()
    found = examine(model, batch)
    assert state() == before
    assert repr(examine(model, batch.x, batch.y).measurements) == repr(found.measurements)
    seen = found.measurements
    assert seen.steps[0].loss > 1
    assert all(layer.gradient is not None for layer in seen.steps[0].layers)
    assert seen.evaluation is not None
    assert not any(layer.training for layer in seen.evaluation.layers)
    probes = {probe.name: probe.changed for probe in found.probes}
    assert probes["repeat"] == 0
    assert probes["input"] > 0
    assert probes.get("future", 0) < 1e-6
    assert ("future" in probes) == (model.reads == "sequences")


# -- the training of a run ---------------------------------------------------------------------------------------------


def bits_of(run: RunDirectory) -> Any:
    (arrays, facts), (weights, _) = run.load_checkpoint(), run.load_weights()
    metrics = [{**one, "seconds": 0, "characters_per_second": 0} for one in run.load_metrics()]
    both = [
        {name: array.tobytes() for name, array in found.items() if not name.startswith("watch.")}
        for found in (arrays, weights)
    ]
    return both, {**facts, "seconds": 0}, metrics


def no_hooks(model: nn.Module) -> None:
    """Assert that nobody looks: hooks would close the quick ways of what is not recorded."""
    assert not any(module._forward_hooks for _, module in model.named_modules())


@pytest.mark.parametrize(
    "plan", [{}, BATCH_NORM, SMALL_GPT, LSTM, {"model": "bigram", "settings": {}}],
    ids=["MLP", "batch norm", "GPT", "LSTM", "bigram"],
)  # fmt: skip
def test_a_watched_run_ends_with_the_same_bits(make: Make, plan: dict[str, Any]) -> None:
    changes = {"ema_decay": 0.8, "grad_clip": 0.5}
    plain = make("plain", config=plan, **changes)
    plain.trainer().fit()
    for every in (1, 4):
        watched = make(f"watched {every}", config={**plan, "watch_every": every}, **changes)
        trainer = watched.trainer()
        trainer.on_evaluation = lambda _, model=trainer.model: no_hooks(model)
        trainer.fit()
        assert bits_of(watched.store) == bits_of(plain.store)
        seen = load_measurements(watched.store)
        assert seen is not None
        expected = list(range(30)) if every == 1 else [*range(10), 12, 16, 20, 24, 28]
        assert [record.step for record in seen.steps] == expected
        assert seen.total_steps == 30
        assert seen.loss is not None
        assert seen.loss.kind == "cross_entropy"
        assert all(record.logits is not None and record.logits.nats is not None for record in seen.steps)
        assert [point.step for point in seen.losses] == list(range(30))
        assert [point.step for point in seen.evaluations] == [0, 7, 14, 21, 28, 30]
        assert seen.split is not None
        assert (seen.split.train, seen.split.dev, seen.split.shared) == (18, 2, 0)
        for record in seen.steps:
            assert all(layer.gradient is not None for layer in record.layers)
            assert all(one.moved for one in record.parameters)
            loss = next(point.loss for point in seen.losses if point.step == record.step)
            assert record.loss == pytest.approx(loss, rel=1e-5)
    assert load_measurements(plain.store) is None
    assert not (plain.store.path / "health.jsonl").exists()


@pytest.mark.parametrize("stop", [3, 14, 25])
def test_a_watched_run_that_was_stopped_goes_on_with_its_records(make: Make, stop: int) -> None:
    straight = make("straight", config={**BATCH_NORM, "watch_every": 3})
    straight.trainer().fit()
    session = make("stopped", config={**BATCH_NORM, "watch_every": 3})
    trainer = session.trainer()
    sample = trainer.train.sample

    def stopping(*given: Any) -> Any:
        if trainer.step == stop:
            trainer.request_stop()
        return sample(*given)

    trainer.train.sample = stopping  # type: ignore[method-assign]
    assert not trainer.fit()
    again = Run.open(session.store)
    again.trainer().fit()
    assert bits_of(again.store) == bits_of(straight.store)
    assert stream_of(again.store) == stream_of(straight.store)


def stream_of(run: RunDirectory) -> bytes:
    return (run.path / "health.jsonl").read_bytes()


def test_records_that_are_newer_than_the_checkpoint_are_made_again(make: Make) -> None:
    straight = make("straight", config={"watch_every": 3})
    straight.trainer().fit()
    session = make("stopped", config={"watch_every": 3})
    trainer = session.trainer()
    trainer.request_stop()
    trainer.fit()
    later = (straight.store.path / "health.jsonl").read_bytes()
    (session.store.path / "health.jsonl").write_bytes(later)
    again = Run.open(session.store)
    again.trainer().fit()
    mine = load_measurements(again.store)
    assert mine is not None
    assert [record.step for record in mine.steps] == [*range(10), *range(12, 30, 3)]


def test_the_file_grows_ever_more_slowly(make: Make) -> None:
    session = make("long", config={"watch_every": 1}, steps=300)
    session.trainer().fit()
    seen = load_measurements(session.store)
    assert seen is not None
    assert [record.step for record in seen.steps] == [
        *range(64),
        *range(64, 128, 2),
        *range(128, 256, 4),
        *range(256, 300, 8),
    ]


@pytest.mark.parametrize("at", [4, 13], ids=["recorded", "between"])
def test_a_run_that_diverges_says_where(at: int, make: Make) -> None:
    session = make("wild", config={"watch_every": 5})
    trainer = session.trainer()
    sample = trainer.train.sample

    def spoiling(*given: Any) -> Any:
        if trainer.step == at:
            dict(trainer.model.named_parameters())["hidden.0.bias"].array[0] = math.nan
        return sample(*given)

    trainer.train.sample = spoiling  # type: ignore[method-assign]
    with pytest.raises(DivergenceError):
        trainer.fit()
    seen = load_measurements(session.store)
    assert seen is not None
    found = seen.first_nonfinite
    assert found is not None
    assert (found.where, found.direction, found.step) == ("hidden.0.bias", "parameter", at)
    assert all("_forward_hooks" not in vars(module) for _, module in trainer.model.named_modules())


@pytest.mark.parametrize("line", ["{", '{"framework": "backlight"}', "[]"])
def test_a_damaged_file_is_said_in_one_line(make: Make, line: str) -> None:
    session = make("damaged", config={"watch_every": 5}, steps=3)
    session.trainer().fit()
    (session.store.path / "health.jsonl").write_text(line + "\n")
    with pytest.raises(RunError) as error:
        load_measurements(session.store)
    assert "\n" not in str(error.value)


def test_watching_is_for_what_is_trained(make: Make) -> None:
    with pytest.raises(ConfigError, match="1 or more"):
        make("never", config={"watch_every": 0})
    with pytest.raises(ConfigError, match="watch_every needs a model that is trained step by step; ngram is counted"):
        make("counted", config={"model": "ngram", "settings": {}, "train": None, "watch_every": 1})


def test_what_was_measured_is_read_back_whole(make: Make) -> None:
    session = make("whole", config={"watch_every": 2}, steps=5)
    session.trainer().fit()
    seen = load_measurements(session.store)
    assert isinstance(seen, Measurements)
    assert seen.optimiser is not None
    assert seen.optimiser.kind == "AdamW"
    assert seen.steps[0].layers[2].unit_map is not None
    assert seen.steps[0].inputs[0].shape == (8, 3)
