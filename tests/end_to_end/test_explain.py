"""`backlight explain`: expressions, hostile ones too, models, runs, the walk, and pictures."""

import fcntl
import json
import math
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
from typing import Any

import pytest
from rich.cells import cell_len

NEURON = ("tanh(x1*w1 + x2*w2 + b)", "--at", "x1=2,x2=0,w1=-3,w2=1,b=6.8813735870195432")


def test_the_neuron_of_lecture_1(shell: Any) -> None:
    out = shell.works("explain", *NEURON).out
    assert out.startswith("tanh(x1*w1 + x2*w2 + b) = 0.7071\n")
    assert re.search(r"^v4 +0\.8814 +v3 \+ b +v5 +1 - v5² = 0\.5 +1 +0\.5 *$", out, re.MULTILINE)
    assert re.search(r"^x1 +2 +v1 +w1 = -3 +0\.5 +-1\.5 *$", out, re.MULTILINE)
    assert out.splitlines()[-1].split() == ["grad", "x1", "-1.5", "x2", "0.5", "w1", "1", "w2", "0", "b", "0.5"]
    assert max(map(cell_len, out.splitlines())) <= 80


def test_json_has_every_number(shell: Any) -> None:
    result = shell("explain", *NEURON, "--json")
    assert result.code == 0
    found = result.json
    assert found["expression"] == NEURON[0]
    assert found["value"] == pytest.approx(math.tanh(0.8813735870195432))
    assert found["gradients"] == pytest.approx({"x1": -1.5, "x2": 0.5, "w1": 1.0, "w2": 0.0, "b": 0.5})
    for step in found["steps"][1:]:
        assert step["grad"] == pytest.approx(sum(one["local"] * one["above"] for one in step["contributions"]))


def test_statements_and_several_at(shell: Any) -> None:
    out = shell.works("explain", "e = a*b; d = e + c; L = d*f", "--at", "a=2, b=-3", "--at", "c=10,f=-2").out
    assert out.splitlines()[-1].split() == ["grad", "a", "6", "b", "-4", "c", "-2", "f", "4"]
    assert shell.works("explain", "--at", "x=2", "--", "-x**2").out.startswith("-x**2 = -4\n")


def test_a_wide_table_keeps_its_numbers(shell: Any) -> None:
    name = "a_name_that_is_far_too_long_for_any_table"
    out = shell.works("explain", f"tanh({name} * {name}_2)", "--at", f"{name}=-1.5e-7,{name}_2=1.25e9").out
    assert max(map(cell_len, out.splitlines()[1:-2])) <= 80
    assert "-1.5e-7" in out
    assert "…" in out


LONG = " + ".join(["x"] * 10_000)


def test_a_sum_of_ten_thousand_terms(shell: Any) -> None:
    out = shell.works("explain", LONG, "--at", "x=0.5").out
    lines = out.splitlines()
    assert lines[-1] == "grad  x 10000"
    assert lines[0].endswith("… = 5000")
    assert "... and 9,900 more nodes" in lines
    assert len(lines) < 110
    nested = shell.refused("explain", f"tanh({LONG})", "--at", "x=0.5", says="Split it into named parts")
    assert len(nested) < 250
    named = shell.works("explain", f"s = {LONG}\ntanh(s)", "--at", "x=1e-4", "--rows", "2").out
    assert "1 - v" in named


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["x.__class__", "--at", "x=1"], "the attribute 'x.__class__'"),
        (["open('pwned', 'w')"], "got a call of 'open'"),
        (["x/(x - 1)", "--at", "x=1"], "a divisor must not be 0; got 1.0 / 0.0"),
        (["9**9**9"], "a power must stay below 1.8e308; got 9.0 ** 387420489"),
        (["exp(1000*x)", "--at", "x=1"], "v2 = exp(v1) is inf"),
        (["sqrt(x)", "--at", "x=0"], "every gradient must be finite"),
        (["tanh(x1*w1 + b)"], "x1, w1, b have none. Add --at x1=1,w1=1,b=1"),
        (["x", "--at", "x=nan"], "the number of a name must be finite; got x=nan"),
        (["x", "--at", "x=1,y=2"], "y does not occur in it"),
        (["x", "--at", "x:1"], "--at takes names and numbers separated by commas, as in x=2,w=-3; got 'x:1'"),
        (["x", "--at", "x=1", "--at", "x=2"], "got x twice"),
        (["x\x1b[31m", "--at", "x=1"], "invalid non-printable character"),
        (["x", "--at", "x=\x1b[31m"], "--at takes names and numbers"),
        (["x" * 50_000], "have none"),
        (["(" * 5_000], "too many nested parentheses"),
        (["x", "--at", "x=1", "--figure", "graph.pdf"], "a figure must be saved as png or svg"),
        (["x", "--at", "x=1", "--figure", "no/graph.png"], "its folder does not exist"),
        (["x", "--at", "x=1", "--dark"], "Add --figure FILE"),
        (["x", "--at", "x=1", "--walk", "--json"], "Leave one out"),
        (["x", "--at", "x=1", "--batch-size", "3"], "an expression has no minibatch and no model sizes; got"),
        ([" + ".join(f"x{i}" for i in range(99)), "--at", ",".join(f"x{i}=1" for i in range(99)), "--figure", "a.png"],
         "a figure can have at most 60 nodes; got 197"),
        (["--model", "ngram", "names.txt"], "a training step needs a network; ngram counts n-grams"),
        (["--model", "mlp", "x*y"], "there is no 'x*y'"),
        (["--model", "mlp", "names.txt", "--at", "x=1"], "got --at"),
        (["--model", "wavenet", "names.txt", "--batch-size", "1"], "batch_size must be at least 2"),
        (["--run", "nope"], "there is no run"),
    ],
    ids=lambda words: str(words)[:40],
)  # fmt: skip
def test_what_cannot_be_explained_is_one_line(shell: Any, words: list[str], says: str) -> None:
    if words == ["x" * 50_000]:
        says = "has none"
    if "nope" in words and "--run" in words:
        says = "there is no 'nope'"
    message = shell.refused("explain", *words, says=says)
    assert "\x1b" not in message


