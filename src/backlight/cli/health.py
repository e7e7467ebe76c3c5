"""`backlight health`: diagnose a run from what was recorded while it was trained."""

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from backlight.cli.output import RUNS, Json, RunsFolder, command, console, one_line, open_run, print_json, shortened
from backlight.core import ConfigError
from backlight.watch.records import Measurements

_STYLES = {"fatal": "bold red", "serious": "red", "warning": "yellow", "note": "cyan", "bold": "bold", "dim": "dim"}
_EXAMINED = (
    "This run has no record of its training, so its initial weights were examined with one batch. "
    "Train with --health to get all checks.\n"
)


def health(
    run: Annotated[
        Path | None,
        typer.Argument(
            help="A run's folder or name, or a file written by watch(..., record_to=FILE). Default: the newest run.",
            metavar="RUN",
            readable=False,
        ),
    ] = None,
    report: Annotated[
        bool,
        typer.Option("--report", help="Also write a page with figures: report.html in the run's folder, or FILE.html."),
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
    from backlight.health.text import lines

    measured, path, page, facts = _measured(run, runs)
    diagnosis = diagnose(measured)
    out = console(json_output=json_output)
    out.print(one_line(str(path)), style="bold", soft_wrap=True)
    if measured.source == "examine":
        out.print(_EXAMINED, width=min(out.width, 100))
    for style, line in lines(diagnosis, width=min(out.width, 100)):
        out.print(one_line(line), style=_STYLES.get(style), soft_wrap=True)
    figures = {"run": str(path), "watched": measured.source == "watch", **diagnosis.to_json()}
    if report:
        from backlight.report import write_report

        write_report(measured, page, title=path.name, facts=facts)
        figures["report"] = str(page)
        out.print(f"\nThe report is {one_line(str(page))}", soft_wrap=True)
    if json_output:
        print_json(figures)


def _measured(run: Path | None, runs: Path) -> tuple[Measurements, Path, Path, list[tuple[str, str]]]:
    """Return the measurements of a run or a file, its path, where its report is written, and the facts in that."""
    if run is not None and run.is_file() and not os.path.lexists(runs / run):
        from backlight.watch.stream_reader import read_stream

        return read_stream(run), run, run.with_name(f"{run.name}.html"), []
    from backlight.health.of_run import measurements_of

    opened = open_run(run, runs)
    facts: Any = [("corpus", shortened(str(opened.config["corpus"]["name"]), 60)), ("seed", str(opened.config["seed"]))]
    return measurements_of(opened), opened.path, opened.path / "report.html", facts


def _explain(finding: str, *, json_output: bool) -> None:
    """Print what a finding means, and which lessons cover it."""
    from backlight.health.explained import explained, lessons_on

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
