"""Without what Windows lacks (windows.py hides it): the same commands work, or say why not in one line.

What no Linux can show is left: other rules for names and paths, and a terminal of another kind.
"""

import subprocess
import sys
from pathlib import Path

import pytest

WINDOWS = Path(__file__).with_name("windows.py")
PYTHON = (sys.executable, "-X", "warn_default_encoding", "-W", "ignore::EncodingWarning")


def run(folder: Path, *words: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [*PYTHON, WINDOWS, *words],
        cwd=folder, env=env, capture_output=True, encoding="cp1252", timeout=300, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    return done


@pytest.fixture
def windows(shell):
    environment = shell.environment({"PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0"})

    def works(*words: str) -> str:
        done = run(shell.folder, *words, env=environment)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    def refused(*words: str) -> str:
        done = run(shell.folder, *words, env=environment)
        assert done.returncode == 1, done.stdout
        assert done.stderr.count("\n") == 1
        return done.stderr

    return works, refused


def test_it_trains_and_uses_what_it_trained(windows, shell, tiny):
    works, _ = windows
    works("train", "names.txt", *tiny("--name", "first", "--health"))
    assert "first" in works("runs")
    assert len(works("sample", "first", "--count", "5").splitlines()) >= 5
    assert "emma" in works("score", "first", "names.txt")
    works("health", "first", "--report")
    works("figures", "first", "loss", "--out", "figures")
    assert (shell.folder / "runs/first/report.html").read_bytes().lower().startswith(b"<!doctype html>")
    left = [path.name for path in shell.folder.rglob("*") if "backlight-" in path.name]
    assert left == []


def test_it_stops_and_goes_on_with_the_same_bits(windows, shell, tiny):
    works, refused = windows
    works("train", "names.txt", *tiny("--name", "whole"))
    works("train", "names.txt", *tiny("--name", "again"))
    weights = [(shell.folder / "runs" / name / "weights.safetensors").read_bytes() for name in ("whole", "again")]
    assert weights[0] == weights[1]
    assert "Training is complete" in works("train", "--resume", "whole")
    assert "exists" in refused("train", "names.txt", *tiny("--name", "whole"))


def test_a_run_that_is_being_trained_is_refused(windows, shell, tiny):
    works, refused = windows
    works("train", "names.txt", *tiny("--name", "held"))
    holding = (
        f"import runpy, sys; from pathlib import Path; runpy.run_path({str(WINDOWS)!r})['hide'](); "
        "from backlight.runs import RunDirectory; lock = RunDirectory.open(Path('runs/held')).lock(); "
        "lock.__enter__(); print('held', flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", holding], cwd=shell.folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert process.stdout.readline() == b"held\n"
        assert f"is being trained by process {process.pid}" in refused("train", "--resume", "held")
    finally:
        process.kill()
        process.communicate()
    works("train", "--resume", "held")


@pytest.mark.parametrize("name", ["con", "AUX.txt", "a:b", "why?", "dot."])
def test_a_name_that_windows_reserves_is_refused(windows, tiny, name):
    _, refused = windows
    assert "Choose another name" in refused("train", "names.txt", *tiny("--name", name))


def test_models_are_compared_in_processes_of_its_own(windows):
    works, _ = windows
    assert "bigram" in works("compare", "names.txt", "--models", "ngram,bigram", "--steps", "5", "--jobs", "2")
