"""SIGKILL at random moments of a training run's life, from the first import to the last line.

`BACKLIGHT_KILLS=100 pytest tests/end_to_end/test_killed.py` kills a hundred times.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backlight.runs import RunDirectory
from backlight.runs.kept import kept_steps, load_kept

COMMAND = Path(sys.executable).with_name("backlight")
KILLS = int(os.environ.get("BACKLIGHT_KILLS", "12"))

# small, and writing its files most of the time
TRAIN = (
    "train", "names.txt", "--name", "run", "--context", "2", "--embedding", "4", "--hidden", "8", "--batch-size", "16",
    "--steps", "300", "--eval-interval", "5", "--ema-decay", "0.9",
    "--keep-checkpoints", "6",
)  # fmt: skip


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, trained: Path) -> tuple[Path, float]:
    """A run that was never killed, and how many seconds it took; measured warm, on the second of two."""
    seconds = 0.0
    for name in ("first", "second"):
        folder = tmp_path_factory.mktemp(name)
        (folder / "names.txt").write_bytes((trained / "names.txt").read_bytes())
        started = time.perf_counter()
        subprocess.run([COMMAND, *TRAIN], cwd=folder, check=True, capture_output=True)
        seconds = time.perf_counter() - started
    return folder / "runs/run", seconds


@pytest.mark.parametrize("kill", range(KILLS))
def test_a_killed_run_opens_and_ends_with_the_same_bits(shell: Any, whole: tuple[Path, float], kill: int) -> None:
    reference, seconds = whole
    # one moment in each of as many equal parts of a life, so that every part has its turn
    moment = seconds * (kill + np.random.default_rng(kill).random()) / KILLS
    process = shell.start(*TRAIN, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        process.wait(timeout=moment)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait()
    begun = (shell.folder / "runs/run").exists()
    if begun:
        RunDirectory.open(shell.folder / "runs/run")
    shell.works("runs", "list")
    shell.works(*(("train", "--resume", "run") if begun else TRAIN))
    _same(RunDirectory.open(shell.folder / "runs/run"), RunDirectory.open(reference))
    assert not list(shell.folder.rglob("*partial*"))


def _same(run: RunDirectory, reference: RunDirectory) -> None:
    for load in (RunDirectory.load_weights, RunDirectory.load_checkpoint):
        (arrays, facts), (expected, expected_facts) = load(run), load(reference)
        assert arrays.keys() == expected.keys()
        for name, array in arrays.items():
            np.testing.assert_array_equal(array, expected[name], strict=True)
        assert {**facts, "seconds": 0} == {**expected_facts, "seconds": 0}
    assert list(kept_steps(run)) == list(kept_steps(reference)) == [50, 100, 150, 200, 250, 300]
    for step in kept_steps(run):
        kept, expected = ({**arrays, **best} for arrays, best, _ in (load_kept(run, step), load_kept(reference, step)))
        for name, array in kept.items():
            np.testing.assert_array_equal(array, expected[name], strict=True)
    timed = {"seconds", "characters_per_second"}
    mine, theirs = (
        [{key: value for key, value in record.items() if key not in timed} for record in one.load_metrics()]
        for one in (run, reference)
    )
    assert mine == theirs
    assert run.load_samples() == reference.load_samples()
    assert (run.load_result() or {}).get("dev_nats") == (reference.load_result() or {})["dev_nats"]
