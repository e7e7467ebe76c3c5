"""`backlight worlds`: list the small worlds of the lessons, or open one."""

import sys
import webbrowser
from pathlib import Path
from typing import Annotated

import typer
from rich.padding import Padding

from backlight.cli.output import Json, console, one_line, print_json


def worlds(
    name: Annotated[
        str | None, typer.Argument(help="The world to open. Default: list them.", metavar="NAME", show_default=False)
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Argument(help="Folder for the page. Default: the user's cache.", metavar="DIR", readable=False),
    ] = None,
    lesson: Annotated[
        int | None, typer.Option(help="Begin as for this lesson.", metavar="NUMBER", show_default=False)
    ] = None,
    json_output: Json = False,
) -> None:
    """Open a small world of a lesson in the browser, or list them.

    A world is one HTML file, which needs no network: a network that learns points in the plane and can be pulled at,
    attention number by number, or a graph that asks for each number first.
    """
    from pooch import os_cache

    from backlight.lessons.worlds import WORLDS, world
    from backlight.lessons.worlds.html import write_world

    out = console(json_output=json_output)
    if name is None:
        for one in WORLDS.values():
            lessons = ", ".join(str(start.lesson) for start in one.starts)
            out.print(f"{one.name}  {one.title} (lesson{'s' * (len(one.starts) > 1)} {lessons})")
            out.print(Padding(f"There you can {one.able}.\n", (0, 0, 0, 3)))
        out.print("To open one:  backlight worlds plane")
        if json_output:
            print_json(
                {"worlds": [{"name": one.name, "title": one.title, "able": one.able} for one in WORLDS.values()]}
            )
        return
    chosen = world(name)
    fragment = "" if lesson is None else f"#{chosen.start(lesson).anchor}"
    path = write_world(chosen, folder or Path(os_cache("backlight")) / "pages")
    out.print(f"The world is in {one_line(str(path))}", soft_wrap=True)
    # no browser is opened where the output is not a terminal
    if not (sys.stdout.isatty() and webbrowser.open(path.absolute().as_uri() + fragment)):
        out.print("Open this file in a browser.")
    if json_output:
        print_json({"world": name, "path": str(path)})
