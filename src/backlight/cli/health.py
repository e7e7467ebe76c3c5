"""`backlight health`: diagnose a run from what was recorded while it was trained."""

from pathlib import Path
from typing import Annotated

import typer

from backlight.cli.output import RUNS, Json, RunsFolder, command, console, one_line, open_run, print_json, shortened
from backlight.core import ConfigError
from backlight.runs import RunDirectory
from backlight.watch.records import Measurements

_STYLES = {"fatal": "bold red", "serious": "red", "warning": "yellow", "note": "cyan", "bold": "bold", "dim": "dim"}


def health(
    run: Annotated[
        Path | None,
        typer.Argument(help="A run's folder or name. Default: the newest run.", metavar="RUN", readable=False),
    ] = None,
    report: Annotated[
        bool, typer.Option("--report", help="Also write report.html, with figures, to the run's folder.")
    ] = False,
    about: Annotated[
        str | None, typer.Option("--about", help="Explain the finding with this id.", metavar="ID")
    ] = None,
    runs: RunsFolder = RUNS,
    json_output: Json = False,
) -> None:
    """Diagnose a run: what is wrong, where, why, and what to try."""
    if about is not None:
        if run is not None or report:
            raise ConfigError("--about explains a finding and takes no run; got both. Leave one of them out.")
        _explain(about, json_output=json_output)
        return
    from backlight.health import diagnose
    from backlight.health.of_run import measurements_of
    from backlight.health.text import lines

    opened: RunDirectory = open_run(run, runs)
    seen = measurements_of(opened)
    diagnosis = diagnose(seen)
    out = console(json_output=json_output)
    out.print(one_line(str(opened.path)), style="bold", soft_wrap=True)
    if seen.source == "examine":
        out.print("No recording of this run: fewer checks are possible. Train with --health to get all of them.\n")
    for style, line in lines(diagnosis, width=min(out.width, 100)):
        out.print(one_line(line), style=_STYLES.get(style), soft_wrap=True)
    figures = {"run": str(opened.path), "watched": seen.source == "watch", **diagnosis.to_json()}
    if report:
        figures["report"] = _report(opened, seen)
        out.print(f"\nThe report is {one_line(figures['report'])}", soft_wrap=True)
    if json_output:
        print_json(figures)


def _explain(finding: str, *, json_output: bool) -> None:
    """Print what a finding means, and which lessons cover it."""
    from backlight.health.explained import explained, lessons_on

    out = console(json_output=json_output)
    said, lessons = explained(finding), lessons_on(finding)
    out.print(finding, style="bold")
    for paragraph in said.split("\n\n"):
        out.print(paragraph, width=min(out.width, 100), highlight=False, markup=False)
        out.print()
    for number in lessons:
        out.print(f"Lesson {number}: {command('lessons', 'open', number)}", soft_wrap=True)
    if json_output:
        print_json({"id": finding, "explained": said, "lessons": lessons})


def _report(run: RunDirectory, seen: Measurements) -> str:
    """Write the report to the run's folder, and return its path."""
    from backlight.report import write_report

    path = run.path / "report.html"
    corpus = shortened(str(run.config["corpus"]["name"]), 60)
    write_report(seen, path, title=run.path.name, facts=[("corpus", corpus), ("seed", str(run.config["seed"]))])
    return str(path)
