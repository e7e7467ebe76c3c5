"""Options come from the fields of the configurations, and a group of them is a dictionary of what was given."""

import shlex
from dataclasses import fields
from typing import Annotated, Any

import pytest
import typer
from typer.testing import CliRunner

from backlight.cli.commands import _ALIASES, COMMANDS
from backlight.cli.options import DATA, NETWORK_SIZES, READING, SIZES, TRAINING, grouped, run_config, words
from backlight.core import ConfigError
from backlight.models import MODELS
from backlight.text import Reading
from backlight.training import RunConfig, TrainConfig


def runner(command: Any) -> Any:
    app = typer.Typer()
    app.command()(command)
    return lambda *given: CliRunner().invoke(app, list(given), env={"COLUMNS": "100"})


@pytest.fixture
def taken() -> list[Any]:
    return []


@pytest.fixture
def run(taken: list[Any]) -> Any:
    @grouped
    def command(
        *,
        typed: typer.Context,
        loud: bool = False,
        sizes: Annotated[dict[str, Any], SIZES],
        training: Annotated[dict[str, Any], TRAINING.without("steps")],
        last: Annotated[int, typer.Option(help="Last.")] = 3,
    ) -> None:
        """Do it."""
        taken.extend((set(typed.params), loud, sizes, training, last))

    return runner(command)


def test_a_group_is_a_dictionary_of_what_was_given(run: Any, taken: list[Any]) -> None:
    assert run("--hidden", "4,5", "--loud", "--lr", "0.5", "--batch-norm", "-k", "2").exit_code == 0
    names, *given = taken
    assert {"loud", "hidden", "lr", "last", "n_embd"} <= names
    assert given == [True, {"hidden": "4,5", "batch_norm": True, "k": 2.0}, {"lr": 0.5}, 3]


def test_options_are_checked_and_explained_like_any_other(run: Any, taken: list[Any]) -> None:
    assert run("--context", "x").exit_code == 2
    assert run("--optimiser", "adam").exit_code == 2
    assert run("--smoothing", "laplace").exit_code == 2
    assert taken == []
    shown = run("--help").output
    places = [shown.index(word) for word in ("Do it.", "Last.", "Context length", "Peak learning rate")]
    assert places == sorted(places)


def test_a_command_may_leave_out_a_part_of_a_group(run: Any) -> None:
    assert run("--steps", "3").exit_code == 2


def test_every_setting_of_every_model_and_of_training_is_an_option() -> None:
    offered = {one.name for one in SIZES.parameters}
    assert offered == {name for spec in MODELS.values() for name in spec.settings}
    assert {one.name for one in NETWORK_SIZES.parameters} == offered - {"order", "smoothing", "k"}
    assert {one.name for one in TRAINING.parameters} == {one.name for one in fields(TrainConfig)}
    read = {one.name for one in fields(Reading)} - {"labels"}  # which come from the table
    assert {one.name for one in READING.parameters} == read
    assert read <= {one.name for one in DATA.parameters} <= {one.name for one in fields(RunConfig)} | read


@pytest.mark.parametrize(
    ("model", "given", "expected"),
    [
        ("mlp", {"hidden": "200"}, {"hidden": [200]}),
        ("mlp", {"hidden": "256, 128"}, {"hidden": [256, 128]}),
        ("wavenet", {"hidden": "20"}, {"hidden": [20]}),
        ("ngram", {"smoothing": "add-k", "k": 0.5}, {"smoothing": "add-k", "k": 0.5}),
    ],
)
def test_lists_are_written_with_commas(model: str, given: dict[str, Any], expected: dict[str, Any]) -> None:
    assert run_config("names", model, given).settings == expected


@pytest.mark.parametrize("hidden", ["", "x", "4,", "4;5", "1.5", "1e3"])
def test_lists_that_are_no_numbers(hidden: str) -> None:
    with pytest.raises(ConfigError, match="--hidden takes whole numbers"):
        run_config("names", "mlp", {"hidden": hidden})


def test_a_command_line_is_what_it_was_made_of() -> None:
    given = {"hidden": "4,5", "batch_norm": True, "lr": 0.5}
    line = words("a b.txt", "mlp", given)
    assert shlex.join(line) == "'a b.txt' --hidden 4,5 --batch-norm --lr 0.5"
    assert words("names", "gpt", {}) == words(None, "gpt", {}) == ["names", "--model", "gpt"]
    assert words(["a", "b"], "mlp", {}) == ["a", "b"]


def test_old_names_are_other_names_of_options_that_there_are() -> None:
    offered = {one.name.replace("_", "-") for one in (*SIZES.parameters, *TRAINING.parameters)}
    for old, new in _ALIASES.items():
        assert old not in offered
        assert new in offered | set(COMMANDS)
