"""What may be asked for, in words that name the wrong setting, and that it survives JSON."""

import json
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backlight.core import BacklightError, ConfigError, RunError
from backlight.core.settings import from_json
from backlight.models import MODELS, model_spec
from backlight.models.mlp import MLP, MLPConfig
from backlight.optim import SGD, AdamW, Muon
from backlight.training import Run, RunConfig, TrainConfig

BASIS: dict[str, Any] = {"steps": 100, "batch_size": 4, "lr": 0.1}
NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        *(({name: count}, f"{name} must be from 1 to 1,000,000,000; got {count}")
          for name in ("steps", "batch_size", "threads", "eval_interval", "patience") for count in (0, -1, 10**9 + 1)),
        *(({name: value}, f"{name} must be a finite number, 0 or more; got {value}")
          for name in ("lr", "weight_decay") for value in (-1.0, NAN, INF, -INF)),
        ({"warmup": -1}, "warmup must be from 0 to 1,000,000,000; got -1"),
        *(({"optimiser": "sgd", "momentum": value}, "momentum must be at least 0 and below 1")
          for value in (-0.1, 1.0, NAN)),
        ({"momentum": 0.9}, "momentum is a setting of sgd; got momentum 0.9 with adamw"),
        *(({"ema_decay": value}, "ema_decay must be above 0 and below 1") for value in (0.0, 1.0, -1.0, NAN)),
        *(({"grad_clip": value}, "grad_clip must be above 0") for value in (0.0, -1.0, NAN)),
        ({"optimiser": "adam"}, "optimiser must be one of adamw, sgd, muon; got 'adam'"),
        ({"schedule": "linear"}, "schedule must be one of cosine, step, constant; got 'linear'"),
        ({"steps": "many"}, "steps must be a whole number; got 'many'"),
        ({"steps": 1e4}, "steps must be a whole number; got 10000.0"),
        ({"steps": True}, "steps must be a whole number; got True"),
        ({"lr": None}, "lr must be a number; got None"),
        ({"lr": [0.1]}, "lr must be a number; got [0.1]"),
        ({"patience": 2.5}, "patience must be a whole number or None; got 2.5"),
    ],
    ids=str,
)  # fmt: skip
def test_a_training_out_of_range(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError) as error:
        TrainConfig(**{**BASIS, **changes})
    assert says in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "changes",
    [{"steps": 1}, {"steps": 1, "warmup": 9}, {"lr": 0.0}, {"lr": 1}, {"grad_clip": INF}, {"eval_interval": 1000}],
    ids=str,
)
def test_a_training_at_the_edge(changes: dict[str, Any]) -> None:
    config = TrainConfig(**{**BASIS, **changes})
    assert all(np.isfinite(config.rate()(step)) for step in range(config.steps))


def test_numbers_of_numpy_are_numbers() -> None:
    config = TrainConfig(**{**BASIS, "steps": np.int64(7), "lr": np.float32(0.5)})
    assert (type(config.steps), type(config.lr)) == (int, float)


def test_schedules_have_their_shape() -> None:
    cosine = TrainConfig(**BASIS, warmup=10).rate()
    assert cosine(0) == pytest.approx(0.01)
    assert cosine(9) == cosine(10) == pytest.approx(0.1)
    assert cosine(99) < 1e-4
    step = TrainConfig(**BASIS, schedule="step").rate()
    assert (step(74), step(75)) == (0.1, pytest.approx(0.01))
    assert {TrainConfig(**BASIS, schedule="constant").rate()(n) for n in range(100)} == {0.1}


def test_optimisers_get_their_settings() -> None:
    model = MLP(MLPConfig(vocabulary_size=7, context=2, embedding=3, hidden=(5, 4)), rng=np.random.default_rng(0))
    sgd = TrainConfig(**BASIS, optimiser="sgd", momentum=0.5, weight_decay=0.1).build(model)
    assert isinstance(sgd, SGD)
    assert (sgd.lr, sgd.momentum, sgd.weight_decay) == (0.1, 0.5, 0.1)
    adamw = TrainConfig(**BASIS, weight_decay=0.2).build(model)
    assert type(adamw) is AdamW
    assert (adamw.lr, adamw.weight_decay) == (0.1, 0.2)
    muon = TrainConfig(**BASIS, optimiser="muon", weight_decay=0.2).build(model)
    assert isinstance(muon, Muon)
    assert (muon.lr, muon.weight_decay) == (0.1, 0.2)
    assert [one.shape for one, _ in muon.matrices] == [(6, 5), (5, 4)]


TRAINING = st.builds(
    TrainConfig,
    steps=st.integers(1, 10**6),
    batch_size=st.integers(1, 10**4),
    lr=st.floats(0, 10),
    schedule=st.sampled_from(["cosine", "step", "constant"]),
    warmup=st.integers(0, 1000),
    weight_decay=st.floats(0, 1),
    grad_clip=st.none() | st.floats(0.1, 10),
    ema_decay=st.none() | st.floats(0.1, 0.999),
    eval_interval=st.none() | st.integers(1, 1000),
    patience=st.none() | st.integers(1, 100),
    threads=st.integers(1, 64),
)

