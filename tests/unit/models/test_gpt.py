"""The GPT language model: its equation, its first loss, what it may see, its configuration."""

import json
from dataclasses import FrozenInstanceError, asdict

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from backlight.autograd import Tensor
from backlight.core import NOT_A_TARGET, Batch, ConfigError, ShapeError
from backlight.models import GPT, GPTConfig, LanguageModel, model_spec, settings_of
from backlight.optim import AdamW


def small(rng, **sizes):
    settings = {"vocabulary_size": 7, "context": 5, "n_embd": 6, "n_layer": 2, "n_head": 2, "dropout": 0.0} | sizes
    return GPT(GPTConfig(**settings), rng=rng)


def batch_of(model, size, rng, least=1):
    """Sequences of unequal length, with noise behind their ends."""
    ids = rng.integers(0, model.vocabulary_size, (size, model.context + 1))
    lengths = rng.integers(least, model.context + 1, (size, 1))
    return Batch(ids[:, :-1], np.where(np.arange(model.context) < lengths, ids[:, 1:], NOT_A_TARGET))


def norm(x, gain, bias):
    return gain * (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5) + bias


def test_is_the_equation_of_the_papers(rng):
    """One sequence at a time, one head at a time, one position at a time."""
    model = small(rng)
    for parameter in model.parameters():
        parameter.data = rng.standard_normal(parameter.shape) * 0.5
    w = model.state_dict()
    ids = rng.integers(0, 7, 4)
    x = w["token.weight"][ids] + w["position.weight"][:4]
    for b in ("blocks.0.", "blocks.1."):
        h = norm(x, w[b + "first_norm.weight"], w[b + "first_norm.bias"])
        q, k, v = np.split(h @ w[b + "attention.qkv.weight"] + w[b + "attention.qkv.bias"], 3, axis=1)
        y = np.zeros_like(x)
        for head in (slice(0, 3), slice(3, 6)):
            for t in range(4):
                score = np.exp(k[: t + 1, head] @ q[t, head] / np.sqrt(3))
                y[t, head] = score @ v[: t + 1, head] / score.sum()
        x = x + y @ w[b + "attention.output.weight"] + w[b + "attention.output.bias"]
        h = norm(x, w[b + "second_norm.weight"], w[b + "second_norm.bias"])
        a = h @ w[b + "mlp.0.weight"] + w[b + "mlp.0.bias"]
        a = 0.5 * a * (1 + np.tanh(np.sqrt(2 / np.pi) * (a + 0.044715 * a**3)))
        x = x + a @ w[b + "mlp.2.weight"] + w[b + "mlp.2.bias"]
    wanted = norm(x, w["norm.weight"], w["norm.bias"]) @ w["output.weight"]
    assert_allclose(model(ids[None]).detach().numpy()[0], wanted, rtol=1e-4, atol=1e-5)


def test_tied_logits_are_products_with_the_characters_vectors(rng):
    model = small(rng, tie_weights=True)
    free = small(rng)
    weights = model.state_dict()
    free.load_state_dict(weights | {"output.weight": weights["token.weight"].T})
    x = batch_of(model, 3, rng).x
    assert_allclose(model(x).detach().numpy(), free(x).detach().numpy(), rtol=1e-5, atol=1e-6)


def test_parameter_count(rng):
    attention, mlp, norm = (6 * 18 + 18) + (6 * 6 + 6), (6 * 24 + 24) + (24 * 6 + 6), 2 * 6
    body = 7 * 6 + 5 * 6 + 2 * (attention + mlp + 2 * norm) + norm
    assert small(rng).num_parameters() == body + 6 * 7
    assert small(rng, tie_weights=True).num_parameters() == body


@pytest.mark.parametrize("tie_weights", [False, True])
@pytest.mark.parametrize("sizes", [{}, {"n_embd": 128, "context": 64, "vocabulary_size": 65}, {"n_layer": 12}])
def test_first_loss_is_that_of_a_guess(sizes, tie_weights, rng):
    model = GPT(GPTConfig(**{"vocabulary_size": 27, "dropout": 0.0} | sizes, tie_weights=tie_weights), rng=rng)
    batch = batch_of(model, 50, rng)
    assert model.loss(batch).item() == pytest.approx(np.log(model.vocabulary_size), rel=0.02)


