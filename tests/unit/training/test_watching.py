"""A run that records its training: not a bit of it changes, and it can be stopped at any moment."""

import math
from collections.abc import Callable
from typing import Any

import pytest

from backlight import nn
from backlight.core import ConfigError, RunError
from backlight.runs import RunDirectory
from backlight.training import DivergenceError, Run
from backlight.training.run_watcher import load_measurements
from backlight.watch.records import Measurements

Make = Callable[..., Run]

SMALL_GPT = {"model": "gpt", "settings": {"context": 6, "n_embd": 8, "n_layer": 1, "n_head": 2, "dropout": 0.1}}
BATCH_NORM = {"settings": {"context": 3, "embedding": 2, "hidden": [5], "batch_norm": True}}
LSTM = {"model": "lstm", "settings": {"context": 6, "embedding": 4, "hidden": [5], "dropout": 0.1}}


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
    """Assert that there are no hooks: they would close the quick ways of what is not recorded."""
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
    with pytest.raises(ConfigError, match="needs a model that is trained step by step; ngram counts n-grams"):
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
