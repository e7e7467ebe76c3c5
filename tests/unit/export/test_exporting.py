"""What is written, what is refused, and that nothing is left if the check fails. The formats: tests/integrations."""

import importlib.util

import numpy as np
import pytest
from tests.unit.export.models import NAMES, trained

from backlight.core import BacklightError, ExportError, RunError
from backlight.export import exporting, torch_folder
from backlight.export.gguf_file import character_merges, gguf_names
from backlight.export.hugging_face import config_json, gpt2_weights
from backlight.models import GPT, GPTConfig
from backlight.models.gpt2_names import gpt2_names


@pytest.fixture(scope="module")
def gpt():
    return trained()


def test_every_weight_of_a_gpt_has_a_name_in_both_formats():
    for tied in (False, True):
        network = GPT(GPTConfig(vocabulary_size=5, n_embd=8, n_layer=2, n_head=2, tie_weights=tied), rng=_rng())
        names = network.state_dict().keys()
        for table in (gpt2_names(2, tied=tied), gguf_names(2, tied=tied)):
            assert table.keys() == names
            assert len(set(table.values())) == len(names)


def test_weights_have_gpt2s_layout_and_the_order_of_the_exported_ids():
    network = GPT(GPTConfig(vocabulary_size=3, n_embd=4, n_layer=1, n_head=2), rng=_rng())
    state = network.state_dict()
    weights = gpt2_weights(network, np.array([1, 2, 0]))
    assert weights["transformer.h.0.attn.c_attn.weight"].shape == (4, 12)
    np.testing.assert_array_equal(weights["transformer.wte.weight"][0], state["token.weight"][1])
    np.testing.assert_array_equal(weights["lm_head.weight"][2], state["output.weight"][:, 0])
    assert config_json(network, 2)["tie_word_embeddings"] is False


def test_the_merges_of_characters_make_each_character_of_its_bytes():
    characters = "aé東京😀"
    made = {bytes([byte]) for byte in range(256)}
    for left, right in character_merges(characters):
        assert left in made
        assert len(right) == 1
        made.add(left + right)
    assert {one.encode() for one in characters} <= made
    assert len(character_merges("abc")) == 1  # llama.cpp reads no file without merges


def test_a_model_that_a_format_cannot_hold_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(exporting, "find_spec", lambda name: name)
    counted = trained_ngram()
    for model, to, says in (
        (trained("mlp"), "gguf", "gpt only.*--to onnx"),
        (counted, "onnx", "ngram is a table of counts"),
    ):
        with pytest.raises(ExportError, match=says):
            model.export(tmp_path / "out", to=to)
    assert not list(tmp_path.iterdir())


def test_a_mixture_is_refused_and_the_network_alone_is_named(tmp_path):
    from backlight import train

    mixed = train(NAMES, model="bigram+ngram", steps=2, progress=None)
    with pytest.raises(ExportError, match=r"mixed with counts.*--model bigram\."):
        mixed.export(tmp_path / "out", to="torch")


def test_an_unknown_format_a_type_and_a_missing_package_are_one_line(gpt, tmp_path, monkeypatch):
    with pytest.raises(ExportError, match="there is no format 'onx'"):
        gpt.export(tmp_path / "out", to="onx")
    with pytest.raises(ExportError, match="has the types f32; got 'f16'"):
        gpt.export(tmp_path / "out", to="torch", numbers="f16")
    monkeypatch.setattr(exporting, "find_spec", lambda name: None if name == "gguf" else name)
    with pytest.raises(ExportError, match=r"needs gguf.*pip install 'backlight\[export\]'"):
        gpt.export(tmp_path / "out", to="gguf")


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs PyTorch")
def test_nothing_is_left_if_the_reader_computes_something_else(gpt, tmp_path, monkeypatch):
    read = torch_folder.read_logits
    for damage in (lambda logits: logits + 2e-5 * max(1, np.abs(logits).max()), lambda logits: logits * np.nan):
        monkeypatch.setattr(torch_folder, "read_logits", lambda *given, damage=damage: damage(read(*given)))
        with pytest.raises(ExportError, match="must compute the model's logits"):
            gpt.export(tmp_path / "out", to="torch")
        assert not list(tmp_path.iterdir())


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs PyTorch")
def test_a_path_that_exists_is_not_touched(gpt, tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(RunError, match="in the way"):
        gpt.export(tmp_path / "out", to="torch")
    assert (tmp_path / "out").read_text() == "mine"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs PyTorch")
def test_a_run_whose_text_is_gone_is_compared_on_its_own_samples(tmp_path):
    (tmp_path / "names.txt").write_text("\n".join(NAMES))
    trained("bigram", tmp_path / "names.txt", run=tmp_path / "run")
    (tmp_path / "names.txt").unlink()
    from backlight import load

    assert not load(tmp_path / "run").export(tmp_path / "out", to="torch").held_out


def test_errors_of_exports_are_errors_of_backlight():
    assert issubclass(ExportError, BacklightError)


def trained_ngram():
    from backlight import train

    return train(NAMES, model="ngram", progress=None)


def _rng():
    return np.random.default_rng(0)
