"""What may be asked for, and that it survives JSON."""

import json
from contextlib import suppress
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backlight.autograd.flat import FlatParameters
from backlight.core import BacklightError, ConfigError, RunError
from backlight.nn import Linear
from backlight.optim import SGD, AdamW
from backlight.training import RECIPES, Plan, Recipe
from backlight.training.validate import wrong_entry

BASIS: dict[str, Any] = {"steps": 100, "batch_size": 4, "lr": 0.1}
NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        *(({name: count}, f"{name} must be from 1 to 1,000,000,000; got {count}")
          for name in ("steps", "batch_size", "threads", "evaluate_every", "patience") for count in (0, -1, 10**9 + 1)),
        *(({name: value}, f"{name} must be a finite number, 0 or more; got {value}")
          for name in ("lr", "weight_decay", "warmup") for value in (-1, NAN, INF, -INF)),
        *(({"optimiser": "sgd", "momentum": value}, "momentum must be at least 0 and below 1")
          for value in (-0.1, 1.0, NAN)),
        ({"momentum": 0.9}, "momentum is a setting of sgd; got momentum 0.9 with adamw"),
        *(({"average": value}, "average must be above 0 and below 1") for value in (0.0, 1.0, -1.0, NAN)),
        *(({"clip": value}, "clip must be above 0") for value in (0.0, -1.0, NAN)),
        ({"optimiser": "adam"}, "optimiser must be one of adamw, sgd; got 'adam'"),
        ({"schedule": "linear"}, "schedule must be one of cosine, step, constant; got 'linear'"),
    ],
    ids=str,
)  # fmt: skip
def test_a_recipe_out_of_range(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError) as error:
        Recipe(**{**BASIS, **changes})
    assert says in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "changes", [{"steps": 1}, {"steps": 1, "warmup": 9}, {"lr": 0.0}, {"clip": INF}, {"evaluate_every": 1000}], ids=str
)
def test_a_recipe_at_the_edge(changes: dict[str, Any]) -> None:
    recipe = Recipe(**{**BASIS, **changes})
    assert all(np.isfinite(recipe.rate()(step)) for step in range(recipe.steps))


@pytest.mark.parametrize(("steps", "given", "interval"), [(100, None, 5), (5, None, 1), (100, 30, 30), (39, None, 1)])
def test_interval(steps: int, given: int | None, interval: int) -> None:
    assert Recipe(steps=steps, batch_size=1, lr=1, evaluate_every=given).interval == interval


def test_schedules_have_the_recipes_shape() -> None:
    cosine = Recipe(**BASIS, warmup=10).rate()
    assert cosine(0) == pytest.approx(0.01)
    assert cosine(9) == cosine(10) == pytest.approx(0.1)
    assert cosine(99) < 1e-4
    step = Recipe(**BASIS, schedule="step").rate()
    assert (step(74), step(75)) == (0.1, pytest.approx(0.01))
    assert {Recipe(**BASIS, schedule="constant").rate()(n) for n in range(100)} == {0.1}


def test_optimisers_get_their_settings() -> None:
    flat = FlatParameters.of(Linear(2, 3, rng=np.random.default_rng(0)).parameters())
    sgd = Recipe(**BASIS, optimiser="sgd", momentum=0.5, weight_decay=0.1).build(flat)
    assert isinstance(sgd, SGD)
    assert (sgd.lr, sgd.momentum, sgd.weight_decay) == (0.1, 0.5, 0.1)
    adamw = Recipe(**BASIS, weight_decay=0.2).build(flat)
    assert isinstance(adamw, AdamW)
    assert (adamw.lr, adamw.weight_decay) == (0.1, 0.2)


RECIPE = st.builds(
    Recipe,
    steps=st.integers(1, 10**6),
    batch_size=st.integers(1, 10**4),
    lr=st.floats(0, 10),
    schedule=st.sampled_from(["cosine", "step", "constant"]),
    warmup=st.integers(0, 1000),
    weight_decay=st.floats(0, 1),
    clip=st.none() | st.floats(0.1, 10),
    average=st.none() | st.floats(0.1, 0.999),
    evaluate_every=st.none() | st.integers(1, 1000),
    patience=st.none() | st.integers(1, 100),
    threads=st.integers(1, 64),
)

