"""Reading a GPT-2 of another program. Its logits are compared with transformers' in tests/integrations."""

import json
import struct

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from safetensors.numpy import save_file
from tests.unit.pretrained.folders import TOKENIZER, VOCABULARY, V, network, write_hugging_face, write_nanogpt

import backlight
from backlight.core import NOT_A_TARGET, BacklightError, ConfigError, DataError, VocabularyError
from backlight.models import gpt
from backlight.pretrained import is_pretrained, read_pretrained, weight_files
from backlight.runs import list_runs

TEXT = "she sells sea shells, naïvely"


def state(model):
    return model.network.state_dict()


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("shards", [1, 3])
def test_a_folder_of_hugging_face(tied, shards, tmp_path, monkeypatch):
    monkeypatch.setattr(weight_files, "_PART", 100)  # several parts of each tensor
    made = network(tied=tied)
    write_hugging_face(tmp_path / "gpt2", made, shards=shards)
    model = backlight.load(tmp_path / "gpt2")
    for name, array in made.state_dict().items():
        assert_array_equal(state(model)[name], array)
    assert model.network.config == made.config
    assert model.vocabulary.tokenizer.table == TOKENIZER.table
    assert not model.run.ends


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_other_types_of_numbers(dtype, tmp_path):
    torch = pytest.importorskip("torch")
    from safetensors.torch import load_file
    from safetensors.torch import save_file as save_torch

    made = network()
    weights = write_hugging_face(tmp_path, made)
    rounded = {name: torch.from_numpy(one).to(getattr(torch, dtype)) for name, one in weights.items() if one.ndim < 3}
    save_torch(rounded, tmp_path / "model.safetensors")
    model = backlight.load(tmp_path)
    theirs = load_file(tmp_path / "model.safetensors")
    assert_array_equal(state(model)["blocks.1.mlp.0.weight"], theirs["transformer.h.1.mlp.c_fc.weight"].float())
    assert_array_equal(state(model)["token.weight"], theirs["transformer.wte.weight"].float()[np.r_[V - 1, : V - 1]])


@pytest.mark.parametrize(("padded", "bias"), [(0, True), (7, True), (0, False)])
def test_a_checkpoint_of_nanogpt(padded, bias, tmp_path):
    made = network()
    write_nanogpt(tmp_path, made, padded=padded, bias=bias)
    model = backlight.load(tmp_path)
    for name, array in made.state_dict().items():
        assert_array_equal(state(model)[name], array if bias or not name.endswith("bias") else 0)
    assert ("7 ids that no token has" in " ".join(model.run.notes)) == (padded > 0)


def test_names_without_their_prefix(tmp_path):
    made = network()
    weights = write_hugging_face(tmp_path, made)
    save_file({name.removeprefix("transformer."): one for name, one in weights.items()}, tmp_path / "model.safetensors")
    assert_array_equal(state(backlight.load(tmp_path))["norm.weight"], made.norm.weight.array)


def test_the_model_scores_samples_and_shows_its_layers(tmp_path):
    made = network()
    write_hugging_face(tmp_path, made)
    model = backlight.load(tmp_path)
    ids = VOCABULARY.encode(TEXT)[:11]
    text = VOCABULARY.decode(ids)
    assert_allclose(model.score([text])[0], made.nll(np.append(0, ids)[None, :-1], ids[None]).sum(), rtol=1e-5)
    assert model.sample(1, prefix=text[:9], seed=1, max_length=20)[0].startswith(text[:9])
    assert model.activations(text)["blocks.0.attention.output"].shape == (1, 12, 8)
    assert model.result is None
    assert "trained elsewhere" in repr(model)


def test_a_text_is_scored_the_same_in_parts(monkeypatch):
    made, rng = network(), np.random.default_rng(1)
    x, y = rng.integers(0, V, (2, 12)), rng.integers(0, V, (2, 12))
    y[1, 7:] = NOT_A_TARGET
    whole = made.nll(x, y)
    monkeypatch.setattr(gpt, "_LOGITS", 5 * V)
    assert_allclose(made.nll(x, y), whole, rtol=1e-5)
    assert_allclose(made.nll(x[:1], y[:1]), whole[:1], rtol=1e-5)


def test_it_is_saved_as_a_run_and_training_goes_on(tmp_path):
    write_hugging_face(tmp_path / "gpt2", network())
    model = backlight.load(tmp_path / "gpt2")
    model.save(tmp_path / "run")
    assert {run.path.name: run.state for run in list_runs(tmp_path)}["run"] == "imported"
    again = backlight.load(tmp_path / "run")
    for name, array in state(model).items():
        assert_array_equal(state(again)[name], array)
    for start in (model, again):
        tuned = backlight.train(["she sells shells " * 20], start=start, mode="text", steps=1, lr=0.0, progress=None)
        assert_array_equal(state(tuned)["token.weight"], state(model)["token.weight"])
    with pytest.raises(DataError, match="trained on is not known"):
        backlight.train(start=model, steps=1, progress=None)
    with pytest.raises(ConfigError, match="novel needs a model of items"):
        again.sample(1, novel=True)


def test_the_name_of_the_end_of_text_never_becomes_the_token(tmp_path):
    write_hugging_face(tmp_path, network())
    model = backlight.load(tmp_path)
    for use in (lambda text: model.score([text]), lambda text: model.sample(1, prefix=text)):
        with pytest.raises(VocabularyError, match="must not contain special tokens"):
            use("a<|endoftext|>b")


