"""Rungs in processes of their own: what one of them does never reaches the others."""

import multiprocessing
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backlight.compare import RUNGS, Fallen, climb, plans
from backlight.core import ConfigError
from backlight.training import RECIPES, Plan, Progress

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
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.rows: dict[str, Mapping[str, Any]] = {}
        self.fallen: dict[str, str] = {}
        self.moves: list[str] = []

    def moved(self, model: str, progress: Progress) -> None:
        del progress
        self.moves.append(model)

    def arrived(self, model: str, row: Mapping[str, Any]) -> None:
        self.rows[model] = row

    def fell(self, fallen: Fallen) -> None:
        self.fallen[fallen.model] = fallen.reason


@pytest.fixture
def corpus(tmp_path: Path) -> str:
    path = tmp_path / "text.txt"
    path.write_text("\n".join(TEXT) + "\n")
    return str(path)


def with_recipe(plan: Plan, **changes: Any) -> Plan:
    assert plan.recipe is not None
    return replace(plan, recipe=replace(plan.recipe, **changes))


def test_a_rung_that_diverges_falls_alone(corpus: str, tmp_path: Path) -> None:
    bigram, ngram = plans(corpus, models=("bigram", "ngram"), steps=5)
    heard = Heard()
    rows = climb([with_recipe(bigram, lr=3e38, warmup=0, patience=None), ngram], tmp_path / "runs", heard, jobs=2)
    assert [row["model"] for row in rows] == ["ngram"] == list(heard.rows)
    assert "the loss must stay finite" in heard.fallen["bigram"]


def test_a_rung_that_is_killed_falls_alone(corpus: str, tmp_path: Path) -> None:
    class Killer(Heard):
        def moved(self, model: str, progress: Progress) -> None:
            super().moved(model, progress)
            for process in multiprocessing.active_children():
                process.kill()

    bigram, ngram = plans(corpus, models=("bigram", "ngram"), steps=5)
    heard = Killer()
    rows = climb([ngram, with_recipe(bigram, steps=10**8)], tmp_path / "runs", heard, jobs=1)
    assert heard.moves
    assert heard.fallen == {"bigram": "its process ended early, with exit code -9."}
    assert [row["model"] for row in rows] == ["ngram"]


def test_no_process_is_left_when_the_listener_raises(corpus: str, tmp_path: Path) -> None:
    class Tired(Heard):
        def moved(self, model: str, progress: Progress) -> None:
            del model, progress
            raise KeyboardInterrupt

    (bigram,) = plans(corpus, models=("bigram",), steps=5)
    with pytest.raises(KeyboardInterrupt):
        climb([with_recipe(bigram, steps=10**8)], tmp_path / "runs", Tired(), jobs=1)
    assert multiprocessing.active_children() == []


def test_rows_stand_in_the_order_of_the_plans_and_samples_can_be_left_out(corpus: str, tmp_path: Path) -> None:
    todo = plans(corpus, models=("mlp", "ngram", "bigram"), steps=2)
    rows = climb(todo, tmp_path / "runs", Heard(), jobs=3, samples=0)
    assert [row["model"] for row in rows] == ["bigram", "ngram", "mlp"]
    assert all(row["samples"] == [] for row in rows)
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["bigram", "mlp", "ngram"]


def test_the_quick_plans_are_shorter_and_the_thorough_ones_are_those_of_train() -> None:
    quick, thorough = plans("names"), plans("names", thorough=True)
    assert [plan.model for plan in quick] == list(RUNGS) == [plan.model for plan in thorough]
    for short, long in zip(quick, thorough, strict=True):
        if long.recipe is None:
            assert short.recipe is None
            continue
        assert short.recipe is not None
        assert replace(long.recipe, patience=None) == RECIPES[long.model]
        assert short.recipe.steps <= long.recipe.steps
    assert {plan.seed for plan in plans("names", seed=7)} == {7}


def test_rungs_that_there_are_not() -> None:
    with pytest.raises(ConfigError, match="got transformer"):
        plans("names", models=("mlp", "transformer"))
