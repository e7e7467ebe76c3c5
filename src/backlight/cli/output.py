"""What the commands share: printing, escaping, and finding a run."""

import errno
import json
import os
import shlex
import signal
import stat
import sys
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, TypeGuard

import typer
from rich.console import Console
from rich.table import Table

from backlight.core import ConfigError, RunError
from backlight.runs import RunDirectory, find_run, list_runs
from backlight.runs.strict_json import plain
from backlight.sample import Sample

RUNS = Path("runs")
"""Default folder of the runs."""

RunsFolder = Annotated[Path, typer.Option("--runs", help="Folder that holds the runs.", readable=False)]
Recording = Annotated[
    Path | None,
    typer.Argument(
        help="A run's folder or name, or a file written by watch(..., record_to=FILE). Default: the newest run.",
        metavar="RUN",
        readable=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print the results as one JSON object on the last line.")]

_NARROWEST = 60
"""The narrowest width that is used. In a narrower terminal lines wrap, which is easier to read than cut columns."""


def console(*, json_output: bool = False) -> Console:
    """Return the console for readable output: standard output, or standard error if JSON goes to standard output."""
    made, narrow = (
        Console(stderr=json_output, highlight=False, markup=False, soft_wrap=False, width=width)
        for width in (None, _NARROWEST)
    )
    return made if made.width >= _NARROWEST else narrow


def hang_up(number: signal.Signals) -> None:
    """Print nothing more if the signal is SIGHUP: the terminal is gone."""
    if number == getattr(signal, "SIGHUP", None):
        _silence()


@contextmanager
def terminal_may_close(stop: Any) -> Iterator[None]:
    """Call `stop` and print nothing more if writing in this block fails because the terminal is gone."""
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
            # not isatty(), which is False once the terminal is closed; a log file stays open
            if stream is not None and stat.S_ISCHR(os.fstat(stream.fileno()).st_mode):
                os.dup2(nowhere.fileno(), stream.fileno())


def print_json(figures: dict[str, Any]) -> None:
    """Print one JSON object on one line. Non-finite numbers become null."""
    # ASCII only: some readers end a line at U+2028, and some terminals cannot show other characters
    sys.stdout.write(json.dumps(plain(figures), allow_nan=False) + "\n")


def table(*columns: str, text: tuple[str, ...] = ()) -> Table:
    """Return an empty table whose columns are right-aligned, except those named in `text`."""
    made = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in columns:
        made.add_column(column, justify="left" if column in text else "right", no_wrap=column not in text)
    return made


_DIRECTIONS = {*map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x206A)))}  # override the direction of writing


def visible(text: str) -> str:
    """Return text that is safe to print: control characters other than line feeds are escaped."""
    return "".join(c if c == "\n" else _escaped(c) for c in text)


def separated(texts: Sequence[str]) -> str:
    """Return texts, each on a line; with a blank line between them if one of them has several lines."""
    apart = "\n\n" if any("\n" in text for text in texts) else "\n"
    return apart.join(texts) + "\n" if texts else ""


CUT = "\N{HORIZONTAL ELLIPSIS}"
"""The mark of a sample that was cut off."""


def marked(sample: Sample, *, ends: bool) -> str:
    """Return the text of a sample, with a mark if it is an item that was cut off. Running text has no end."""
    return sample.text if sample.ended or not ends else sample.text + CUT


def one_line(text: str) -> str:
    """Return text that is safe to print, on one line: control characters are escaped."""
    return "".join(map(_escaped, text))


def shortened(text: str, most: int) -> str:
    """Return text that is safe to print, on one line, cut after `most` characters."""
    return one_line(text if len(text) <= most else text[: most - 1] + CUT)


def _escaped(character: str) -> str:
    if unicodedata.category(character) == "Cc" or character in _DIRECTIONS:
        return character.encode("unicode_escape").decode()
    return character


def command(*words: object) -> str:
    """Return a `backlight` command line, quoted for a shell."""
    return "backlight " + shlex.join(map(str, words))


def called(path: Path, *, name: bool = True) -> str:
    """Return how a command line refers to a run: by its name in the default folder, otherwise by its path."""
    text = path.name if name and path.parent == RUNS else str(path)
    return f".{os.sep}{text}" if text.startswith("-") else text


_LONGEST_NAME = 255  # what file systems allow


def named(runs: Path, name: str) -> Path:
    """Return the path of a new run that a user has named.

    Raises:
        ConfigError: it is not the name of one folder.
    """
    visible = name.isprintable() and name == name.strip()
    if not name or not visible or "/" in name or name[0] in ".-" or len(os.fsencode(name)) > _LONGEST_NAME:
        raise ConfigError(
            f"--name must be the name of one folder in {runs}, printable, without a . or - at its start, and at most "
            f"{_LONGEST_NAME} bytes long; got {shortened(repr(name), 60)}. Choose another; --runs sets the folder."
        )
    return runs / name


def is_record(given: Path | None, root: Path) -> TypeGuard[Path]:
    """Return whether this is a file of its own, such as of `watch(..., record_to=FILE)`, and not a run of `root`."""
    if given is None:
        return False
    # unlike Path.is_file, False for names that are too long or forbidden
    return os.path.isfile(given) and not os.path.isdir(root / given)  # noqa: PTH112, PTH113


def open_run(given: Path | None, root: Path) -> RunDirectory:
    """Return the run with this path, or with this name in `root`. Without either, return the newest usable run.

    Raises:
        RunError: there is no such run.
    """
    if given is None:
        usable = [
            run.path for run in list_runs(root) if run.problem is None and (run.path / "weights.safetensors").is_file()
        ]
        if not usable:
            raise RunError(f"there is no usable run in {root} yet. Make one: backlight train")
        return RunDirectory.open(usable[-1])
    return find_run(given, root)
