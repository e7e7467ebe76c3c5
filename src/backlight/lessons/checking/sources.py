"""The code in a learner's file: a Python file, or the code cells of a notebook as plain Python."""

import ast
import io
import json
import re
import tokenize
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from backlight.core import DataError

_PYTHON_CELLS: Final = {"time", "timeit", "capture", "prun", "python", "python3"}
"""Cell magics whose body is Python that runs in the notebook."""

_RUNS: Final = re.compile(r"(\s*)%(?:time|prun)\s+(\S.*)")
"""A line magic that runs a statement of the notebook."""

_TAKES: Final = re.compile(r"(\s*[A-Za-z_][\w.,\s]*=\s*)([!%]).*")
"""A variable that gets the output of a shell command, or the result of a magic."""

_ASKS: Final = re.compile(r"\s*(?:\?{1,2}[\w.*]+|[\w.*]+\?{1,2})\s*")
"""A question about a name, such as `np.add?`."""

_UNREADABLE = (SyntaxError, ValueError, MemoryError, RecursionError)
"""What `ast.parse` raises: the last two for brackets that are nested too deeply."""


@dataclass(frozen=True)
class Piece:
    """A part of a file that is parsed as a whole: a cell, or all of a Python file.

    Attributes:
        place: its name in messages, such as "cell 5" or "answers.py".
        source: its code, without magics and shell commands.
        statements: the top-level statements of the parts that could be parsed.
        broken: the parts that could not be parsed, as text with the message of each.
    """

    place: str
    source: str
    statements: tuple[ast.stmt, ...] = ()
    broken: tuple[tuple[str, str], ...] = field(default=())


def read_pieces(path: Path) -> list[Piece]:
    """Return the pieces of code in a Python file or a notebook, in order.

    A statement that is not Python is left out, and the others are still read.

    Raises:
        DataError: the file cannot be read, has another encoding than it says, or is not a notebook.
    """
    try:
        content = path.read_bytes()
        if path.suffix != ".ipynb":
            encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
            text = io.TextIOWrapper(io.BytesIO(content), encoding, newline=None).read()
            return [_parsed(path.name, text, notebook=False)]
        text = content.decode("utf-8-sig")
    except OSError as error:
        raise _unreadable(path, str(error.strerror)) from error
    except (UnicodeDecodeError, SyntaxError, LookupError) as error:  # SyntaxError: the line that names the encoding
        raise _unreadable(path, "it is not UTF-8 text, and names no other encoding") from error
    return [_parsed(place, source, notebook=True) for place, source in code_cells(text, path.name)]


def code_cells(text: str, name: str) -> list[tuple[str, str]]:
    """Return the source of each code cell of a notebook, with its place, such as "cell 5".

    Args:
        text: the content of the notebook.
        name: its file name, for the message.

    Raises:
        DataError: it is not a notebook.
    """
    try:
        cells = json.loads(text)["cells"]
        code = [(number, cell["source"]) for number, cell in enumerate(cells, 1) if cell["cell_type"] == "code"]
        return [(f"cell {number}", source if isinstance(source, str) else "".join(source)) for number, source in code]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(f"a notebook must be JSON with cells; {name} is not. Save it again in Jupyter.") from error


def _unreadable(path: Path, reason: str) -> DataError:
    return DataError(f"a file with answers must be readable; got {path.name}: {reason}. Check its name.")


def _parsed(place: str, source: str, *, notebook: bool) -> Piece:
    """Parse a piece; replace magics where Python cannot read them, and leave out statements that are not Python."""
    lines = _without_cell_magic(source) if notebook else source.split("\n")
    broken: list[tuple[str, str]] = []
    for _ in range(len(lines) + 1):  # each round changes at least one line for good
        try:
            statements = ast.parse("\n".join(lines), filename=place).body
        except _UNREADABLE as error:
            at = min(max(getattr(error, "lineno", None) or 1, 1), len(lines)) - 1
            plain = _without_magic(lines[at]) if notebook else None
            if plain is not None:
                lines[at] = plain
                continue
            first, last = _block(lines, at)
            broken.append(("\n".join(lines[first:last]), _message(error, place)))
            lines[first:last] = [""] * (last - first)
        else:
            return Piece(place, "\n".join(lines), tuple(statements), tuple(broken))
    return Piece(place, "", (), tuple(broken))


def _message(error: BaseException, place: str) -> str:
    what = getattr(error, "msg", "") or str(error) or "it cannot be parsed"
    line = getattr(error, "lineno", None)
    return f"SyntaxError in line {line} of {place}: {what}." if line else f"SyntaxError in {place}: {what}."


def _block(lines: list[str], at: int) -> tuple[int, int]:
    """Return the first line of the top-level block around a line, and the line after its last."""
    first = at
    while first > 0 and not _begins(lines[first]):
        first -= 1
    while first > 0 and lines[first - 1].startswith("@"):  # decorators
        first -= 1
    last = max(at, first) + 1
    while last < len(lines) and not _begins(lines[last]):
        last += 1
    if not any(line.strip() for line in lines[first:last]):  # the error is at the end of an earlier block
        return 0, len(lines)
    return first, last


def _begins(line: str) -> bool:
    """Return whether a statement may begin at the start of this line."""
    return (
        bool(line)
        and not line[0].isspace()
        and line[0] not in "#)]}"
        and not re.match(r"(elif|else|except|finally)\b", line)
    )


def _without_cell_magic(source: str) -> list[str]:
    """Return the lines of a cell without its cell magic; without all others, if they are not Python."""
    lines = source.split("\n")
    first = next((at for at, line in enumerate(lines) if line.strip()), 0)
    if not lines[first].startswith("%%"):
        return lines
    name = lines[first][2:].split(maxsplit=1)
    if name and name[0] in _PYTHON_CELLS:
        return [*lines[:first], "pass", *lines[first + 1 :]]
    return [""] * len(lines)


def _without_magic(line: str) -> str | None:
    """Return a line of a notebook as Python; None if it is not a magic, a shell command, or a question mark."""
    runs = _RUNS.fullmatch(line)
    if runs:
        return f"{runs[1]}{runs[2]}"
    takes = _TAKES.fullmatch(line)
    if takes:  # the output of a shell command is a list of lines
        return takes[1] + ("[]" if takes[2] == "!" else "None")
    if line.lstrip()[:1] in {"%", "!"} or _ASKS.fullmatch(line):
        return f"{line[: len(line) - len(line.lstrip())]}pass"
    return None
