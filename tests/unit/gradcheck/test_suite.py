"""What the proofs cover, that right gradients pass, and that planted wrong ones do not: by differences alone."""

import numpy as np
import pytest
from typer.testing import CliRunner

from backlight.autograd import ops
from backlight.cli.app import app
from backlight.core import ConfigError
from backlight.gradcheck import layer_cases, model_cases, op_cases, suite
from backlight.gradcheck.row import DIFFERENCES_BOUND, TORCH_BOUND, Row
from backlight.models import MODELS
from backlight.nn import Linear

NEURAL = [name for name, spec in MODELS.items() if not spec.counted]


@pytest.fixture(autouse=True)
def _without_torch(monkeypatch):
    monkeypatch.setattr(suite, "_has_torch", lambda: False)


def some(monkeypatch, room, wanted):
    """Leave only a few cases, so that a proof takes no time."""
    monkeypatch.setattr(room, "CASES", [case for case in room.CASES if wanted(case)])


def row(**found):
    facts = {"group": "op", "name": "tanh", "cases": 1, "torch": None, "torch_case": None} | found
    return Row(**{"differences": None, "differences_case": None, **facts})


def test_every_neural_model_has_cases():
    assert {case.model for case in model_cases.CASES} == set(NEURAL)


def test_no_two_cases_have_one_name():
    for room in (op_cases, layer_cases, model_cases):
        names = [str(case) for case in room.CASES]
        assert all("\n" not in name for name in names)
        if room is not op_cases:  # where inputs that are made look alike
            assert len(names) == len(set(names))


def test_right_gradients_pass(monkeypatch):
    some(monkeypatch, op_cases, lambda case: case.op in {"tanh", "batch_norm", "cross_entropy", "where"})
    some(monkeypatch, layer_cases, lambda case: "GELU" in case.name or "batch norm" in case.name)
    for rows in (suite.check_ops(3), suite.check_layers(3), suite.check_model("bigram", 3)):
        assert rows
        for found in rows:
            assert not found.wrong
            assert found.torch is None
            assert 0 <= found.differences < DIFFERENCES_BOUND / 10


def test_a_model_has_a_row_for_each_parameter(monkeypatch):
    some(monkeypatch, model_cases, lambda case: str(case) in {"mlp", "mlp, batch norm", "gru, one step"})
    rows = suite.check_model("mlp", 1)
    assert [found.name for found in rows] == [
        "embedding.weight", "hidden.0.weight", "hidden.0.bias", "output.weight", "output.bias",
        "hidden.1.weight", "hidden.1.bias",
    ]  # fmt: skip
    assert [found.cases for found in rows] == [2, 2, 1, 2, 2, 1, 1]
    assert {found.group for found in rows} == {"mlp"}
    assert not any(found.wrong for found in rows)


def test_a_seed_gives_the_same_figures_and_another_one_others(monkeypatch):
    some(monkeypatch, op_cases, lambda case: case.op == "tanh")
    assert suite.check_ops(1) == suite.check_ops(1) != suite.check_ops(2)


WRONG = {
    "tanh": (ops.Tanh, lambda dy, y: (dy * (1 - y),)),
    "softmax": (ops.Softmax, lambda dy, saved: (np.zeros_like(dy),)),  # noqa: ARG005  right, if dy were ones
    "batch_norm": (ops.BatchNorm, lambda dy, saved: (dy * saved[1] * saved[2], *_batch_norm(dy, saved)[1:])),
    "cross_entropy": (ops.CrossEntropy, lambda dy, saved: (_cross_entropy(dy, saved)[0] * (1 + 3e-7),)),
    "embed": (ops.Embed, lambda dy, saved: (_embed(dy, saved)[0] * np.nan,)),
}
_batch_norm, _cross_entropy, _embed = ops.BatchNorm.backward, ops.CrossEntropy.backward, ops.Embed.backward


