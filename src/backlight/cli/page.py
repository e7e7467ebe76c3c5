"""`backlight page`: a trained model in one HTML file, in which it runs."""

from pathlib import Path
from typing import Annotated

import typer

from backlight.cli.opening import open_model
from backlight.cli.output import RUNS, RunsFolder, console, one_line
from backlight.runs import RunDirectory


def page(
    run: Annotated[
        Path | None,
        typer.Argument(help="A run's folder or name. Default: the newest run.", metavar="RUN", readable=False),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="The file to write. Default: page.html in the run's folder.", metavar="FILE"),
    ] = None,
    runs: RunsFolder = RUNS,
) -> None:
    """Write a trained model as one HTML file, in which it runs in any browser.

    The page samples, scores your own line and shows attention. It needs no network and no Backlight.
    """
    from backlight.page import write_page

    model = open_model(run, runs)
    store = model.run.store
    path = out or (store.path if isinstance(store, RunDirectory) else Path()) / "page.html"
    write_page(model, path)
    console().print(f"The page is {one_line(str(path))} ({path.stat().st_size / 1e6:.1f} MB)", soft_wrap=True)
