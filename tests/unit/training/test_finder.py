"""The learning-rate finder: what it measures, what it suggests, and that it leaves no trace."""

import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from backlight.core import ConfigError, DomainError
from backlight.models import MODELS
from backlight.training import Run, RunConfig, TrainConfig, find_rate, mean_nll
from backlight.training.finder import read_sweep


@pytest.fixture
def make(names: Any) -> Callable[..., Run]:
    def made(model: str = "mlp", *, seed: int = 1, **training: Any) -> Run:
        small = {"context": 3, "embedding": 2, "hidden": [5]} if model == "mlp" else {}
        train = TrainConfig(**{"steps": 30, "batch_size": 8, "lr": 0.01, **training})
        return Run.create(RunConfig(corpus=str(names), model=model, settings=small, train=train, seed=seed))

    return made


def valley(best: float, *, ends_at: float = 10.0, steps: int = 121, noise: float = 0.0) -> tuple[Any, Any]:
    """A loss that falls from 3 to 2 by the logistic of the rate around `best` / 10, and from `best` on bursts."""
    rates = np.geomspace(1e-5, ends_at, steps)
    at = np.log10(rates / best)
    losses = 3 - 1 / (1 + np.exp(-6 * (at + 1))) + np.exp(6 * (at - 0.5))
    return rates, losses + noise * np.random.default_rng(1).standard_normal(steps)


def read(rates: Any, losses: Any, ended: Any = "burst") -> Any:
    return read_sweep(rates.tolist(), losses.tolist(), ended, optimiser="sgd", batch_size=32)


@pytest.mark.parametrize("noise", [0.0, 0.1])
@pytest.mark.parametrize("best", [1e-3, 1e-2, 0.1])
def test_the_rate_by_which_nine_tenths_of_the_fall_are_made(best: float, noise: float) -> None:
    rates, losses = valley(best, noise=noise)
    kept = losses < 6
    sweep = read(rates[kept], losses[kept])
    exact = best / 10 * 10 ** (math.log(0.9 / 0.1) / 6)  # where the logistic is 0.9
    assert sweep.suggestion == pytest.approx(exact, rel=0.35)
    assert f"At {sweep.suggestion:.2g} it has reached 90% of that fall" in sweep.reason
    assert f"diverges at {rates[kept][-1]:.2g}" in sweep.reason
    assert sweep.steps == len(sweep.rates) == len(sweep.losses) == len(sweep.smoothed)


def test_a_wild_loss_at_the_end_does_not_reach_down() -> None:
    rates, losses = valley(0.1)
    kept = losses < 6
    calm = read(rates[kept], losses[kept]).suggestion
    losses[kept.sum() - 1] = 1e30
    assert read(rates[kept], losses[kept]).suggestion == pytest.approx(calm, rel=0.2)


def test_smoothing_neither_lags_nor_bends_a_line() -> None:
    rates = np.geomspace(1e-4, 1, 81)
    line = 3 - 0.1 * np.log10(rates / 1e-4)
    inner = slice(10, -10)  # at the edges there are neighbours on one side only
    np.testing.assert_allclose(np.array(read(rates, line, "highest").smoothed)[inner], line[inner], atol=1e-4)


def test_a_loss_that_never_falls_has_no_rate_to_suggest() -> None:
    rates = np.geomspace(1e-5, 1e-3, 40)
    flat = read(rates, np.full(40, 3.0), "highest")
    assert flat.suggestion is None
    assert "No rate up to 0.001" in flat.reason
    assert "to a higher rate" in flat.reason
    rising = read(rates, np.linspace(3, 6.5, 40))
    assert rising.suggestion is None
    assert "Sweep from a lower rate" in rising.reason


def test_a_loss_that_still_falls_at_the_end_is_said_to() -> None:
    rates = np.geomspace(1e-5, 1e-2, 60)
    sweep = read(rates, np.linspace(3.0, 2.0, 60), "highest")
    assert sweep.suggestion is not None
    assert "still falling at the end: sweep to a higher rate" in sweep.reason


def test_the_sweep_rises_evenly_and_ends_when_the_loss_bursts(make: Callable[..., Run]) -> None:
    sweep = find_rate(make(optimiser="sgd"), lowest=1e-3, highest=1e4, steps=70)
    ratios = np.diff(np.log10(sweep.rates))
    np.testing.assert_allclose(ratios, 7 / 69)
    assert sweep.rates[0] == 1e-3
    assert sweep.ended in {"burst", "not finite"}
    assert sweep.steps < 70
    assert all(map(math.isfinite, sweep.losses))
    assert (sweep.optimiser, sweep.batch_size) == ("sgd", 8)


