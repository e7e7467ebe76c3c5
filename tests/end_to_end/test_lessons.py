"""The course, as a learner has it: every lesson runs, with the solutions and without; the commands say what to do."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backlight.lessons import LESSONS
from backlight.lessons.catalogue import open_lesson
from backlight.lessons.exercises import EXERCISES

RUN = """
import ast, json, linecache, sys

def shown(source, place, names):
    linecache.cache[place] = len(source), None, source.splitlines(keepends=True), place  # as a notebook has it
    tree = ast.parse(source)
    last = tree.body.pop().value if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, place, "exec"), names)
    return last and eval(compile(ast.Expression(last), place, "eval"), names)

names, verdicts = {"__name__": "__main__"}, []
for place, source in json.load(sys.stdin):
    value = shown(source, place, names)
    if type(value).__name__ == "Verdict":
        verdicts.append(str(value))
    elif hasattr(value, "_repr_png_"):
        assert value._repr_png_()[0].startswith(b"\\x89PNG")
    elif hasattr(value, "_repr_html_"):
        assert value._repr_html_()
print(json.dumps(verdicts))
"""


def executed(lesson: Any, folder: Path, *, student: bool) -> list[str]:
    """Run a lesson's cells as a notebook does, in fast mode, and return what each check says."""
    cells = [
        (f"cell {number}", cell.source) for number, cell in enumerate(lesson.cells(student=student), 1)
        if cell.kind == "code"
    ]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", RUN],
        input=json.dumps(cells).encode(),
        cwd=folder,
        env={**os.environ, "BACKLIGHT_FAST": "1", "OMP_NUM_THREADS": "1", "MPLBACKEND": "agg"},
        capture_output=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    verdicts: list[str] = json.loads(done.stdout.splitlines()[-1])
    return verdicts


@pytest.mark.parametrize("lesson", LESSONS.values(), ids=lambda one: one.name)
def test_with_the_solutions_every_check_passes(lesson: Any, tmp_path: Path) -> None:
    verdicts = executed(lesson, tmp_path, student=False)
    assert [verdict.split(" is right")[0] for verdict in verdicts] == [one.id for one in lesson.checked]
    noted = json.loads((tmp_path / "backlight-progress.json").read_text())["exercises"]
    assert noted == {one.id: {"tries": 1, "hints": 0, "done": True} for one in lesson.checked}


@pytest.mark.parametrize("lesson", LESSONS.values(), ids=lambda one: one.name)
def test_without_them_it_runs_to_its_end_and_each_says_not_yet(lesson: Any, tmp_path: Path) -> None:
    verdicts = executed(lesson, tmp_path, student=True)
    assert [verdict.split(": not yet")[0] for verdict in verdicts] == [one.id for one in lesson.checked]
    assert not list(tmp_path.iterdir())


def test_the_list(shell: Any) -> None:
    shell.write("answers.py", GOOD)
    shell.works("exercise", "check", "answers.py")
    (shell.folder / "below").mkdir()
    listed = replace(shell, folder=shell.folder / "below").works("lessons").out
    assert f"Progress is kept in {Path('..', 'backlight-progress.json')}\n" in listed
    assert "1 of 6 exercises done" in listed
    for lesson in LESSONS.values():
        assert lesson.title in listed
    found = shell.works("lessons", "list", "--json", stderr=subprocess.DEVNULL).json["lessons"]
    assert [(one["number"], one["done"], one["exercises"]) for one in found] == [
        (lesson.number, int(lesson.number == 1), len(lesson.exercises)) for lesson in LESSONS.values()
    ]
    assert sum(one["exercises"] for one in found) == len(EXERCISES)