CONFIG = st.one_of(
    st.builds(
        RunConfig,
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
        train=TRAINING,
        mode=st.sampled_from(["items", "text"]),
        seed=st.integers(0, 2**70),
        split_seed=st.integers(0, 2**70),
        duplicates=st.sampled_from(["together", "keep"]),
    ),
    st.builds(
        RunConfig,
        corpus=st.text(),
        model=st.just("ngram"),
        settings=st.fixed_dictionaries({}, optional={"order": st.integers(1, 6)}),
        train=st.none(),
        mode=st.just("items"),
    ),
)  # fmt: skip


def stored(config: RunConfig) -> dict[str, Any]:
    """Return what config.json holds, through JSON."""
    sizes = config.spec.configure({**config.settings, "vocabulary_size": 27})
    values = config.to_json(sizes=sizes, mode=config.mode or "items", sha256="0", parameters=None)
    found: dict[str, Any] = json.loads(json.dumps(values))
    return found


@given(CONFIG)
def test_a_configuration_survives_json(config: RunConfig) -> None:
    back = RunConfig.from_json(stored(config))
    sizes = (one.spec.configure({**one.settings, "vocabulary_size": 27}) for one in (config, back))
    assert len(set(sizes)) == 1
    assert replace(back, settings={}) == replace(config, settings={})


VALUES = stored(RunConfig.of("names", model="mlp", context=3))
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=4,
)


@given(st.sampled_from(sorted(VALUES)), PLAIN)
def test_anything_else_in_a_configuration_is_taken_or_refused(key: str, value: object) -> None:
    values = json.loads(json.dumps(VALUES))
    with suppress(BacklightError):
        RunConfig.from_json({**values, key: value})


@given(st.sampled_from([(part, key) for part in ("train", "model", "corpus") for key in sorted(VALUES[part])]), PLAIN)
def test_anything_else_further_in_is_taken_or_refused(place: tuple[str, str], value: object) -> None:
    part, key = place
    values = json.loads(json.dumps(VALUES))
    values[part][key] = value
    with suppress(BacklightError):
        RunConfig.from_json(values)


@pytest.mark.parametrize("key", ["corpus", "model", "train"])
def test_a_configuration_without_an_entry(key: str) -> None:
    with pytest.raises(RunError, match=key):
        RunConfig.from_json({name: value for name, value in VALUES.items() if name != key})


def test_a_wrong_value_is_named_and_not_its_surroundings() -> None:
    with pytest.raises(RunError, match=r"in this one lr must be a number; got '0\.1'\. .* Or train again\."):
        RunConfig.from_json({**VALUES, "train": {**VALUES["train"], "lr": "0.1"}})
    with pytest.raises(RunError, match=r"in this one lr must be a finite number, 0 or more; got -1\.0"):
        RunConfig.from_json({**VALUES, "train": {**VALUES["train"], "lr": -1.0}})


def test_networks_need_a_training_and_counts_take_none() -> None:
    with pytest.raises(ConfigError, match="model mlp needs a TrainConfig; got None"):
        RunConfig(corpus="names", model="mlp", settings={}, train=None)
    with pytest.raises(ConfigError, match="model ngram counts n-grams and takes no TrainConfig"):
        RunConfig(corpus="names", model="ngram", settings={}, train=TrainConfig(**BASIS))
    with pytest.raises(ConfigError, match="seed must be 0 or more; got -1"):
        RunConfig(corpus="names", model="ngram", settings={}, train=None, seed=-1)
    with pytest.raises(ConfigError, match="ngram counts n-grams and is not trained step by step; got steps"):
        RunConfig.of("names", model="ngram", steps=3)


@pytest.mark.parametrize("name", MODELS)
def test_every_network_has_a_training_of_its_own_that_can_be_changed(name: str) -> None:
    spec = model_spec(name)
    config = RunConfig.of("names", model=name)
    assert (config.train is None) == spec.counted
    if not spec.counted:
        changed = RunConfig.of("names", model=name, steps=7).train
        assert changed == replace(TrainConfig.of(name), steps=7)
        assert replace(TrainConfig.of(name), **spec.quick).steps <= TrainConfig.of(name).steps


@pytest.mark.parametrize(
    ("model", "options", "says"),
    [
        ("mlp", {"hiden": 3}, "there is no option 'hiden' for mlp. Did you mean hidden?"),
        ("mlp", {"n_head": 3}, "n_head is a setting of gpt; mlp has context, embedding, hidden"),
        ("mlp", {"clip": 1.0}, "clip is called grad_clip"),
        ("gpt", {"heads": 2}, "heads is called n_head"),
        ("mlp", {"zzz": 1}, "There are: context, embedding"),
        ("gpd", {}, "there is no model 'gpd'. Did you mean gpt?"),
        ("mlp", {"hidden": "200"}, "hidden must be a list of whole numbers; got '200'"),
    ],
)
def test_an_option_that_there_is_not(model: str, options: dict[str, Any], says: str, names: Any) -> None:
    with pytest.raises(ConfigError) as error:
        Run.create(RunConfig.of(str(names), model=model, **options))
    assert says in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({**BASIS, "steps": 1.0}, "steps must be a whole number; got 1.0"),
        ({"steps": 1, "lr": 1}, "batch_size is missing."),
        ({**BASIS, "depth": 1}, "'depth' is unknown."),
    ],
)
def test_what_json_holds_is_checked(values: Any, says: str) -> None:
    assert from_json(TrainConfig, {**BASIS, "lr": 1}) == TrainConfig(**{**BASIS, "lr": 1})  # a whole number is a number
    with pytest.raises(ConfigError, match=says):
        from_json(TrainConfig, values)
