"""The grades of a class: what each student has for each exercise."""

import csv
import io
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from backlight.core import RunError
from backlight.lessons.checking.process import Conditions, FileResult, judge_files
from backlight.lessons.exercises import EXERCISES, Verdict
from backlight.lessons.exercises.progress import ExerciseProgress, load
from backlight.lessons.grading.roster import Student

COLUMNS = ("student", "exercise", "state", "mistake", "tries", "hints", "file", "message")
"""The columns of the table."""


@dataclass(frozen=True)
class Grade:
    """What a student has for an exercise.

    Attributes:
        student: the name.
        exercise: the id.
        verdict: of the answer; None if there is none.
        file: the file with the answer.
        progress: tries and hints, if the student handed in the progress file.
    """

    student: str
    exercise: str
    verdict: Verdict | None = None
    file: Path | None = None
    progress: ExerciseProgress | None = None

    @property
    def right(self) -> bool:
        """Whether the answer is right."""
        return self.verdict is not None and self.verdict.right

    @property
    def message(self) -> str:
        """What is wrong, in a line; "" if nothing is."""
        lines = self.verdict.lines if self.verdict is not None and not self.verdict.right else ()
        return next((line for line in lines if not line.startswith("Right so far")), "")

    @property
    def state(self) -> str:
        """The state of the verdict, or "missing"."""
        return self.verdict.state if self.verdict is not None else "missing"


@dataclass(frozen=True)
class StudentGrades:
    """The grades of one student.

    Attributes:
        student: the student.
        grades: one for each exercise that was asked for.
        problems: what could not be read or judged, in a line each.
    """

    student: Student
    grades: tuple[Grade, ...]
    problems: tuple[str, ...]


def grade_class(
    students: Sequence[Student],
    ids: Sequence[str],
    conditions: Conditions,
    *,
    workers: int,
    on_student: Callable[[StudentGrades], object],
) -> list[StudentGrades]:
    """Judge the work of all students, each student in a process of their own.

    Args:
        students: the students.
        ids: the exercises.
        conditions: how answers are judged.
        workers: how many processes run at once.
        on_student: called with the grades of each student, as they become known.

    Returns: the grades in the order of the students.
    """
    done: dict[str, StudentGrades] = {}
    stop = threading.Event()
    with ThreadPoolExecutor(workers) as pool:
        waiting = [pool.submit(_grade, student, ids, conditions, stop) for student in students]
        try:
            for one in as_completed(waiting):
                found = one.result()
                done[found.student.name] = found
                on_student(found)
        finally:  # also after Ctrl+C: no process is left
            stop.set()
            pool.shutdown(cancel_futures=True)
    return [done[student.name] for student in students]


def _grade(student: Student, ids: Sequence[str], conditions: Conditions, stop: threading.Event) -> StudentGrades:
    results = judge_files(student.files, ids, conditions=conditions, stop=stop) if student.files else []
    problems = [result.refused for result in results if result.refused]
    problems += [f"{result.path.name}: {line}" for result in results for line in result.problems]
    noted: dict[str, ExerciseProgress] | None = None
    if student.progress is not None:
        try:
            noted = load(student.progress)
        except RunError as error:
            problems.append(str(error))
    grades = []
    for id_ in ids:
        verdict, file = _best(results, id_)
        progress = noted.get(id_, ExerciseProgress()) if noted is not None else None
        grades.append(Grade(student.name, id_, verdict, file, progress))
    return StudentGrades(student, tuple(grades), tuple(problems))


def _best(results: Sequence[FileResult], id_: str) -> tuple[Verdict | None, Path | None]:
    """Return the verdict on an exercise, and the file: of several, a right one, or else the last that is filled in."""
    found = [(result.verdicts[id_], result.path) for result in results if id_ in result.verdicts]
    filled = [one for one in found if one[0].state != "unfinished"]
    right = [one for one in found if one[0].right]
    best = right or filled[-1:] or found[-1:]
    return best[0] if best else (None, None)


def asked_exercises(grades: Sequence[StudentGrades]) -> list[str]:
    """Return the exercises that at least one student answered or opened, in the order of the course."""
    there = {one.exercise for student in grades for one in student.grades if one.verdict is not None}
    return [id_ for id_ in EXERCISES if id_ in there]


def as_csv(grades: Sequence[StudentGrades], ids: Sequence[str]) -> bytes:
    """Return the table of the grades as the bytes of a CSV file, with a line for each student and exercise.

    Args:
        grades: of the students.
        ids: the exercises that get a line.
    """
    text = io.StringIO(newline="")
    rows = csv.writer(text)
    rows.writerow(COLUMNS)
    for student in grades:
        for one in student.grades:
            if one.exercise in ids:
                rows.writerow([_harmless(cell) for cell in _row(one)])
    return text.getvalue().encode("utf-8-sig")


def _row(grade: Grade) -> tuple[str, ...]:
    verdict, progress = grade.verdict, grade.progress
    return (
        grade.student, grade.exercise, grade.state, (verdict.mistake if verdict else None) or "",
        str(progress.tries) if progress else "", str(progress.hints) if progress else "",
        grade.file.name if grade.file else "",
        grade.message,
    )  # fmt: skip


def _harmless(cell: str) -> str:
    """Return a cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if cell[:1] in {"=", "+", "-", "@", "\t", "\r"} else cell
