"""A group of options in a command's place is its fields on the command line."""

from dataclasses import dataclass
from typing import Annotated, Any

import pytest
import typer
from typer.testing import CliRunner

from backlight.cli.grouped import Without, grouped


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where."""

    file: Annotated[str, typer.Argument(help="A file.")]
    folder: Annotated[str, typer.Option(help="A folder.")] = "runs"
    depth: Annotated[int | None, typer.Option("--depth", "-d", help="How deep.", min=1)] = None


def runner(command: Any) -> Any:
    app = typer.Typer()
    app.command()(command)
    return lambda *words: CliRunner().invoke(app, list(words), env={"COLUMNS": "80"})


@pytest.fixture
def taken() -> list[Any]:
    return []


@pytest.fixture
def run(taken: list[Any]) -> Any:
    @grouped
    def command(
        *, typed: typer.Context, loud: bool = False, where: Place, last: Annotated[int, typer.Option(help="Last.")] = 3
    ) -> None:
        """Do it."""
        taken.extend((sorted(typed.params), loud, where, last))

    return runner(command)


def test_the_command_takes_the_group_as_a_whole(run: Any, taken: list[Any]) -> None:
    assert run("a.txt", "-d", "4", "--loud").exit_code == 0
    names = ["depth", "file", "folder", "last", "loud"]
    assert taken == [names, True, Place(file="a.txt", folder="runs", depth=4), 3]


def test_fields_are_checked_and_explained_like_any_option(run: Any, taken: list[Any]) -> None:
    assert run().exit_code == 2
    assert run("a.txt", "--depth", "0").exit_code == 2
    assert taken == []
    shown = run("--help").output
    places = [shown.index(word) for word in ("Do it.", "A file.", "--loud", "A folder.", "How deep.", "Last.")]
    assert places == sorted(places)
    assert "[default: runs]" in shown


def test_a_command_may_take_a_part_of_a_group(taken: list[Any]) -> None:
    @grouped
    def command(*, where: Annotated[Place, Without("folder")]) -> None:
        taken.append(where)

    run = runner(command)
    assert run("a.txt", "--folder", "b").exit_code == 2
    assert run("a.txt").exit_code == 0
    assert taken == [Place(file="a.txt")]
