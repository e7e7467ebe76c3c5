"""The loop: what it learns depends on seed and step alone, and what it keeps is the best."""

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from backlight.core import Array, Batch, RunError
from backlight.runs import RunStore
from backlight.training import (
    DivergenceError,
    Evaluation,
    FirstLoss,
    LossRecord,
    Progress,
    Run,
    Trainer,
    bits,
    load_model,
    mean_nll,
    trainer,
)
from backlight.watch.backlight_nn import BacklightAdapter
from backlight.watch.watcher import Watcher

Make = Callable[..., Run]

SETTINGS: dict[str, dict[str, Any]] = {
    "adamw": {"weight_decay": 0.1, "grad_clip": 0.5},
    "ema_decay": {"ema_decay": 0.8},
    "patience": {"patience": 2, "lr": 1.0},
    "sgd": {"optimiser": "sgd", "momentum": 0.9, "lr": 0.3, "schedule": "step"},
    "constant": {"schedule": "constant", "eval_interval": None},
}


def same(mine: RunStore, other: RunStore) -> None:
    """Assert that two runs hold the same bits, but for the time that they took."""
    for load in (RunStore.load_checkpoint, RunStore.load_weights):
        (arrays, facts), (expected, expected_facts) = load(mine), load(other)
        assert arrays.keys() == expected.keys()
        for name, array in arrays.items():
            np.testing.assert_array_equal(array, expected[name], strict=True)
        assert {**facts, "seconds": 0} == {**expected_facts, "seconds": 0}
    timed = {"seconds": 0, "characters_per_second": 0}
    records, expected_records = ([{**record, **timed} for record in run.load_metrics()] for run in (mine, other))
    assert records == expected_records


def before_each_step(loop: Trainer, look: Callable[[], None]) -> None:
    """Have this called before each minibatch is drawn."""
    sample = loop.train.sample

    def watched(size: int, rng: np.random.Generator) -> Any:
        look()
        return sample(size, rng)

    loop.train.sample = watched  # type: ignore[method-assign]


@pytest.mark.parametrize("changes", SETTINGS.values(), ids=SETTINGS)
def test_the_same_seed_gives_the_same_bits(make: Make, changes: dict[str, Any]) -> None:
    first, second = make("first", **changes), make("second", **changes)
    for run in (first, second):
        assert run.trainer().fit()
    same(first.store, second.store)


def test_another_seed_gives_others_on_the_same_split(make: Make) -> None:
    first, second = make("first"), make("second", config={"seed": 4})
    for run in (first, second):
        run.trainer().fit()
    one, other = first.store.load_weights()[0], second.store.load_weights()[0]
    assert any(not np.array_equal(one[name], other[name]) for name in one)
    assert first.splits.dev.items == second.splits.dev.items


