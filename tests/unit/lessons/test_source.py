"""Sources: cells, solutions and stubs; notebooks that are the same every time, and that others can read."""

import json

import jupytext
import nbformat
import pytest

from backlight.core import DataError
from backlight.lessons import LESSONS
from backlight.lessons.notebook import Cell, notebook_bytes, parse, passage

SOURCE = """# For readers of the file.

# %% [markdown]
# # A title
#
# Some text
# of two lines.

# %%
import math


# %% tags=["slow", "figure"]
def double(x):
    # solution begins
    # instead: y = None
    # instead: return y
    y = 2 * x
    return y
    # solution ends


# %pip install nothing
double(3)
"""


def test_cells_of_the_solution():
    title, first, second = parse(SOURCE)
    assert title == Cell(kind="markdown", source="# A title\n\nSome text\nof two lines.", line=3)
    assert first == Cell(kind="code", source="import math", line=9)
    assert second.tags == ("slow", "figure")
    assert second.source == "def double(x):\n    y = 2 * x\n    return y\n\n\n%pip install nothing\ndouble(3)"


def test_a_student_gets_the_stub():
    second = parse(SOURCE, student=True)[2]
    assert second.source == (
        "def double(x):\n    # your code here\n    y = None\n    return y\n\n\n%pip install nothing\ndouble(3)"
    )


def test_the_passage_of_an_exercise_is_the_rest_of_its_cell():
    source = "# %% [markdown]\n# Text.\n#\n# ### Exercise 3.1: a title\n#\n# Do `it`.\n#\n# - well\n\n# %%\nx = 1\n"
    assert passage(source, "3.1") == ("A title", "Do `it`.\n\n- well")
    with pytest.raises(DataError, match=r"### Exercise 3\.2: \.\.\.'; this one has none"):
        passage(source, "3.2")


def test_which_cells_have_a_solution():
    assert [cell.solved for cell in parse(SOURCE)] == [False, False, True]


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("# %% python\nx = 1\n", "a cell must begin with .* in line 1"),
        ("# %% [markdown]\n# text\ncode = 1\n", "every line of a text cell .* in line 3"),
        ("# %%\n# solution begins\nx = 1\n", "must end in its cell .* in line 3"),
        ("# %%\n# solution begins\n# solution begins\n", "must begin before it ends.* in line 3"),
        ("# %%\nx = 1\n# solution ends\n", "must begin before it ends.* in line 3"),
    ],
)
def test_senseless_sources(source, says):
    with pytest.raises(DataError, match=says):
        parse(source)


def test_a_notebook_has_the_same_bytes_and_other_ids():
    cells = [
        Cell(kind="code", source="x = 1"),
        Cell(kind="code", source="x = 1"),
        Cell(kind="markdown", source="x = 1"),
    ]
    made = notebook_bytes(cells)
    assert made == notebook_bytes(list(cells))
    ids = [cell["id"] for cell in json.loads(made)["cells"]]
    assert len(set(ids)) == 3
    changed = [cell["id"] for cell in json.loads(notebook_bytes([Cell(kind="code", source="new"), *cells]))["cells"]]
    assert changed[1:] == ids


@pytest.mark.parametrize("lesson", LESSONS.values(), ids=lambda one: one.name)
class TestLessons:
    @pytest.mark.parametrize("student", [True, False])
    def test_notebooks_are_valid(self, lesson, student):
        notebook = nbformat.reads(lesson.notebook(student=student).decode(), as_version=4)
        nbformat.validate(notebook)
        assert all(not cell.get("outputs") for cell in notebook.cells)

    def test_jupytext_reads_the_same_cells(self, lesson):
        from importlib import resources

        text = resources.files("backlight.lessons").joinpath("sources", f"{lesson.name}.py").read_text()
        theirs = [cell for cell in jupytext.reads(text, fmt="py:percent").cells if cell.cell_type != "raw"]
        ours = parse(text)
        assert [cell.kind for cell in ours] == [cell.cell_type for cell in theirs][-len(ours) :]
        for mine, other in zip(ours, theirs[-len(ours) :], strict=True):
            plain = [
                line for line in other.source.split("\n") if not line.strip().startswith(("# solution", "# instead"))
            ]
            assert mine.source == "\n".join(plain)

    def test_the_first_cell_installs_and_the_second_has_the_badge(self, lesson):
        install, badge, title, *_ = json.loads(lesson.notebook())["cells"]
        assert "%pip install" in "".join(install["source"])
        assert f"notebooks/{lesson.file}" in "".join(badge["source"])
        assert "".join(title["source"]).startswith(f"# Lesson {lesson.number}")

    def test_a_student_gets_no_solution(self, lesson):
        student = lesson.notebook().decode()
        assert "solution" not in student
        solved = [cell for cell in lesson.cells(student=False) if cell.solved]
        assert len(solved) == len(lesson.checked) == student.count("# your code here")

    def test_every_exercise_is_checked_under_its_heading_and_its_name(self, lesson):
        cells = lesson.cells(student=True)
        for exercise in lesson.checked:
            if exercise in lesson.exercises:
                assert any(f"### Exercise {exercise.id}" in cell.source for cell in cells if cell.kind == "markdown")
            (place,) = [cell for cell in cells if f'check("{exercise.id}", {exercise.answer})' in cell.source]
            assert place.source.rstrip().endswith(f'check("{exercise.id}", {exercise.answer})')

    def test_it_ends_with_what_you_can_do_and_sources(self, lesson):
        last = lesson.cells(student=True)[-1].source
        assert last.startswith("## What you can now do")
        assert "https://www.youtube.com/watch?v=" in last
        assert "https://doi.org/" in last or "https://arxiv.org/" in last
