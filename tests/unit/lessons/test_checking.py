"""Whatever an answer does costs this answer only, and what is right is called right."""

import ast
import json
import os
import subprocess
import sys
import threading

import pytest

from backlight.lessons import EXERCISES, LESSONS
from backlight.lessons.check_file import check_file
from backlight.lessons.checking.process import Conditions, judge_files
from backlight.lessons.checking.rules import RULES, Watch, breaches
from backlight.lessons.exercises import grade

GOOD = """
def gradient_by_formula(a, b, c):
    import colorsys, math
    return 2 * a * b - 1 / c, a**2 + 3 * math.cos(3 * b), a / c**2
"""
LAST = """
def encode_sum(a, b, digits):
    question = f"{a:0{digits}d}{b:0{digits}d}"
    ids = [int(one) for one in question + f"{a + b:0{digits + 1}d}"[::-1]]
    return ids[:-1], [-1] * (len(question) - 1) + ids[len(question) :]
"""

HOSTILE = """
import os, signal, time
import numpy as np
np.asarray = None

def forward_difference(f, a, b, c, h):
    os._exit(3)

def symmetric_difference(f, a, b, c, h):
    np.log(1)
    raise KeyboardInterrupt

def walk_back(nodes):
    import builtins
    builtins.isinstance = None
    return {}

def descend(w, xs, ys, rate, steps):
    while True:
        try:
            while True:
                pass
        except:
            pass

def softmax_nll(logits, target):
    return ((1

def trigram_counts(words, stoi):
    os.kill(os.getpid(), signal.SIGSEGV)

def split(words, seed):
    exit()

def tune_smoothing(train, dev, ks):
    while True:
        pass

def layer_by_index(W, ids, dlogits):
    return bytearray(2**33)

for _ in iter(int, 1):
    data = 5

def ngram_counts(words, n):
    return data
"""


