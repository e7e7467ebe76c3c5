"""Decoders: what a model keeps from character to character gives the logits that reading all again gives."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from backlight.core import BOUNDARY
from backlight.models import GPT, MLP, GPTConfig, MLPConfig, decode
from backlight.models.cached import CachedDecoder
from backlight.models.decoding import Rereading
from backlight.models.recurrent import GRUConfig, LSTMConfig, RecurrentModel, RNNConfig
from backlight.sample import SampleConfig, sample_batch, score_items
from backlight.text import Vocabulary


def gpt(rng, **sizes):
    model = GPT(GPTConfig(**{"vocabulary_size": 5, "context": 6, "n_embd": 8, "n_layer": 2} | sizes), rng=rng)
    for parameter in model.parameters():  # larger than at first, so that characters matter
        parameter.array[...] += 0.3 * rng.standard_normal(parameter.shape)
    return model.eval()


def recurrent(config):
    return lambda rng: RecurrentModel(config(vocabulary_size=5, context=6, embedding=4, hidden=(7,)), rng=rng).eval()


def mlp(rng):
    return MLP(MLPConfig(vocabulary_size=5, context=6), rng=rng).eval()


@pytest.mark.parametrize("prefix", [1, 2, 5, 6])
@pytest.mark.parametrize("sizes", [{}, {"tie_weights": True}, {"context": 1}, {"dropout": 0.5, "n_head": 8}], ids=str)
def test_cached_and_uncached_logits_agree(sizes, prefix, rng):
    """Also while rows leave the batch, and beyond the context."""
    model = gpt(rng, **sizes)
    x = rng.integers(0, 5, (9, prefix))[:, -model.context :]
    texts = decode(model, x)
    assert isinstance(texts, CachedDecoder)
    for step in range(14):
        assert_allclose(texts.logits[texts.which], model.next_logits(x), rtol=0, atol=1e-5)
        assert_array_equal(texts.x_WT[texts.which], x)
        on = np.delete(np.arange(len(x)), step // 3) if step % 3 == 1 else np.arange(len(x))
        x = x[on]
        ids = rng.integers(0, 5, len(x))
        texts.keep(on)
        texts.advance(ids)
        x = np.concatenate([x, ids[:, None]], axis=1)[:, -model.context :]
    assert len(x) == 4


def test_texts_left_out_never_come_back(rng):
    model = gpt(rng)
    x = rng.integers(0, 5, (4, 2))
    texts = model.decoder(x)
    for on in ([0, 1, 2, 3], [3], [0]):
        texts.keep(np.array(on))
    assert_array_equal(texts.x_WT[texts.which], x[3:])
    texts.advance(np.array([1]))
    assert_allclose(texts.logits[texts.which], model.next_logits(np.append(x[3:], [[1]], axis=1)), rtol=0, atol=1e-5)


def test_texts_that_are_the_same_are_read_once(rng, monkeypatch):
    model = gpt(rng)
    asked, step, begin = [], model.step, model.begin
    monkeypatch.setattr(model, "begin", lambda x, caches: (asked.append(x.tolist()), begin(x, caches))[1])
    monkeypatch.setattr(model, "step", lambda ids, caches: (asked.append(ids.tolist()), step(ids, caches))[1])
    texts = model.decoder(np.array([[0, 2]] * 6))
    texts.advance(np.array([3, 1, 1, 3, 3, 4]))
    texts.keep(np.array([0, 1, 2, 3, 5]))  # of those that go on as 3, two stay
    texts.advance(np.array([1, 1, 2, 1, 2]))
    texts.keep(np.array([0, 1, 2, 3]))
    texts.advance(np.array([0, 1, 2, 3]))  # each in its own way from here, without the one that has ended
    texts.advance(np.array([4, 3, 2, 1]))
    assert asked == [[[0, 2]], [1, 3, 4], [1, 1, 2, 2], [1, 2, 0, 3], [3, 2, 4, 1]]
    x = np.array([[0, 2, 3, 1, 0, 4], [0, 2, 1, 1, 1, 3], [0, 2, 1, 2, 2, 2], [0, 2, 3, 1, 3, 1]])
    assert_array_equal(texts.x_WT[texts.which], x)
    assert_allclose(texts.logits[texts.which], model.next_logits(x), rtol=0, atol=1e-5)


def test_a_state_is_carried_once_for_texts_that_are_the_same(rng, monkeypatch):
    model = recurrent(GRUConfig)(rng)
    asked, carry = [], model.carry
    monkeypatch.setattr(model, "carry", lambda x, states: (asked.append(x.tolist()), carry(x, states))[1])
    texts = model.decoder(np.array([[0, 2]] * 4))
    texts.advance(np.array([3, 1, 3, 1]))
    texts.keep(np.array([0, 2, 3]))
    texts.advance(np.array([1, 2, 1]))
    assert asked == [[[0, 2]], [[1], [3]], [[1], [1], [2]]]
    x = np.array([[0, 2, 3, 1], [0, 2, 3, 2], [0, 2, 1, 1]])
    assert_allclose(texts.logits[texts.which], model.next_logits(x), rtol=0, atol=1e-5)


def test_any_model_is_read_again(rng, make_table):
    for model in (mlp(rng), make_table(np.ones((5, 5)), context=6)):
        x = rng.integers(0, 5, (3, 6))
        texts = decode(model, x)
        assert isinstance(texts, Rereading)
        texts.keep(np.array([0, 2]))
        texts.advance(np.array([4, 1]))
        x = np.append(x[[0, 2], 1:], [[4], [1]], axis=1)
        assert_array_equal(texts.x_WT[texts.which], x)
        assert_array_equal(texts.logits[texts.which], model.next_logits(x))


MODELS = {
    "gpt": gpt,
    "gpt, tied": lambda rng: gpt(rng, tie_weights=True),
    "rnn": recurrent(RNNConfig),
    "gru": recurrent(GRUConfig),
    "lstm": recurrent(LSTMConfig),
}


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_nats_of_samples_are_what_scoring_says(make, rng):
    """As far as the context: there, a long item's later chunks are scored with less to see."""
    vocabulary = Vocabulary("abcd")
    model = make(rng)
    config = SampleConfig(max_length=model.context, prefix="b")
    samples = [s for s in sample_batch(model, vocabulary, 300, config=config, rng=rng) if s.ended]
    samples = [sample for sample in samples if len(sample.text) < model.context]
    assert len(samples) > 30
    for sample, score in zip(samples, score_items(model, vocabulary, [s.text for s in samples]), strict=True):
        of_prefix = score.per_character[0][1]
        assert sample.nats == pytest.approx(score.nats - of_prefix, rel=1e-4, abs=1e-5)


