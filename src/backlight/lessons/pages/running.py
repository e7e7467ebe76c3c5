"""Run a lesson's cells in a separate process, and return the outputs of each in the format of a notebook.

Jupyter is not needed. The tests check that Jupyter gives the same outputs.
"""

import ast
import base64
import contextlib
import io
import json
import linecache
import os
import pprint
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from backlight.core import DataError
from backlight.lessons.catalogue import Lesson
from backlight.lessons.exercises.grading import describe_error

Outputs = list[dict[str, Any]]
"""The outputs of a cell, in the format of a notebook."""

OnCell = Callable[[int, int], object]

_MAIN: Final = "import sys; from backlight.lessons.pages.running import main; main(*sys.argv[1:])"


def run_cells(
    sources: Sequence[str], *, environment: Mapping[str, str] | None = None, on_cell: OnCell | None = None
) -> list[Outputs]:
    """Run code cells one after the other, and return the outputs of each.

    Args:
        sources: the code of the cells.
        environment: environment variables of the process, in addition to the current ones.
        on_cell: called after each cell with the number of cells that have run and of all cells.

    Raises:
        DataError: a cell raised an error, or ended the process.
    """
    with tempfile.TemporaryDirectory() as folder:
        asked, written = Path(folder, "cells.json"), Path(folder, "outputs.json")
        asked.write_text(json.dumps(list(sources)), encoding="utf-8")
        with subprocess.Popen(  # noqa: S603  (our own module, in our own Python)
            [sys.executable, "-c", _MAIN, str(asked), str(written)], cwd=folder, text=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, env={**os.environ, "MPLBACKEND": "agg", **(environment or {})},
        ) as process:  # fmt: skip
            for line in process.stdout or ():
                if on_cell is not None:
                    on_cell(int(line), len(sources))
        if not written.is_file():
            raise DataError(f"a lesson must run to its end; its process ended (exit code {process.returncode}).")
        result = json.loads(written.read_text(encoding="utf-8"))
    if result["error"]:
        raise DataError(f"a lesson must run to its end; {result['error']}")
    outputs: list[Outputs] = result["outputs"]
    return outputs


def run_lesson(
    lesson: Lesson, *, environment: Mapping[str, str] | None = None, on_cell: OnCell | None = None
) -> list[Outputs]:
    """Run a lesson with its solutions, and return the outputs of each code cell.

    Args:
        lesson: the lesson.
        environment: environment variables of the process, in addition to the current ones.
        on_cell: called after each cell with the number of cells that have run and of all cells.

    Raises:
        DataError: a cell raised an error, or ended the process.
    """
    sources = [cell.source for cell in lesson.cells(student=False) if cell.kind == "code"]
    return run_cells(sources, environment=environment, on_cell=on_cell)


def main(asked: str, written: str) -> None:
    """Run the cells in a file, and write their outputs to another: the part of `run_cells` in the other process."""
    names: dict[str, Any] = {"__name__": "__main__"}
    outputs: list[Outputs] = []
    error = ""
    for number, source in enumerate(json.loads(Path(asked).read_text(encoding="utf-8")), 1):
        try:
            outputs.append(_run(source, f"cell {number}", names))
        except Exception as raised:  # noqa: BLE001  (any error of a lesson is reported)
            error = f"cell {number}: {describe_error(raised)}"
            break
        print(number, flush=True)  # noqa: T201  (for the process that waits)
    Path(written).write_text(json.dumps({"outputs": outputs, "error": error}), encoding="utf-8")


def _run(source: str, place: str, names: dict[str, Any]) -> Outputs:
    """Run a cell, and return its outputs; the last is the value of its last line, as in a notebook."""
    linecache.cache[place] = len(source), None, source.splitlines(keepends=True), place  # as a notebook has it
    tree = ast.parse(source)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    printed, warned = io.StringIO(), io.StringIO()
    value = None
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(warned):
        exec(compile(tree, place, "exec"), names)  # noqa: S102  (a lesson of ours)
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), place, "eval"), names)  # noqa: S307
        shown = [] if value is None else [_shown(value)]
    streams = (("stderr", warned), ("stdout", printed))
    return [
        {"output_type": "stream", "name": name, "text": stream.getvalue()} for name, stream in streams
        if stream.getvalue()
    ] + shown  # fmt: skip


def _shown(value: Any) -> dict[str, Any]:
    data: dict[str, Any] = {}
    metadata: dict[str, Any] = {}
    if (html := _representation(value, "_repr_html_")) is not None:
        data["text/html"] = html
    elif (png := _representation(value, "_repr_png_")) is not None:
        image, about = png if isinstance(png, tuple) else (png, {})
        data["image/png"] = base64.b64encode(image).decode()
        metadata["image/png"] = about
    data["text/plain"] = pprint.pformat(value, width=79, sort_dicts=False)
    return {"output_type": "execute_result", "data": data, "metadata": metadata}


def _representation(value: Any, name: str) -> Any:
    method = getattr(type(value), name, None)
    return None if method is None else method(value)
