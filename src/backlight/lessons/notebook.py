"""From a lesson's cells to the bytes of a notebook: the same cells, the same bytes.

A notebook is JSON, so this needs nothing installed; `backlight lessons open` works where Jupyter is not. The tests hold
that the result is what `jupytext` reads in the source, and valid to `nbformat`.
"""

import hashlib
import json
from typing import Any, Final

from backlight.lessons.source import Cell

_METADATA: Final = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def notebook_bytes(cells: list[Cell]) -> bytes:
    """Return a notebook without outputs, in version 4.5 of the format, as UTF-8 with a line end.

    A cell's id is made of its own text: an edit elsewhere changes nothing of it.
    """
    seen: set[str] = set()
    made = {
        "cells": [_cell(cell, _id(cell, seen)) for cell in cells],
        "metadata": _METADATA,
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return (json.dumps(made, indent=1, ensure_ascii=False, sort_keys=True) + "\n").encode()


def _cell(cell: Cell, id_: str) -> dict[str, Any]:
    common = {
        "cell_type": cell.kind,
        "id": id_,
        "metadata": {"tags": list(cell.tags)} if cell.tags else {},
        "source": cell.source.splitlines(keepends=True),
    }
    return common if cell.kind == "markdown" else {**common, "execution_count": None, "outputs": []}


def _id(cell: Cell, seen: set[str]) -> str:
    for copy in range(len(seen) + 1):  # a cell that stands there twice needs two ids
        id_ = hashlib.sha256(f"{copy} {cell.kind} {cell.source}".encode()).hexdigest()[:12]
        if id_ not in seen:
            break
    seen.add(id_)
    return id_
