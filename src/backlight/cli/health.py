"""`backlight health`: diagnose a run from what was recorded while it was trained, or any training from its log."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from backlight.cli.output import (
    RUNS,
    Json,
    Recording,
    RunsFolder,
    command,
    console,
    is_record,
    one_line,
    open_run,
    print_json,
    shortened,
)
from backlight.core import ConfigError
from backlight.health.diagnosis import Diagnosis, diagnose
from backlight.health.explained import explained, lessons_on
from backlight.health.findings import SEVERITIES, Severity
from backlight.health.json_output import HealthOutput
from backlight.health.logs import read_log
from backlight.health.text import lines, trial_lines
from backlight.health.trials import ranked
from backlight.watch.records import Measurements
from backlight.watch.stream_reader import read_stream

_STYLES = {"fatal": "bold red", "serious": "red", "warning": "yellow", "note": "cyan", "bold": "bold", "dim": "dim"}
_EXAMINED = (
    "This run has no record of its training, so its initial weights were examined with one batch. "
    "Train with --health to get all checks.\n"
)
_FAILED = 2
"""Exit code where there is a finding of the severity of --fail-on."""


def health(
    run: Recording = None,
    report: Annotated[
        bool,
        typer.Option("--report", help="Also write a page with figures: report.html in the run's folder, or FILE.html."),
    ] = False,
    about: Annotated[
        str | None, typer.Option("--about", help="Explain the finding with this id.", metavar="ID")
    ] = None,
    trials: Annotated[
        bool, typer.Option("--trials", help="Also run experiments on copies of the run's network.")
    ] = False,
    minutes: Annotated[
        float | None, typer.Option("--minutes", help="Time limit of the trials, in minutes. Default: 1.")
    ] = None,
    log: Annotated[
        Path | None,
        typer.Option(
            "--log",
            help="Diagnose any training from its log alone: CSV, JSON lines, TensorBoard event files, Hugging Face's "
            "trainer_state.json, Lightning's metrics.csv.",
            metavar="FILE",
            readable=False,
        ),
    ] = None,
    format: Annotated[  # noqa: A002  (the option's name)
        str | None,
        typer.Option("--format", help="Format of the log: csv, jsonl, tensorboard, trainer_state or lightning."),
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(
            "--column",
            help="A column of the log: loss, val_loss, lr, grad_norm, step or epoch = NAME.",
            metavar="X=NAME",
        ),
    ] = None,
    fail_on: Annotated[
        str | None,
        typer.Option(
            "--fail-on", help=f"Exit with code 2 at a finding of this severity or worse: {', '.join(SEVERITIES[::-1])}."
        ),
    ] = None,
    runs: RunsFolder = RUNS,
    json_output: Json = False,
) -> None:
    """Diagnose a run: what is wrong, where, why, and what to try."""
    wanted = _severity(fail_on)
    if about is not None:
        given = {"run": run, "--report": report, "--trials": trials, "--log": log, "--fail-on": fail_on}
        if any(given.values()):
            raise ConfigError("--about explains a finding and takes no run; got both. Leave one of them out.")
        _explain(about, json_output=json_output)
        return
    _check_options(run, log=log, report=report, trials=trials, format=format, column=column, minutes=minutes)
    out = console(json_output=json_output)
    read = read_of_run(run, runs, out) if log is None else _of_log(log, format, column or [], out)
    if trials:
        tried = _tried(run, runs, 1.0 if minutes is None else minutes)
        read = replace(read, measured=replace(read.measured, trials=tried))
    diagnosis = diagnose(read.measured)
    _print(read.measured, diagnosis, out)
    if report:
        from backlight.report import write_report

        write_report(read.measured, read.page, title=read.path.name, facts=read.facts, samples=read.samples)
        out.print(f"\nThe report is {one_line(str(read.page))}", soft_wrap=True)
    failed = wanted is not None and any(_is_as_bad(one.severity, wanted) for one in diagnosis.findings)
    if json_output:
        print_json(_as_output(read, diagnosis, report=report, wanted=wanted, failed=failed).to_json())
    if failed:
        raise typer.Exit(_FAILED)


@dataclass(frozen=True, kw_only=True)
class Read:
    """What is diagnosed.

    Attributes:
        measured: its measurements.
        path: the run, record or log.
        page: where its report is written.
        facts: more for the report.
        columns: of a log: the column that each quantity was read from.
        samples: what the model wrote on the way, as pairs of a number of steps and texts.
    """

    measured: Measurements
    path: Path
    page: Path
    facts: list[tuple[str, str]] = field(default_factory=list)
    columns: Mapping[str, str] = field(default_factory=dict)
    samples: Sequence[tuple[int, Sequence[str]]] = ()


def _print(measured: Measurements, diagnosis: Diagnosis, out: Console) -> None:
    width = min(out.width, 100)
    if measured.source == "examine":
        out.print(_EXAMINED, width=width)
    for style, line in lines(diagnosis, width=width):
        out.print(one_line(line), style=_STYLES.get(style), soft_wrap=True)
    if measured.trials:
        out.print()
    for style, line in trial_lines(measured.trials, width=width) if measured.trials else ():
        out.print(one_line(line), style=_STYLES.get(style), soft_wrap=True)


def _as_output(
    read: Read, diagnosis: Diagnosis, *, report: bool, wanted: Severity | None, failed: bool
) -> HealthOutput:  # fmt: skip
    measured = read.measured
    return HealthOutput(
        run=str(read.path), source=measured.source, watched=measured.source == "watch", findings=diagnosis.findings,
        checked=diagnosis.checked, unknown=diagnosis.unknown, steps=diagnosis.steps, recorded=diagnosis.recorded,
        not_measured=diagnosis.not_measured, columns=read.columns, trials=measured.trials,
        candidates=ranked(measured.trials) if measured.trials else (), fail_on=wanted, failed=failed,
        report=str(read.page) if report else None,
    )  # fmt: skip


def _severity(given: str | None) -> Severity | None:
    if given is None or given in SEVERITIES:
        return given  # type: ignore[return-value]
    raise ConfigError(f"--fail-on takes one of {', '.join(SEVERITIES[::-1])}; got {given!r}.")


def _is_as_bad(severity: Severity, wanted: Severity) -> bool:
    return SEVERITIES.index(severity) <= SEVERITIES.index(wanted)


def _check_options(
    run: Path | None, *, log: Path | None, report: bool, trials: bool, format: str | None, column: list[str] | None,  # noqa: A002
    minutes: float | None,
) -> None:  # fmt: skip
    if minutes is not None and not trials:
        raise ConfigError("--minutes is how long trials may take; got it without --trials. Add --trials.")
    if log is None and (format is not None or column):
        raise ConfigError("--format and --column are about a log; got them without one. Add --log FILE.")
    if log is not None and run is not None:
        raise ConfigError(f"--log is diagnosed by itself; got the run {str(run)!r} too. Leave one of them out.")
    if log is not None and (trials or report):
        what = "--trials needs a network" if trials else "--report draws layers and weights"
        raise ConfigError(f"{what}, and a log has none. Leave it out, or train under backlight.health.watch.")


def _of_log(path: Path, format: str | None, column: list[str], out: Console) -> Read:  # noqa: A002
    """Read a log, and say in one line which columns were read."""
    chosen = {}
    for one in column:
        quantity, _, name = one.partition("=")
        if not name:
            raise ConfigError(f"--column takes a quantity and a column, as in loss=my_loss; got {one!r}.")
        chosen[quantity] = name
    log = read_log(path, format=format, columns=chosen)
    out.print(one_line(str(path)), style="bold", soft_wrap=True)
    found = ", ".join(f"{quantity} from {name!r}" for quantity, name in log.columns.items())
    out.print(one_line(f"{log.rows:,} rows of {log.format}: {found}."), soft_wrap=True)
    columns = {str(quantity): name for quantity, name in log.columns.items()}
    return Read(measured=log.measurements, path=path, page=path, columns=columns)


def read_of_run(run: Path | None, runs: Path, out: Console) -> Read:
    """Read a run or a record, and print its path."""
    if is_record(run, runs):
        read = Read(measured=read_stream(run), path=run, page=run.with_name(f"{run.name}.html"))
    else:
        from backlight.health.of_run import measurements_of

        opened = open_run(run, runs)
        corpus, seed = shortened(str(opened.config["corpus"]["name"]), 60), str(opened.config["seed"])
        read = Read(
            measured=measurements_of(opened), path=opened.path, page=opened.path / "report.html",
            facts=[("corpus", corpus), ("seed", seed)], samples=opened.load_sampled(),
        )  # fmt: skip
    out.print(one_line(str(read.path)), style="bold", soft_wrap=True)
    return read


def _tried(run: Path | None, runs: Path, minutes: float) -> tuple[Any, ...]:
    """Return what trials on a run's network show."""
    if is_record(run, runs):
        raise ConfigError(
            "--trials needs a network, and a record has none; got a file. Name a run, or call "
            "backlight.health.examine(model, x, y, trials=True)."
        )
    from backlight.health.of_run import trials_of

    return trials_of(open_run(run, runs), minutes=minutes)


def _explain(finding: str, *, json_output: bool) -> None:
    """Print what a finding means, and which lessons cover it."""
    out = console(json_output=json_output)
    text, lessons = explained(finding), lessons_on(finding)
    out.print(finding, style="bold")
    for paragraph in text.split("\n\n"):
        out.print(paragraph, width=min(out.width, 100), highlight=False, markup=False)
        out.print()
    for number in lessons:
        out.print(f"Lesson {number}: {command('lessons', 'open', number)}", soft_wrap=True)
    if json_output:
        print_json({"id": finding, "explained": text, "lessons": lessons})
