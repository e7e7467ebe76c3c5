"""`backlight figures`: what there is to see in a run, as pictures."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from backlight.cli.output import RUNS, Json, RunsFolder, console, one_line, open_run, print_json, table
from backlight.core import BacklightError, RunError


def figures(
    run: Annotated[
        Path | None,
        typer.Argument(help="A run's folder or name; the newest if left out.", metavar="RUN", readable=False),
    ] = None,
    names: Annotated[
        list[str] | None, typer.Argument(help="Only these pictures; --list has all names.", metavar="NAME...")
    ] = None,
    kind: Annotated[Literal["png", "svg"], typer.Option("--format", help="Of the files.")] = "png",
    dark: Annotated[bool, typer.Option("--dark", help="Light on dark, for dark pages and slides.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the files; `figures` in the run's own if left out.", readable=False)
    ] = None,
    text: Annotated[
        str | None,
        typer.Option(help="Draw next-character, surprise, attention and receptive-field for this text."),
    ] = None,
    list_all: Annotated[bool, typer.Option("--list", help="Name all pictures and leave.")] = False,
    runs: RunsFolder = RUNS,
    json_output: Json = False,
) -> None:
    """Draw the pictures of a run: all that it can have, or those that are named."""
    from backlight.figures.catalogue import PICTURES, check_names
    from backlight.figures.data import Source
    from backlight.figures.saving import page_bytes
    from backlight.runs.atomic import write_atomically

    shown = console(json_output=json_output)
    if list_all:
        rows = table("picture", "what it shows", text=("picture", "what it shows"))
        for name, picture in PICTURES.items():
            rows.add_row(name, picture.about)
        shown.print(rows)
        if json_output:
            print_json({"pictures": {name: picture.about for name, picture in PICTURES.items()}})
        return
    check_names(names or [])
    source = Source(open_run(run, runs), text=text)
    if text is not None:
        source.vocabulary.encode(text)  # or it is refused
    pages, reasons = _gathered(source, names)
    folder = _made(out or source.run.path / "figures")
    width = max(map(len, PICTURES)) + len(".png")
    drawn: dict[str, str] = {}
    for name, page in pages.items():
        path = folder / f"{name}{'-dark' if dark else ''}.{kind}"
        write_atomically(path, page_bytes(page, kind, dark=dark))
        drawn[name] = str(path)
        shown.print(f"{path.name:{width}}  {PICTURES[name].about}")
    for reason in dict.fromkeys(reasons.values()):
        without = ", ".join(name for name, why in reasons.items() if why == reason)
        shown.print(f"\nNot drawn: {without}: {one_line(reason)}.")
    shown.print(f"\nThe pictures are in {one_line(str(folder))}", soft_wrap=True)
    if json_output:
        print_json({"run": str(source.run.path), "drawn": drawn, "not_drawn": reasons})


def _gathered(source: Any, names: list[str] | None) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the pages of the pictures, and why there is none of the others: of those that were named, an error."""
    from backlight.figures.catalogue import PICTURES
    from backlight.figures.data import NoPictureError

    pages, reasons = {}, {}
    for name in names or PICTURES:
        try:
            pages[name] = PICTURES[name].gather(source)
        except BacklightError as error:
            if names and isinstance(error, NoPictureError):
                raise RunError(f"{name} cannot be drawn for {one_line(str(source.run.path))}: {error}.") from error
            if names:
                raise
            reasons[name] = str(error).removesuffix(".")
    return pages, reasons


def _made(folder: Path) -> Path:
    """Make a folder if it is not there, and return it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(
            f"pictures go to a folder that can be written; got {one_line(str(folder))}: {error.strerror}. "
            "Choose another: --out."
        ) from error
    return folder
