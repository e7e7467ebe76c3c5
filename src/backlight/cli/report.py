"""`backlight report`: the whole recording of a training in one HTML file."""

from pathlib import Path
from typing import Annotated

import typer

from backlight.cli.health import read_of_run
from backlight.cli.output import RUNS, Recording, RunsFolder, console, one_line


def report(
    run: Recording = None,
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
