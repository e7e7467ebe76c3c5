"""`backlight exercise`: show and check the exercises of the course, without a notebook."""

import os
import re
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from backlight.cli.output import Json, console, one_line, print_json, table, visible

if TYPE_CHECKING:
    from backlight.lessons.exercises import Exercise, Verdict

app = typer.Typer(
    help="List, show and check the exercises of the course.\n\nYour progress is kept in the current folder, and found "
    "from the folders below it.",
    no_args_is_help=True,
    epilog="Example:  backlight exercise show 1.1",
)

TimeLimit = Annotated[
    float, typer.Option("--time-limit", help="Time limit of an answer, in seconds of processor time.", min=0.1)
]
Id = Annotated[str, typer.Argument(help="Exercise, as in 1.1.", metavar="ID")]


@app.command("list", epilog="Example:  backlight exercise list")
def list_exercises(json_output: Json = False) -> None:
    """List the exercises and your progress."""
    from backlight.lessons.exercises import EXERCISES
    from backlight.lessons.exercises.progress import ExerciseProgress, load, location

    noted = load()
    out = console(json_output=json_output)
    rows = table("exercise", "what", "answer", "tries", "hints", "", text=("exercise", "what", "answer", ""))
    facts = []
    for id_, exercise in EXERCISES.items():
        so_far = noted.get(id_, ExerciseProgress())
        rows.add_row(id_, exercise.title, exercise.answer, str(so_far.tries or ""), str(so_far.hints or ""),
                     "done" if so_far.done else "")  # fmt: skip
        facts.append({"id": id_, "title": exercise.title, "answer": exercise.answer, "tries": so_far.tries,
                      "hints": so_far.hints, "done": so_far.done})  # fmt: skip
    out.print(rows)
    done = sum(bool(one["done"]) for one in facts)
    out.print(
        f"\n{done} of {len(facts)} done. Progress is kept in {one_line(os.path.relpath(location()))}", soft_wrap=True
    )
    if json_output:
        print_json({"exercises": facts, "done": done, "progress": str(location())})


@app.command("show", epilog="Example:  backlight exercise show 1.1")
def show_exercise(id_: Id, json_output: Json = False) -> None:
    """Show the task of an exercise and the signature of the function to write."""
    from backlight.lessons.exercises import EXERCISES, find

    exercise = find(EXERCISES, id_)
    out = console(json_output=json_output)
    _print_task(out, exercise)
    out.print("Then:  backlight exercise check answers.py")
    if json_output:
        print_json({"id": exercise.id, "title": exercise.title, "task": exercise.task, "answer": exercise.answer,
                    "arguments": list(exercise.inputs()[0]), "hints": len(exercise.hints)})  # fmt: skip


@app.command("next", epilog="Example:  backlight exercise next")
def next_exercise(json_output: Json = False) -> None:
    """Show the first exercise that is not done."""
    from backlight.lessons.exercises import EXERCISES
    from backlight.lessons.exercises.progress import ExerciseProgress, load

    noted = load()
    coming = next((id_ for id_ in EXERCISES if not noted.get(id_, ExerciseProgress()).done), None)
    if coming is not None:
        show_exercise(coming, json_output)
        return
    console(json_output=json_output).print(f"All {len(EXERCISES)} exercises are done.")
    if json_output:
        print_json({"id": None})


@app.command("check", epilog="Example:  backlight exercise check answers.py")
def check_exercises(
    file: Annotated[Path, typer.Argument(help="A Python file or a notebook.", metavar="FILE", readable=False)],
    ids: Annotated[list[str] | None, typer.Argument(help="Only these exercises, as in 1.1.", metavar="[ID]...")] = None,
    time_limit: TimeLimit = 60.0,
    output: Annotated[bool, typer.Option("--output", help="Show what the file prints.")] = False,
    json_output: Json = False,
) -> None:
    """Check each answer that a file defines; exit code 1 if one is wrong.

    Only the statements that an answer needs are run, in a separate process.
    """
    from backlight.lessons.check_file import check_file
    from backlight.lessons.exercises import EXERCISES, find

    for id_ in ids or []:
        find(EXERCISES, id_)
    out = console(json_output=json_output)
    answers = check_file(
        file, ids or [], limit=time_limit, output=output, on_verdict=lambda verdict: _print_verdict(out, verdict)
    )
    untouched = [one.id for one in answers.verdicts if one.state == "unfinished"]
    for problem in answers.problems:
        out.print(visible(problem))
    if untouched:
        out.print(f"Not filled in yet: {', '.join(untouched)}.")
    right = sum(verdict.right for verdict in answers.verdicts)
    if answers.verdicts:
        out.print(f"\n{right} of {len(answers.verdicts)} right.")
    if json_output:
        print_json({"exercises": [one.to_json() for one in answers.verdicts], "right": right,
                    "problems": list(answers.problems)})  # fmt: skip
    if not answers.verdicts or right < len(answers.verdicts):
        raise typer.Exit(1)


