"""Models of words, atoms and byte pairs: losses per character, prefixes that end within a token, scores."""

import math

import numpy as np
import pytest
from tests.unit.sample.conftest import Table

import backlight
from backlight.core import DomainError, VocabularyError
from backlight.sample import SampleConfig, sample_batch, score_items
from backlight.text.tokenizers import vocabulary_of

TEXTS = ["the cat sat", "the cat ran", "a cat sat", "a dog ran", "the dog sat", "the cow ran", "a cow sat"] * 4
KINDS = ["words", "bpe:262", "smiles", "[aeiou].", "characters"]


@pytest.fixture
def trained():
    def trained(tokens, **options):
        return backlight.train(TEXTS, "ngram", tokens=tokens, progress=None, duplicates="keep", **options)

    return trained


@pytest.mark.parametrize("tokens", KINDS)
def test_losses_are_nats_per_character_whatever_the_tokens(trained, tokens):
    model = trained(tokens)
    test = list(model.run.splits.test.items)
    nats = model.score(test)
    characters = sum(map(len, test)) + len(test)
    np.testing.assert_allclose(model.result["test_nats"], nats.sum() / characters, rtol=1e-12)
    (one,) = model.scores(["the cat sat"])
    assert one.targets == 12
    np.testing.assert_allclose(one.nats, sum(nat for _, nat in one.per_character))
    np.testing.assert_allclose(one.nats, -model.log_probs("the cat sat").sum())


def test_a_network_counts_a_loss_per_character_too():
    options = {"steps": 3, "batch_size": 4, "embedding": 2, "hidden": (3,), "context": 2, "progress": None}
    model = backlight.train(TEXTS, "mlp", tokens="words", **options)
    first = model.run.store.load_metrics()[0]
    dev = list(model.run.splits.dev.items)
    ids = model.vocabulary.encode_items(dev)
    per_character = ids.targets / (sum(map(len, dev)) + len(dev))
    assert model.run.first_of([first]).expected == pytest.approx(math.log(model.vocabulary.size) * per_character)
    assert first["dev_nats"] == pytest.approx(math.log(model.vocabulary.size) * per_character, rel=0.1)
    nats = model.score(dev)
    assert model.result["dev_nats"] == pytest.approx(nats.sum() / (sum(map(len, dev)) + len(dev)), rel=1e-5)


@pytest.mark.parametrize("tokens", KINDS)
@pytest.mark.parametrize("prefix", ["", "t", "the c", "the cat", "a ", "a dog r"])
def test_every_sample_begins_with_the_prefix(trained, tokens, prefix):
    model = trained(tokens)
    config = SampleConfig(prefix=prefix)
    found = model.draw(50, config, seed=1)
    assert all(one.text.startswith(prefix) for one in found)
    if tokens == "characters":
        assert all(len(one.probabilities) == len(one.text) - len(prefix) + one.ended for one in found)
    else:
        assert all(len(one.probabilities) == len(one.tokens) + one.ended for one in found)
    assert model.draw(50, config, seed=1) == found


def test_a_word_that_is_cut_off_is_completed(trained):
    assert "the cat" in {text[:7] for text in trained("words").sample(50, prefix="the ca", seed=1)}


def test_the_distribution_after_a_prefix_is_that_of_the_allowed_tokens():
    vocabulary = vocabulary_of("words", ["cat", "cat", "cow", "cow", "dog", "dog"], [])
    logits = np.random.default_rng(0).normal(size=(vocabulary.size, vocabulary.size))
    model = Table(logits)
    config = SampleConfig(prefix="co", max_length=1)
    found = sample_batch(model, vocabulary, 4000, config=config, rng=np.random.default_rng(1))
    p = np.exp(logits[0])
    ids = {token: vocabulary.encode(token)[0] for token in ("c", "cow")}
    share = p[ids["cow"]] / (p[ids["cow"]] + p[ids["c"]])
    assert np.mean([one.text == "cow" for one in found]) == pytest.approx(share, abs=0.03)
    cow = next(one for one in found if one.text == "cow")
    assert cow.nats == pytest.approx(-np.log(p[ids["cow"]] / p.sum()))


def test_a_prefix_that_the_model_excludes_is_refused():
    vocabulary = vocabulary_of("words", ["cat", "cat"], [])
    logits = np.zeros((vocabulary.size, vocabulary.size))
    logits[:, [token for token in range(vocabulary.size) if vocabulary.spelling(token).startswith(b"c")]] = -np.inf
    with pytest.raises(DomainError, match="the prefix a probability above 0"):
        sample_batch(Table(logits), vocabulary, 3, config=SampleConfig(prefix="ca"), rng=np.random.default_rng(1))


def test_unknown_characters_are_named_in_prefixes_and_infinite_in_scores(trained):
    model = trained("words")
    with pytest.raises(VocabularyError, match="got 'X'"):
        model.sample(1, prefix="the X")
    known, unknown = model.scores(["the cat", "the Xcat Y"])
    assert math.isfinite(known.nats)
    assert (unknown.nats, unknown.unknown) == (math.inf, "XY")
    assert math.isfinite(trained("bpe:262").score(["日本"])[0])


def test_a_saved_model_has_its_tokens(trained, tmp_path):
    for tokens in KINDS:
        model = trained(tokens)
        model.save(tmp_path / tokens.replace(":", "").replace("[aeiou].", "vowels"))
    again = backlight.load(tmp_path / "words")
    assert again.run.config.tokens == "words"
    assert again.sample(5, seed=3) == trained("words").sample(5, seed=3)
    np.testing.assert_array_equal(backlight.load(tmp_path / "bpe262").score(TEXTS), trained("bpe:262").score(TEXTS))


def test_scores_of_a_list_are_in_its_order_with_unreadable_items():
    vocabulary = vocabulary_of("words", ["a b", "a b"], [])
    model = Table(np.zeros((vocabulary.size, vocabulary.size)))
    assert [one.text for one in score_items(model, vocabulary, ["a", "?", "b"])] == ["a", "?", "b"]
