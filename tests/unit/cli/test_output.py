"""What the commands print is fit for a terminal, and what they propose to type is fit for a shell."""

import io
import json
import math
import shlex
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from backlight.cli import app, live, output, train
from backlight.core import ConfigError, RunError


@given(st.text(st.characters(codec="utf-8")))
def test_nothing_steers_a_terminal(text: str) -> None:
    assert not set(output.one_line(text)) & {*map(chr, range(32)), "\x7f", "\x9b", "\u202e", "\u2066"}
    assert output.visible(text).count("\n") == text.count("\n")
    assert output.one_line(text).isprintable() or not text.isprintable()


def test_what_is_harmless_is_shown_as_it_is() -> None:
    for text in ("zoë", "日本", "a b", "[red]", "\N{MAN}\N{ZERO WIDTH JOINER}\N{WOMAN}", "שלום", "e\u0301"):
        assert output.one_line(text) == output.visible(text) == text
    assert output.one_line("a\x1b[31m\nb") == "a\\x1b[31m\\nb"
    assert output.shortened("abcdef", 6) == "abcdef"
    assert output.shortened("abcdefg", 6) == "abcde…"


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0")), min_size=1))
def test_a_proposed_command_means_what_it_says(words: list[str]) -> None:
    assert shlex.split(output.command(*words)) == ["backlight", *words]


def test_a_run_is_called_by_its_name_where_that_is_enough() -> None:
    assert output.called(Path("runs/net")) == "net"
    assert output.called(Path("elsewhere/net")) == "elsewhere/net"
    assert output.called(Path("net")) == "net"
    assert output.called(Path("-x/net")) == "./-x/net"
    assert output.called(Path("runs/net"), name=False) == "runs/net"


@given(st.text(), st.floats())
def test_json_is_one_line_of_ascii(text: str, number: float) -> None:
    stream = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdout", stream)
        output.print_json({"text": text, "number": number, "deep": [{text: None}]})
    line = stream.getvalue()
    assert line.isascii()
    assert line.splitlines() == [line[:-1]]
    found = json.loads(line)
    assert found["text"] == text
    assert found["number"] == (number if math.isfinite(number) else None)


@pytest.mark.parametrize("nats", [0.0, 2.8332, 99.99994, 100.0, 12345.678, 3.4e38, 1e300])
@pytest.mark.parametrize("digits", [3, 4])
def test_a_loss_fits_its_column(nats: float, digits: int) -> None:
    assert len(live._figure(nats, digits)) <= 8


@given(
    st.lists(st.text(st.sampled_from("ab日e\u0301\N{GRINNING FACE}"), min_size=1, max_size=90), min_size=1),
    st.integers(40, 200),
)
def test_columns_are_as_wide_as_the_terminal_at_most(texts: list[str], width: int) -> None:
    found = live._columns(texts, width)
    longest = max(map(cell_len, texts))
    assert all(cell_len(line) <= max(width, longest + 2) for line in found)
    assert "".join(found).replace(" ", "") == "".join(texts)


@pytest.mark.parametrize(
    "name", ["a/b", "", " ", "a ", " a", ".", "..", ".hidden", "-x", "a\nb", "a\x1b", "\udcff", "x" * 256, "é" * 128]
)
def test_names_that_are_no_folders(name: str) -> None:
    plan: Any = SimpleNamespace(model="mlp")
    with pytest.raises(ConfigError, match="--name must be the name of one folder"):
        train._place(Path("runs"), name, plan)


@pytest.mark.parametrize("name", ["a", "a b", "é" * 127, "日本", "v1.2-x", "\N{GRINNING FACE}"])
def test_names_that_are(name: str) -> None:
    plan: Any = SimpleNamespace(model="mlp")
    assert train._place(Path("runs"), name, plan) == Path("runs") / name


def test_an_unknown_run(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"there is no 'net'\. Make one: backlight train"):
        output.open_run(Path("net"), tmp_path)
    with pytest.raises(RunError, match=r"no usable run in"):
        output.open_run(None, tmp_path)


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (ConfigError("one\nline\x1b[31m"), "one\\nline\\x1b[31m"),
        (OSError(28, "No space left on device"), "No space left on device"),
        (MemoryError(), "not enough memory"),
    ],
    ids=str,
)
def test_what_cannot_go_on_is_one_line_and_code_1(monkeypatch: pytest.MonkeyPatch, error: Exception, says: str) -> None:
    def fail() -> None:
        raise error

    err = io.StringIO()
    monkeypatch.setattr(app, "app", fail)
    monkeypatch.setattr(app, "_leave", lambda: (_ for _ in ()).throw(SystemExit(1)))
    monkeypatch.setattr("sys.stderr", err)
    with pytest.raises(SystemExit) as left:
        app.main()
    assert left.value.code == 1
    assert says in err.getvalue()
    assert err.getvalue().count("\n") == 1


def test_a_mistake_of_ours_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(app, "app", fail)
    with pytest.raises(ZeroDivisionError):
        app.main()
