"""Lesson sources and notebooks: a source is a Python file in percent format, with regions that only the solution has.

People, linters and `jupytext` can read it directly. `# %%` begins a code cell, and `# %% [markdown]` a text cell, whose
lines are comments. `# %% tags=["install"]` gives a cell tags. In code,

    # solution begins
    # instead: return None
    return a * b
    # solution ends

is `return a * b` in the solution. A student gets a comment that says where to write, and the lines after `instead:`,
with which the notebook runs to its end.

A notebook is JSON, so `backlight lessons open` works without Jupyter. The tests check that `jupytext` reads the same
cells in the source, and that the notebook is valid for `nbformat`.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

from backlight.core import DataError

Kind = Literal["code", "markdown"]

_CELL = re.compile(r"# %%(?P<markdown> \[markdown\])?(?: tags=\[(?P<tags>[^\]]*)\])?\s*")
_BEGINS = "# solution begins"
_ENDS = "# solution ends"
_INSTEAD = "# instead: "
_HERE = "# your code here"

_METADATA: Final = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One cell of a lesson.

    Attributes:
        kind: code or text.
        source: its lines, without a line break at the end.
        tags: its tags.
        line: the line of the source file in which it begins, from 1.
        solved: whether part of it is a solution, which students write themselves.
    """

    kind: Kind
    source: str
    tags: tuple[str, ...] = ()
    line: int = 1
    solved: bool = False


def parse(text: str, *, student: bool = False) -> list[Cell]:
    """Return the cells of a source, in order; text before the first is for readers of the file.

    Args:
        text: the content of the file.
        student: replace the solutions by stubs.

    Raises:
        DataError: the first line of a cell or the markers of a solution are invalid; the message has the line number.
    """
    return [_cell(head, lines, number, student=student) for number, head, lines in _chunks(text)]


def passage(text: str, id_: str) -> tuple[str, str]:
    """Return the heading of an exercise in a source, and the rest of that cell, in Markdown.

    Args:
        text: the content of the file.
        id_: the exercise, such as "5.2".

    Raises:
        DataError: no text cell has the heading "### Exercise ID: ...".
    """
    for cell in parse(text):
        _, heading, below = cell.source.partition(f"### Exercise {id_}: ")
        if heading and cell.kind == "markdown":
            title, _, task = below.partition("\n")
            return title[:1].upper() + title[1:], task.strip("\n")
    raise DataError(f"a lesson's source must have a heading '### Exercise {id_}: ...'; this one has none. Add it.")


def _chunks(text: str) -> Iterator[tuple[int, re.Match[str], list[str]]]:
    head: re.Match[str] | None = None
    start, lines = 0, list[str]()
    for number, line in enumerate(text.splitlines(), 1):
        if not line.startswith("# %%"):
            lines.append(line)
            continue
        if head is not None:
            yield start, head, lines
        head, start, lines = _CELL.fullmatch(line), number, []
        if head is None:
            raise _senseless(
                number, f"a cell must begin with '# %%', '# %% [markdown]' or '# %% tags=[...]'; got {line!r}"
            )
    if head is not None:
        yield start, head, lines


def _cell(head: re.Match[str], lines: list[str], number: int, *, student: bool) -> Cell:
    tags = tuple(tag.strip().strip('"') for tag in (head["tags"] or "").split(",") if tag.strip())
    if head["markdown"]:
        source = "\n".join(_text(line, number + i) for i, line in enumerate(lines, 1))
        return Cell(kind="markdown", source=source.strip("\n"), tags=tags, line=number)
    source = "\n".join(_code(lines, number, student=student))
    solved = any(line.strip() == _BEGINS for line in lines)
    return Cell(kind="code", source=source.strip("\n"), tags=tags, line=number, solved=solved)


def _text(line: str, number: int) -> str:
    if line and not line.startswith("#"):
        raise _senseless(number, f"every line of a text cell must begin with '#'; got {line!r}")
    return line.removeprefix("#").removeprefix(" ")


def _code(lines: list[str], number: int, *, student: bool) -> Iterator[str]:
    inside = False
    for at, line in enumerate(lines, number + 1):
        word = line.strip()
        if word in {_BEGINS, _ENDS}:
            if inside == (word == _BEGINS):
                raise _senseless(at, f"a solution must begin before it ends, and not twice; got {word!r}")
            inside = word == _BEGINS
            if inside and student:
                yield line.replace(_BEGINS, _HERE)
        elif inside and word.startswith(_INSTEAD):
            if student:
                yield line.replace(_INSTEAD, "", 1)
        elif not (inside and student):
            # a magic command of the notebook is a comment in the source
            yield re.sub(r"^(\s*)# (%pip )", r"\1\2", line)
    if inside:
        raise _senseless(number + len(lines), f"a solution that begins must end in its cell with {_ENDS!r}; got none")


def _senseless(number: int, what: str) -> DataError:
    return DataError(f"{what}, in line {number}. Fix the lesson's source.")


def notebook_bytes(cells: list[Cell]) -> bytes:
    """Return a notebook without outputs, in version 4.5 of the format, as UTF-8 with a final line break.

    The id of a cell is a hash of its text, so that an edit elsewhere does not change it.
    """
    seen: set[str] = set()
    made = {
        "cells": [_cell_json(cell, _id(cell, seen)) for cell in cells],
        "metadata": _METADATA,
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return (json.dumps(made, indent=1, ensure_ascii=False, sort_keys=True) + "\n").encode()


def _cell_json(cell: Cell, id_: str) -> dict[str, Any]:
    common = {
        "cell_type": cell.kind,
        "id": id_,
        "metadata": {"tags": list(cell.tags)} if cell.tags else {},
        "source": cell.source.splitlines(keepends=True),
    }
    return common if cell.kind == "markdown" else {**common, "execution_count": None, "outputs": []}


def _id(cell: Cell, seen: set[str]) -> str:
    for copy in range(len(seen) + 1):  # a cell that occurs twice needs two ids
        id_ = hashlib.sha256(f"{copy} {cell.kind} {cell.source}".encode()).hexdigest()[:12]
        if id_ not in seen:
            break
    seen.add(id_)
    return id_