PLAN = st.one_of(
    st.builds(
        Plan,
        corpus=st.text(),
        model=st.just("mlp"),
        settings=st.fixed_dictionaries(
            {},
            optional={
                "context": st.integers(1, 9),
                "hidden": st.lists(st.integers(1, 9), min_size=1),
                "direct": st.booleans(),
            },
        ),
        recipe=RECIPE,
        mode=st.sampled_from([None, "items", "text"]),
        seed=st.integers(0, 2**70),
        split_seed=st.integers(0, 2**70),
        duplicates=st.sampled_from(["together", "keep"]),
    ),
    st.builds(
        Plan,
        corpus=st.text(),
        model=st.just("ngram"),
        settings=st.fixed_dictionaries({}, optional={"order": st.integers(1, 6), "k": st.none() | st.floats(0, 9)}),
        recipe=st.none(),
    ),
)  # fmt: skip


@given(PLAN)
def test_a_plan_survives_json(plan: Plan) -> None:
    assert Plan.from_json(json.loads(json.dumps(plan.to_json()))) == plan


VALUES = Plan(corpus="names", model="mlp", settings={"context": 3}, recipe=RECIPES["mlp"]).to_json()
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=4,
)


@given(st.sampled_from(sorted(VALUES)), PLAIN)
def test_anything_else_in_a_plan_is_taken_or_refused(key: str, value: object) -> None:
    values = json.loads(json.dumps(VALUES))
    with suppress(BacklightError):
        Plan.from_json({**values, key: value})


@given(st.sampled_from(sorted(asdict(RECIPES["mlp"]))), PLAIN)
def test_anything_else_in_a_recipe_is_taken_or_refused(key: str, value: object) -> None:
    values = json.loads(json.dumps(VALUES))
    values["recipe"][key] = value
    with suppress(BacklightError):
        Plan.from_json(values)


@pytest.mark.parametrize("key", ["corpus", "model", "settings", "recipe"])
def test_a_plan_without_an_entry(key: str) -> None:
    with pytest.raises((RunError, ConfigError), match=key):
        Plan.from_json({name: value for name, value in VALUES.items() if name != key})


def test_networks_need_a_recipe_and_counts_take_none() -> None:
    with pytest.raises(ConfigError, match="a recipe is for networks"):
        Plan(corpus="names", model="mlp", settings={}, recipe=None)
    with pytest.raises(ConfigError, match="a recipe is for networks"):
        Plan(corpus="names", model="ngram", settings={}, recipe=Recipe(**BASIS))
    with pytest.raises(ConfigError, match="seed must be 0 or more"):
        Plan(corpus="names", model="ngram", settings={}, recipe=None, seed=-1)


def test_every_network_has_a_recipe_and_may_change_it() -> None:
    for name, recipe in RECIPES.items():
        assert not Plan(corpus="names", model=name, settings={}, recipe=replace(recipe, steps=7)).rung.counted


def test_wrong_entries_are_named() -> None:
    assert wrong_entry(Recipe, BASIS) is None
    assert wrong_entry(Recipe, {**BASIS, "lr": 1}) is None  # a whole number is a number
    assert wrong_entry(Recipe, {**BASIS, "steps": 1.0}) == "steps cannot be 1.0"
    assert wrong_entry(Recipe, {**BASIS, "steps": True}) == "steps cannot be True"
    assert wrong_entry(Recipe, {"steps": 1, "lr": 1}) == "batch_size is missing"
    assert wrong_entry(Recipe, {**BASIS, "depth": 1}) == "'depth' is unknown"
    assert wrong_entry(Plan, {**VALUES, "recipe": {**BASIS, "lr": "x"}}) is not None