def test_signals_keep_their_size_through_many_layers(rng):
    """The residual projections' scale: without it the variance would grow with every block."""
    spread = []
    for layers in (2, 24):
        model = GPT(GPTConfig(vocabulary_size=27, n_layer=layers, dropout=0.0), rng=rng)
        spread.append(model._read_whole(batch_of(model, 50, rng).x).detach().numpy().std())
    assert spread[1] < 1.6 * spread[0]  # without it, more than 3 times


def test_no_position_sees_a_later_one(rng):
    model = small(rng)
    x = rng.integers(0, 7, (3, 5))
    before = model(x).detach().numpy()
    for t in range(1, 5):
        other = x.copy()
        other[:, t:] = (other[:, t:] + 1) % 7
        assert_allclose(model(other).detach().numpy()[:, :t], before[:, :t], rtol=1e-5, atol=1e-6)
        assert (np.abs(model(other).detach().numpy()[:, t] - before[:, t]).max(-1) > 1e-4).all()


def test_what_stands_behind_the_last_target_changes_neither_loss_nor_gradients(rng):
    model = small(rng)
    batch = batch_of(model, 6, rng)
    losses, found = [], []
    for _ in range(2):
        model.zero_grad()
        loss = model.loss(batch)
        loss.backward()
        losses.append(loss.item())
        found.append([p.grad.detach().numpy().copy() for p in model.parameters()])
        behind = batch.y == NOT_A_TARGET
        batch = Batch(np.where(behind, (batch.x + 3) % 7, batch.x), batch.y)
    assert losses[0] == losses[1]
    for first, second in zip(*found, strict=True):
        assert_array_equal(first, second)


def test_scores_next_logits_and_loss_agree(rng):
    model = small(rng)
    batch = batch_of(model, 9, rng)
    nats = model.nll(batch.x, batch.y)
    counted = batch.y != NOT_A_TARGET
    assert nats.shape == batch.y.shape
    assert_array_equal(nats[~counted], 0)
    assert nats[counted].mean() == pytest.approx(model.loss(batch).item(), rel=1e-5)
    for t in range(1, 6):
        logits = model.next_logits(batch.x[:, :t])
        assert logits.shape == (9, 7)
        log_p = logits - np.log(np.exp(logits).sum(1, keepdims=True))
        rows = np.flatnonzero(counted[:, t - 1])
        assert_allclose(nats[rows, t - 1], -log_p[rows, batch.y[rows, t - 1]], rtol=1e-4)


def test_nothing_to_predict(rng):
    model = small(rng)
    x = rng.integers(0, 7, (2, 5))
    nothing = np.full((2, 5), NOT_A_TARGET)
    assert_array_equal(model.nll(x, nothing), np.zeros((2, 5)))
    with pytest.raises(ConfigError, match="at least one target"):
        model.loss(Batch(x, nothing))


def test_dropout_is_drawn_in_training_only_and_from_the_generator_given(rng):
    model = small(rng, dropout=0.2)
    batch = batch_of(model, 9, rng)
    losses = []
    for seed in (1, 1, 2):
        model.set_rng(np.random.default_rng(seed))
        losses.append(model.loss(batch).item())
    assert losses[0] == losses[1] != losses[2]
    model.eval()
    assert model.loss(batch).item() == model.loss(batch).item()


