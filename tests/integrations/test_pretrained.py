"""GPT-2s with random weights, saved by transformers: logits, tokens and generated texts are theirs."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from tests.unit.pretrained.folders import TOKENIZER, V, network, write_hugging_face, write_nanogpt
from transformers import AutoModelForCausalLM, AutoTokenizer, GPT2Config, GPT2LMHeadModel

import backlight

pytestmark = pytest.mark.filterwarnings("default")  # these packages warn of what they will change

TEXT = "she sells sea shells, naïvely"
SIZES = {
    "gpt2": {"n_layer": 3, "n_head": 4},
    "gpt2-medium": {"n_layer": 4, "n_head": 8},
    "gpt2-large": {"n_layer": 2, "n_head": 2},
    "gpt2-xl": {"n_layer": 5, "n_head": 1},
}
"""Shapes in small; the sizes differ in layers, heads and channels only."""


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)
    torch.set_num_threads(1)


def saved(folder, *, dtype=torch.float32, shard=None, **sizes):
    """Save a model with random weights, biases and gains. Returns it in float32."""
    config = GPT2Config(vocab_size=V, n_positions=32, n_embd=16, bos_token_id=V - 1, eos_token_id=V - 1, **sizes)
    model = GPT2LMHeadModel(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
    model.to(dtype).save_pretrained(folder, **({} if shard is None else {"max_shard_size": shard}))
    TOKENIZER.save(folder / "tokenizer.json")
    return model.float()


def compare(model, theirs):
    """Compare the logits of a text that begins with the boundary, up to the context."""
    order = model.vocabulary.order
    ids = np.append(0, model.vocabulary.encode(TEXT))[None, : model.network.context]
    with torch.inference_mode():
        expected = theirs(torch.from_numpy(np.argsort(order)[ids])).logits.numpy()
    ours = model.network(ids).array[..., order]
    assert_allclose(ours, expected, rtol=0, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("name", SIZES)
def test_the_logits_of_all_shapes(name, tmp_path):
    theirs = saved(tmp_path, **SIZES[name])
    compare(backlight.load(tmp_path), theirs)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("tied", [True, False])
def test_files_of_16_bits_in_shards(dtype, tied, tmp_path):
    theirs = saved(tmp_path, dtype=dtype, shard="10KB", n_layer=2, n_head=2, tie_word_embeddings=tied)
    assert len(list(tmp_path.glob("model-*.safetensors"))) > 2
    compare(backlight.load(tmp_path), theirs)


def test_greedy_texts_are_those_of_generate(tmp_path):
    theirs = saved(tmp_path, n_layer=2, n_head=2)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    model = backlight.load(tmp_path)
    ids = torch.tensor([[V - 1, *tokenizer(TEXT)["input_ids"]]])
    drawn = theirs.generate(ids, do_sample=False, max_new_tokens=6, suppress_tokens=[V - 1])[0, ids.shape[1] :]
    decoder = model.network.decoder(np.append(0, model.vocabulary.encode(TEXT))[None])
    place = np.argsort(model.vocabulary.order)
    for expected in drawn.tolist():
        logits = decoder.logits[0].copy()
        logits[0] = -np.inf
        best = logits.argmax()
        assert place[best] == expected
        decoder.advance(np.array([best]))


def test_a_model_that_was_read_and_exported_is_the_same_to_the_bit(tmp_path):
    theirs = saved(tmp_path / "in", n_layer=2, n_head=2)
    backlight.load(tmp_path / "in").export(tmp_path / "out", to="hf")
    again = AutoModelForCausalLM.from_pretrained(tmp_path / "out").state_dict()
    assert all(torch.equal(one, again[name]) for name, one in theirs.state_dict().items())


def test_what_transformers_reads_of_our_test_folders(tmp_path):
    made = network()
    write_hugging_face(tmp_path / "hf", made)
    write_nanogpt(tmp_path / "nano", made)
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path / "hf").eval()
    for name in ("hf", "nano"):
        compare(backlight.load(tmp_path / name), theirs)
