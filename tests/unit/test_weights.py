"""A model that was loaded with weights in 8 or 16 bits: what it gives, what it costs, and what it cannot do."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

import backlight
from backlight.cli.app import app
from backlight.core import ConfigError
from backlight.text import load_corpus

SMALL = {"n_embd": 32, "n_layer": 2, "n_head": 2, "context": 16, "steps": 120, "batch_size": 32, "eval_interval": 120}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("runs") / "g"
    backlight.train("names", model="gpt", run=where, progress=None, **SMALL)
    return where


def test_the_loss_on_held_out_text_stays_within_half_a_percent(place: Path) -> None:
    texts = load_corpus("names").items[-400:]
    exact = backlight.load(place).score(texts).mean()
    assert exact < 18  # it has learnt something: untrained, it is 23
    for weights, share in (("int8", 0.005), ("bfloat16", 0.005), ("float16", 0.0005)):
        rounded = backlight.load(place, weights=weights).score(texts).mean()  # type: ignore[arg-type]
        assert 0 < abs(rounded / exact - 1) < share


def test_it_samples_and_cannot_be_saved_exported_or_trained(place: Path, tmp_path: Path) -> None:
    model = backlight.load(place, weights="int8")
    assert "parameters in int8" in repr(model)
    assert len(model.sample(3, prefix="ma", seed=1)) == 3
    assert model.activations("ma")["blocks.0.mlp.0"].shape == (1, 3, 128)
    for forbidden in (
        lambda: model.save(tmp_path / "x"),
        lambda: model.export(tmp_path / "x", to="torch"),
        lambda: backlight.train(start=model, steps=1, progress=None),
    ):
        with pytest.raises(ConfigError, match=r"in int8 cannot be (saved|exported|trained)"):
            forbidden()
    assert not list(tmp_path.iterdir())


def test_other_models_and_types_are_refused(tmp_path: Path) -> None:
    backlight.train(["emma", "ava", "olivia", "mia"], model="bigram", run=tmp_path / "b", progress=None)
    with pytest.raises(ConfigError, match="by a gpt; this model is a bigram"):
        backlight.load(tmp_path / "b", weights="int8")
    with pytest.raises(ConfigError, match="got 'int4'"):
        backlight.load(tmp_path / "b", weights="int4")  # type: ignore[arg-type]


def test_the_commands_say_what_memory_the_weights_take(place: Path) -> None:
    for words in (["sample", str(place), "-n", "2"], ["score", str(place), "names", "--top", "1"]):
        result = CliRunner().invoke(app, [*words, "--weights", "int8"], env={"COLUMNS": "200"})
        assert result.exit_code == 0
        assert re.fullmatch(r"Weights in int8: 0\.\d MB instead of 0\.\d MB\.", result.stderr.splitlines()[0])
