"""How `backlight explain` reads its numbers and fits its tables."""

import io

import pytest
from rich.cells import cell_len
from rich.console import Console

from backlight.cli.explain import _numbers
from backlight.cli.walking import show_table
from backlight.core import ConfigError
from backlight.explanation.tables import Table


def test_numbers_stand_between_commas_in_one_option_or_several() -> None:
    assert _numbers(["x=2,w=-3", " b = 6.88e0 , ", "π=.5", "y=1_000"]) == {
        "x": 2.0, "w": -3.0, "b": 6.88, "π": 0.5, "y": 1000.0,
    }  # fmt: skip
    assert _numbers([]) == {}


@pytest.mark.parametrize(
    "wrong", ["x", "x=", "=1", "x=one", "1=x", "x:1", "x=1=2", "a b=1", "x.y=1", "x=1;y=2", "x=1j"]
)
def test_what_is_no_number_is_named(wrong: str) -> None:
    with pytest.raises(ConfigError, match="--at takes names and numbers separated by commas") as caught:
        _numbers(["a=1", wrong])
    assert repr(wrong) in str(caught.value)


def test_a_name_has_one_number() -> None:
    with pytest.raises(ConfigError, match="got x twice"):
        _numbers(["x=1,y=2", "x=1"])


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_names_give_way_and_numbers_never(width: int) -> None:
    table = Table(
        columns=("name", "number", "made of", "result"),
        rows=(("a" * 30, "-1.23e-100", "b * " * 20, "0.7071"), ("名" * 20, "12346", "", "-1.5")),
        text=frozenset({0, 2}),
        note="... and 5 more nodes",
    )
    out = io.StringIO()
    show_table(Console(file=out, width=width, markup=False, highlight=False), table)
    lines = out.getvalue().splitlines()
    assert max(map(cell_len, lines)) <= width
    for number in ("-1.23e-100", "0.7071", "12346", "-1.5", "number", "result"):
        assert sum(number in line for line in lines) == 1
    assert ("…" in lines[1]) == (width < 150)
    assert lines[-1] == "... and 5 more nodes"
