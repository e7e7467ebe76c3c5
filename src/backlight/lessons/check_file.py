"""Check a learner's file: run it in a separate process, with a time limit, and grade the answers that it defines.

The process writes its result to a file, since its output belongs to the learner's code. If the code never ends, exits,
or crashes the interpreter, only the verdicts of this file are lost.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backlight.core import DataError
from backlight.lessons.exercises import EXERCISES, Exercise, Verdict, grade
from backlight.lessons.exercises.grading import describe_error
from backlight.lessons.exercises.progress import OFF

LIMIT = 60.0
"""The default time limit of a file, in seconds."""


@dataclass(frozen=True)
class Answers:
    """The result of checking a file.

    Attributes:
        verdicts: one for each exercise whose answer the file defines, in the order of the course.
        error: the error that ended the file, in one line; empty if it ran to its end. Answers defined before it count.
    """

    verdicts: tuple[Verdict, ...]
    error: str


def check_file(path: Path, ids: Sequence[str] = (), *, limit: float = LIMIT, quiet: bool = False) -> Answers:
    """Run a Python file or a notebook, and grade the answers in it.

    Args:
        path: a .py or .ipynb file.
        ids: check only these exercises; if empty, all whose answer the file defines.
        limit: time limit for the whole file, in seconds.
        quiet: send what the file prints to standard error.

    Raises:
        DataError: the file cannot be read, ends its process, takes too long, or defines no answer.
    """
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder) / "result.json"
        command = [sys.executable, "-m", "backlight.lessons.check_file", str(path.absolute()), str(written), *ids]
        try:
            code = subprocess.run(  # noqa: S603  (a learner runs their own file)
                command, stdin=subprocess.DEVNULL, stdout=sys.stderr if quiet else None, timeout=limit, check=False,
                cwd=path.absolute().parent, env={**os.environ, OFF: "1", "MPLBACKEND": "agg"},
            ).returncode  # fmt: skip
        except subprocess.TimeoutExpired:
            raise DataError(
                f"a file with answers must finish within {limit:g} s; {path.name} did not. Look for an endless loop, "
                "or allow more time: --time-limit"
            ) from None
        if not written.is_file():
            raise DataError(
                f"a file with answers must not exit; {path.name} ended its process (exit code {code}). Fix it."
            )
        result = json.loads(written.read_text(encoding="utf-8"))
    if "refused" in result:
        raise DataError(result["refused"])
    verdicts = tuple(Verdict(**{**one, "lines": tuple(one["lines"])}) for one in result["verdicts"])
    if not verdicts and not result["error"]:
        raise DataError(_nothing_in(path.name, ids))
    return Answers(verdicts, result["error"])


def cells_of(text: str, name: str) -> list[tuple[str, str]]:
    """Return the pieces of code in a file, each with the name of its location for error messages.

    Args:
        text: the content of the file.
        name: its file name; that of a notebook ends in .ipynb.

    Raises:
        DataError: the file is not a valid notebook.
    """
    if not name.endswith(".ipynb"):
        return [(name, text)]
    try:
        cells = json.loads(text)["cells"]
        code = [(number, cell["source"]) for number, cell in enumerate(cells, 1) if cell["cell_type"] == "code"]
        sources = [(number, source if isinstance(source, str) else "".join(source)) for number, source in code]
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"a notebook must be JSON with cells; {name} is not. Save it again in Jupyter.") from error
    return [(f"cell {number}", _without_magics(source)) for number, source in sources]


def _without_magics(source: str) -> str:
    """Return a cell as plain Python, in which magics and shell commands, such as %pip and !ls, do nothing."""
    lines = source.split("\n")
    plain = [
        f"{line[: len(line) - len(line.lstrip())]}pass" if line.lstrip()[:1] in {"%", "!"} else line for line in lines
    ]
    return "\n".join(plain)


def _nothing_in(name: str, ids: Sequence[str]) -> str:
    wanted = [EXERCISES[id_] for id_ in ids] or list(EXERCISES.values())
    names = ", ".join(exercise.answer for exercise in wanted[:3])
    more = ", ..." if len(wanted) > 3 else ""
    return (
        f"a file with answers must define them by their names, {names}{more}; {name} defines none. "
        f"See: backlight exercise show {wanted[0].id}"
    )


def _run(cells: Sequence[tuple[str, str]], names: dict[str, Any]) -> str:
    """Run pieces of code one after the other; return the error that ended the run, in one line, or an empty string."""
    for place, source in cells:
        try:
            exec(compile(source, place, "exec"), names)  # noqa: S102  (running it is the purpose)
        except (Exception, SystemExit) as error:  # noqa: BLE001  (any error of a learner's code is reported)
            return f"{place}: {describe_error(error)}"
    return ""


def _graded(names: Mapping[str, Any], wanted: Sequence[Exercise]) -> list[dict[str, Any]]:
    verdicts = [grade(exercise, names[exercise.answer]) for exercise in wanted if exercise.answer in names]
    return [{"id": one.id, "state": one.state, "mistake": one.mistake, "lines": one.lines} for one in verdicts]


def main(path: Path, written: Path, ids: Sequence[str]) -> None:
    """Run a file and write the result. This is the part of `check_file` that runs in the other process."""
    wanted = [EXERCISES[id_] for id_ in ids] or list(EXERCISES.values())
    result: dict[str, Any]
    try:
        cells = cells_of(path.read_text(encoding="utf-8-sig"), path.name)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        result = {"refused": f"a file with answers must be readable; got {path.name}: {reason}. Check its name."}
    except DataError as error:
        result = {"refused": str(error)}
    else:
        sys.path.insert(0, str(path.parent))  # as `python FILE` does
        names: dict[str, Any] = {"__name__": "__main__", "__file__": str(path)}
        error_line = _run(cells, names)
        result = {"error": error_line, "verdicts": _graded(names, wanted)}
    written.write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