def test_an_expression_is_needed(shell: Any) -> None:
    result = shell("explain")
    assert result.code == 2
    assert "Give an expression" in result.err


# -- models ------------------------------------------------------------------------------------------------------------

TINY = ("--context", "4", "--embedding", "2", "--hidden", "4", "--batch-size", "8")


def test_a_models_first_step_is_that_of_training(shell: Any) -> None:
    found = shell("explain", "--model", "mlp", "names.txt", *TINY, "--seed", "3", "--json").json
    shell.works("train", "names.txt", "--model", "mlp", *TINY, "--seed", "3", "--steps", "2", "--name", "net")
    records = map(json.loads, (shell.folder / "runs/net/metrics.jsonl").read_text().splitlines())
    first = next(record["loss"] for record in records if "loss" in record)
    assert found["loss_nats"] == pytest.approx(first, rel=1e-6)
    assert (found["model"], found["batch_size"], found["seed"]) == ("mlp", 8, 3)
    other = shell("explain", "--model", "mlp", "names.txt", *TINY, "--seed", "4", "--json").json
    assert other["loss_nats"] != pytest.approx(first, rel=1e-4)


def test_a_model_lists_every_op(shell: Any) -> None:
    out = shell.works("explain", "--model", "wavenet", "names.txt", *TINY).out
    assert out.startswith("wavenet on names.txt: 8 examples, loss 3.")
    assert re.search(r"^v4 +batch_norm of v3 +\(8, 2, 4\) +[\d.e-]+ +[\d.e-]+ *$", out, re.MULTILINE)
    assert re.search(r"^ +hidden\.1\.weight +\(4, 4\) +[\d.e-]+ +[\d.e-]+ *$", out, re.MULTILINE)
    assert re.search(r"^loss +cross_entropy of v11 +\(\) +3\.\d+ +1 *$", out, re.MULTILINE)
    assert "dx = gain r" in out, "the formula of batch norm"
    assert max(map(cell_len, out.splitlines())) <= 80
    found = shell("explain", "--model", "wavenet", "names.txt", *TINY, "--json").json
    ops = [step["op"] for step in reversed(found["steps"]) if step["op"]]
    assert ops.count("batch_norm") == ops.count("tanh") == 2
    assert {"name", "op", "formula", "shape", "input_shapes", "value_norm", "grad_norm"} <= found["steps"][0].keys()


def test_a_model_with_layers_is_as_wide(shell: Any) -> None:
    words = ("--model", "gpt", "names.txt", "--layers", "1", "--channels", "8", "--heads", "2")
    out = shell.works("explain", *words).out
    assert "blocks.0.attention.output.weight" in out
    assert max(map(cell_len, out.splitlines())) <= 80
    assert shell.works("explain", *words).out == out, "dropout goes by the seed too"


