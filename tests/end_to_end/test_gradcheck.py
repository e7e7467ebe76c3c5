"""`backlight gradcheck`: all gradients are right, a planted wrong one is not, and PyTorch may be missing."""

import json
import subprocess
import sys
from typing import Any

import pytest

from backlight.autograd import OPS

PLANT = """
from backlight.autograd import ops
ops.Tanh.backward = staticmethod(lambda dy, y: (dy * (1 - y),))
"""

HIDE_TORCH = """
import sys
from importlib.machinery import PathFinder

class NoTorch(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name == "torch" else super().find_spec(name, path, target)

sys.meta_path = [NoTorch if finder is PathFinder else finder for finder in sys.meta_path]
"""


def run_after(shell: Any, code: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a process in which something has happened before."""
    program = f"{code}\nfrom backlight.cli import main\nmain()\n"
    return subprocess.run(
        [sys.executable, "-c", program, *words],
        cwd=shell.folder,
        env=shell.environment({"COLUMNS": "80"}),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_all_ops_and_layers_are_right(shell: Any) -> None:
    result = shell("gradcheck", "--json", env={"COLUMNS": "80"})
    assert result.code == 0
    assert result.out.count("\n") == 1
    found = result.json
    ours = {name for name, op in OPS.items() if op.__module__.startswith("backlight.")}
    assert {row["name"] for row in found["rows"] if row["group"] == "op"} == ours
    assert {row["group"] for row in found["rows"]} == {"op", "layer"}
    assert (found["wrong"], found["seed"]) == (0, 1)
    assert found["torch"]
    for row in found["rows"]:
        assert row["torch"] <= row["torch_bound"] == 1e-10
        # floor, round and sign are flat between their steps, where central differences show nothing
        assert (row["differences"] is None) == (row["name"] == "step")
        assert (row["differences"] or 0) <= row["differences_bound"] == 1e-7
        assert row["wrong"] is False
    assert f"{len(found['rows'])} of {len(found['rows'])} within bounds" in result.err
    assert max(map(len, result.err.splitlines())) <= 80


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_a_planted_wrong_gradient_is_marked_and_the_exit_code_is_1(shell: Any, options: tuple[str, ...]) -> None:
    done = run_after(shell, PLANT, "gradcheck", "--model", "mlp", *options)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    table = done.stderr if options else done.stdout
    assert "embedding.weight" in table.split("Largest differences:")[1]
    marked = {line.split()[0] for line in table.splitlines() if line.endswith(" wrong")}
    assert "embedding.weight" in marked
    assert "output.bias" not in marked  # nothing between it and the loss is wrong
    assert max(map(len, table.splitlines())) <= 80
    if options:
        found = json.loads(done.stdout.splitlines()[-1])
        assert {row["name"] for row in found["rows"] if row["wrong"]} == marked
        assert found["wrong"] == len(marked)


def test_without_torch_central_differences_are_left_and_one_line_says_so(shell: Any) -> None:
    done = run_after(shell, HIDE_TORCH, "gradcheck", "--model", "bigram", "--json")
    assert done.returncode == 0
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[0].startswith("PyTorch is not installed")
    assert done.stderr.count("PyTorch") == 1
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["torch"] is None
    assert [row["torch"] for row in found["rows"]] == [None]
    assert found["rows"][0]["differences"] < 1e-7
    planted = run_after(shell, HIDE_TORCH + PLANT, "gradcheck", "--model", "mlp")
    assert planted.returncode == 1


@pytest.mark.parametrize("name", ["ngram", "transformer"])
def test_a_model_without_gradients_is_refused(shell: Any, name: str) -> None:
    shell.refused("gradcheck", "--model", name, says=f"got {name}" if name == "ngram" else "there is no model")