def test_opening_never_overwrites_what_was_worked_on(shell: Any) -> None:
    said = shell.works("lessons", "open", "2", "course", env={"COLUMNS": "80"}).out
    path = shell.folder / "course" / "lesson_2_bigrams.ipynb"
    assert path.read_bytes() == LESSONS[2].notebook()
    assert "course/lesson_2_bigrams.ipynb" in said
    assert "exists already" in shell.works("lessons", "open", "2", "course").out
    path.write_text("mine")
    says = shell.refused("lessons", "open", "2", "course", says="is not overwritten")
    assert "backlight lessons open 2 DIR" in says
    shell.refused("lessons", "open", "12", says="a lesson must be one of 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11; got 12")
    shell.write("file", "")
    shell.refused("lessons", "open", "1", "file", says="the folder of a lesson must be writable")


def test_reading_a_lesson_makes_its_page_once(shell: Any) -> None:
    environment = {"BACKLIGHT_FAST": "1", "COLUMNS": "80"}
    said = shell.works("lessons", "read", "1", "pages", env=environment).out
    page = shell.folder / "pages" / "lesson_1_micrograd.html"
    assert said == (
        "Lesson 1 is in pages/lesson_1_micrograd.html\nOpen this file in a browser.\n"
        "To work on it:  backlight lessons open 1\n"
    )
    assert 'class="backlight-stepping"' in page.read_text() or 'class="walk"' in page.read_text()
    assert "1.6 is right" in page.read_text()
    made = page.stat().st_mtime_ns
    assert shell("lessons", "read", "1", "pages", "--json", env=environment).json["new"] is False
    assert page.stat().st_mtime_ns == made
    shell.refused("lessons", "read", "12", says="a lesson must be one of 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11; got 12")
    shell.write("file", "")
    shell.refused("lessons", "read", "1", "file", says="backlight lessons read 1 DIR")


def test_a_page_is_kept_in_the_cache_and_needs_no_jupyter(tmp_path: Path) -> None:
    hide = (
        "import sys; sys.modules.update(dict.fromkeys(['jupytext', 'nbformat', 'nbconvert', 'nbclient', 'IPython']));"
    )
    code = f"{hide} from backlight.cli import main; sys.argv = ['backlight', 'lessons', 'read', '1']; main()"
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path), "BACKLIGHT_FAST": "1"}
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=120, env=environment)
    assert (tmp_path / "backlight" / "pages" / "lesson_1_micrograd.html").is_file()


def test_opening_needs_no_jupyter(tmp_path: Path) -> None:
    hide = "import sys; sys.modules.update(dict.fromkeys(['jupytext', 'nbformat', 'IPython', 'matplotlib', 'torch']));"
    code = f"{hide} from backlight.cli import main; sys.argv = ['backlight', 'lessons', 'open', '1']; main()"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True, timeout=120)
    assert (tmp_path / LESSONS[1].file).read_bytes() == LESSONS[1].notebook()


GOOD = """
import math
print("hello")
def gradient_by_formula(a, b, c):
    return 2 * a * b - 1 / c, a**2 + 3 * math.cos(3 * b), a / c**2
"""

MIXED = """
def forward_difference(f, a, b, c, h):
    here = f(a, b, c)
    return f(a + h, b, c) - here, f(a, b + h, c) - here, f(a, b, c + h) - here

def walk_back(nodes):
    return nodes[17]

def descend(w, xs, ys, rate, steps):
    ...

x = 1 / 0
def softmax_nll(logits, target):
    return 0
"""


def test_checking_a_file(shell: Any) -> None:
    shell.write("good.py", GOOD)
    said = shell.works("exercise", "check", "good.py").out
    assert said == "1.1 is right: exact.\n  All numbers are identical, for 5 inputs.\n\n1 of 1 right.\n"
    shell.write("mixed.py", MIXED)
    result = shell("exercise", "check", "mixed.py", "--output", env={"COLUMNS": "200"})
    assert result.code == 1
    assert "Likely mistake: not divided by h." in result.out
    assert "IndexError in line 7, in walk_back: list index out of range" in result.out
    assert "1.6: not yet.\n  The loss is wrong" in result.out
    assert result.out.endswith("Not filled in yet: 1.5.\n\n0 of 4 right.\n")
    noted = json.loads((shell.folder / "backlight-progress.json").read_text())["exercises"]
    assert {id_: (one["tries"], one["done"]) for id_, one in noted.items()} == {
        "1.1": (1, True), "1.2": (1, False), "1.4": (1, False), "1.6": (1, False),
    }  # fmt: skip


