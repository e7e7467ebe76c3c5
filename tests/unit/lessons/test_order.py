"""Exercises need nothing from later: what a solution uses was on a page before it, and so was what a check imports."""

import ast
import builtins
import re
from pathlib import Path

import pytest

from backlight.lessons import LESSONS
from backlight.lessons.exercises import EXERCISES

EXERCISE_FILES = Path(__file__).parents[3] / "src" / "backlight" / "lessons" / "exercises"

PLAIN = {"append", "get", "items", "join", "keys", "values", "shape", "sum", "copy", "range", "zip", "enumerate"}
"""Of Python and NumPy, what a reader of the lessons is taken to know."""


def names_in(code):
    """Return all names that a piece of code uses, attributes too."""
    tree = ast.parse(re.sub(r"^(\s*)[%!].*", r"\1pass", code, flags=re.MULTILINE))
    found = set()
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.alias(name=name, asname=None) | ast.arg(arg=name):
                found.add(name.split(".")[-1])
            case ast.alias(asname=name) | ast.FunctionDef(name=name):
                found.add(name)
    return found


def bound_in(code):
    """Return the names that a piece of code itself gives a meaning."""
    found = set()
    for node in ast.walk(ast.parse(code)):
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name) | ast.FunctionDef(name=name):
                found.add(name)
    return found


def told_in(text):
    """Return the words of the code in a text: between backticks, or indented."""
    pieces = re.findall(r"`([^`]+)`", text) + re.findall(r"^ {4}(.*)$", text, flags=re.MULTILINE)
    return set(re.findall(r"[A-Za-z_]\w*", " ".join(pieces)))


def unknown(cells, exercises):
    """Return, for each exercise, what its solution uses that no cell before it has shown."""
    seen = set(dir(builtins)) | PLAIN
    by_check = {f'check("{exercise.id}"': exercise.id for exercise in exercises}
    found = {}
    for full, student in cells:
        if full.kind == "markdown":
            seen |= told_in(full.source)
            continue
        if full.solved:
            (id_,) = [id_ for mark, id_ in by_check.items() if mark in full.source]
            found[id_] = names_in(full.source) - bound_in(full.source) - names_in(student.source) - seen
        seen |= names_in(student.source)
    return found


def test_solutions_use_what_was_shown_before():
    cells = [
        pair
        for lesson in LESSONS.values()
        for pair in zip(lesson.cells(student=False), lesson.cells(student=True), strict=True)
    ]
    found = unknown(cells, EXERCISES.values())
    assert list(found) == list(EXERCISES)
    assert {id_: sorted(names) for id_, names in found.items() if names} == {}


def test_what_was_not_shown_is_found():
    (lesson, *_) = LESSONS.values()
    cells = list(zip(lesson.cells(student=False), lesson.cells(student=True), strict=True))
    late = [pair for pair in cells if ".log()" not in pair[1].source]
    assert "log" in unknown(late, lesson.exercises)["1.6"]


def imported(code):
    """Return what a piece of code imports, in full."""
    found = set()
    for node in ast.walk(ast.parse(code)):
        match node:
            case ast.Import(names=names):
                found |= {one.name for one in names}
            case ast.ImportFrom(module=module, names=names):
                found |= {f"{module}.{one.name}" for one in names}
    return found


CHECKERS = "backlight.lessons.exercises."


def checkers(names):
    """Return the names that are parts of the checker itself: no lesson teaches them."""
    return {name for name in names if name.startswith(CHECKERS)}


HELPERS = imported((EXERCISE_FILES / "helpers.py").read_text())


@pytest.mark.parametrize("lesson", LESSONS.values(), ids=lambda one: one.name)
def test_checks_import_nothing_that_comes_later(lesson):
    taught = {"backlight.autograd.Value", "backlight.core.FloatArray", "backlight.core.IntArray"}
    for other in LESSONS.values():
        if other.number <= lesson.number:
            for cell in other.cells(student=True):
                if cell.kind == "code":
                    taught |= imported(re.sub(r"^(\s*)[%!].*", r"\1pass", cell.source, flags=re.MULTILINE))
    used = imported((EXERCISE_FILES / f"lesson_{lesson.number}.py").read_text())
    ours = {name for name in used if name.startswith("backlight.")}
    assert ours - checkers(ours) <= taught
    if any(name.startswith(f"{CHECKERS}helpers.") for name in ours):
        helping = {name for name in HELPERS if name.startswith("backlight.")}
        assert helping - checkers(helping) <= taught
