"""The folder for PyTorch alone: every network, also in training mode, and its samples."""

import importlib.util
import sys

import pytest
from tests.unit.export.models import ACCENTS, SIZES, trained

torch = pytest.importorskip("torch")


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.mark.parametrize("model", SIZES)
def test_model_py_computes_the_logits_of_every_network(model, tmp_path):
    made = trained(model).export(tmp_path / "out", to="torch")
    assert made.difference <= made.bound
    assert made.held_out
    assert sorted(path.name for path in made.path.iterdir()) == ["config.json", "model.py", "model.safetensors"]


@pytest.mark.parametrize("options", [{"tie_weights": True}, {"tokens": "bpe:270"}, {"tokens": "words"}])
def test_tied_weights_and_other_tokens(options, tmp_path):
    made = trained("gpt", ACCENTS, **options).export(tmp_path / "out", to="torch")
    assert made.difference <= made.bound
    network = _imported(made.path).load(made.path)
    assert all("\ufffd" not in text or options == {"tokens": "bpe:270"} for text in network.sample(5, length=8))


def test_running_text_is_sampled_without_an_end(tmp_path):
    made = trained("gru", [" ".join(ACCENTS)], mode="text").export(tmp_path / "out", to="torch")
    network = _imported(made.path).load(made.path)
    assert [len(text) for text in network.sample(3, length=20)] == [20] * 3


def _imported(folder):
    spec = importlib.util.spec_from_file_location("exported", folder / "model.py")
    module = importlib.util.module_from_spec(spec)
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    spec.loader.exec_module(module)
    sys.dont_write_bytecode = before
    return module