def test_the_loss_is_that_of_the_training_text(make: Callable[..., Run]) -> None:
    """The text has fewer targets than are looked at, so all of them are."""
    run = make()
    first = mean_nll(run.model, run.data["train"])
    assert find_rate(run, steps=20).losses[0] == pytest.approx(first, rel=1e-6)


@pytest.mark.parametrize("model", ["mlp", "wavenet", "gru", "gpt"])
def test_a_sweep_leaves_no_trace(make: Callable[..., Run], model: str) -> None:
    run = make(model)
    before = run.model.state_dict()
    first, second = (find_rate(run, lowest=0.01, steps=25) for _ in range(2))
    for name, array in run.model.state_dict().items():
        np.testing.assert_array_equal(array, before[name])
    if model not in {"gru", "gpt"}:  # dropout's generator has gone on
        assert first == second


def test_the_seed_decides(make: Callable[..., Run]) -> None:
    one, same, other = (find_rate(make("gru", seed=seed), steps=20) for seed in (1, 1, 2))
    assert one == same
    assert one.losses != other.losses


def test_clipping_is_part_of_the_step(make: Callable[..., Run]) -> None:
    held, free = (
        find_rate(make(optimiser="sgd", grad_clip=clip), steps=20)
        for clip in (1e-6, None)
    )  # fmt: skip
    assert max(held.losses) - min(held.losses) < 1e-3
    assert max(free.losses) - min(free.losses) > 0.1


def test_goes_through_json(make: Callable[..., Run]) -> None:
    sweep = find_rate(make(), steps=20)
    found = json.loads(json.dumps(sweep.to_json(), allow_nan=False))
    assert found["steps"] == sweep.steps
    assert tuple(found["losses"]) == sweep.losses


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"lowest": 0.0}, "must go from a rate above 0 to a higher one; got 0 to 10"),
        ({"lowest": 1.0, "highest": 0.1}, "got 1 to 0.1"),
        ({"highest": math.inf}, "got 1e-05 to inf"),
        ({"lowest": math.nan}, "got nan to 10"),
        ({"steps": 19}, "at least 20 steps; got 19"),
    ],
)
def test_a_sweep_that_is_none(make: Callable[..., Run], changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        find_rate(make(), **changes)


def test_what_is_counted_has_no_rate(names: Any) -> None:
    with pytest.raises(ConfigError, match="ngram counts n-grams"):
        find_rate(Run.create(RunConfig.of(str(names), model="ngram")))


def test_first_weights_beyond_all_numbers(make: Callable[..., Run]) -> None:
    run = make()
    run.model.output.weight.array[...] = np.inf  # type: ignore[attr-defined]
    with pytest.raises(DomainError, match="finite before the first step"):
        find_rate(run)


# -- on the lectures' text ---------------------------------------------------------------------------------------------

LECTURE_3 = {"context": 3, "embedding": 10, "hidden": [200]}


def on_names(path: Any, settings: dict[str, Any], train: TrainConfig, seed: int) -> Run:
    return Run.create(RunConfig(corpus=str(path), model="mlp", settings=settings, train=train, seed=seed))


@pytest.mark.parametrize("seed", [1, 2])
def test_lecture_3_finds_a_tenth(makemore_names: Any, seed: int) -> None:
    """By SGD with batches of 32 the lecture's own sweep, over 0.001 to 1, has its valley at 0.1."""
    train = TrainConfig(steps=1_000, batch_size=32, lr=1.0, optimiser="sgd")
    sweep = find_rate(on_names(makemore_names, LECTURE_3, train, seed))
    assert sweep.suggestion is not None
    assert 0.1 / 2 <= sweep.suggestion <= 0.1 * 2


@pytest.mark.parametrize("seed", [1, 2])
def test_adamw_on_the_default_mlp_comes_near_the_best_of_a_grid(makemore_names: Any, seed: int) -> None:
    """Of 0.0003, 0.001, 0.002, 0.004, 0.008, 0.016 and 0.032, 500 steps by cosine were best at 0.008 (docs/log.md)."""
    train = TrainConfig(steps=5_000, batch_size=256, lr=1.0, weight_decay=0.07)
    assert set(MODELS["mlp"].configure({"vocabulary_size": 27}).hidden) == {256}
    sweep = find_rate(on_names(makemore_names, {}, train, seed))
    assert sweep.suggestion is not None
    assert 0.008 / 3 <= sweep.suggestion <= 0.008 * 3
