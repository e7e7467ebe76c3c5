"""Recorded results that take long to compute: those of slow cells, and the weights of a trained network.

A slow cell shows the result of its last run, with the date and the machine, and `again=True` runs it. `python
scripts/make_notebooks.py --record NUMBER` runs a lesson's slow cells and records their results; a test checks that each
recording was made from the current text of its cell.
"""

import ast
import datetime as dt
import hashlib
import json
import os
import re
import time
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any, Final

import numpy as np
from safetensors.numpy import load

from backlight.core import DataError
from backlight.core.machine import processor
from backlight.models import MLP, MLPConfig

RECORD: Final = "BACKLIGHT_RECORD"
"""If this environment variable names a folder, slow cells run, and their results are written to it."""

CHECKING: Final = "BACKLIGHT_CHECKING"
"""If this environment variable is set, a file is only checked: recordings stand in for all that takes long."""

WEIGHTS: Final = "lesson_6_mlp.safetensors"
"""The file of the weights in the folder `weights`, in float16; scripts/train_lesson_6.py makes it."""

PRETRAINED: Final = MLPConfig(vocabulary_size=27, context=6, embedding=24, hidden=(176, 176))


def recorded(name: str, run: Callable[[], Any], *, again: bool = False) -> Any:
    """Return the recorded result of a slow cell, and print when and where it was computed.

    Args:
        name: the name of the recording, such as "lesson_3_longer".
        run: computes the result: numbers, strings, and lists and dictionaries (with strings as keys) of them.
        again: compute it now, without recording it; not while a file is only checked.

    Raises:
        DataError: there is no recording of this name.
    """
    folder = os.environ.get(RECORD)
    if (again and not os.environ.get(CHECKING)) or folder:
        started = time.perf_counter()
        result = run()
        seconds = time.perf_counter() - started
        facts = {"date": dt.datetime.now(dt.UTC).date().isoformat(), "machine": processor()}
        made = {"name": name, **facts, "seconds": round(seconds, 1), "result": result}
        if folder and not again:
            Path(folder, f"{name}.json").write_text(json.dumps(made) + "\n", encoding="utf-8")
        print(f"Computed now, in {seconds:.0f} s.")  # noqa: T201  (a cell's output)
        return result
    found = recording(name)
    print(  # noqa: T201
        f"Recorded on {found['date']}, {found['seconds']:.0f} s on {found['machine']}. To run it here: again=True."
    )
    return found["result"]


def names_in(source: str) -> list[str]:
    """Return the names of the recordings that a cell uses."""
    return re.findall(r'\brecorded\(\s*["\'](\w+)["\']', source)


def work_in(source: str) -> str:
    """Return the part of a cell's text that a recording depends on: everything up to its last call of `recorded`.

    The rest only displays the result.
    """
    lines = source.splitlines()
    ends = [
        statement.end_lineno
        for statement in ast.parse(source).body
        if names_in("\n".join(lines[statement.lineno - 1 : statement.end_lineno]))
    ]
    return "\n".join(lines[: ends[-1] if ends else None])


def mark(text: str) -> str:
    """Return a hash of a text, which shows whether something was made from that text.

    Functions that a cell calls are not part of its text: record again after a change in one of them.
    """
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def recording(name: str) -> dict[str, Any]:
    """Return a recording: name, date, machine, seconds, result, and the hash of its cell's text.

    Raises:
        DataError: there is no recording of this name.
    """
    path = resources.files("backlight.lessons").joinpath("recordings", f"{name}.json")
    if not path.is_file():
        raise DataError(f"a recording must exist; there is none called {name!r}. Run the cell with again=True.")
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def trains() -> bool:
    """Return whether to train a network; in tests and checks, `load_pretrained` stands in for it."""
    return not (os.environ.get("BACKLIGHT_FAST") or os.environ.get(CHECKING))


def load_pretrained() -> MLP:
    """Return the network that scripts/train_lesson_6.py trained on the train part of `names`, in evaluation mode.

    It takes contexts (N, 6) of ids, those of the vocabulary of `names`.
    """
    net = MLP(PRETRAINED, rng=np.random.default_rng(0))
    weights = load(resources.files("backlight.lessons").joinpath("weights", WEIGHTS).read_bytes())
    net.load_state_dict({name: array.astype(np.float32) for name, array in weights.items()})
    return net.eval()