@app.command("watch", epilog="Example:  backlight exercise watch answers.py")
def watch_exercises(
    file: Annotated[Path, typer.Argument(help="A Python file or a notebook.", metavar="FILE", readable=False)],
    ids: Annotated[list[str] | None, typer.Argument(help="Only these exercises, as in 1.1.", metavar="[ID]...")] = None,
    time_limit: TimeLimit = 60.0,
) -> None:
    """Check the next exercise each time that a file is saved. Stop with Ctrl+C.

    Without an ID, it starts with the first unfinished exercise.
    """
    from backlight.lessons.check_file import check_file
    from backlight.lessons.checking.watching import saves, watch
    from backlight.lessons.exercises import EXERCISES, find
    from backlight.lessons.exercises.progress import ExerciseProgress, load

    for id_ in ids or []:
        find(EXERCISES, id_)
    noted = load()
    waiting = ids or [id_ for id_ in EXERCISES if not noted.get(id_, ExerciseProgress()).done]
    out = console()
    for event in watch(waiting, saves(file), lambda id_: check_file(file, [id_], limit=time_limit)):
        if event.kind == "task":
            _print_task(out, EXERCISES[event.id])
            out.print(f"Save your answer in {one_line(str(file))}, and it is checked. Stop with Ctrl+C.\n")
        elif event.kind == "problem":
            out.print(visible(event.line))
        elif event.verdict is not None:
            _print_verdict(out, event.verdict)
        else:
            out.print("All exercises are done.")


@app.command("hint", epilog="Example:  backlight exercise hint 1.1")
def hint(
    id_: Id,
    every: Annotated[bool, typer.Option("--all", help="Show all hints.")] = False,
    json_output: Json = False,
) -> None:
    """Show the next hint. The last one nearly gives the answer."""
    from backlight.lessons.exercises import EXERCISES, find
    from backlight.lessons.exercises.progress import ExerciseProgress, load, record_hint

    exercise = find(EXERCISES, id_)
    before = load().get(id_, ExerciseProgress()).hints
    count = len(exercise.hints)
    read = count if every else min(before + 1, count)
    record_hint(id_, read)
    out = console(json_output=json_output)
    shown = range(read) if every else range(read - 1, read)
    for place in shown:
        out.print(f"Hint {place + 1} of {count}: {exercise.hints[place]}")
    if before >= count and not every:
        out.print("That was the last hint. To see all:  backlight exercise hint --all " + id_)
    if json_output:
        print_json({"id": id_, "hints": [exercise.hints[place] for place in shown], "read": read, "of": count})


@app.command("reset", epilog="Example:  backlight exercise reset 1.1")
def reset(
    id_: Annotated[str | None, typer.Argument(help="Exercise. Default: all.", metavar="ID")] = None,
) -> None:
    """Forget your progress on an exercise, or on all, in this folder. Your files are not changed."""
    from backlight.lessons.exercises import EXERCISES, find
    from backlight.lessons.exercises.progress import forget

    if id_ is not None:
        find(EXERCISES, id_)
    count = forget(id_)
    console().print(f"Progress reset on {count} exercise{'' if count == 1 else 's'}.")


def _print_verdict(out: Console, verdict: "Verdict") -> None:
    """Print a verdict and record the attempt; an exercise that is not filled in is only counted."""
    from backlight.lessons.exercises.progress import record_try

    if verdict.state != "unfinished":
        record_try(verdict)
        out.print(visible(str(verdict)))


def _print_task(out: Console, exercise: "Exercise") -> None:
    out.print(f"{exercise.id}  {exercise.title}\n")
    out.print(_unwrapped(exercise.task))
    out.print("\nWrite your answer in a file, e.g. answers.py, which may hold answers to many exercises:\n")
    out.print(textwrap.indent(exercise.stub, "    "), soft_wrap=True)
    out.print()


def _unwrapped(text: str) -> str:
    """Join the lines of each Markdown paragraph, so that the console can wrap them."""
    paragraphs = (one if one.startswith("    ") else re.sub(r"\n(?!- ) *", " ", one) for one in text.split("\n\n"))
    return "\n\n".join(paragraphs)
