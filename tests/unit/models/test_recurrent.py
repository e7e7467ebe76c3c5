"""The recurrent language models: their equations, their padding, their carried state, their configuration."""

import json
from dataclasses import FrozenInstanceError, asdict

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from backlight.core import NOT_A_TARGET, Batch, ConfigError, EncodedItems, ShapeError
from backlight.models import MODELS
from backlight.models.protocol import LanguageModel
from backlight.models.recurrent import GRUConfig, LSTMConfig, RecurrentModel, RNNConfig
from backlight.optim import AdamW
from backlight.text import Sequences

CONFIGS = [RNNConfig, GRUConfig, LSTMConfig]


def small(config, rng, **sizes):
    return RecurrentModel(
        config(**{"vocabulary_size": 7, "context": 6, "embedding": 3, "hidden": (5,), "dropout": 0} | sizes), rng=rng
    )


def loud(model, rng):
    """With weights large enough that logits differ, in float64."""
    model.to(np.float64)
    for parameter in model.parameters():
        parameter.array[...] = 0.7 * rng.standard_normal(parameter.shape)
    return model


def batch_of(rng, size=8, T=6, vocabulary=7):
    ids = rng.integers(0, vocabulary, (size, T + 1))
    lengths = rng.integers(1, T + 1, (size, 1))
    return Batch(ids[:, :-1], np.where(np.arange(T) < lengths, ids[:, 1:], NOT_A_TARGET))


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def states_of(config, x, weights):
    """Return the state after each of the vectors x (T, E), as the papers have it."""
    W, U, *b = weights
    H = len(U)
    h, c, states = np.zeros(H), np.zeros(H), []
    for vector in x:
        if config is RNNConfig:
            h = np.tanh(vector @ W + h @ U + b[0])
        elif config is GRUConfig:
            of_x, of_h = vector @ W + b[0], h @ U + b[1]
            r, z = sigmoid(of_x[:H] + of_h[:H]), sigmoid(of_x[H : 2 * H] + of_h[H : 2 * H])
            h = (1 - z) * np.tanh(of_x[2 * H :] + r * of_h[2 * H :]) + z * h
        else:
            i, f, g, o = np.split(vector @ W + h @ U + b[0], 4)
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
        states.append(h)
    return np.array(states)


@pytest.mark.parametrize("config", CONFIGS)
def test_is_the_equation(config, rng):
    model = loud(small(config, rng), rng)
    C, *weights, V, v = (parameter.detach().numpy() for parameter in model.parameters())
    ids = rng.integers(0, 7, (2, 6))
    for row, logits in zip(ids, model(ids).detach().numpy(), strict=True):
        assert_allclose(logits, states_of(config, C[row], weights) @ V + v, rtol=1e-10)


@pytest.mark.parametrize(
    ("config", "count"),
    [
        (RNNConfig, 3 * 5 + 5 * 5 + 5),
        (GRUConfig, 3 * (3 * 5 + 5 * 5 + 2 * 5)),
        (LSTMConfig, 4 * (3 * 5 + 5 * 5 + 5)),
    ],
)
def test_parameter_count(config, count, rng):
    assert small(config, rng).num_parameters() == 7 * 3 + count + 5 * 7 + 7


@pytest.mark.parametrize("name", ["rnn", "gru", "lstm"])
def test_default_has_at_most_210_thousand_parameters_on_names(name, rng):
    kind = MODELS[name]
    model = kind.build(kind.configure({"vocabulary_size": 27}), rng)
    assert 180_000 < model.num_parameters() <= 210_000


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("hidden", [(5,), (5, 4)])
def test_padding_changes_nothing(config, hidden, rng):
    """Neither the loss nor a gradient knows what stands after a row's last target, or how much of it."""
    model = loud(small(config, rng, hidden=hidden), rng)
    batch = batch_of(rng)
    y = batch.y.copy()
    y[0, 3], y[0, 4] = NOT_A_TARGET, 2  # a gap is no end

    def loss_and_gradients(x, y):
        model.zero_grad()
        loss = model.loss(Batch(x, y))
        loss.backward()
        return loss.item(), [p.grad.detach().numpy() for p in model.parameters()]

    loss, gradients = loss_and_gradients(batch.x, y)
    after = np.logical_and.accumulate((y == NOT_A_TARGET)[:, ::-1], axis=1)[:, ::-1]
    assert after.any()
    others = np.where(after, rng.integers(0, 7, y.shape), batch.x)
    longer = np.concatenate([others, others[:, :2]], 1), np.pad(y, ((0, 0), (0, 2)), constant_values=NOT_A_TARGET)
    for x, targets in ((others, y), longer):
        other_loss, other_gradients = loss_and_gradients(x, targets)
        assert other_loss == loss
        for mine, other in zip(gradients, other_gradients, strict=True):
            assert_array_equal(other, mine)


