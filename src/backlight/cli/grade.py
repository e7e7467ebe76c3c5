"""`backlight grade`: grade the work of a class."""

from pathlib import Path
from typing import Annotated

import typer

from backlight.cli.output import Json, console, one_line, print_json


def grade(
    folder: Annotated[
        Path, typer.Argument(help="Folder with one folder or file per student.", metavar="FOLDER", readable=False)
    ],
    exercises: Annotated[
        list[str] | None, typer.Option("--exercise", help="Only this exercise; may be repeated.", metavar="ID")
    ] = None,
    to: Annotated[Path, typer.Option("--to", help="Folder for grades.csv and grades.html.", readable=False)] = Path(),
    seed: Annotated[
        int | None, typer.Option("--seed", help="Random seed of the inputs that answers are checked on.", min=0)
    ] = None,
    forbid: Annotated[
        list[str] | None,
        typer.Option(
            "--forbid", help="In exercises by hand, refuse autograd or layers; may be repeated.", metavar="RULE"
        ),
    ] = None,
    time_limit: Annotated[
        float, typer.Option("--time-limit", help="Time limit of an answer, in seconds of processor time.", min=0.1)
    ] = 60.0,
    memory: Annotated[float, typer.Option("--memory", help="Memory limit of a student, in GiB.", min=0.5)] = 4.0,
    workers: Annotated[
        int, typer.Option("--workers", help="Number of students who are graded at the same time.", min=1, max=64)
    ] = 2,
    json_output: Json = False,
) -> None:
    """Grade the notebooks and files of a class.

    Write a table of the grades, grades.csv, and a page of the mistakes, grades.html.
    """
    from backlight.core import ConfigError
    from backlight.lessons.checking.process import Conditions
    from backlight.lessons.checking.rules import RULES
    from backlight.lessons.exercises import EXERCISES, find
    from backlight.lessons.grading.grades import StudentGrades, as_csv, asked_exercises, grade_class
    from backlight.lessons.grading.page import class_page
    from backlight.lessons.grading.roster import students_in
    from backlight.runs.atomic import write_atomically

    ids = [find(EXERCISES, id_).id for id_ in exercises or EXERCISES]
    rules = tuple(dict.fromkeys(forbid or ()))
    for rule in rules:
        if rule not in RULES:
            raise ConfigError(f"a rule must be one of {', '.join(RULES)}; got {rule!r}. See: backlight grade --help")
    students = students_in(folder)
    out = console(json_output=json_output)

    def show(found: StudentGrades) -> None:
        answered = [one for one in found.grades if one.verdict is not None]
        right = sum(one.right for one in answered)
        out.print(f"{one_line(found.student.name)}: {right} of {len(answered)} right")
        for problem in found.problems:
            out.print(f"  {one_line(problem)}")

    conditions = Conditions(limit=time_limit, memory=int(memory * 2**30), seed=seed, forbid=rules)
    grades = grade_class(students, ids, conditions, workers=workers, on_student=show)
    shown = ids if exercises else asked_exercises(grades)
    said = "The inputs are those of the course." if seed is None else f"The inputs were made from seed {seed}."
    if rules:
        said += f" In exercises by hand, {' and '.join(rules)} did not count."
    table, page = to / "grades.csv", to / "grades.html"
    name = folder.absolute().name
    to.mkdir(parents=True, exist_ok=True)
    write_atomically(table, as_csv(grades, shown))
    write_atomically(page, class_page(name, grades, shown, conditions=said).encode())
    right = sum(one.right for student in grades for one in student.grades)
    out.print(f"\n{len(grades)} students, {right} right answers.")
    out.print(f"Table: {one_line(str(table))}", soft_wrap=True)
    out.print(f"Page:  {one_line(str(page))}", soft_wrap=True)
    if json_output:
        print_json(
            {"students": len(grades), "right": right, "exercises": shown, "table": str(table), "page": str(page)}
        )
