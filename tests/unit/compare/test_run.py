"""Models in processes of their own: what one of them does never reaches the others."""

import multiprocessing
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backlight.compare import Failure, compare_models, comparison
from backlight.core import ConfigError
from backlight.models import MODELS
from backlight.training import Progress, RunConfig, TrainConfig

TEXT = [
    "emma",
    "olivia",
    "ava",
    "isabella",
    "sophia",
    "mia",
    "amelia",
    "harper",
    "evelyn",
    "liam",
    "noah",
    "oliver",
    "james",
]


class Heard:
    """Remembers what is reported."""

    def __init__(self) -> None:
        self.rows: dict[str, Mapping[str, Any]] = {}
        self.failures: dict[str, str] = {}
        self.moves: list[str] = []

    def on_progress(self, model: str, progress: Progress) -> None:
        del progress
        self.moves.append(model)

    def on_result(self, model: str, row: Mapping[str, Any]) -> None:
        self.rows[model] = row

    def on_failure(self, failure: Failure) -> None:
        self.failures[failure.model] = failure.reason


@pytest.fixture
def corpus(tmp_path: Path) -> str:
    path = tmp_path / "text.txt"
    path.write_text("\n".join(TEXT) + "\n")
    return str(path)


def with_train(config: RunConfig, **changes: Any) -> RunConfig:
    assert config.train is not None
    return replace(config, train=replace(config.train, **changes))


def test_a_model_that_diverges_fails_alone(corpus: str, tmp_path: Path) -> None:
    bigram, ngram = comparison(corpus, models=("bigram", "ngram"), steps=5)
    heard = Heard()
    rows = compare_models(
        [with_train(bigram, lr=3e38, warmup=0, patience=None), ngram], tmp_path / "runs", heard, jobs=2
    )
    assert [row["model"] for row in rows] == ["ngram"] == list(heard.rows)
    assert "the loss must stay finite" in heard.failures["bigram"]


def test_a_model_that_is_killed_fails_alone(corpus: str, tmp_path: Path) -> None:
    class Killer(Heard):
        def on_progress(self, model: str, progress: Progress) -> None:
            super().on_progress(model, progress)
            for process in multiprocessing.active_children():
                process.kill()

    bigram, ngram = comparison(corpus, models=("bigram", "ngram"), steps=5)
    heard = Killer()
    rows = compare_models([ngram, with_train(bigram, steps=10**8)], tmp_path / "runs", heard, jobs=1)
    assert heard.moves
    assert heard.failures == {"bigram": "its process ended early with exit code -9."}
    assert [row["model"] for row in rows] == ["ngram"]


def test_no_process_is_left_when_the_listener_raises(corpus: str, tmp_path: Path) -> None:
    class Tired(Heard):
        def on_progress(self, model: str, progress: Progress) -> None:
            del model, progress
            raise KeyboardInterrupt

    (bigram,) = comparison(corpus, models=("bigram",), steps=5)
    with pytest.raises(KeyboardInterrupt):
        compare_models([with_train(bigram, steps=10**8)], tmp_path / "runs", Tired(), jobs=1)
    assert multiprocessing.active_children() == []


def test_rows_come_in_the_order_of_the_configurations_and_samples_can_be_left_out(corpus: str, tmp_path: Path) -> None:
    todo = comparison(corpus, models=("mlp", "ngram", "bigram"), steps=2)
    rows = compare_models(todo, tmp_path / "runs", Heard(), jobs=3, samples=0)
    assert [row["model"] for row in rows] == ["bigram", "ngram", "mlp"]
    assert all(row["samples"] == [] for row in rows)
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["bigram", "mlp", "ngram"]


def test_the_quick_trainings_are_shorter_and_the_thorough_ones_are_those_of_train() -> None:
    quick, thorough = comparison("names"), comparison("names", thorough=True)
    assert [config.model for config in quick] == list(MODELS) == [config.model for config in thorough]
    for short, long in zip(quick, thorough, strict=True):
        if long.train is None:
            assert short.train is None
            continue
        assert short.train is not None
        assert long.train == TrainConfig.of(long.model)
        assert short.train.steps <= long.train.steps
    assert {config.seed for config in comparison("names", seed=7)} == {7}


def test_the_slowest_start_first() -> None:
    costs = {name: spec.cost for name, spec in MODELS.items()}
    assert sorted(costs, key=lambda name: -costs[name]) == [
        "gpt", "lstm", "gru", "wavenet", "rnn", "mlp", "bigram", "ngram",
    ]  # fmt: skip


def test_models_that_there_are_not() -> None:
    with pytest.raises(ConfigError, match="got transformer"):
        comparison("names", models=("mlp", "transformer"))
