"""`backlight exercise`: show and check the exercises of the course, without a notebook."""

import re
from pathlib import Path
from typing import Annotated

import typer

from backlight.cli.output import Json, console, one_line, print_json, table, visible

app = typer.Typer(
    help="List, show and check the exercises of the course.\n\nYour progress is kept in the current folder.",
    no_args_is_help=True,
    epilog="Example:  backlight exercise show 1.1",
)

Id = Annotated[str, typer.Argument(help="Exercise, as in 1.1.", metavar="ID")]


@app.command("list", epilog="Example:  backlight exercise list")
def list_exercises(json_output: Json = False) -> None:
    """List the exercises and your progress in this folder."""
    from backlight.lessons.exercises import EXERCISES
    from backlight.lessons.exercises.progress import ExerciseProgress, load

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
    out.print(f"\n{done} of {len(facts)} done in this folder.")
    if json_output:
        print_json({"exercises": facts, "done": done})


@app.command("show", epilog="Example:  backlight exercise show 1.1")
def show_exercise(id_: Id, json_output: Json = False) -> None:
    """Show the task of an exercise, and the function that answers it."""
    from backlight.lessons.exercises import EXERCISES, find

    exercise = find(EXERCISES, id_)
    out = console(json_output=json_output)
    out.print(f"{exercise.id}  {exercise.title}\n")
    out.print(_unwrapped(exercise.task))
    arguments = ", ".join(exercise.inputs()[0])
    out.print("\nWrite your answer in a file, e.g. answers.py, which may hold answers to many exercises:\n")
    out.print(f"    def {exercise.answer}({arguments}):\n        ...\n")
    out.print("Then:  backlight exercise check answers.py")
    if json_output:
        print_json({"id": exercise.id, "title": exercise.title, "task": exercise.task, "answer": exercise.answer,
                    "arguments": list(exercise.inputs()[0]), "hints": len(exercise.hints)})  # fmt: skip


@app.command("check", epilog="Example:  backlight exercise check answers.py")
def check_exercises(
    file: Annotated[Path, typer.Argument(help="A Python file or a notebook.", metavar="FILE", readable=False)],
    ids: Annotated[list[str] | None, typer.Argument(help="Only these exercises, as in 1.1.", metavar="[ID]...")] = None,
    time_limit: Annotated[float, typer.Option("--time-limit", help="Time limit in seconds.", min=0.1)] = 60.0,
    json_output: Json = False,
) -> None:
    """Run a file in a separate process and check each answer that it defines; exit code 1 if one is wrong."""
    from backlight.lessons.check_file import check_file
    from backlight.lessons.exercises import EXERCISES, find
    from backlight.lessons.exercises.progress import record_try

    for id_ in ids or []:
        find(EXERCISES, id_)
    answers = check_file(file, ids or [], limit=time_limit, quiet=json_output)
    out = console(json_output=json_output)
    for verdict in answers.verdicts:
        record_try(verdict)
        out.print(visible(str(verdict)))
    if answers.error:
        out.print(f"The file did not run to the end: {one_line(answers.error)}")
    right = sum(verdict.right for verdict in answers.verdicts)
    out.print(f"\n{right} of {len(answers.verdicts)} right.")
    if json_output:
        print_json({"exercises": [one.to_json() for one in answers.verdicts], "right": right, "error": answers.error})
    if answers.error or right < len(answers.verdicts):
        raise typer.Exit(1)


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


def _unwrapped(text: str) -> str:
    """Join the lines of each Markdown paragraph, so that the console can wrap them."""
    paragraphs = (one if one.startswith("    ") else re.sub(r"\n(?!- ) *", " ", one) for one in text.split("\n\n"))
    return "\n\n".join(paragraphs)