def test_looking_and_saving_change_nothing(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    quiet, watched = make("quiet"), make("watched")
    quiet.trainer().fit()
    monkeypatch.setattr(trainer, "PROGRESS_SECONDS", 0.0)
    monkeypatch.setattr(trainer, "SAVE_SECONDS", 0.0)
    loop = watched.trainer()
    seen: list[Progress] = []
    judged: list[Evaluation] = []

    def look(record: Evaluation) -> None:
        judged.append(record)
        mean_nll(watched.model, watched.data["train"])

    loop.on_progress, loop.on_evaluation = seen.append, look
    assert loop.fit()
    same(quiet.store, watched.store)
    assert [where.step for where in seen] == list(range(1, 31))
    assert all(where.steps == 30 and where.seconds_left >= 0 and where.characters_per_second > 0 for where in seen)
    assert [record.step for record in judged] == [0, 7, 14, 21, 28, 30]


@pytest.mark.parametrize("changes", SETTINGS.values(), ids=SETTINGS)
@pytest.mark.parametrize("step", [1, 6, 7, 8, 22, 29])
def test_stopped_anywhere_and_resumed_gives_the_same_bits(make: Make, changes: dict[str, Any], step: int) -> None:
    whole, stopped = make("whole", **changes), make("stopped", **changes)
    assert whole.trainer().fit()
    loop = stopped.trainer()
    before_each_step(loop, lambda: loop.request_stop() if loop.step == step - 1 else None)
    if not loop.fit():  # patience may have ended it before
        assert loop.step == step
        assert Run.open(stopped.path).trainer().fit()
    same(stopped.store, whole.store)


def test_stopped_at_every_step_gives_the_same_bits(make: Make) -> None:
    whole, stopped = make("whole", ema_decay=0.7), make("stopped", ema_decay=0.7)
    whole.trainer().fit()
    for sitting in range(1, 31):
        loop = Run.open(stopped.store).trainer()
        loop.request_stop()
        assert loop.fit() == (sitting == 30)
    same(stopped.store, whole.store)


def test_a_run_killed_between_evaluations_goes_on_from_the_last(make: Make) -> None:
    whole, killed = make("whole"), make("killed")
    whole.trainer().fit()
    loop = killed.trainer()

    def die() -> None:
        if loop.step == 18:
            raise InterruptedError

    before_each_step(loop, die)
    with pytest.raises(InterruptedError):
        loop.fit()
    again = Run.open(killed.store).trainer()
    assert again.step == 14
    assert again.fit()
    same(killed.store, whole.store)


@pytest.mark.parametrize("saving", [2, 4])
def test_a_run_killed_with_metrics_newer_than_its_checkpoint(
    make: Make, monkeypatch: pytest.MonkeyPatch, saving: int
) -> None:
    whole, killed = make("whole"), make("killed")
    whole.trainer().fit()
    save = RunStore.save_checkpoint
    saved: list[int] = []

    def die(run: RunStore, arrays: dict[str, Array], facts: dict[str, Any]) -> None:
        if len(saved) == saving:
            raise InterruptedError
        saved.append(facts["step"])
        save(run, arrays, facts)

    with monkeypatch.context() as patch:
        patch.setattr(RunStore, "save_checkpoint", die)
        with pytest.raises(InterruptedError):
            killed.trainer().fit()
    assert killed.store.load_metrics()[-1]["step"] > saved[-1]
    assert Run.open(killed.store).trainer().fit()
    same(killed.store, whole.store)


def test_the_kept_weights_are_those_of_the_best_evaluation(make: Make) -> None:
    run = make("run", lr=0.1, schedule="constant", warmup=0, eval_interval=1)
    loop = run.trainer()
    judged: list[tuple[float, int, dict[str, Array]]] = []
    loop.on_evaluation = lambda record: judged.append((record.dev_nats, record.step, loop.model.state_dict()))
    loop.fit()
    nats, step, expected = min(judged, key=lambda one: one[:2])
    assert 0 < step < 30, "or this test shows nothing"
    weights, facts = run.store.load_weights()
    assert facts == {"step": step, "dev_nats": nats}
    assert loop.best_step == step
    for name, array in expected.items():
        np.testing.assert_array_equal(weights[name], array)
    model, vocabulary = load_model(run.store)
    assert vocabulary == run.vocabulary
    assert mean_nll(model, run.data["dev"]) == nats
    result = run.evaluate(steps=loop.step, seconds=loop.seconds)
    assert (result["dev_nats"], result["best_step"]) == (nats, step)
    assert run.store.load_result() == result


def test_the_verdict_names_each_part_by_its_own_loss(make: Make) -> None:
    run = make("run")
    run.trainer().fit()
    result = run.evaluate(steps=30, seconds=1.0)
    model, _ = load_model(run.store)
    nats = [mean_nll(model, run.data[part]) for part in ("train", "dev", "test")]
    assert len(set(nats)) == 3, "or this test shows nothing"
    assert [result["train_nats"], result["dev_nats"], result["test_nats"]] == nats
    assert [result["dev_bits"], result["test_bits"]] == [bits(one) for one in nats[1:]]


def test_the_verdict_has_the_first_loss_and_that_of_a_guess(make: Make) -> None:
    run = make("run")
    first = mean_nll(run.model.eval(), run.data["dev"])  # type: ignore[attr-defined]
    run.trainer().fit()
    result = run.evaluate(steps=30, seconds=1.0)
    assert result["initial_nats"] == first
    assert result["expected_initial_nats"] == math.log(run.vocabulary.size)
    assert FirstLoss.of(run.vocabulary.size, run.store.load_metrics()).warning is None


def test_an_overconfident_last_layer_is_warned_of(make: Make) -> None:
    loud = {"context": 3, "embedding": 2, "hidden": [5], "output_scale": 8.0}
    run = make("run", config={"settings": loud})
    assert run.trainer().fit()
    first = FirstLoss.of(run.vocabulary.size, run.store.load_metrics())
    assert first.measured is not None
    assert first.measured > 2 * first.expected
    assert first.warning == (
        f"The initial loss should be that of a uniform guess, {first.expected:.2f}; it is {first.measured:.2f}. "
        "The initial logits are overconfident, which the first steps have to undo. Scale down the initial weights of "
        "the last layer."
    )


@pytest.mark.parametrize(
    ("measured", "warns"), [(3.62, False), (3.63, True), (2.97, False), (2.96, True), (None, False)]
)
def test_a_first_loss_a_tenth_off_is_warned_of(measured: float | None, warns: bool) -> None:
    first = FirstLoss(expected=math.log(27), measured=measured)
    assert (first.warning is not None) == warns
    if warns and measured == 2.96:
        assert "already predict the text" in str(first.warning)


def test_patience_ends_after_so_many_evaluations_without_a_new_best(make: Make) -> None:
    run = make("run", lr=0.0, patience=3, eval_interval=2)
    loop = run.trainer()
    assert not loop.finished
    assert loop.fit()
    assert (loop.step, loop.best_step, loop.finished) == (6, 0, True)
    again = Run.open(run.store).trainer()
    assert again.finished
    assert again.fit()
    assert again.step == 6


def test_the_average_soon_forgets_the_first_weights(make: Make) -> None:
    """Against the formula in float64: a_n = d a_(n-1) + (1 - d) w_n with d = min(decay, (n - 1) / (n + 4))."""
    run = make("run", ema_decay=0.9, eval_interval=1)
    loop = run.trainer()
    walked: list[Array] = []
    evaluated: list[Array] = []
    before_each_step(loop, lambda: walked.append(loop._state.flat.data.astype(np.float64)))
    loop.on_evaluation = lambda _: evaluated.append(loop._state.flat.data.copy())
    loop.fit()
    walked.append(loop._state.flat.data.astype(np.float64))
    average = walked[0]
    for n, weights in enumerate(walked[1:], 1):
        decay = min(0.9, (n - 1) / (n + 4))
        average = decay * average + (1 - decay) * weights
        np.testing.assert_allclose(evaluated[n], average, rtol=1e-4, atol=1e-6)
    assert not np.allclose(evaluated[-1], walked[-1], rtol=1e-4, atol=1e-6)


def test_metrics_hold_every_loss_and_evaluation(make: Make) -> None:
    run = make("run")
    loop = run.trainer()
    batches: list[float] = []
    sample = loop.train.sample

    def watched(size: int, rng: np.random.Generator) -> Any:
        batch = sample(size, rng)
        batches.append(float(run.model.nll(batch.x, batch.y).mean(dtype=np.float64)))
        return batch

    loop.train.sample = watched  # type: ignore[method-assign]
    loop.fit()
    records = run.store.load_metrics()
    losses = [LossRecord(**record) for record in records if "loss" in record]
    assert [record.step for record in losses] == list(range(30))
    assert [record.loss for record in losses] == pytest.approx(batches, rel=1e-5)
    assert [record.lr for record in losses] == list(map(loop.config.rate(), range(30)))
    evaluations = [Evaluation(**record) for record in records if "dev_nats" in record]
    steps = [record.step for record in evaluations]
    assert steps == [0, 7, 14, 21, 28, 30]
    assert evaluations[0].train_nats is None
    for record, (start, end) in zip(evaluations[1:], pairwise(steps), strict=True):
        assert record.train_nats == pytest.approx(math.fsum(batches[start:end]) / (end - start), rel=1e-5)
        assert record.characters_per_second > 0
    assert [record.seconds for record in evaluations] == sorted(record.seconds for record in evaluations)
    best = [record.dev_nats for record in evaluations if record.best]
    assert best == sorted(best, reverse=True)
    assert best[-1] == min(record.dev_nats for record in evaluations)


def test_long_runs_keep_about_500_losses(make: Make) -> None:
    run = make("run", steps=1_700, eval_interval=900, batch_size=1)
    run.trainer().fit()
    steps = [record["step"] for record in run.store.load_metrics() if "loss" in record]
    assert steps == list(range(0, 1_700, 3))


@pytest.mark.parametrize("step", [1, 5, 12])
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_divergence_keeps_the_best_and_the_last_good_checkpoint(make: Make, step: int, bad: float) -> None:
    run = make("run", eval_interval=4)
    loop = run.trainer()

    def spoil() -> None:
        if loop.step == step:
            loop._state.flat.data[-1] = bad

    before_each_step(loop, spoil)
    with pytest.raises(DivergenceError, match=rf"the loss must stay finite; it became (nan|inf) at step {step} "):
        loop.fit()
    weights, facts = run.store.load_weights()
    assert all(np.isfinite(array).all() for array in weights.values())
    assert facts["step"] <= step
    arrays, facts = run.store.load_checkpoint()
    assert all(np.isfinite(array).all() for array in arrays.values())
    assert facts["step"] == step // 4 * 4
    assert [record["step"] for record in run.store.load_metrics() if "loss" in record] == list(range(step))


def test_divergence_in_the_last_step_is_found_by_the_evaluation(make: Make) -> None:
    run = make("run", lr=1e300, warmup=0, schedule="constant", optimiser="sgd", steps=1)
    with pytest.raises(DivergenceError, match=r"it became nan at step 1 .* The weights of step 0 \(dev \d\.\d+\)"):
        run.trainer().fit()
    assert run.store.load_checkpoint()[1]["step"] == 0


def test_a_checkpoint_of_another_model_is_refused(make: Make) -> None:
    run, other = make("run"), make("other", config={"settings": {"hidden": [6]}})
    other.trainer().fit()
    run.store.save_checkpoint(*other.store.load_checkpoint())
    with pytest.raises(RunError, match=r"a checkpoint must belong to its run; .* parameters must be float32 of shape"):
        run.trainer()


def test_a_run_holds_its_corpus_hashes_from_the_first_moment(make: Make) -> None:
    run = make("run")
    assert len(run.store.load_training_hashes()) == len(set(run.corpus.items))


def test_a_text_as_one_stream(make: Make) -> None:
    run = make("run", config={"mode": "text"})
    assert not run.ends
    assert run.trainer().fit()
    assert run.data["train"].targets == len(run.splits.train.items[0])


def test_counts_have_no_steps(make: Make) -> None:
    run = make("run", config={"model": "ngram", "settings": {"order": 2}, "train": None})
    result = run.evaluate(steps=0, seconds=run.count())
    assert result["initial_nats"] is None
    assert result["steps"] == result["best_step"] == 0
    model, _ = load_model(run.store)
    assert mean_nll(model, run.data["dev"]) == result["dev_nats"]


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_divergence_names_the_broken_parameter_that_is_nearest_to_the_loss(make: Make, bad: float) -> None:
    model: Any = make("run").model
    model.embedding.weight.array[0, 0] = bad
    assert described(model) == "1 of 5 parameters are not finite; the one nearest to the loss is embedding.weight"
    model.output.bias.array[0] = bad
    assert described(model) == "2 of 5 parameters are not finite; the one nearest to the loss is output.bias"


def test_divergence_names_the_first_layer_whose_output_is_not_finite(make: Make) -> None:
    model: Any = make("run").model
    for parameter in model.parameters():
        parameter.array[...] = 1
    model.hidden[0].weight.array[...] = 3e38
    where = next(name for name, module in model.named_modules() if module is model.hidden[0])
    assert described(model) == f"the output of {where} is not finite; the largest weight is 3e+38, in {where}.weight"


def described(model: Any) -> str:
    batch = Batch(np.array([[0, 1, 2], [3, 4, 0]]), np.array([1, 2]))
    with np.errstate(all="ignore"):
        return trainer._described(Watcher(BacklightAdapter(model)).locate(lambda: model.loss(batch)), model)
