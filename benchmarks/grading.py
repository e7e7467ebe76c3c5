"""Make a class of students with notebooks of all lessons, and time `backlight grade` on it.

python benchmarks/grading.py --students 40 --workers 2

Each notebook has some right answers, some with a changed sign and some that are not filled in. Every student trains a
network of their own for exercise 3.1; `--trained` of them also do for exercise 6.2, and the others take the weights of
the lesson. Five files are hostile: their second answer loops, ends the process, crashes the interpreter, sleeps, or
takes all memory (`--hostile` chooses some). The script checks that this costs no other answer.
"""

import argparse
import csv
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from backlight.lessons import LESSONS, Lesson

HOSTILE = {
    "loop": "while True: pass",
    "exit": "import os; os._exit(1)",
    "crash": "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)",
    "sleep": "import time; time.sleep(1e6)",
    "memory": "keep = []\n    while True: keep.append(bytearray(2**28))",
}
"""The body of an answer, by name."""

HOSTILE_ID = "1.2"

COURSE = [lesson for lesson in LESSONS.values() if lesson.number <= 7]


def notebook(lesson: Lesson, chance: random.Random, *, trained: bool, hostile: str) -> tuple[bytes, dict[str, str]]:
    """Return a student's notebook, and what each of its answers is: right, changed, stub or hostile."""
    cells = lesson.cells(student=False)
    stubs = lesson.cells(student=True)
    made, kinds = [], {}
    for cell, stub in zip(cells, stubs, strict=True):
        source = cell.source
        if cell.solved:
            exercise = next(one for one in lesson.exercises if f'check("{one.id}"' in source)
            kind = chance.choices(["right", "changed", "stub"], [7, 2, 1])[0]
            if exercise.id in {"3.1", "6.2"}:
                kind = "right"
            source = {"right": source, "stub": stub.source}.get(kind, source.replace(" - ", " + ", 1))
            if source == cell.source:
                kind = "right"
            if exercise.id == "3.1":
                source = source.replace("hidden=(200,)", f"hidden=(200,), seed={chance.randrange(1000)}")
            if exercise.id == "6.2" and trained:
                source = source.replace("if trains():", "if True:")
            if hostile and exercise.id == HOSTILE_ID:
                head = stub.source.partition(":\n")[0]
                source, kind = f"{head}:\n    {HOSTILE[hostile]}\n", "hostile"
            if exercise.id == "5.4" and {kinds["5.2"], kinds["5.3"]} != {"right"}:
                kind = "changed"  # it calls the functions of these exercises
            kinds[exercise.id] = kind
        made.append({"cell_type": cell.kind, "metadata": {}, "source": source, "outputs": [], "execution_count": None})
    content = {"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 4}
    return json.dumps(content).encode(), kinds


def make_class(folder: Path, students: int, trained: int, hostile: list[str], seed: int) -> dict[tuple[str, str], str]:
    """Write the notebooks of a class; return what each answer is, by student and exercise."""
    chance = random.Random(seed)
    kinds = {}
    for at in range(students):
        name = f"student_{at:02}"
        (folder / name).mkdir(parents=True)
        does = hostile[at] if at < len(hostile) else ""
        for lesson in COURSE:
            content, here = notebook(lesson, chance, trained=at >= students - trained, hostile=does)
            (folder / name / lesson.file).write_bytes(content)
            kinds |= {(name, id_): kind for id_, kind in here.items()}
    return kinds


def main() -> None:
    """Make the class, grade it, and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--students", type=int, default=40)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--trained", type=int, default=0)
    parser.add_argument("--hostile", nargs="*", choices=HOSTILE, default=list(HOSTILE))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--time-limit", type=float, default=60.0)
    parser.add_argument("--keep", type=Path, help="write the class and the results to this folder, which must be new")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        root = asked.keep or Path(temporary)
        kinds = make_class(root / "class", asked.students, asked.trained, asked.hostile, asked.seed)
        started = time.perf_counter()
        command = [sys.executable, "-m", "backlight", "grade", str(root / "class"), "--to", str(root / "out")]
        limits = ["--workers", str(asked.workers), "--time-limit", str(asked.time_limit)]
        subprocess.run([*command, *limits], check=True)
        wall = time.perf_counter() - started
        with (root / "out" / "grades.csv").open(encoding="utf-8-sig", newline="") as file:
            rows = {(row["student"], row["exercise"]): row["state"] for row in csv.DictReader(file)}
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    lost = [
        (*key, rows[key], kind) for key, kind in kinds.items()
        if (rows[key] in {"exact", "close"}) != (kind == "right") and kind != "changed"
    ]  # fmt: skip
    print(f"{asked.students} students, {len(kinds)} answers, {asked.workers} at once, {asked.trained} networks for 6.2")
    print(f"{wall:.0f} s, {used.ru_utime + used.ru_stime:.0f} s of processor time")
    print(f"answers that were judged otherwise than they are: {lost or 'none'}")


if __name__ == "__main__":
    main()