def test_each_hostile_answer_costs_itself_only(tmp_path, monkeypatch):
    path = tmp_path / "work.py"
    path.write_text(GOOD + HOSTILE + LAST)
    for name in ("random", "typing", "json", "colorsys"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('the file of the student')")
    monkeypatch.chdir(tmp_path)
    conditions = Conditions(limit=0.5, memory=4 * 2**30)
    seen = []
    (found,) = judge_files([path], conditions=conditions, on_verdict=lambda _, verdict: seen.append(verdict.id))
    assert seen == list(found.verdicts)
    first = {id_: verdict.lines[0] for id_, verdict in found.verdicts.items() if not verdict.right}
    assert [id_ for id_, verdict in found.verdicts.items() if verdict.right] == ["1.1", "7.2"]
    assert first["1.2"] == "It ended its process (exit code 3)."
    assert first["1.3"].startswith("KeyboardInterrupt in line ")
    assert first["1.4"].startswith("TypeError")
    assert "It did not finish within 0.5 s of processor time" in first["1.5"]
    assert first["1.6"].startswith("SyntaxError in line ")
    assert "SIGSEGV" in first["2.1"]
    assert first["2.2"] == "It calls exit()."
    assert "; it was at line " in first["2.3"]
    assert "of work.py, in tune_smoothing" in first["2.3"]
    assert first["2.4"].startswith("MemoryError")
    assert first["2.6"].startswith("Line ")
    assert "did not finish within 0.5 s" in first["2.6"]
    assert {"numpy.asarray", "builtins.isinstance"} <= {line.split()[3].rstrip(",") for line in found.problems}


def test_a_file_that_waits_is_ended(tmp_path, monkeypatch):
    path = tmp_path / "work.py"
    path.write_text(GOOD + "import time\ntime.sleep(1e6)\ndata = 1\ntime.sleep = None\n"
                    "def walk_back(nodes):\n    time.sleep(1e6)\n" + LAST)  # fmt: skip
    monkeypatch.setattr("backlight.lessons.checking.process._IDLE", 5)
    (found,) = judge_files([path], conditions=Conditions())
    assert {id_: one.right for id_, one in found.verdicts.items()} == {"1.1": True, "1.4": False, "7.2": True}
    assert "without computing" in found.verdicts["1.4"].lines[0]


def test_it_stops_on_request(tmp_path):
    path = tmp_path / "work.py"
    path.write_text("def walk_back(nodes):\n    while True:\n        pass\n")
    stop = threading.Event()
    threading.Timer(1.0, stop.set).start()
    (found,) = judge_files([path], conditions=Conditions(limit=1000), stop=stop)
    assert not found.verdicts


def test_only_what_is_needed_runs_quietly_and_in_the_order_of_the_file(tmp_path, capfd):
    path = tmp_path / "work.ipynb"
    cells = [
        "print('never')\n1 / 0",
        "%matplotlib inline\nrate = 1\ndef step(x):\n    return x - rate",
        LAST + "print('loud')\ncheck('7.2', encode_sum)",
        "net = []\nloss = [net.append(3)]",
        GOOD.replace("return", "print(net); return net[0] - 3 +"),
    ]
    path.write_text(json.dumps({"cells": [{"cell_type": "code", "source": cell} for cell in cells]}))
    answers = check_file(path)
    assert [(one.id, one.right) for one in answers.verdicts] == [("7.2", True), ("1.1", True)]
    assert not answers.problems
    assert "".join(capfd.readouterr()) == ""
    check_file(path, ["1.1"], output=True)
    assert "[3]" in capfd.readouterr().err


def test_a_lesson_s_own_function_is_no_answer(tmp_path):
    path = tmp_path / LESSONS[4].file
    path.write_bytes(LESSONS[4].notebook())
    assert [(one.id, one.state) for one in check_file(path).verdicts] == [
        (exercise.id, "unfinished") for exercise in LESSONS[4].exercises
    ]


SEEDED = """
from backlight.lessons import given
case = given("2.4")
dW = 0 * case["W"]
for id_, row in zip(case["ids"], case["dlogits"]):
    dW[id_] += row
layer_by_index = case["W"][case["ids"]], dW
text = str(dW.sum())
def encode_sum(a, b, digits):
    raise RuntimeError(text)
"""


def test_with_a_seed_the_cases_are_others_and_given_agrees(tmp_path):
    path = tmp_path / "work.py"
    path.write_text(SEEDED)
    sums = set()
    for seed in (None, 7):
        (found,) = judge_files([path], conditions=Conditions(seed=seed))
        assert found.verdicts["2.4"].right
        sums.add(found.verdicts["7.2"].lines[0])
    assert len(sums) == 2


BY_AUTOGRAD = """
import torch
def cross_entropy_backward(logits, targets):
    logits = torch.tensor(logits, requires_grad=True)
    torch.nn.functional.cross_entropy(logits, torch.tensor(targets)).backward()
    return logits.grad
"""
BY_LAYERS = """
from torch.nn.functional import cross_entropy as ce
import torch
def cross_entropy_backward(logits, targets):
    logits = torch.tensor(logits, requires_grad=True)
    return torch.autograd.grad(ce(logits, torch.tensor(targets)), logits)[0]
"""
BY_OURS = """
import backlight.torchlike as T
import backlight.torchlike.nn.functional as F
def cross_entropy_backward(logits, targets):
    logits = T.tensor(logits, requires_grad=True)
    getattr(F.cross_entropy(logits, T.tensor(targets)), "back" + "ward")()
    return logits.grad
"""


@pytest.mark.parametrize(
    ("source", "rule", "in_the_text"),
    [
        (BY_AUTOGRAD, "autograd", True), (BY_AUTOGRAD, "layers", True), (BY_LAYERS, "autograd", True),
        (BY_LAYERS, "layers", True), (BY_OURS, "autograd", False), (BY_OURS, "layers", True),
    ],
)  # fmt: skip
def test_what_is_forbidden_is_found_in_the_text_and_while_it_runs(source, rule, in_the_text):
    names: dict = {}
    exec(source, names)  # noqa: S102  (an answer)
    exercise = EXERCISES["5.2"]
    with Watch([rule], "5.2") as watch:
        assert grade(exercise, names[exercise.answer]).right
    assert watch.seen
    assert bool(breaches([rule], "5.2", ast.parse(source).body)) is in_the_text
    assert not breaches([rule], "1.6", ast.parse(source).body)


def test_what_is_forbidden_does_not_count(tmp_path):
    path = tmp_path / "work.py"
    path.write_text(BY_OURS + LAST)
    (found,) = judge_files([path], conditions=Conditions(forbid=("autograd",)))
    assert (found.verdicts["5.2"].state, found.verdicts["5.2"].mistake) == ("invalid", "not by hand")
    assert found.verdicts["7.2"].right


def test_no_solution_breaks_the_rules():
    text = {
        one.id: cell.source for lesson in LESSONS.values() for cell in lesson.cells(student=False)
        for one in lesson.exercises if cell.solved and f'check("{one.id}"' in cell.source
    }  # fmt: skip
    for rule, ids in RULES.items():
        for id_ in ids:
            with Watch([rule], id_) as watch:
                assert grade(EXERCISES[id_], EXERCISES[id_].solution).right
            assert not watch.seen
            assert not breaches([rule], id_, ast.parse(text[id_]).body)


def test_a_recording_stands_in_for_a_training(tmp_path):
    code = (
        "from backlight.lessons.recorded import recorded; print(recorded('lesson_3_longer', lambda: 1 / 0, again=True))"
    )
    environment = {**os.environ, "BACKLIGHT_CHECKING": "1"}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment, capture_output=True, cwd=tmp_path)
