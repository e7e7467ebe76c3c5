"""Training in a notebook: a bar while it goes on, a model that shows what it is, and an interrupt that keeps it."""

from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from tests.end_to_end.conftest import NAMES

FIRST = f"""
import backlight
names = {NAMES!r}
sizes = dict(context=2, embedding=2, hidden=(4,), batch_size=8)
from backlight.training import trainer
trainer.PROGRESS_SECONDS = 0.0
"""

INTERRUPTED = """
import os, signal
def interrupt(record):
    if record.step == 4:
        os.kill(os.getpid(), signal.SIGINT)  # as the stop button of a notebook does
stopped = backlight.train(names, **sizes, steps=10**6, eval_interval=4, on_evaluation=interrupt)
print(stopped.sample(2, seed=1), stopped.result)
"""


def outputs(folder: Path, *cells: str) -> list[list[Any]]:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(folder)}}).execute()
    return [cell.outputs for cell in notebook.cells]


@pytest.mark.slow
def test_a_notebook_shows_progress_and_the_model_and_keeps_it_when_interrupted(tmp_path: Path) -> None:
    _, trained, silent, shown, stopped = outputs(
        tmp_path,
        FIRST,
        "model = backlight.train(names, **sizes, steps=30)",
        "other = backlight.train(names, **sizes, steps=30, progress=None)",
        "model",
        INTERRUPTED,
    )
    bars = [one for one in trained if one.output_type == "display_data" and "html" in str(one.data)]
    assert len(bars) == 1, "one bar, which is moved, not a line each time"
    assert not any(one.output_type == "error" for one in trained)
    assert silent == []
    (result,) = shown
    assert "<table>" in result.data["text/html"]
    assert result.data["text/plain"].startswith("Model(mlp, ")
    text = "".join(one.get("text", "") for one in stopped)
    assert "None" in text
    assert not any(one.output_type == "error" for one in stopped)