@pytest.mark.parametrize("name", WRONG)
def test_a_planted_wrong_gradient_is_found(name, monkeypatch):
    some(monkeypatch, op_cases, lambda case: case.op in WRONG)
    op, backward = WRONG[name]
    monkeypatch.setattr(op, "backward", backward)
    wrong = [found for found in suite.check_ops(1) if found.wrong]
    assert [found.name for found in wrong] == [name]
    assert wrong[0].differences > DIFFERENCES_BOUND
    assert wrong[0].differences_case.startswith(name)


def test_a_wrong_op_shows_in_layers_and_in_models(monkeypatch):
    some(monkeypatch, layer_cases, lambda case: case.name in {"linear", "embedding", "sequential"})
    some(monkeypatch, model_cases, lambda case: str(case) == "mlp")
    right = ops.Linear.backward

    def backward(dy, saved):
        dx, dweight, dbias = right(dy, saved)
        return dx, dweight, dbias / 2

    monkeypatch.setattr(ops.Linear, "backward", backward)
    assert {found.name for found in suite.check_layers(1) if found.wrong} == {"Linear", "Sequential"}
    wrong = {found.name for found in suite.check_model("mlp", 1) if found.wrong}
    assert wrong == {"hidden.0.bias", "output.bias"}


def test_a_parameter_that_gets_no_gradient_is_found(monkeypatch):
    some(monkeypatch, layer_cases, lambda case: case.name == "linear")
    monkeypatch.setattr(Linear, "forward", lambda self, x: x @ self.weight + self.bias.detach())
    (found,) = suite.check_layers(1)
    assert found.wrong


def test_what_is_wrong_by_either_measure_is_wrong():
    assert not row(torch=TORCH_BOUND, differences=DIFFERENCES_BOUND).wrong
    assert not row().wrong
    assert row(torch=2 * TORCH_BOUND, differences=0.0).wrong
    assert row(differences=2 * DIFFERENCES_BOUND).wrong
    assert row(torch=float("inf")).to_json()["wrong"] is True


def test_models_without_gradients_are_refused():
    with pytest.raises(ConfigError, match=r"bigram, mlp, .* got ngram, which has no gradients"):
        suite.check_model("ngram", 1)
    with pytest.raises(ConfigError, match="there is no model 'transformer'"):
        suite.check_model("transformer", 1)


# -- the command -------------------------------------------------------------------------------------------------------


def test_the_command_marks_what_is_wrong_and_leaves_with_1(monkeypatch):
    some(monkeypatch, op_cases, lambda case: case.op in WRONG)
    some(monkeypatch, layer_cases, lambda case: case.name == "linear")
    right = CliRunner().invoke(app, ["gradcheck"])
    assert right.exit_code == 0
    assert "6 of 6 within bounds" in right.stdout
    assert "wrong" not in right.stdout
    assert "pip install 'backlight[torch]'" in right.stdout
    for name in ("softmax", "embed"):
        monkeypatch.setattr(WRONG[name][0], "backward", WRONG[name][1])
    wrong = CliRunner().invoke(app, ["gradcheck"])
    assert wrong.exit_code == 1
    lines = wrong.stdout.splitlines()
    assert [line.split()[0] for line in lines if line.endswith(" wrong")] == ["embed", "softmax"]
    assert "2 of 6 wrong. Largest differences:" in wrong.stdout
    assert any(line.startswith("  softmax: 1.0e+00 from central differences, softmax(") for line in lines)


def test_all_models_can_be_asked_for(monkeypatch):
    some(monkeypatch, model_cases, lambda case: case.name == "one unit" or case.model == "bigram")
    done = CliRunner().invoke(app, ["gradcheck", "--model", "all"])
    assert done.exit_code == 0
    titles = [line.split()[0] for line in done.stdout.splitlines() if " cases " in line]
    assert titles == [name for name in NEURAL if name in titles]
    assert {"bigram", "rnn", "gru", "lstm"} <= set(titles)