def test_checking_for_a_program(shell: Any) -> None:
    shell.write("mixed.py", GOOD + MIXED)
    result = shell("exercise", "check", "mixed.py", "1.1", "1.2", "--json")
    assert result.code == 1
    assert result.out.count("\n") == 1
    found = result.json
    assert [(one["id"], one["right"], one["mistake"]) for one in found["exercises"]] == [
        ("1.1", True, None), ("1.2", False, "not divided by h"),
    ]  # fmt: skip
    assert found["problems"] == []


def test_checking_a_notebook(shell: Any) -> None:
    path = open_lesson(LESSONS[1], shell.folder).path
    notebook = json.loads(path.read_text())
    cell = next(cell for cell in notebook["cells"] if "def walk_back" in "".join(cell["source"]))
    cell["source"] = ["%time\n", "def walk_back(nodes):\n", "    return 1 / 0\n"]
    path.write_text(json.dumps(notebook))
    result = shell("exercise", "check", path.name)
    assert result.code == 1
    assert result.out.startswith("1.4: not yet.\n  ZeroDivisionError in line 3, in walk_back: division by zero\n")
    assert result.out.endswith("Not filled in yet: 1.1, 1.2, 1.3, 1.5, 1.6.\n\n0 of 6 right.\n")


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("none.py", "x = 1\n", "none.py defines none. See: backlight exercise show 1.1"),
        ("ends.ipynb", "{}", "ends.ipynb is not"),
        ("ends.ipynb", '{"cells": [1]}', "ends.ipynb is not"),
        ("bytes.py", b"\xff\xfe\xfa", "it is not UTF-8 text"),
    ],
)
def test_a_file_that_cannot_be_checked(shell: Any, name: str, content: str | bytes, says: str) -> None:
    shell.write(name, content)
    shell.refused("exercise", "check", name, says=says)


def test_what_is_not_there(shell: Any) -> None:
    shell.refused("exercise", "check", "missing.py", says="No such file")
    shell.refused("exercise", "show", "12.1", says="an exercise must be one of 1.1, ")
    shell.refused("exercise", "check", "names.txt", "12.1", says="an exercise must be one of 1.1, ")


def test_a_file_that_is_no_python(shell: Any) -> None:
    shell.write("broken.py", "x = 1\ndef f(:\n" + GOOD)
    result = shell("exercise", "check", "broken.py")
    assert result.code == 0
    assert "SyntaxError in line 2 of broken.py: invalid syntax." in result.out
    assert result.out.endswith("1 of 1 right.\n")


def test_what_is_next(shell: Any) -> None:
    assert shell.works("exercise", "next").out.startswith("1.1  ")
    noted = {id_: {"tries": 1, "hints": 0, "done": id_ != "4.3"} for id_ in EXERCISES}
    whole = {"format": "backlight.progress", "version": 1, "exercises": noted}
    shell.write("backlight-progress.json", json.dumps(whole))
    said = shell.works("exercise", "next").out
    assert said.startswith("4.3  ")
    assert "    def first_weights(fan_in, fan_out, function, rng):\n" in said
    assert shell("exercise", "next", "--json").json["id"] == "4.3"
    shell.write("answers.py", "".join(cell.source for cell in LESSONS[4].cells(student=False) if "4.3" in cell.source
                                      and cell.solved).replace("check(", "print("))  # fmt: skip
    said = shell.works("exercise", "watch", "answers.py").out
    assert "4.3 is right" in said
    assert said.endswith("All exercises are done.\n")
    assert shell.works("exercise", "next").out == f"All {len(EXERCISES)} exercises are done.\n"


