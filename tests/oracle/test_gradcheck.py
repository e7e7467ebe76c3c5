"""The proofs where PyTorch is installed: its column finds what central differences are too coarse for."""

import numpy as np
import pytest
import torch

from backlight.autograd import ops
from backlight.gradcheck import layer_cases, model_cases, op_cases, suite
from backlight.gradcheck.row import DIFFERENCES_BOUND, TORCH_BOUND


def some(monkeypatch, room, wanted):
    """Leave only a few cases, so that a proof takes no time."""
    monkeypatch.setattr(room, "CASES", [case for case in room.CASES if wanted(case)])


@pytest.fixture
def few(monkeypatch):
    some(monkeypatch, op_cases, lambda case: case.op in {"tanh", "linear", "div", "extreme"})
    some(
        monkeypatch, layer_cases, lambda case: case.name in {"linear", "tanh, (7,)", "embedding", "batch norm, (2, 5)"}
    )
    some(
        monkeypatch, model_cases, lambda case: str(case) in {"mlp, batch norm", "gpt, batch of 1", "gpt, tied weights"}
    )


PROOFS = {
    "ops": suite.check_ops,
    "layers": suite.check_layers,
    "mlp": lambda seed: suite.check_model("mlp", seed),
    "gpt": lambda seed: suite.check_model("gpt", seed),
}


@pytest.mark.parametrize("proof", PROOFS)
@pytest.mark.usefixtures("few")
def test_right_gradients_pass_by_both_measures(proof):
    version = suite.torch_version()
    assert version is not None
    assert version.partition("+")[0] == torch.__version__.partition("+")[0]  # the build, such as +cpu, may be left out
    for row in PROOFS[proof](1):
        assert not row.wrong
        assert row.torch is not None
        assert row.torch < TORCH_BOUND / 10
        assert row.torch_case


@pytest.mark.parametrize("proof", ["ops", "layers", "mlp"])
@pytest.mark.usefixtures("few")
def test_pytorch_finds_what_is_too_small_for_central_differences(proof, monkeypatch):
    monkeypatch.setattr(ops.Tanh, "backward", lambda dy, y: (dy * (1 - y * y) * (1 + 1e-8),))
    rows = PROOFS[proof](1)
    wrong = [row for row in rows if row.wrong]
    assert 0 < len(wrong) < len(rows)
    for row in wrong:
        assert row.torch > TORCH_BOUND
        assert row.differences < DIFFERENCES_BOUND


def test_a_parameter_that_torch_alone_gives_a_gradient_is_wrong(few, monkeypatch):  # noqa: ARG001
    right = ops.Embed.backward
    monkeypatch.setattr(ops.Embed, "backward", lambda dy, saved: (np.zeros_like(right(dy, saved)[0]),))
    assert {row.name for row in suite.check_model("mlp", 1) if row.wrong} == {"embedding.weight"}
