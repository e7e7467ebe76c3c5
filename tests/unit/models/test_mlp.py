"""The MLP language model: its equation, its first loss, its configuration."""

import json
from dataclasses import FrozenInstanceError, asdict

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from backlight.core import NOT_A_TARGET, Batch, ConfigError, ShapeError
from backlight.models.mlp import MLP, MLPConfig
from backlight.models.protocol import LanguageModel
from backlight.nn import Linear, Tanh
from backlight.optim import AdamW


def small(rng, **sizes):
    return MLP(MLPConfig(**{"vocabulary_size": 7, "context": 3, "embedding": 2, "hidden": (5,)} | sizes), rng=rng)


def batch_of(model, size, rng):
    ids = rng.integers(0, model.vocabulary_size, (size, model.context + 1))
    return Batch(ids[:, :-1], ids[:, -1])


@pytest.mark.parametrize("direct", [False, True])
def test_is_the_equation_of_bengio_et_al(direct, rng):
    """y = b + W x + U tanh(d + H x), with x the joined vectors."""
    model = small(rng, direct=direct)
    for parameter in model.parameters():
        parameter.data = rng.standard_normal(parameter.shape)
    C, H, d, U, b, *W = (parameter.detach().numpy() for parameter in model.parameters())
    ids = rng.integers(0, 7, (4, 3))
    x = np.concatenate([C[ids[:, 0]], C[ids[:, 1]], C[ids[:, 2]]], axis=1)
    wanted = b + np.tanh(d + x @ H) @ U + (x @ W[0] if direct else 0)
    assert len(W) == direct
    assert_allclose(model(ids).detach().numpy(), wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("sizes", "count"),
    [
        ({}, 7 * 2 + (6 * 5 + 5) + (5 * 7 + 7)),
        ({"direct": True}, 7 * 2 + (6 * 5 + 5) + (5 * 7 + 7) + 6 * 7),
        ({"hidden": (5, 4)}, 7 * 2 + (6 * 5 + 5) + (5 * 4 + 4) + (4 * 7 + 7)),
        ({"vocabulary_size": 27, "embedding": 10, "hidden": (200,)}, 11897),  # lecture 3's count
    ],
)
def test_parameter_count(sizes, count, rng):
    assert small(rng, **sizes).num_parameters() == count


def test_hidden_layers_are_linear_and_tanh_in_turn(rng):
    model = small(rng, hidden=(5, 4))
    assert [type(layer) for layer in model.hidden.layers] == [Linear, Tanh, Linear, Tanh]
    assert [(layer.in_features, layer.out_features) for layer in model.hidden.layers[::2]] == [(6, 5), (5, 4)]
    assert (model.output.in_features, model.output.out_features) == (4, 7)


@pytest.mark.parametrize(
    "sizes",
    [
        {},
        {"hidden": (200,), "embedding": 10, "context": 3},
        {"hidden": (64, 64, 64)},
        {"direct": True},
        {"vocabulary_size": 100, "context": 1},
    ],
)
def test_first_loss_is_that_of_a_guess(sizes, rng):
    """The small last layer's doing: with one ten times as large the first loss is well above ln V."""
    model = MLP(MLPConfig(**{"vocabulary_size": 27} | sizes), rng=rng)
    batch = batch_of(model, 500, rng)
    guess = np.log(model.vocabulary_size)
    assert model.loss(batch).item() == pytest.approx(guess, rel=0.02)
    for layer in (model.output, model.direct):
        if layer is not None:
            layer.weight.data = layer.weight.data * 10
    assert model.loss(batch).item() > 1.04 * guess


def test_hidden_units_start_neither_flat_nor_saturated(rng):
    model = MLP(MLPConfig(vocabulary_size=27), rng=rng)
    out = model.hidden(model.embedding(batch_of(model, 500, rng).x).view(500, -1)).detach().numpy()
    assert 0.5 < out.std() < 0.8
    assert np.mean(np.abs(out) > 0.99) < 0.15


def test_learns_a_rule_that_needs_two_characters(rng):
    model = small(rng, hidden=(32,), embedding=8)
    optimiser = AdamW(model.parameters(), lr=1e-2)
    for _ in range(300):
        x = rng.integers(0, 7, (64, 3))
        optimiser.zero_grad()
        loss = model.loss(Batch(x, (x[:, 0] + x[:, 2]) % 7))
        loss.backward()
        optimiser.step()
    assert loss.item() < 0.3  # a guess, or any one of the characters alone, leaves ln 7 = 1.95


def test_scores_next_logits_and_loss_agree(rng):
    model = small(rng)
    batch = batch_of(model, 9, rng)
    nats = model.nll(batch.x, batch.y)
    assert nats.mean() == pytest.approx(model.loss(batch).item(), rel=1e-5)
    logits = model.next_logits(batch.x)
    assert logits.shape == (9, 7)
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    assert_allclose(nats, -np.log(p[np.arange(9), batch.y]), rtol=1e-5)
    y = np.where(np.arange(9) < 4, NOT_A_TARGET, batch.y)
    assert_array_equal(model.nll(batch.x, y)[:4], 0)
    assert_array_equal(model.nll(batch.x, y)[4:], nats[4:])
    assert model.loss(Batch(batch.x, y)).item() == pytest.approx(nats[4:].mean(), rel=1e-5)


def test_is_a_language_model(rng):
    model: LanguageModel = small(rng)
    assert (model.vocabulary_size, model.context, model.reads) == (7, 3, "windows")


def test_same_generator_same_model():
    first, second = (small(np.random.default_rng(3)).state_dict() for _ in range(2))
    for name, array in first.items():
        assert_array_equal(array, second[name])


def test_rows_of_another_length_are_refused_in_one_line(rng):
    model = small(rng)
    with pytest.raises(ShapeError, match=r"rows of exactly 3 ids, \(B, T\); got an array of shape \(2, 4\)") as error:
        model.next_logits(np.zeros((2, 4), int))
    assert "\n" not in str(error.value)
    with pytest.raises(ShapeError, match=r"x.shape\[-1\] == 6; got x of shape \(2, 8\)"):
        model.loss(Batch(np.zeros((2, 4), int), np.zeros(2, int)))


@pytest.mark.parametrize("sizes", [{}, {"context": 3, "embedding": 10, "hidden": (200, 100), "direct": True}])
def test_config_goes_through_json(sizes):
    config = MLPConfig(vocabulary_size=27, **sizes)
    again = MLPConfig(**json.loads(json.dumps(asdict(config))))
    assert again == config
    assert isinstance(again.hidden, tuple)
    assert hash(again) == hash(config)


@pytest.mark.parametrize(
    ("wrong", "rule"),
    [
        ({"vocabulary_size": 1}, "the boundary and one character; got 1"),
        ({"context": 0}, r"context must be .*\b1\b.*; got 0\b"),
        ({"embedding": -2}, r"embedding must be .*\b1\b.*; got -2\b"),
        ({"hidden": (5, 0)}, r"hidden must be .*\b1\b.*; got 0\b"),
        ({"hidden": ()}, "hidden must have from 1 to 100 numbers; got 0"),
    ],
)
def test_sizes_out_of_range_are_one_line(wrong, rule):
    with pytest.raises(ConfigError, match=rule) as error:
        MLPConfig(**{"vocabulary_size": 7} | wrong)
    assert "\n" not in str(error.value)


def test_config_is_frozen_and_takes_names_only():
    config = MLPConfig(vocabulary_size=7)
    with pytest.raises(FrozenInstanceError):
        config.context = 3
    with pytest.raises(TypeError):
        MLPConfig(7)
