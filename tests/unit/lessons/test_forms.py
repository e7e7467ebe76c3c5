"""Notebooks for grading systems: each exercise is one test, and no solution is in them."""

import json

import nbformat
import pytest

from backlight.core import ConfigError
from backlight.lessons import LESSONS
from backlight.lessons.grading.forms import SYSTEMS, notebook_for


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("lesson", LESSONS.values(), ids=lambda one: one.name)
def test_each_exercise_is_a_test_in_a_valid_notebook(lesson, system):
    content = notebook_for(lesson, system)
    assert content == notebook_for(lesson, system)
    nbformat.validate(nbformat.reads(content.decode(), as_version=4))
    cells = ["".join(cell["source"]) for cell in json.loads(content)["cells"]]
    tests = [text for text in cells if text.startswith("verdict = check(")]
    assert [f'check("{one.id}", {one.answer})' in text for one, text in zip(lesson.checked, tests, strict=True)]
    assert sum("# your code here" in text for text in cells) == len(tests)
    assert not any(text.startswith("check(") or "\ncheck(" in text for text in cells)
    ids = [cell["id"] for cell in json.loads(content)["cells"]]
    assert len(set(ids)) == len(ids)
    assert all(len(id_) <= 64 for id_ in ids)


def test_points_and_locks_for_nbgrader():
    cells = json.loads(notebook_for(LESSONS[1], "nbgrader"))["cells"]
    marked = [cell["metadata"]["nbgrader"] for cell in cells if "nbgrader" in cell["metadata"]]
    assert [one["grade_id"] for one in marked[:2]] == ["exercise_1_1", "exercise_1_1_test"]
    assert [(one["solution"], one["grade"], one["locked"]) for one in marked[:2]] == [
        (True, False, False), (False, True, True),
    ]  # fmt: skip
    assert sum(one.get("points", 0) for one in marked) == len(LESSONS[1].exercises)


def test_there_is_no_such_system():
    with pytest.raises(ConfigError, match="must be one of nbgrader, otter; got 'moodle'"):
        notebook_for(LESSONS[1], "moodle")
