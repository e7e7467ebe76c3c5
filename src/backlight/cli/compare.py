"""`backlight compare`: train several models on one text, and print a table of their losses."""

import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from types import FrameType, TracebackType
from typing import Annotated, Any, Self

import typer
from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn
from rich.progress import Progress as Bars

from backlight.cli.options import DATA, Corpus, Seed, grouped, source_of
from backlight.cli.output import (
    RUNS,
    Json,
    RunsFolder,
    called,
    command,
    console,
    hang_up,
    one_line,
    print_json,
    shortened,
    table,
)
from backlight.cli.processes import STOPPED
from backlight.cli.train import SIGNALS
from backlight.compare import Failure, as_markdown, compare_models, comparison
from backlight.core.machine import cores, machine
from backlight.models import MODELS
from backlight.runs import new_run_path
from backlight.runs.atomic import write_atomically
from backlight.runs.failures import cannot_write
from backlight.runs.strict_json import to_bytes
from backlight.text import load_corpus, split_corpus
from backlight.training import Progress, RunConfig, bits

_SHOWN = 24  # characters of a sample


@grouped
def compare(
    *,
    corpus: Corpus = None,
    thorough: Annotated[
        bool, typer.Option("--thorough", help="Train each model for as long as `backlight train` does.")
    ] = False,
    models: Annotated[
        str | None, typer.Option("--models", help=f"Only these models, as in mlp,gru+ngram. All: {', '.join(MODELS)}.")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Training steps of every network, instead of its default.")] = None,
    jobs: Annotated[int | None, typer.Option(help="Models to train in parallel. Default: one per core.", min=1)] = None,
    samples: Annotated[int, typer.Option(help="Samples to show from each model.", min=0)] = 5,
    seed: Seed = 1,
    data: Annotated[dict[str, Any], DATA],
    runs: RunsFolder = RUNS,
    json_output: Json = False,
) -> None:
    """Train every model on the same text and compare them in a table."""
    chosen = [] if models is None else [name.strip() for name in models.split(",")]
    name, also = source_of(corpus)
    configs = comparison(name, also=also, models=chosen, thorough=thorough, steps=steps, seed=seed, **data)
    stdin = sys.stdin.buffer.read() if name == "-" else None
    heading = _check_text(configs[0], stdin)
    folder = _new_folder(runs, name)
    out = console(json_output=json_output)
    show = _Bars(out, configs, heading, jobs=min(jobs or cores(), len(configs)))
    try:
        with _stopped_by_signals(), show:
            rows = compare_models(configs, folder, show, jobs=show.jobs, samples=samples, stdin=stdin)
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C would not stop it any sooner
        out.print(
            f"\nStopped; the runs in {one_line(str(folder))} are saved up to their last checkpoints. Resume one:\n"
            f"  {command('train', '--resume', called(folder / configs[-1].model, name=False))}",
            soft_wrap=True,
        )
        raise typer.Exit(STOPPED) from None
    found = {
        "corpus": name, "folder": str(folder), "machine": machine(), "seed": seed, "thorough": thorough,
        "models": rows, "failed": {failure.model: failure.reason for failure in show.failures},
    }  # fmt: skip
    if rows:
        _save(found, folder)
        _show(out, rows, folder)
    if json_output:
        print_json(found)
    if show.failures:
        raise typer.Exit(1)


def _check_text(config: RunConfig, stdin: bytes | None) -> str:
    """Read and split the text as each model will, and describe it, so that unusable text is reported once."""
    text = load_corpus(
        config.files, mode=config.mode, reading=config.reading, stdin=None if stdin is None else BytesIO(stdin)
    )
    split_corpus(text, seed=config.split_seed, fractions=config.fractions, duplicates=config.duplicates)
    size = f"{len(text.items):,} items" if text.mode == "items" else f"{text.characters:,} characters"
    return f"{one_line(config.source)}: {size}"


def _new_folder(runs: Path, corpus: str) -> Path:
    """Make a new folder for the runs."""
    while True:
        folder = new_run_path(runs, corpus, "compare")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            if not folder.is_dir():
                raise
        except OSError as error:
            raise cannot_write(folder, error, state="no run was made") from error
        else:
            return folder


def _save(found: dict[str, Any], folder: Path) -> None:
    """Write the table as JSON, Markdown and PNG."""
    from backlight import figures

    rows = found["models"]
    write_atomically(folder / "comparison.json", to_bytes(found, indent=2))
    foot = f"Nats (and bits) per character, seed {found['seed']}, one thread per model; {found['machine']}."
    write_atomically(folder / "comparison.md", as_markdown(rows, foot=foot).encode())
    replace(figures.league(rows), width=11, height=4.5).save(folder / "comparison.png")


class _Bars:
    """Shows the progress of each model: a bar per model in a terminal, and a line when a model is done."""

    def __init__(self, out: Console, configs: Sequence[RunConfig], text: str, *, jobs: int) -> None:
        self.out, self.jobs = out, jobs
        self.failures: list[Failure] = []
        self.heading = f"{len(configs)} model{'s' * (len(configs) != 1)} on {text}; {jobs} at a time"
        self.bars = Bars(
            TextColumn("{task.description:>7}"), BarColumn(bar_width=20), TextColumn("{task.fields[text]}"),
            console=out, transient=True, disable=not out.is_terminal,
        )  # fmt: skip
        self.tasks: dict[str, TaskID] = {
            config.model: self.bars.add_task(config.model, total=1.0, text="waiting") for config in configs
        }

    def __enter__(self) -> Self:
        self.out.print(self.heading, soft_wrap=True)
        self.bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        del kind, error, traceback
        self.bars.stop()

    def on_progress(self, model: str, progress: Progress) -> None:
        """Update a model's bar."""
        minutes, seconds = divmod(round(progress.seconds_left), 60)
        dev = "" if progress.dev_nats is None else f"dev {progress.dev_nats:.3f}  "
        text = f"{dev}{progress.characters_per_second:,.0f} char/s  {minutes}:{seconds:02d} left"
        self.bars.update(self.tasks[model], completed=progress.step, total=progress.steps, text=text)

    def on_result(self, model: str, row: Mapping[str, Any]) -> None:
        """Print a model's loss."""
        self.bars.remove_task(self.tasks[model])
        example = "".join(f"   {shortened(text, _SHOWN)}" for text in row["samples"][:1])
        self.out.print(
            f"{model:>7}  dev {row['dev_nats']:.4f}  {row['seconds']:6.1f} s{example}", no_wrap=True, overflow="crop"
        )

    def on_failure(self, failure: Failure) -> None:
        """Print why a model has no result."""
        self.failures.append(failure)
        self.bars.remove_task(self.tasks[failure.model])
        self.out.print(f"{failure.model:>7}  {one_line(failure.reason)}", soft_wrap=True)


def _show(out: Console, rows: Sequence[Mapping[str, Any]], folder: Path) -> None:
    """Print the table, samples of each model, and the folder of the runs."""
    shown = table(
        "model", "parameters", "context", "train", "dev", "test", "bits", "seconds", "char/s", text=("model",)
    )
    for row in rows:
        shown.add_row(
            row["model"], f"{row['parameters']:,}", str(row["context"]),
            *(f"{row[f'{part}_nats']:.4f}" for part in ("train", "dev", "test")),
            f"{bits(row['test_nats']):.3f}", f"{row['seconds']:.1f}", _short(row["characters_per_second"]),
        )  # fmt: skip
    out.print()
    out.print(shown)
    if any(row["samples"] for row in rows):
        out.print("\nSamples:\n")
        for row in rows:
            drawn = "  ".join(shortened(text, _SHOWN) for text in row["samples"])
            out.print(f"{row['model']:>7}  {drawn}", no_wrap=True, overflow="ellipsis")
    best = min(rows, key=lambda row: row["dev_nats"])
    out.print(
        f"\nThe table is saved in {one_line(str(folder))} as comparison.md, .json and .png. Sample the best model:\n"
        f"  {command('sample', called(folder / best['model']))}",
        soft_wrap=True,
    )


def _short(count: float) -> str:
    """Return a large number in three digits: 1,234,000 is 1.23M."""
    for unit, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if count >= unit:
            return f"{count / unit:.3g}{letter}"
    return f"{count:.0f}"


@contextmanager
def _stopped_by_signals() -> Iterator[None]:
    """Treat SIGTERM and SIGHUP as Ctrl-C, so that no process is left running; Ctrl-C works even if it was ignored."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        del frame
        hang_up(signal.Signals(number))
        raise KeyboardInterrupt

    caught = [n for n in SIGNALS if n == signal.SIGINT or signal.getsignal(n) != signal.SIG_IGN]
    before = {number: signal.signal(number, interrupt) for number in caught}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
