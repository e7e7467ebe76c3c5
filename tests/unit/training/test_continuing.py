"""Going on from a trained model: the same function at first, on the same text or another, with new characters."""

import json

import numpy as np
import pytest

import backlight
from backlight.core import BacklightError, ConfigError
from backlight.runs.store import START
from backlight.sample import context_ids
from backlight.text.tokenizers import vocabulary_of
from backlight.training import Run
from backlight.training.continuing import new_places

NAMES = ["emma", "olivia", "ava", "isabel", "sophia", "mia", "amelia", "harper", "evelyn", "abigail", "liam", "noah"]
MORE = ["zoë", "noël", "rené", "mia", "ada", "bo"]
SIZES = {
    "mlp": {"context": 3, "embedding": 2, "hidden": (5,)},
    "bigram": {},
    "gru": {"context": 4, "hidden": (6,)},
    "gpt": {"context": 4, "n_embd": 8, "n_layer": 1, "n_head": 2},
}
TRAINING = {"steps": 6, "batch_size": 4, "progress": None}


@pytest.fixture(scope="module")
def first():
    cache = {}

    def first(model="mlp"):
        if model not in cache:
            cache[model] = backlight.train(NAMES, model, **SIZES[model], **TRAINING)
        return cache[model]

    return first


def weights(model):
    return {name: array.copy() for name, array in model.network.state_dict().items()}


@pytest.mark.parametrize("name", SIZES)
def test_a_model_goes_on_with_its_weights_on_the_same_text(first, name):
    old = first(name)
    before = weights(old)
    new = backlight.train(start=old, steps=4, lr=0.001, batch_size=4, progress=None)
    start = new.run.store.load_start()
    assert start.keys() == before.keys()
    for key, array in before.items():
        np.testing.assert_array_equal(start[key], array)
        np.testing.assert_array_equal(old.network.state_dict()[key], array)  # the old model is unchanged
    metrics = [record for record in new.run.store.load_metrics() if "dev_nats" in record]
    assert metrics[0]["dev_nats"] == pytest.approx(old.result["dev_nats"], rel=1e-5)
    assert new.run.config.train.steps == 4
    assert new.run.config.train.lr == 0.001
    assert new.run.config.train.weight_decay == old.run.config.train.weight_decay
    assert any((new.network.state_dict()[key] != before[key]).any() for key in before) or new.result["best_step"] == 0
    assert new.run.notes == [f"Starts with the weights of the run in memory, dev {old.result['dev_nats']:.4f}."]


@pytest.mark.parametrize("name", SIZES)
def test_on_another_text_old_characters_keep_their_probabilities_in_proportion(first, name):
    old = first(name)
    new = backlight.train(MORE, start=old, steps=1, batch_size=4, progress=None)
    assert new.vocabulary.characters == "".join(sorted({*old.vocabulary.characters, *"zëéd"}))
    assert "new characters" in new.run.notes[-1]
    places = new_places(old.vocabulary, new.vocabulary)
    run = new.run
    run.model.load_state_dict(run.store.load_start())
    for text in ("", "em", "olivi"):
        before, after = (
            model.next_logits(context_ids(model, vocabulary.encode(text)))[0]
            for model, vocabulary in ((old.network, old.vocabulary), (run.model.eval(), new.vocabulary))
        )
        np.testing.assert_allclose(after[places] - after[0], before - before[0], rtol=1e-4, atol=1e-5)


def test_a_run_in_a_folder_can_be_resumed_and_is_bit_identical(first, tmp_path):
    start = backlight.load(_saved(first(), tmp_path / "first"))
    whole = backlight.train(MORE, start=start, steps=5, batch_size=4, progress=None)
    backlight.train(MORE, start=start, run=tmp_path / "second", steps=5, batch_size=4, progress=None)
    for name in ("result.json", "weights.safetensors", "optimiser.safetensors", "metrics.jsonl"):
        (tmp_path / "second" / name).unlink()  # as if it had been killed before its first step
    run = Run.open(tmp_path / "second")
    assert run.config.start == str(tmp_path / "first")
    assert run.train()
    assert run.result["dev_nats"] == whole.result["dev_nats"]
    for name, array in whole.network.state_dict().items():
        np.testing.assert_array_equal(run.model.state_dict()[name], array)


def test_items_of_both_texts_are_known(first, tmp_path):
    old = first()
    new = backlight.train(MORE, start=old, run=tmp_path / "new", steps=1, batch_size=4, progress=None)
    hashes = set(backlight.text.training_hashes([*NAMES, *MORE]).tolist())
    assert set(new.run.training_hashes().tolist()) == hashes
    in_memory = backlight.train(MORE, start=old, steps=1, batch_size=4, progress=None)
    assert set(in_memory.run.training_hashes().tolist()) == hashes
    in_memory.save(tmp_path / "saved")
    assert set(backlight.load(tmp_path / "saved").run.training_hashes().tolist()) == hashes
    assert (tmp_path / "saved" / START).is_file()


def test_words_and_a_unicode_form_go_on():
    words = backlight.train(
        ["a cat", "a dog", "a cow"] * 3, "mlp", tokens="words", normalise="nfd", **SIZES["mlp"], **TRAINING
    )
    new = backlight.train(["a caf\u00e9", "a cat", "a cow"], start=words, steps=1, batch_size=4, progress=None)
    assert "\u0301" in new.vocabulary.tokens
    assert set(words.vocabulary.tokens) < set(new.vocabulary.tokens)
    assert new.run.config.reading.normalise == "nfd"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"hidden": (9,)}, r"keeps its sizes and tokens; .* has hidden \[5\]|has hidden \(5,\)"),
        ({"tokens": "words"}, "has tokens characters; got words"),
        ({"model": "gpt"}, "has model mlp; got gpt"),
        ({"column": 1}, "is read as before; got column"),
        ({"lr": -1.0}, "lr must be"),
        ({"fractions": (0.5, 0.25, 0.25)}, "no option of a model that goes on"),
    ],
)
def test_what_would_need_other_weights_is_refused(first, options, says):
    with pytest.raises(ConfigError, match=says):
        backlight.train(start=first(), progress=None, **options)


def test_the_same_sizes_may_be_given_again(first):
    backlight.train(start=first(), model="mlp", hidden=(5,), tokens="characters", progress=None, steps=1)


def test_a_counted_model_and_no_model_are_refused():
    counted = backlight.train(NAMES, "ngram", progress=None)
    with pytest.raises(ConfigError, match=r"only a network can go on.*Count both texts"):
        backlight.train(start=counted, progress=None)
    with pytest.raises(ConfigError, match="needs a text, or a model"):
        backlight.train(progress=None)
    with pytest.raises(BacklightError, match="start must be a Model; got str"):
        backlight.train(NAMES, start="runs/x", progress=None)


def test_places_follow_the_spelling():
    old, new = (vocabulary_of("words", texts, texts) for texts in (["b c", "b c"], ["a b c", "a b c", "b c"]))
    places = new_places(old, new.grown(["b c"]))
    assert [old.spelling(token) for token in range(old.size)] == [new.spelling(int(place)) for place in places]
    assert places[0] == 0


def _saved(model, path):
    model.save(path)
    assert json.loads((path / "config.json").read_text())["format"] == 2
    return path
