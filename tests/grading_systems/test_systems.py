"""nbgrader and Otter themselves make assignments of the notebooks, and grade a student's work."""

import json
import os
import sqlite3
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from backlight.lessons import LESSONS
from backlight.lessons.grading.forms import notebook_for

LESSON = LESSONS[10]  # three exercises and no figures

RIGHT = {
    "rmsnorm": "    mean = sum(n * n for n in x) / len(x)\n    return [n / (mean + 1e-5) ** 0.5 for n in x]",
    "query_gradient": "    return [0.0 for _ in query]",  # wrong
}
"""What a student writes: one right answer, one wrong one, and nothing for the third."""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BACKLIGHT_FAST", "1")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def ran(*command: str, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=folder, capture_output=True, text=True, timeout=400, check=False,
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout + done.stderr


def short(notebook: dict[str, Any]) -> dict[str, Any]:
    """Leave out the cells behind the last test, which train."""
    last = max(i for i, cell in enumerate(notebook["cells"]) if "verdict = check(" in "".join(cell["source"]))
    kept = notebook["cells"][: last + 1] + [
        cell for cell in notebook["cells"][last + 1 :] if cell["cell_type"] == "raw"
    ]
    return {**notebook, "cells": kept}


def answered(path: Path) -> None:
    """Fill in a student's notebook."""
    notebook = json.loads(path.read_text())
    for cell in notebook["cells"]:
        text = "".join(cell["source"])
        for name, body in RIGHT.items():
            if text.startswith(f"def {name}("):
                cell["source"] = text.partition(":\n")[0] + f":\n{body}\n"
    path.write_text(json.dumps(notebook))


def test_nbgrader_makes_an_assignment_and_grades_it(tmp_path: Path) -> None:
    source = tmp_path / "source" / "numbers"
    source.mkdir(parents=True)
    (source / LESSON.file).write_text(json.dumps(short(json.loads(notebook_for(LESSON, "nbgrader")))))
    ran("nbgrader", "generate_assignment", "numbers", "--create", folder=tmp_path)
    released = (tmp_path / "release" / "numbers" / LESSON.file).read_text()
    assert "YOUR CODE HERE" in released
    assert "SOLUTION" not in released
    handed_in = tmp_path / "submitted" / "ana" / "numbers" / LESSON.file
    handed_in.parent.mkdir(parents=True)
    handed_in.write_text(released)
    answered(handed_in)
    ran("nbgrader", "autograde", "numbers", "--create", folder=tmp_path)
    with sqlite3.connect(tmp_path / "gradebook.db") as book:
        scores = dict(book.execute(
            "select base_cell.name, grade.auto_score from grade join base_cell on grade.cell_id = base_cell.id"
        ))  # fmt: skip
    assert scores == {"exercise_10_1_test": 1.0, "exercise_10_2_test": 0.0, "exercise_10_3_test": 0.0}


def test_otter_makes_an_assignment_and_grades_it(tmp_path: Path) -> None:
    (tmp_path / LESSON.file).write_text(json.dumps(short(json.loads(notebook_for(LESSON, "otter")))))
    ran("otter", "assign", LESSON.file, "dist", "--no-run-tests", folder=tmp_path)
    student = tmp_path / "dist" / "student" / LESSON.file
    assert "# your code here" in student.read_text()
    assert "grader.check(" in student.read_text()
    answered(student)
    (autograder,) = (tmp_path / "dist" / "autograder").glob("*.zip")
    assert set(zipfile.ZipFile(autograder).namelist()) >= {f"tests/q10_{i}.py" for i in (1, 2, 3)}
    ran("otter", "run", "-a", str(autograder), "-o", ".", str(student), "--no-logo", folder=tmp_path)
    tests = json.loads((tmp_path / "results.json").read_text())["tests"]
    scores = {one["name"]: one["score"] for one in tests if one["name"].startswith("q")}
    assert scores == {"q10_1": 1.0, "q10_2": 0.0, "q10_3": 0.0}