def test_a_run_is_no_pretrained_model(tmp_path):
    write_hugging_face(tmp_path / "gpt2", network())
    backlight.load(tmp_path / "gpt2").save(tmp_path / "run")
    assert is_pretrained(tmp_path / "gpt2")
    assert not is_pretrained(tmp_path / "run")
    assert not is_pretrained(tmp_path / "nothing")


# -- bad input ---------------------------------------------------------------------------------------------------------


def changed_config(folder, **changes):
    values = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({k: v for k, v in {**values, **changes}.items() if v is not ...}))


def changed_weights(folder, change):
    from safetensors.numpy import load_file

    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors")


def truncated(folder):
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[:-10])


def without(name):
    return lambda folder: changed_weights(folder, lambda weights: weights.pop(name))


def with_weight(name, array):
    return lambda folder: changed_weights(folder, lambda weights: weights.update({name: array}))


def pickled(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def other_tokenizer(folder):
    TOKENIZER.train("she " * 9, 258, special_tokens=["<|endoftext|>"]).save(folder / "tokenizer.json")


CASES = {
    "truncated": (truncated, "must be a complete safetensors file"),
    "no header": (lambda folder: (folder / "model.safetensors").write_bytes(b"hello"), "complete safetensors file"),
    "long header": (
        lambda folder: (folder / "model.safetensors").write_bytes(struct.pack("<Q", 1 << 60) + b"{}"),
        "complete safetensors file",
    ),
    "pickle": (pickled, "pytorch_model.bin is written with pickle.*torch.load"),
    "no config": (lambda folder: (folder / "config.json").unlink(), "must have a config.json"),
    "broken config": (lambda folder: (folder / "config.json").write_text("{"), "must be JSON"),
    "a list": (lambda folder: (folder / "config.json").write_text("[]"), "must be an object"),
    "architecture": (lambda folder: changed_config(folder, model_type="llama"), "has 'llama'"),
    "activation": (lambda folder: changed_config(folder, activation_function="relu"), "has 'relu'"),
    "epsilon": (lambda folder: changed_config(folder, layer_norm_epsilon=1e-6), "layer_norm_epsilon 1e-05"),
    "inner": (lambda folder: changed_config(folder, n_inner=7), "n_inner of 4 n_embd"),
    "no size": (lambda folder: changed_config(folder, n_layer=...), "whole number n_layer; got None"),
    "heads": (lambda folder: changed_config(folder, n_head=3), "multiple of n_head"),
    "dropout": (lambda folder: changed_config(folder, resid_pdrop="much"), "resid_pdrop from 0 to 1"),
    "missing": (without("transformer.h.1.ln_1.weight"), "missing: transformer.h.1.ln_1.weight"),
    "fewer layers": (lambda folder: changed_config(folder, n_layer=1), "no others; got transformer.h.1"),
    "shape": (
        with_weight("transformer.h.0.mlp.c_fc.bias", np.zeros(3, np.float32)),
        r"c_fc.bias must have the shape \(32,\); it has \(3,\)",
    ),
    "whole numbers": (with_weight("transformer.ln_f.bias", np.zeros(8, np.int64)), "ln_f.bias is I64"),
    "not finite": (with_weight("transformer.ln_f.bias", np.full(8, np.nan, np.float32)), "norm.bias is not"),
    "untied copy": (with_weight("lm_head.weight", np.zeros((V, 8), np.float32)), "must be a copy of the embedding"),
    "tokenizer": (other_tokenizer, f"config.json has {V}, and the tokenizer 258"),
    "no tokenizer": (lambda folder: (folder / "tokenizer.json").unlink(), "GPT-2's kind of tokenizer"),
}


@pytest.mark.parametrize("case", CASES)
def test_bad_input_is_one_line(case, tmp_path):
    write_hugging_face(tmp_path, network())
    damage, says = CASES[case]
    damage(tmp_path)
    with pytest.raises(BacklightError, match=says) as error:
        backlight.load(tmp_path)
    assert "\n" not in str(error.value)


def test_missing_shards_are_named(tmp_path):
    write_hugging_face(tmp_path, network(), shards=3)
    (tmp_path / "model-00002-of-00003.safetensors").unlink()
    with pytest.raises(DataError, match=r"1 of 3 are missing: model-00002-of-00003\.safetensors"):
        backlight.load(tmp_path)


@pytest.mark.parametrize("index", ["{", "{}", '{"weight_map": {"a": "../b.safetensors"}}', '{"weight_map": [1]}'])
def test_a_damaged_index(index, tmp_path):
    write_hugging_face(tmp_path, network())
    (tmp_path / "model.safetensors.index.json").write_text(index)
    with pytest.raises(DataError, match="must name the file of each tensor"):
        backlight.load(tmp_path)


def test_a_path_without_anything():
    with pytest.raises(DataError, match="there is no nowhere"):
        read_pretrained("nowhere")


@pytest.mark.parametrize(("name", "says"), [("ckpt.pt", "written with pickle"), ("m.safetensors", "Give its folder")])
def test_a_single_file(name, says, tmp_path):
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(DataError, match=says):
        backlight.load(tmp_path / name)