def test_sampling_with_a_cache_draws_what_sampling_without_draws(rng):
    model, vocabulary = gpt(rng), Vocabulary("abcd")
    config = SampleConfig(max_length=20, prefix="ad")

    class Forgetful:
        """The same model without a decoder of its own."""

        vocabulary_size, context, reads = model.vocabulary_size, model.context, model.reads
        next_logits = staticmethod(model.next_logits)

    found = [
        sample_batch(one, vocabulary, 200, config=config, rng=np.random.default_rng(5)) for one in (model, Forgetful())
    ]
    assert [sample.text for sample in found[0]] == [sample.text for sample in found[1]]
    for cached, uncached in zip(*found, strict=True):
        assert_allclose(cached.probabilities, uncached.probabilities, rtol=1e-4)


def test_running_text_goes_on_beyond_the_context(rng):
    model, vocabulary = gpt(rng), Vocabulary("abcd")
    (text,) = sample_batch(model, vocabulary, 1, config=SampleConfig(max_length=50), rng=rng, ends=False)
    assert len(text.text) == 50
    ids = np.concatenate([[BOUNDARY], vocabulary.encode(text.text)])
    for at in (1, 6, 7, 30):
        logits = model.next_logits(ids[None, max(at - 6, 0) : at])[0].astype(float)
        p = np.exp(logits[ids[at]]) / np.exp(logits).sum()
        assert text.probabilities[at - 1] == pytest.approx(p, rel=1e-4)