def test_grading_a_class(shell: Any) -> None:
    shell.write("class/ana/one.py", GOOD)
    shell.write("class/ana/backlight-progress.json", json.dumps({
        "format": "backlight.progress", "version": 1, "exercises": {"1.1": {"tries": 3, "hints": 2, "done": True}},
    }))  # fmt: skip
    shell.write("class/=bob.py", MIXED)
    shell.write("class/cem/bad.ipynb", "{")
    said = shell.works("grade", "class", "--to", "out").out
    assert "ana: 1 of 1 right" in said
    assert "a notebook must be JSON with cells; bad.ipynb is not." in said
    lines = (shell.folder / "out" / "grades.csv").read_text(encoding="utf-8-sig").splitlines()
    rows = [line.split(",")[:6] for line in lines]
    assert rows[0] == ["student", "exercise", "state", "mistake", "tries", "hints"]
    assert ["ana", "1.1", "exact", "", "3", "2"] in rows
    assert ["'=bob", "1.2", "wrong", "not divided by h", "", ""] in rows
    assert ["cem", "1.1", "missing", "", "", ""] in rows
    assert len(rows) == 1 + 3 * 5
    page = (shell.folder / "out" / "grades.html").read_text(encoding="utf-8")
    assert "<b>not divided by h</b>, 1 student: =bob" in page
    assert "http" not in page.replace("http-equiv", "")
    shell.refused("grade", "nowhere", says="a class must be a folder of students")
    shell.refused("grade", "out", says="has none")
    shell.refused("grade", "class", "--forbid", "numpy", says="a rule must be one of autograd, layers")
    shell.refused("grade", "class", "--exercise", "9.9", says="an exercise must be one of")


def test_hints_come_one_by_one(shell: Any) -> None:
    hints = EXERCISES["1.3"].hints
    wide = {"COLUMNS": "200"}
    for place, hint in enumerate(hints, 1):
        said = shell.works("exercise", "hint", "1.3", env=wide).out
        assert said == f"Hint {place} of {len(hints)}: {hint}\n"
    assert "That was the last hint." in shell.works("exercise", "hint", "1.3", env=wide).out
    assert shell.works("exercise", "hint", "1.3", "--all", env=wide).out.count("Hint ") == len(hints)
    row = next(line for line in shell.works("exercise", "list", env=wide).out.splitlines() if line.startswith("1.3"))
    assert row.split()[-1] == str(len(hints))


def test_progress_is_forgotten_on_request(shell: Any) -> None:
    noted = {id_: {"tries": 1, "hints": 1, "done": False} for id_ in ("1.1", "2.1")}
    whole = {"format": "backlight.progress", "version": 1, "exercises": noted}
    shell.write("backlight-progress.json", json.dumps(whole))
    assert shell.works("exercise", "reset", "1.1").out == "Progress reset on 1 exercise.\n"
    assert list(json.loads((shell.folder / "backlight-progress.json").read_text())["exercises"]) == ["2.1"]
    assert shell.works("exercise", "reset").out == "Progress reset on 1 exercise.\n"
    assert not (shell.folder / "backlight-progress.json").exists()


def test_a_damaged_progress_file(shell: Any) -> None:
    shell.write("backlight-progress.json", '{"format": "backlight.progress"')
    shell.refused("exercise", "list", says="backlight exercise reset")
    shell.refused("lessons", says="backlight exercise reset")
    shell.works("exercise", "reset")
    shell.works("exercise", "list")


def test_the_commands_fit_80_columns(shell: Any) -> None:
    for words in (("lessons",), ("exercise", "list"), ("exercise", "show", "1.4"), ("exercise", "show", "2.3")):
        for line in shell.works(*words, env={"COLUMNS": "80"}).out.splitlines():
            assert len(line.rstrip()) <= 80, line
