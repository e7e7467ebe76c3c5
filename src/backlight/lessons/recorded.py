"""Results that are kept because they take long: those of slow cells, and the weights of a trained network.

What a slow cell gave when it was last run is kept, with its date and machine, and shown.

A learner sees real numbers at once and can run the cell for real by `again=True`. `python scripts/make_notebooks.py
--record NUMBER` runs a lesson's slow cells and keeps what they give; a test holds each recording to its cell's text.
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
"""Where it names a folder, slow cells run, and what they give is written there."""

WEIGHTS: Final = "lesson_6_mlp.safetensors"
"""In the folder `weights`, in half precision; scripts/train_lesson_6.py makes it."""

PRETRAINED: Final = MLPConfig(vocabulary_size=27, context=6, embedding=24, hidden=(176, 176))


def recorded(name: str, run: Callable[[], Any], *, again: bool = False) -> Any:
    """Return what a slow cell gives, and print when and where it was run.

    Args:
        name: of the recording, as in "lesson_3_search".
        run: does the work; gives numbers, strings, and lists and dictionaries (with strings as keys) of them.
        again: run it now, here, and keep nothing.

    Raises:
        DataError: there is no recording of this name.
    """
    folder = os.environ.get(RECORD)
    if again or folder:
        started = time.perf_counter()
        result = run()
        seconds = time.perf_counter() - started
        facts = {"date": dt.datetime.now(dt.UTC).date().isoformat(), "machine": processor()}
        made = {"name": name, **facts, "seconds": round(seconds, 1), "result": result}
        if folder and not again:
            Path(folder, f"{name}.json").write_text(json.dumps(made) + "\n", encoding="utf-8")
        print(f"Run now, in {seconds:.0f} s.")  # noqa: T201  (a cell's output)
        return result
    found = recording(name)
    print(  # noqa: T201
        f"Recorded on {found['date']}, {found['seconds']:.0f} s on {found['machine']}. To run it here: again=True."
    )
    return found["result"]


def names_in(source: str) -> list[str]:
    """Return the names of the recordings that a cell shows."""
    return re.findall(r'\brecorded\(\s*["\'](\w+)["\']', source)


def work_in(source: str) -> str:
    """Return the part of a cell's text that a recording depends on: all up to its last call of `recorded`.

    What follows only shows the result.
    """
    lines = source.splitlines()
    ends = [
        statement.end_lineno
        for statement in ast.parse(source).body
        if names_in("\n".join(lines[statement.lineno - 1 : statement.end_lineno]))
    ]
    return "\n".join(lines[: ends[-1] if ends else None])


def mark(text: str) -> str:
    """Return the mark of a text, by which it is told whether something was made from that text.

    What a cell calls is not in its text: after a change of that, record again.
    """
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def recording(name: str) -> dict[str, Any]:
    """Return a recording: name, date, machine, seconds, result, and the mark of its cell's text.

    Raises:
        DataError: there is none of this name.
    """
    path = resources.files("backlight.lessons").joinpath("recordings", f"{name}.json")
    if not path.is_file():
        raise DataError(f"a recording must have been made; there is none called {name!r}. Run the cell: again=True.")
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def load_pretrained() -> MLP:
    """Return a network that was trained on the training part of `names`; its ids are those of its vocabulary."""
    net = MLP(PRETRAINED, rng=np.random.default_rng(0))
    weights = load(resources.files("backlight.lessons").joinpath("weights", WEIGHTS).read_bytes())
    net.load_state_dict({name: array.astype(np.float32) for name, array in weights.items()})
    return net.eval()
