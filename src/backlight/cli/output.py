"""What the commands share: where they print, how they say no, how they find a run."""

import json
import sys
import unicodedata
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from backlight.core import RunError
from backlight.runs import RunDirectory, list_runs
from backlight.runs.strict_json import plain

RUNS = Path("runs")
"""Where runs are kept unless told otherwise."""

RunsFolder = Annotated[Path, typer.Option("--runs", help="Folder that holds the runs.", show_default=True)]
Json = Annotated[bool, typer.Option("--json", help="Print the figures as one JSON object on the last line.")]
Seed = Annotated[int | None, typer.Option(help="Seed of the random numbers; without it, other ones each time.", min=0)]


def console(*, json_output: bool = False) -> Console:
    """Return where people read: standard output, or standard error when standard output is for a program."""
    return Console(stderr=json_output, highlight=False, markup=False, soft_wrap=False)


def print_json(figures: dict[str, Any]) -> None:
    """Print one JSON object on one line; a number that is not finite becomes null."""
    sys.stdout.write(json.dumps(plain(figures), ensure_ascii=False, allow_nan=False) + "\n")


def table(*columns: str, text: tuple[str, ...] = ()) -> Table:
    """Return an empty table: numbers to the right, the columns named in `text` to the left."""
    made = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in columns:
        made.add_column(column, justify="left" if column in text else "right", no_wrap=column not in text)
    return made


def visible(text: str) -> str:
    """Return text fit for a terminal: what would steer it, or move its cursor, is shown as an escape."""
    return "".join(f"\\x{ord(c):02x}" if unicodedata.category(c) == "Cc" and c != "\n" else c for c in text)


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
    inside = root / given
    return RunDirectory.open(inside if not given.exists() and inside.exists() else given)
