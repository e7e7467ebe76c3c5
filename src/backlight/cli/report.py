"""`backlight report`: the whole recording of a training in one HTML file."""

from pathlib import Path
from typing import Annotated

import typer

from backlight.cli.health import read_of_run
from backlight.cli.output import RUNS, RunsFolder, console, one_line


def report(
    run: Annotated[
        Path | None,
        typer.Argument(
            help="A run's folder or name, or a file written by watch(..., record_to=FILE). Default: the newest run.",
            metavar="RUN",
            readable=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="The file to write. Default: report.html in the run's folder.", metavar="FILE"),
    ] = None,
    runs: RunsFolder = RUNS,
) -> None:
    """Write the whole recording of a training as one HTML file.

    The page has curves, samples, layers and findings over the whole training, and needs no network.
    """
    from backlight.report import write_report

    to = console()
    read = read_of_run(run, runs, to)
    page = out or read.page
    write_report(read.measured, page, title=read.path.name, facts=read.facts, samples=read.samples)
    to.print(f"The report is {one_line(str(page))} ({page.stat().st_size / 1e6:.1f} MB)", soft_wrap=True)