@pytest.mark.parametrize("config", CONFIGS)
def test_loss_scores_and_logits_agree(config, rng):
    model = loud(small(config, rng), rng)
    batch = batch_of(rng)
    logits = model(batch.x).detach().numpy()
    log_p = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    counted = batch.y != NOT_A_TARGET
    wanted = np.where(counted, -np.take_along_axis(log_p, np.maximum(batch.y, 0)[..., None], -1)[..., 0], 0)
    assert_allclose(model.nll(batch.x, batch.y), wanted, rtol=1e-9)
    assert model.loss(batch).item() == pytest.approx(wanted.sum() / counted.sum(), rel=1e-9)
    assert_allclose(model.next_logits(batch.x), logits[:, -1], rtol=1e-9)


@pytest.mark.parametrize("config", CONFIGS)
def test_no_target_at_all_is_no_nats(config, rng):
    model = small(config, rng)
    assert not model.nll(np.zeros((3, 4), int), np.full((3, 4), NOT_A_TARGET)).any()
    with pytest.raises(ConfigError, match="at least one target"):
        model.loss(Batch(np.zeros((3, 4), int), np.full((3, 4), NOT_A_TARGET)))


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("hidden", [(5,), (5, 4)])
def test_carried_and_recomputed_logits_agree(config, hidden, rng):
    """Also when texts leave, and beyond the context, in which a decoder's memory does not end."""
    model = loud(small(config, rng, hidden=hidden), rng).to(np.float32).eval()
    texts = rng.integers(0, 7, (5, 2))
    decoder = model.decoder(texts)
    for step in range(9):
        assert_allclose(decoder.logits[decoder.which], model(texts).detach().numpy()[:, -1], rtol=0, atol=1e-5)
        assert_array_equal(decoder.x_WT[decoder.which], texts[:, -model.context :])
        if texts.shape[1] <= model.context:
            assert_allclose(decoder.logits[decoder.which], model.next_logits(texts), rtol=0, atol=1e-5)
        if step in {2, 5}:
            kept = np.array([0, 2, 4]) if step == 2 else np.array([1])
            decoder.keep(kept)
            texts = texts[kept]
        ids = rng.integers(0, 7, len(texts))
        decoder.advance(ids)
        texts = np.concatenate([texts, ids[:, None]], axis=1)


@pytest.mark.parametrize("config", CONFIGS)
def test_keeping_all_texts_changes_nothing(config, rng):
    decoder = small(config, rng).decoder(np.zeros((3, 1), int))
    before = decoder.logits
    decoder.keep(np.arange(3))
    assert_array_equal(decoder.logits, before)


@pytest.mark.parametrize("config", CONFIGS)
def test_remembers_what_stood_long_ago(config, rng):
    """The last id is to be that of the first step: no window of three characters can say which."""
    model = small(config, rng, hidden=(24,), embedding=8)
    optimiser = AdamW(model.parameters(), lr=1e-2)
    for _ in range(300):
        x = rng.integers(0, 7, (64, 6))
        y = np.full((64, 6), NOT_A_TARGET)
        y[:, -1] = x[:, 0]
        optimiser.zero_grad()
        loss = model.loss(Batch(x, y))
        loss.backward()
        optimiser.step()
    assert loss.item() < 0.5  # a guess costs ln 7 = 1.95


