"""Ctrl-C, SIGTERM, two trainers at once: a stopped run is saved, and resumes as if it had not been stopped."""

import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backlight.runs import RunDirectory

ENDLESS = "100000000"


def wait_for_a_line(process: "subprocess.Popen[bytes]", begins: str) -> None:
    """Read standard output until a line begins like this, white space aside."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.decode().strip().startswith(begins):
            return
    pytest.fail(f"no line begins with {begins!r}")


def same_bits(mine: Path, other: Path) -> None:
    """Assert that two runs have the same weights and the same state, but for the time they took."""
    for load in (RunDirectory.load_weights, RunDirectory.load_checkpoint):
        (arrays, facts), (expected, expected_facts) = load(RunDirectory.open(mine)), load(RunDirectory.open(other))
        assert arrays.keys() == expected.keys()
        for name, array in arrays.items():
            np.testing.assert_array_equal(array, expected[name], strict=True)
        assert {**facts, "seconds": 0} == {**expected_facts, "seconds": 0}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=str)
def test_a_signal_saves_and_says_how_to_go_on(shell: Any, tiny: Callable[..., Any], number: signal.Signals) -> None:
    process = shell.start("train", "names.txt", *tiny("--steps", ENDLESS, "--eval-interval", "50"))
    wait_for_a_line(process, "100 ")
    process.send_signal(number)
    out, err = (stream.decode() for stream in process.communicate(timeout=60))
    assert process.returncode == 130
    assert err == ""
    assert "everything is saved. Resume:\n  backlight train --resume runs/names-mlp-1\n" in out
    assert "stopped" in shell.works("runs").out
    shell.works("sample", "names-mlp-1", "--count", "3")
    shell.works("runs", "show", "names-mlp-1")
    _, facts = RunDirectory.open(shell.folder / "runs/names-mlp-1").load_checkpoint()
    assert f"Stopped at step {facts['step']:,};" in out


def test_ctrl_c_again_and_again_does_no_harm(shell: Any, tiny: Callable[..., Any]) -> None:
    process = shell.start("train", "names.txt", *tiny("--steps", ENDLESS, "--eval-interval", "50"))
    wait_for_a_line(process, "100 ")
    while process.poll() is None:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=0.02)
        except subprocess.TimeoutExpired:
            continue
    out, err = (stream.decode() for stream in process.communicate())
    assert process.returncode == 130
    assert "Traceback" not in out + err
    assert "--resume runs/names-mlp-1" in out
    RunDirectory.open(shell.folder / "runs/names-mlp-1").load_checkpoint()


@pytest.mark.parametrize(
    "options",
    [
        "--weight-decay 0.01 --grad-clip 1",
        "--ema-decay 0.9",
        "--patience 1000",
        "--optimiser sgd --momentum 0.9 --schedule step --lr 0.1",
        "--model bigram --schedule constant",
    ],
)
def test_stopped_and_resumed_ends_with_the_same_bits(shell: Any, options: str) -> None:
    words = ("train", "names.txt", "--steps", "3000", "--eval-interval", "70", "--batch-size", "8", *options.split())
    if "bigram" not in options:
        words += ("--hidden", "4", "--context", "2")
    shell.works(*words, "--name", "whole")
    process = shell.start(*words, "--name", "stopped")
    wait_for_a_line(process, "140 ")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    shell.works("train", "--resume", "stopped")
    same_bits(shell.folder / "runs/stopped", shell.folder / "runs/whole")


def test_two_trainers_do_not_meet_in_one_run(shell: Any, tiny: Callable[..., Any]) -> None:
    process = shell.start("train", "names.txt", *tiny("--steps", ENDLESS, "--eval-interval", "50"))
    wait_for_a_line(process, "50 ")
    says = f"only one process may train a run at a time; runs/names-mlp-1 is being trained by process {process.pid}."
    shell.refused("train", "--resume", "names-mlp-1", says=says, keeps=False)
    shell.works("sample", "names-mlp-1", "--count", "2")
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130


def test_a_run_ends_early_and_says_after_how_many_steps(shell: Any, tiny: Callable[..., Any]) -> None:
    found = shell("train", "names.txt", *tiny("--steps", "500", "--lr", "0", "--patience", "3"), "--json").json
    assert found["steps"] == 75  # an evaluation every 25 steps, three of them no better than that of step 0
    assert found["best_step"] == 0
    assert "Training is complete" in shell.works("train", "--resume", found["run"]).out
