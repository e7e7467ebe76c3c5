"""`backlight ladder`: every rung trained on one text, and the league table."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer

from backlight.cli.climb import Climb, show_league
from backlight.cli.output import RUNS, Json, RunsFolder, command, console, one_line, print_json
from backlight.compare import RUNGS, as_markdown, climb, plans
from backlight.core.machine import cores, machine
from backlight.runs import new_run_path
from backlight.runs.atomic import write_atomically
from backlight.runs.strict_json import to_bytes
from backlight.text import Corpus, Duplicates, Mode, load_corpus, split_corpus
from backlight.training import Plan

_DATA = "Data"
_STOPPED = 130


def ladder(
    corpus: Annotated[
        str,
        typer.Argument(help="A corpus's name, a file with one item a line, or - for standard input.", metavar="FILE"),
    ] = "names",
    thorough: Annotated[
        bool, typer.Option("--thorough", help="Train each rung as long as `backlight train` does.")
    ] = False,
    models: Annotated[
        str | None, typer.Option("--models", help=f"Only these rungs, as in mlp,gpt. There are {', '.join(RUNGS)}.")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Train each network for so many minibatches instead.")] = None,
    jobs: Annotated[
        int | None, typer.Option(help="Rungs trained at a time; as many as there are cores if left out.", min=1)
    ] = None,
    samples: Annotated[int, typer.Option(help="New items to show from each rung.", min=0)] = 5,
    seed: Annotated[int, typer.Option(help="Seed of first weights and minibatches.", min=0)] = 1,
    mode: Annotated[
        Mode | None, typer.Option(help="One item a line, or one stream of text.", rich_help_panel=_DATA)
    ] = None,
    split_seed: Annotated[int, typer.Option(help="Seed of the split.", min=0, rich_help_panel=_DATA)] = 42,
    duplicates: Annotated[
        Duplicates, typer.Option(help="Copies of an item: on one side, or where they fall.", rich_help_panel=_DATA)
    ] = "together",
    runs: RunsFolder = RUNS,
    json_output: Json = False,
) -> None:
    """Train every rung of the ladder on one text, from counted pairs to a GPT, and compare them in a league table."""
    chosen = RUNGS if models is None else tuple(name.strip() for name in models.split(","))
    todo = plans(
        corpus, models=chosen, thorough=thorough, steps=steps, mode=mode, seed=seed, split_seed=split_seed,
        duplicates=duplicates,
    )  # fmt: skip
    stdin = sys.stdin.buffer.read() if corpus == "-" else None
    text = _read(todo[0], stdin)
    folder = new_run_path(runs, text.name, "ladder")
    out = console(json_output=json_output)
    show = Climb(out, todo, text, jobs=min(jobs or cores(), len(todo)))
    try:
        with _stopped_by_signals(), show:
            rows = climb(todo, folder, show, jobs=show.jobs, samples=samples, stdin=stdin)
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # one more Ctrl-C cannot make it any quicker
        out.print(
            f"\nStopped; each rung is in {one_line(str(folder))} as it was saved last. Any can go on, as in:\n"
            f"  {command('train', '--resume', folder / todo[-1].model)}",
            soft_wrap=True,
        )
        raise typer.Exit(_STOPPED) from None
    league = {
        "corpus": corpus, "folder": str(folder), "machine": machine(), "seed": seed, "thorough": thorough,
        "rungs": rows, "fallen": {fallen.model: fallen.reason for fallen in show.fallen},
    }  # fmt: skip
    if rows:
        _save(league, folder)
        show_league(out, rows, folder)
    if json_output:
        print_json(league)
    if show.fallen:
        raise typer.Exit(1)


def _read(plan: Plan, stdin: bytes | None) -> Corpus:
    """Read and split the text as each rung will: one that cannot be used is told once, before anything is made."""
    text = load_corpus(plan.corpus, mode=plan.mode, stdin=None if stdin is None else BytesIO(stdin))
    split_corpus(text, seed=plan.split_seed, fractions=plan.fractions, duplicates=plan.duplicates)
    return text


def _save(league: dict[str, Any], folder: Path) -> None:
    """Write the table for programs, for pages and as a picture."""
    from backlight import figures

    rows = league["rungs"]
    write_atomically(folder / "league.json", to_bytes(league, indent=2))
    foot = f"Nats (and bits) per character, seed {league['seed']}, one thread a rung; {league['machine']}."
    write_atomically(folder / "league.md", as_markdown(rows, foot=foot).encode())
    replace(figures.league(rows), width=11, height=4.5).save(folder / "league.png")


@contextmanager
def _stopped_by_signals() -> Iterator[None]:
    """Take a polite kill as Ctrl-C, so that no rung is left running; and Ctrl-C also where a shell has it ignored."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        del number, frame
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
