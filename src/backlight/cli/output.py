"""What the commands share: where they print, how they refuse, how they find a run."""

import errno
import json
import os
import shlex
import signal
import stat
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from backlight.core import RunError
from backlight.runs import RunDirectory, find_run, list_runs
from backlight.runs.strict_json import plain

RUNS = Path("runs")
"""Default folder of the runs."""

RunsFolder = Annotated[Path, typer.Option("--runs", help="Folder that holds the runs.", readable=False)]
Json = Annotated[bool, typer.Option("--json", help="Print the figures as one JSON object on the last line.")]

_NARROWEST = 60
"""Columns that are used at least: a table that wraps can be read, and one without its columns cannot."""


def console(*, json_output: bool = False) -> Console:
    """Return where people read: standard output, or standard error when standard output is for a program."""
    made, narrow = (
        Console(stderr=json_output, highlight=False, markup=False, soft_wrap=False, width=width)
        for width in (None, _NARROWEST)
    )
    return made if made.width >= _NARROWEST else narrow


def hang_up(number: signal.Signals) -> None:
    """Print nothing more, if the signal says that the terminal is gone."""
    if number == getattr(signal, "SIGHUP", None):
        _silence()


@contextmanager
def terminal_may_close(stop: Any) -> Iterator[None]:
    """Within the block, call `stop` and print nothing more if the terminal turns out to be gone."""
    try:
        yield
    except OSError as error:
        if error.errno != errno.EIO:
            raise
        _silence()
        stop()


def _silence() -> None:
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        for stream in (sys.stdout, sys.stderr):
            # not isatty(), which is False once the terminal is closed; a log file is left alone
            if stream is not None and stat.S_ISCHR(os.fstat(stream.fileno()).st_mode):
                os.dup2(nowhere.fileno(), stream.fileno())


def print_json(figures: dict[str, Any]) -> None:
    """Print one JSON object on one line; a number that is not finite becomes null."""
    # ASCII, as some readers end a line at a U+2028 too, and some terminals cannot show the rest
    sys.stdout.write(json.dumps(plain(figures), allow_nan=False) + "\n")


def table(*columns: str, text: tuple[str, ...] = ()) -> Table:
    """Return an empty table: numbers to the right, the columns named in `text` to the left."""
    made = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in columns:
        made.add_column(column, justify="left" if column in text else "right", no_wrap=column not in text)
    return made


_STEERS = {*map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x206A)))}  # overrides of the direction of writing


def visible(text: str) -> str:
    """Return text fit for a terminal: what would steer it, or move its cursor, is shown as an escape."""
    return "".join(c if c == "\n" else _escaped(c) for c in text)


def one_line(text: str) -> str:
    """Return text fit for a terminal, on one line."""
    return "".join(map(_escaped, text))


def shortened(text: str, most: int) -> str:
    """Return text fit for a terminal, on one line, of which no more than `most` characters are shown."""
    return one_line(text if len(text) <= most else text[: most - 1] + "\N{HORIZONTAL ELLIPSIS}")


def _escaped(character: str) -> str:
    if unicodedata.category(character) == "Cc" or character in _STEERS:
        return character.encode("unicode_escape").decode()
    return character


def command(*words: object) -> str:
    """Return a command line that a shell takes as it is meant, whatever spaces are in a path."""
    return "backlight " + shlex.join(map(str, words))


def called(path: Path, *, name: bool = True) -> str:
    """Return how to name a run on a command line: by its name if it is in the default folder, or by its path."""
    text = path.name if name and path.parent == RUNS else str(path)
    return f".{os.sep}{text}" if text.startswith("-") else text


def open_run(given: Path | None, root: Path) -> RunDirectory:
    """Return the run with this path or, inside `root`, this name; the newest with something to use if none is given.

    Raises:
        RunError: there is none.
    """
    if given is None:
        usable = [
            run.path for run in list_runs(root) if run.problem is None and (run.path / "weights.safetensors").is_file()
        ]
        if not usable:
            raise RunError(f"there is no run in {root} to use yet. Make one: backlight train")
        return RunDirectory.open(usable[-1])
    return find_run(given, root)