def test_a_runs_weights(runs: Any) -> None:
    found = runs("explain", "--run", "net", "--json").json
    assert (found["model"], found["batch_size"]) == ("mlp", 8)
    assert runs.works("explain", "--run", "net", "--batch-size", "5", "--seed", "2").out.startswith("net: 5 examples")
    fresh = runs("explain", "--model", "mlp", "names.txt", "--context", "2", "--embedding", "2", "--hidden", "4",
                 "--batch-size", "8", "--json").json  # fmt: skip
    norms = [{step["name"]: step["value_norm"] for step in one["steps"]} for one in (found, fresh)]
    assert norms[0]["output.weight"] != norms[1]["output.weight"], "six steps have moved it"
    assert norms[0].keys() == norms[1].keys()
    runs.refused("explain", "--run", "counted", says="needs a network")
    runs.refused("explain", "--run", "net", "names.txt", says="a run has its own text and sizes; got FILE")
    runs.refused("explain", "--run", "net", "--hidden", "4", says="got --hidden")
    runs.refused("explain", "--run", "net", "--model", "mlp", says="Leave one out")
    (runs.folder / "names.txt").write_text("other\nnames\nare\nhere\nand\nthere\n")
    runs.refused("explain", "--run", "net", says="is not the text")


def test_standard_input_is_a_corpus(shell: Any) -> None:
    text = (shell.folder / "names.txt").read_bytes()
    out = shell.works("explain", "--model", "mlp", "-", *TINY, stdin=text).out
    assert out.startswith("mlp on standard input: ")


# -- the walk ----------------------------------------------------------------------------------------------------------


def test_without_a_terminal_the_walk_prints_all_steps(shell: Any) -> None:
    out = shell.works("explain", "y = a*a + a", "--at", "a=3", "--walk").out
    heads = re.findall(r"^\d of 3  (.*)$", out, re.MULTILINE)
    assert heads == ["y = v1 + a = 12   grad 1", "v1 = a * a = 9   grad 1", "a = 3   grad 7"]
    assert "The gradients of 3 paths into a add up: 1 + 3 + 3 = 7." in out
    assert "\x1b" not in out
    model = shell.works("explain", "--model", "bigram", "names.txt", "--batch-size", "8", "--walk").out
    assert "1 of 3  loss ()" in model
    assert "dW = onehot(ids)ᵀ dy" in model
    assert max(map(cell_len, (out + model).splitlines())) <= 80


def walked(shell: Any, keys: str) -> tuple[int, str]:
    """Run the walk on a pseudo-terminal; press a key each time that it waits for one."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 80, 0, 0))
    environment = {**shell.environment(), "TERM": "xterm-256color"}
    process = shell.start(
        "explain", "y = a*a + a", "--at", "a=3", "--walk", stdin=slave, stdout=slave, stderr=slave, env=environment
    )
    written, left = b"", list(keys)
    while process.poll() is None:
        if select.select([master], [], [], 0.02)[0]:
            written += os.read(master, 65_536)
        elif left and not termios.tcgetattr(slave)[3] & termios.ICANON:  # single keys are read now, not whole lines
            os.write(master, left.pop(0).encode())
            select.select([master], [], [], 0.1)
    while select.select([master], [], [], 0)[0]:
        written += os.read(master, 65_536)
    os.close(master)
    os.close(slave)
    return process.returncode, written.decode()


@pytest.mark.parametrize(
    ("keys", "code", "steps"),
    [("  ", 0, 3), ("\nq", 0, 2), ("\x1b", 0, 1), ("\x04", 0, 1), ("\x03", 130, 1)],
)
def test_on_a_terminal_a_key_goes_on(shell: Any, keys: str, code: int, steps: int) -> None:
    found, written = walked(shell, keys)
    assert found == code
    assert len(re.findall(r"\d of 3  ", written)) == steps
    assert "Press any key to continue, q to quit." in written
    assert "Traceback" not in written


# -- pictures ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["graph.png", "graph.SVG"])
def test_a_picture_of_the_graph(shell: Any, name: str) -> None:
    out = shell.works("explain", *NEURON, "--figure", name).out
    assert out.endswith(f"\nThe figure is in {name}.\n")
    light = (shell.folder / name).read_bytes()
    assert light.startswith(b"\x89PNG" if name.endswith("png") else b"<?xml")
    shell.works("explain", *NEURON, "--figure", name, "--dark")
    assert (shell.folder / name).read_bytes() != light


def test_a_picture_of_a_model(shell: Any) -> None:
    shell.works("explain", "--model", "wavenet", "names.txt", *TINY, "--figure", "net.png", "--walk")
    assert (shell.folder / "net.png").stat().st_size > 10_000


def test_matplotlib_is_imported_for_pictures_only() -> None:
    code = (
        "import sys; sys.argv = ['backlight', 'explain', 'x*x', '--at', 'x=2']\n"
        "from backlight.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print('matplotlib' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines()[-1] == "False"
