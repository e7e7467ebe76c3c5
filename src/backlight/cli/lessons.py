"""`backlight lessons`: list the lessons of the course, read one as a page, or open its notebook."""

import os
import sys
import webbrowser
from pathlib import Path
from typing import Annotated

import typer
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from backlight.cli.output import Json, command, console, one_line, print_json

app = typer.Typer(
    help="List the lessons of the course, read one, or open its notebook.",
    no_args_is_help=False,
    epilog="Example:  backlight lessons open 1",
)


@app.callback(invoke_without_command=True)
def _default(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        list_lessons()


@app.command("list", epilog="Example:  backlight lessons list")
def list_lessons(json_output: Json = False) -> None:
    """List the lessons, what each one teaches, and how many exercises are done."""
    from backlight.lessons.catalogue import LESSONS
    from backlight.lessons.exercises.progress import ExerciseProgress, load, location

    noted = load()
    out = console(json_output=json_output)
    rows = []
    for lesson in LESSONS.values():
        done = sum(noted.get(one.id, ExerciseProgress()).done for one in lesson.exercises)
        rows.append({"number": lesson.number, "title": lesson.title, "able": lesson.able,
                     "exercises": len(lesson.exercises), "done": done})  # fmt: skip
        out.print(f"{lesson.number}  {lesson.title}")
        out.print(Padding(f"After it you can {lesson.able}.", (0, 0, 0, 3)))
        out.print(f"   {done} of {len(lesson.exercises)} exercises done\n")
    out.print(f"Progress is kept in {one_line(os.path.relpath(location()))}\n", soft_wrap=True)
    out.print("To read one:     backlight lessons read 1")
    out.print("To work on one:  backlight lessons open 1")
    if json_output:
        print_json({"lessons": rows})


@app.command("read", epilog="Example:  backlight lessons read 1")
def read_lesson(
    number: Annotated[int, typer.Argument(help="Number of the lesson.", metavar="NUMBER")],
    folder: Annotated[
        Path | None,
        typer.Argument(help="Folder for the page. Default: the user's cache.", metavar="DIR", readable=False),
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Run the lesson again even if the page exists.")] = False,
    json_output: Json = False,
) -> None:
    """Read a lesson as a page in the browser. The lesson is run the first time, which takes a minute or two."""
    from pooch import os_cache

    from backlight.lessons.catalogue import lesson
    from backlight.lessons.pages.page import write_page

    chosen = lesson(number)
    out = console(json_output=json_output)
    columns = (TextColumn(f"Running lesson {number}"), BarColumn(), MofNCompleteColumn(), TextColumn("cells"))
    with Progress(*columns, console=out, transient=True, disable=not out.is_terminal) as progress:
        task = progress.add_task("", total=None)
        path, new = write_page(
            chosen,
            folder or Path(os_cache("backlight")) / "pages",
            again=again,
            on_cell=lambda done, total: progress.update(task, completed=done, total=total),
        )
    out.print(f"Lesson {number} is in {one_line(str(path))}", soft_wrap=True)
    # no browser is opened where the output is not a terminal
    if not (sys.stdout.isatty() and webbrowser.open(path.absolute().as_uri())):
        out.print("Open this file in a browser.")
    out.print(f"To work on it:  {command('lessons', 'open', number)}")
    if json_output:
        print_json({"lesson": number, "path": str(path), "new": new})


@app.command("open", epilog="Example:  backlight lessons open 2 course")
def open_lesson(
    number: Annotated[int, typer.Argument(help="Number of the lesson.", metavar="NUMBER")],
    folder: Annotated[
        Path, typer.Argument(help="Folder for the notebook. Default: this folder.", metavar="DIR", readable=False)
    ] = Path(),
    system: Annotated[
        str | None,
        typer.Option("--for", help="Write the notebook for a grading system: nbgrader or otter.", metavar="SYSTEM"),
    ] = None,
    json_output: Json = False,
) -> None:
    """Write a lesson's notebook to work on. A notebook with your work is never overwritten.

    With --for, each check is a test of its own, in the form of nbgrader or of Otter.
    """
    from importlib.util import find_spec

    from backlight.lessons.catalogue import lesson
    from backlight.lessons.catalogue import open_lesson as opened_in
    from backlight.lessons.grading.forms import notebook_for

    chosen = lesson(number)
    opened = opened_in(chosen, folder, None if system is None else notebook_for(chosen, system))
    out = console(json_output=json_output)
    path = one_line(str(opened.path))
    out.print(f"Lesson {number} is in {path}" if opened.new else f"{path} exists already, unchanged.")
    if system is not None:
        out.print(_NEXT[system].format(path=path), soft_wrap=True)
    elif find_spec("notebook") or find_spec("jupyterlab"):
        out.print(f"Open it:  jupyter lab {path}", soft_wrap=True)
    else:
        out.print("It needs Jupyter, which is not installed here:  pip install 'backlight[notebook]'")
        out.print(f"Then:  jupyter lab {path}", soft_wrap=True)
    if system is None:
        out.print(f"Check your answers:  {command('exercise', 'check', opened.path)}", soft_wrap=True)
    if json_output:
        print_json({"lesson": number, "path": str(opened.path), "new": opened.new})


_NEXT = {
    "nbgrader": "Put it into source/ASSIGNMENT of an nbgrader course; then:  nbgrader generate_assignment ASSIGNMENT",
    "otter": "Make the students' notebook and the autograder of it:  otter assign {path} DIR",
}