def test_dropout_is_of_vectors_of_weights_and_of_what_blocks_add(rng):
    model = small(rng, dropout=0.2)
    drawn = []

    class Chance:
        def random(self, shape, dtype):
            drawn.append(shape)
            return rng.random(shape, dtype)

    model.set_rng(Chance())
    model(np.zeros((3, 4), int))
    vectors, weights = (3, 4, 6), (3, 2, 4, 4)
    assert drawn == [vectors, *[weights, vectors, vectors] * 2]
    x = Tensor(np.ones((2000, 1, 6), np.float32))
    block = model.set_rng(rng).blocks[0]
    for kept in (block.attention.output, block.mlp.layers[2]):  # alone, each adds 1, or after dropout 0 or 1 / 0.8
        for layer in (block.attention.output, block.mlp.layers[2]):
            layer.weight.data = np.zeros(layer.weight.shape, np.float32)
            layer.bias.data = np.full(6, float(layer is kept), np.float32)
        added = block(x).detach().numpy() - 1
        assert_allclose(np.unique(added), [0, 1.25])
        assert np.mean(added == 0) == pytest.approx(0.2, abs=0.02)


def test_learns_to_look_back(rng):
    """The last character is the first one again: only attention can fetch it."""
    model = small(rng, n_embd=16)
    optimiser = AdamW(model.parameters(), lr=1e-2)
    for _ in range(200):
        x = rng.integers(0, 7, (64, 5))
        y = np.full((64, 5), NOT_A_TARGET)
        y[:, 4] = x[:, 0]
        optimiser.zero_grad()
        loss = model.loss(Batch(x, y))
        loss.backward()
        optimiser.step()
    assert loss.item() < 0.1  # a guess leaves ln 7 = 1.95


def test_is_a_language_model(rng):
    model: LanguageModel = small(rng)
    assert (model.vocabulary_size, model.context, model.reads) == (7, 5, "sequences")


def test_more_than_the_context_is_refused_in_one_line(rng):
    model = small(rng)
    with pytest.raises(ShapeError, match=r"rows of at most 5 ids, \(B, T\); got an array of shape \(2, 6\)") as error:
        model.next_logits(np.zeros((2, 6), int))
    assert "\n" not in str(error.value)
    with pytest.raises(ShapeError, match=r"has the positions 0\.\.4; got 5\. Pass at most 5") as error:
        model.loss(Batch(np.zeros((2, 6), int), np.zeros((2, 6), int)))
    assert "\n" not in str(error.value)


def test_default_on_names_has_the_parameters_that_it_says():
    model = GPT(model_spec("gpt").configure({"vocabulary_size": 27}), rng=np.random.default_rng(0))
    assert 204_000 <= model.num_parameters() < 210_000
    assert model_spec("gpt").configure(settings_of(model.config)) == model.config


def test_config_goes_through_json():
    config = GPTConfig(vocabulary_size=27, n_embd=32, tie_weights=True)
    assert GPTConfig(**json.loads(json.dumps(asdict(config)))) == config


@pytest.mark.parametrize(
    ("wrong", "rule"),
    [
        ({"vocabulary_size": 1}, "the boundary and one character; got 1"),
        ({"context": 0}, r"context must be from 1 to .*; got 0\b"),
        ({"n_layer": 0}, r"n_layer must be from 1 to .*; got 0\b"),
        ({"n_head": -1}, r"n_head must be from 1 to .*; got -1\b"),
        ({"n_embd": 10_000_000}, r"n_embd must be from 1 to 1,000,000; got 10000000\b"),
        ({"n_embd": 30, "n_head": 4}, "n_embd must be a multiple of n_head.*got n_embd 30 and n_head 4. Try n_embd 32"),
        ({"dropout": 1.0}, "dropout must be at least 0 and below 1; got 1.0"),
        ({"dropout": float("nan")}, "dropout must be"),
    ],
)
def test_sizes_out_of_range_are_one_line(wrong, rule):
    with pytest.raises(ConfigError, match=rule) as error:
        GPTConfig(**{"vocabulary_size": 7} | wrong)
    assert "\n" not in str(error.value)


def test_config_is_frozen_and_takes_names_only():
    config = GPTConfig(vocabulary_size=7)
    with pytest.raises(FrozenInstanceError):
        config.context = 3
    with pytest.raises(TypeError):
        GPTConfig(7)
