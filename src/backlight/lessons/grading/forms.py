"""A lesson's notebook in the form of a grading system: nbgrader's cells with ids and points, or Otter's questions.

In both, the check of each exercise becomes a test of its own, worth one point. The notebook has no solutions. nbgrader
(`nbgrader generate_assignment`, `nbgrader autograde`) and Otter (`otter assign`, `otter run`) need Backlight where they
grade.
"""

import ast
import json
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from backlight.core import ConfigError
from backlight.lessons.catalogue import REPOSITORY, Lesson

_CHECK: Final = re.compile(r'\n*^check\("(?P<id>[\d.]+)", (?P<answer>\w+)\)$', re.MULTILINE)
_HERE: Final = "# your code here"
_JSON = dict[str, Any]


def notebook_for(lesson: Lesson, system: str) -> bytes:
    """Return a lesson's notebook, without solutions, in the form of a grading system.

    Args:
        lesson: the lesson.
        system: "nbgrader", whose notebook belongs into a folder source/ASSIGNMENT of a course; or "otter", whose
            notebook is the input of `otter assign`.

    Raises:
        ConfigError: there is no such system.
    """
    if system not in SYSTEMS:
        raise ConfigError(f"a grading system must be one of {', '.join(SYSTEMS)}; got {system!r}.")
    notebook = json.loads(lesson.notebook())
    notebook["cells"] = SYSTEMS[system](notebook["cells"])
    return (json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n").encode()


def _code(like: _JSON, part: str, source: str) -> _JSON:
    """Return a code cell with an id that follows from another cell's."""
    return {**like, "id": f"{like['id']}-{part}", "metadata": {}, "source": source.splitlines(keepends=True)}


def _raw(like: _JSON, part: str, source: str) -> _JSON:
    made = _code(like, part, source)
    return {key: made[key] for key in ("id", "metadata", "source")} | {"cell_type": "raw"}


def _test(id_: str, answer: str) -> str:
    """Return a test that raises an error with the verdict if the answer is not right."""
    return f'verdict = check("{id_}", {answer})\nassert verdict.right, str(verdict)'


def _split(cells: list[_JSON]) -> Iterator[tuple[_JSON, str, re.Match[str] | None]]:
    """Yield each cell with its text; for an exercise, without the line of the check, and with that line's match."""
    for cell in cells:
        text = "".join(cell["source"])
        found = _CHECK.search(text) if cell["cell_type"] == "code" else None
        yield cell, text if found is None else text[: found.start()], found


def _with_region(text: str, name: str) -> str:
    """Return a cell in which nbgrader's marks are around what a student replaces; without them it clears all of it."""
    function = next(one for one in ast.parse(text).body if isinstance(one, ast.FunctionDef) and one.name == name)
    lines, first, last = text.splitlines(), function.body[0].lineno - 1, function.end_lineno
    marked = [i for i in range(function.lineno, len(lines)) if lines[i].strip() == _HERE]
    begin = marked[0] if marked and marked[0] < len(lines) else first
    last = max(last or 0, begin + 1)
    indent = " " * function.body[0].col_offset
    return "\n".join([
        *lines[:begin], f"{indent}### BEGIN SOLUTION", *lines[begin:last], f"{indent}### END SOLUTION", *lines[last:],
    ])  # fmt: skip


def _for_nbgrader(cells: list[_JSON]) -> list[_JSON]:
    made = []
    for cell, text, check in _split(cells):
        if check is None:
            made.append(cell)
            continue
        name = "exercise_" + check["id"].replace(".", "_")
        answer, test = (
            _code(cell, "answer", _with_region(text, check["answer"])),
            _code(cell, "test", _test(check["id"], check["answer"])),
        )
        common = {"schema_version": 3, "cell_type": "code", "task": False}
        answer["metadata"]["nbgrader"] = {
            **common, "grade_id": name, "solution": True, "grade": False, "locked": False,
        }  # fmt: skip
        test["metadata"]["nbgrader"] = {
            **common, "grade_id": f"{name}_test", "solution": False, "grade": True, "locked": True, "points": 1,
        }  # fmt: skip
        made += [answer, test]
    return made


def _for_otter(cells: list[_JSON]) -> list[_JSON]:
    requires = f"requirements:\n  - backlight @ git+https://github.com/{REPOSITORY}"
    config = f"# ASSIGNMENT CONFIG\ninit_cell: true\nexport_cell: false\nrun_tests: false\n{requires}"
    made = [_raw(cells[0], "config", config)]
    for cell, text, check in _split(cells):
        if check is None:
            made.append(cell)
            continue
        name = "q" + check["id"].replace(".", "_")
        made += [
            _raw(cell, "question", f"# BEGIN QUESTION\nname: {name}\npoints: 1"),
            _raw(cell, "begin", "# BEGIN SOLUTION"),
            _code(cell, "answer", text),
            _raw(cell, "end", "# END SOLUTION"),
            _raw(cell, "tests", "# BEGIN TESTS"),
            _code(cell, "test", _test(check["id"], check["answer"])),
            _raw(cell, "done", "# END TESTS"),
            _raw(cell, "over", "# END QUESTION"),
        ]
    return made


SYSTEMS: Final[dict[str, Callable[[list[_JSON]], list[_JSON]]]] = {"nbgrader": _for_nbgrader, "otter": _for_otter}
"""What makes the cells, by the name of the system."""
