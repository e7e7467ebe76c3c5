"""`backlight figures`: draw the figures of a run."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from backlight.cli.output import RUNS, Json, RunsFolder, console, one_line, open_run, print_json, table
from backlight.core import BacklightError, RunError

if TYPE_CHECKING:  # matplotlib is imported when the command runs
    from backlight.figures import RunData, SizedFigure


def figures(
    run: Annotated[
        Path | None,
        typer.Argument(help="A run's folder or name. Default: the newest run.", metavar="RUN", readable=False),
    ] = None,
    names: Annotated[
        list[str] | None, typer.Argument(help="Only these figures; --list shows all names.", metavar="NAME")
    ] = None,
    kind: Annotated[Literal["png", "svg"], typer.Option("--format", help="File format.")] = "png",
    dark: Annotated[bool, typer.Option("--dark", help="Draw light on dark, for dark pages and slides.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="Output folder. Default: `figures` in the run's folder.", readable=False)
    ] = None,
    text: Annotated[
        str | None,
        typer.Option(help="Text for next-character, surprise, attention and receptive-field."),
    ] = None,
    list_all: Annotated[bool, typer.Option("--list", help="List all figures and exit.")] = False,
    runs: RunsFolder = RUNS,
    json_output: Json = False,
) -> None:
    """Draw the figures of a run: all of them, or only those named."""
    from backlight.figures import FIGURES, RunData, figure_spec

    shown = console(json_output=json_output)
    if list_all:
        rows = table("figure", "what it shows", text=("figure", "what it shows"))
        for spec in FIGURES.values():
            rows.add_row(spec.name, spec.about)
        shown.print(rows)
        if json_output:
            print_json({"figures": {spec.name: spec.about for spec in FIGURES.values()}})
        return
    for name in names or []:
        figure_spec(name)
    data = RunData(open_run(run, runs), text=text)
    if text is not None:
        data.vocabulary.encode(text)  # raises VocabularyError before any figure is drawn
    available, reasons = _figures_of(data, names)
    folder = _made(out or data.run.path / "figures")
    width = max(map(len, FIGURES)) + len(".png")
    drawn: dict[str, str] = {}
    for name, figure in available.items():
        path = folder / f"{name}{'-dark' if dark else ''}.{kind}"
        figure.save(path, dark=dark)
        drawn[name] = str(path)
        shown.print(f"{path.name:{width}}  {FIGURES[name].about}")
    for reason in dict.fromkeys(reasons.values()):
        without = ", ".join(name for name, why in reasons.items() if why == reason)
        shown.print(f"\nNot drawn: {without}: {one_line(reason)}.")
    shown.print(f"\nThe figures are in {one_line(str(folder))}", soft_wrap=True)
    if json_output:
        print_json({"run": str(data.run.path), "drawn": drawn, "not_drawn": reasons})


def _figures_of(data: "RunData", names: list[str] | None) -> tuple[dict[str, "SizedFigure"], dict[str, str]]:
    """Return the figures by name, and the reasons why others cannot be drawn. If those were named, raise instead."""
    from backlight.figures import FIGURES, NoFigureError

    available, reasons = {}, {}
    for name in names or FIGURES:
        try:
            available[name] = FIGURES[name].of(data)
        except BacklightError as error:
            if names and isinstance(error, NoFigureError):
                raise RunError(f"{name} cannot be drawn for {one_line(str(data.run.path))}: {error}.") from error
            if names:
                raise
            reasons[name] = str(error).removesuffix(".")
    return available, reasons


def _made(folder: Path) -> Path:
    """Make a folder unless it exists, and return it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(
            f"figures need a folder that can be written; got {one_line(str(folder))}: {error.strerror}. "
            "Choose another with --out."
        ) from error
    return folder
