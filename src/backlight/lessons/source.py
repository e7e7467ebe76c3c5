"""Lesson sources: Python files in percent format, with regions that only the solution has.

A source is read by people, linters and `jupytext` as it stands. `# %%` begins a cell of code, `# %% [markdown]` one of
text, whose lines are comments. `# %% tags=["install"]` gives a cell tags. In code,

    # solution begins
    # instead: return None
    return a * b
    # solution ends

is `return a * b` in the solution. In what a student gets, it is a comment to say where to write, and the lines after
`instead:`, which let the notebook run to its end.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from backlight.core import DataError

Kind = Literal["code", "markdown"]

_CELL = re.compile(r"# %%(?P<markdown> \[markdown\])?(?: tags=\[(?P<tags>[^\]]*)\])?\s*")
_BEGINS = "# solution begins"
_ENDS = "# solution ends"
_INSTEAD = "# instead: "
_HERE = "# your code here"


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One cell of a lesson.

    Attributes:
        kind: code or text.
        source: its lines, without an end of line at the end.
        tags: what it is besides.
        line: where it begins in the source file, from 1.
        solved: whether part of it is a solution, which students write themselves.
    """

    kind: Kind
    source: str
    tags: tuple[str, ...] = ()
    line: int = 1
    solved: bool = False


def parse(text: str, *, student: bool = False) -> list[Cell]:
    """Return a source's cells, in order; what stands before the first is for readers of the file.

    Args:
        text: of the file.
        student: leave the solutions out, and put their stubs in.

    Raises:
        DataError: a cell's head or a solution's borders that make no sense; the message has the line.
    """
    return [_cell(head, lines, number, student=student) for number, head, lines in _chunks(text)]


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
            raise _senseless(number, f"a cell begins with '# %%', '# %% [markdown]' or '# %% tags=[...]'; got {line!r}")
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
        raise _senseless(number, f"every line of a text cell begins with '#'; got {line!r}")
    return line.removeprefix("#").removeprefix(" ")


def _code(lines: list[str], number: int, *, student: bool) -> Iterator[str]:
    inside = False
    for at, line in enumerate(lines, number + 1):
        word = line.strip()
        if word in {_BEGINS, _ENDS}:
            if inside == (word == _BEGINS):
                raise _senseless(at, f"a solution begins and then ends; got {word!r}")
            inside = word == _BEGINS
            if inside and student:
                yield line.replace(_BEGINS, _HERE)
        elif inside and word.startswith(_INSTEAD):
            if student:
                yield line.replace(_INSTEAD, "", 1)
        elif not (inside and student):
            # what a shell or a notebook reads is a comment to Python
            yield re.sub(r"^(\s*)# (%pip )", r"\1\2", line)
    if inside:
        raise _senseless(number + len(lines), f"a solution that begins must end in its cell with {_ENDS!r}; got none")


def _senseless(number: int, what: str) -> DataError:
    return DataError(f"{what}, in line {number}. Mend the lesson's source.")
