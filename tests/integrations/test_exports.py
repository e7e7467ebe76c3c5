"""Exported models in the programs that they are for: transformers, onnxruntime, gguf."""

import json

import gguf
import numpy as np
import onnxruntime
import pytest
import torch
from tests.unit.export.models import ACCENTS, NAMES, SIZES, trained
from transformers import AutoModelForCausalLM, AutoTokenizer

pytestmark = pytest.mark.filterwarnings("default")  # these packages warn of what they will change


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def names():
    return trained(steps=150, batch_size=32, lr=1e-2, warmup=5, duplicates="keep")


# -- Hugging Face ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("items", "options"),
    [
        (NAMES, {"tie_weights": True}),
        (ACCENTS, {"tokens": "words"}),
        (ACCENTS, {"tokens": "bpe:280"}),
        (ACCENTS, {"normalise": "nfd"}),
        ([" ".join(NAMES)], {"mode": "text"}),
    ],
)
def test_transformers_computes_our_logits(items, options, tmp_path):
    made = trained("gpt", items, **options).export(tmp_path / "out", to="hf")
    assert made.difference <= made.bound
    assert made.held_out


def test_transformers_generates_our_items_with_an_end(names, tmp_path):
    folder = str(names.export(tmp_path / "out", to="hf").path)
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder)
    for prefix in ("", "a", "ha"):
        given = tokenizer(prefix, return_tensors="pt")
        (ids,) = model.generate(**given, do_sample=False).tolist()
        assert ids[-1] == tokenizer.eos_token_id == 0
        assert [tokenizer.decode(ids, skip_special_tokens=True)] == names.sample(1, prefix=prefix, temperature=0)
    drawn = model.generate(**tokenizer([""] * 200, return_tensors="pt"))
    texts = tokenizer.batch_decode(drawn, skip_special_tokens=True)
    assert sum(text in NAMES for text in texts) > 20
    assert drawn.shape[1] <= 17  # no position beyond the context of 16 is read


def test_transformers_never_ends_running_text(tmp_path):
    folder = str(trained("gpt", [" ".join(NAMES)], mode="text").export(tmp_path / "out", to="hf").path)
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder)
    drawn = model.generate(**tokenizer(["a"] * 50, return_tensors="pt"))
    assert drawn.shape == (50, 17)
    assert (drawn[:, 1:] != tokenizer.bos_token_id).all()


def test_the_card_names_text_licence_and_loss(names, tmp_path):
    card = (names.export(tmp_path / "out", to="hf").path / "README.md").read_text()
    assert "library_name: transformers" in card
    assert f"| dev split | {names.result['dev_nats']:.4f} |" in card
    assert "Licence:" in card


# -- ONNX --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", SIZES)
def test_onnxruntime_computes_the_logits_of_every_network(model, tmp_path):
    network = trained(model)
    made = network.export(tmp_path / "model.onnx", to="onnx")
    assert made.difference <= made.bound
    session = onnxruntime.InferenceSession(made.path)
    notes = session.get_modelmeta().custom_metadata_map
    assert json.loads(notes["vocabulary"])["characters"] == network.vocabulary.characters
    assert (notes["boundary"], notes["ends"]) == ("0", "yes")
    x = np.array([[0, 3]]) if network.network.reads == "sequences" else np.full((1, network.network.context), 2)
    theirs = session.run(None, {"ids": x})[0]
    np.testing.assert_allclose(theirs, network.network.eval()(x).array, rtol=1e-4, atol=1e-5)


def test_a_tied_gpt_of_byte_pairs_runs_in_onnxruntime(tmp_path):
    made = trained("gpt", ACCENTS, tokens="bpe:280", tie_weights=True).export(tmp_path / "m.onnx", to="onnx")
    assert made.difference <= made.bound


# -- GGUF --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"tie_weights": True}, {"tokens": "bpe:280"}])
def test_a_gguf_of_both_types_is_read(options, tmp_path):
    model = trained("gpt", ACCENTS, **options)
    for numbers in ("f32", "f16"):
        made = model.export(tmp_path / f"{numbers}.gguf", to="gguf", numbers=numbers)
        assert made.difference <= made.bound
        assert (made.difference == 0) == (numbers == "f32")
        fields = gguf.GGUFReader(made.path).fields
        assert fields["general.architecture"].contents() == "gpt2"
        assert fields["gpt2.context_length"].contents() == 16


def test_transformers_computes_our_logits_from_a_gguf(names, tmp_path):
    hf, file = (names.export(tmp_path / name, to=to).path for name, to in (("hf", "hf"), ("m.gguf", "gguf")))
    # transformers takes the context of a GGUF for n_ctx, which it does not use, so it is told the sizes
    config = AutoModelForCausalLM.from_pretrained(hf).config
    model = AutoModelForCausalLM.from_pretrained(tmp_path, gguf_file=file.name, config=config).eval()
    x = np.array([[0, *names.vocabulary.encode("hannah")]])
    with torch.inference_mode():
        theirs = model(torch.from_numpy(x)).logits.numpy()
    np.testing.assert_allclose(theirs, names.network.eval()(x).array, rtol=1e-4, atol=1e-5)