@pytest.mark.parametrize("config", CONFIGS)
def test_state_starts_from_zero_at_each_chunk_of_a_stream(config, rng):
    model = loud(small(config, rng), rng)
    stream = Sequences(EncodedItems(rng.integers(1, 7, 13).astype(np.uint8), np.array([0, 13]), ends=False), 6)
    whole = stream.batch(np.arange(len(stream)))
    assert len(whole.x) > 1
    for row, nats in enumerate(model.nll(whole.x, whole.y)):
        assert_allclose(model.nll(whole.x[row : row + 1], whole.y[row : row + 1])[0], nats, rtol=1e-9)


@pytest.mark.parametrize("config", CONFIGS)
def test_first_loss_is_that_of_a_guess(config, rng):
    model = RecurrentModel(config(vocabulary_size=27), rng=rng).eval()
    batch = batch_of(rng, size=300, T=16, vocabulary=27)
    assert model.loss(batch).item() == pytest.approx(np.log(27), rel=0.02)
    model.output.weight.data = model.output.weight.data * 30
    assert model.loss(batch).item() > 1.04 * np.log(27)


@pytest.mark.parametrize("config", CONFIGS)
def test_first_hidden_weights_keep_the_length_of_a_state(config, rng):
    layer = small(config, rng, hidden=(40,)).layers[0]
    for gate in np.split(layer.weight_hh_l0.detach().numpy(), layer.gates, axis=1):
        assert_allclose(gate.T @ gate, np.eye(40), atol=1e-5)
    if config is LSTMConfig:
        assert_array_equal(
            layer.bias_ih_l0.detach().numpy().reshape(4, 40), np.array([[0], [1], [0], [0]]) * np.ones(40)
        )


def test_is_a_language_model(rng):
    model: LanguageModel = small(GRUConfig, rng)
    assert (model.vocabulary_size, model.context, model.reads) == (7, 6, "sequences")


@pytest.mark.parametrize("config", CONFIGS)
def test_same_generator_same_model(config):
    first, second = (small(config, np.random.default_rng(3)).state_dict() for _ in range(2))
    for name, array in first.items():
        assert_array_equal(array, second[name])


def test_shapes_that_do_not_fit_are_one_line(rng):
    model = small(GRUConfig, rng)
    with pytest.raises(ShapeError, match=r"rows of at most 6 ids, \(B, T\); got an array of shape \(2, 7\)") as long:
        model.next_logits(np.zeros((2, 7), int))
    with pytest.raises(ShapeError, match=r"a target for each id; got ids \(2, 4\) and targets \(2,\)") as flat:
        model.loss(Batch(np.zeros((2, 4), int), np.zeros(2, int)))
    for error in (long, flat):
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("sizes", [{}, {"context": 3, "embedding": 10, "hidden": (20, 10), "dropout": 0.2}])
def test_config_goes_through_json(config, sizes):
    made = config(vocabulary_size=27, **sizes)
    again = config(**json.loads(json.dumps(asdict(made))))
    assert again == made
    assert isinstance(again.hidden, tuple)


@pytest.mark.parametrize(
    ("wrong", "rule"),
    [
        ({"vocabulary_size": 1}, "the boundary and one character; got 1"),
        ({"context": 0}, r"context must be .*\b1\b.*; got 0\b"),
        ({"embedding": -2}, r"embedding must be .*\b1\b.*; got -2\b"),
        ({"hidden": (5, 0)}, r"hidden must be .*\b1\b.*; got 0\b"),
        ({"hidden": ()}, "hidden must have from 1 to 100 numbers; got 0"),
        ({"dropout": 1.0}, "dropout must be at least 0 and below 1; got 1.0"),
    ],
)
def test_sizes_out_of_range_are_one_line(wrong, rule):
    with pytest.raises(ConfigError, match=rule) as error:
        GRUConfig(**{"vocabulary_size": 7} | wrong)
    assert "\n" not in str(error.value)


def test_config_is_frozen():
    with pytest.raises(FrozenInstanceError):
        GRUConfig(vocabulary_size=7).context = 3
