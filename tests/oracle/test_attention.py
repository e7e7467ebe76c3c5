"""Attention beyond one layer call: ragged batches, caches and dropout; and the whole GPT beside its twin."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from tests.oracle.training import train_both

from backlight.autograd import Tensor, apply
from backlight.autograd.ops.attention import CausalAttention, PackedIndex
from backlight.core import NOT_A_TARGET, Batch
from backlight.models.gpt import GPT, GPTConfig
from backlight.nn import CausalSelfAttention
from backlight.pytorch import gradients_of, loss_of, to_torch

TIGHT = {"rtol": 1e-9, "atol": 1e-11}


def gpt(rng: np.random.Generator, **sizes) -> GPT:
    small = {"vocabulary_size": 11, "context": 6, "n_embd": 12, "n_layer": 2, "n_head": 3, "dropout": 0.0}
    return GPT(GPTConfig(**small | sizes), rng=rng)


def batch_of(model: GPT, size: int, length: int, rng: np.random.Generator, *, least: int = 1) -> Batch:
    """Sequences of `least` to `length` targets; behind the last, x holds what must not matter."""
    ids = rng.integers(0, model.vocabulary_size, (size, length + 1))
    lengths = rng.integers(least, length + 1, size)
    y = np.where(np.arange(length) < lengths[:, None], ids[:, 1:], NOT_A_TARGET)
    return Batch(ids[:, :-1], y)


def with_biases(module, rng):
    """In float64; biases start at 0, where a forgotten one would not show."""
    module.to(np.float64)
    for name, parameter in module.named_parameters():
        if name.endswith("bias") or "norm" in name:
            parameter.array += rng.standard_normal(parameter.shape)
    return module


# -- the layer ---------------------------------------------------------------------------------------------------------


def test_rows_of_a_ragged_batch_are_those_of_the_padded_one(rng):
    layer = CausalSelfAttention(8, 2, rng=rng).to(np.float64)
    x_BTC = rng.standard_normal((3, 5, 8))
    places = PackedIndex((3, 5), np.array([0, 1, 2, 5, 10, 11, 12, 13, 14]))
    x = Tensor(places.gather(x_BTC), requires_grad=True)
    y = layer(x, places)
    assert_allclose(y.detach().numpy(), places.gather(layer(Tensor(x_BTC)).detach().numpy()), **TIGHT)
    dy = rng.standard_normal(y.shape)
    y.backward(dy)
    whole = torch.tensor(x_BTC, requires_grad=True)
    to_torch(layer)(whole).backward(torch.from_numpy(places.spread(dy)))
    assert_allclose(x.grad.detach().numpy(), places.gather(whole.grad.detach().numpy()), **TIGHT)


def test_reading_position_by_position_is_reading_at_once(rng):
    layer = with_biases(CausalSelfAttention(8, 2, rng=rng), rng)
    x_BTC = rng.standard_normal((3, 7, 8))
    theirs = to_torch(layer)(torch.from_numpy(x_BTC)).detach().numpy()
    cache = layer.cache(3, 7)
    for t in range(7):
        assert_allclose(layer.step(x_BTC[:, t].T, cache).T, theirs[:, t], **TIGHT)
        assert cache.length == t + 1


def test_a_cache_goes_on_with_the_columns_that_are_kept(rng):
    layer = CausalSelfAttention(8, 2, rng=rng).to(np.float64)
    x_BTC = rng.standard_normal((5, 4, 8))
    whole = layer(Tensor(x_BTC)).detach().numpy()
    cache, rows = layer.cache(5, 4), np.arange(5)
    for t, on in enumerate([[0, 1, 2, 3, 4], [1, 2, 4], [0, 2], [1]]):
        rows = rows[on]
        cache.keep(np.array(on), 5 - t)
        assert_allclose(layer.step(x_BTC[rows, t].T, cache).T, whole[rows, t], **TIGHT)
    assert rows.tolist() == [4]


def test_a_cache_parts_texts_that_began_alike(rng):
    """Two positions in one column, then three ways; one of them is kept and parts in three, and one of these in two."""
    layer = with_biases(CausalSelfAttention(8, 2, rng=rng), rng)
    x_BTC = rng.standard_normal((6, 6, 8))
    for row, like, until in ((1, 0, 2), (2, 0, 2), (3, 2, 4), (4, 2, 4), (5, 3, 5)):
        x_BTC[row, :until] = x_BTC[like, :until]
    whole = layer(Tensor(x_BTC)).detach().numpy()
    cache = layer.cache(3, 6)
    cache.width = 1

    def step(t, *rows):
        assert cache.width == len(rows)
        assert_allclose(layer.step(x_BTC[rows, t].T, cache).T, whole[rows, t], **TIGHT)

    step(0, 0)
    step(1, 0)
    cache.part(np.array([0, 0]))
    step(2, 0, 1, 2)
    cache.keep(np.array([2]), 4)
    step(3, 2)
    cache.part(np.array([0, 0]))
    step(4, 2, 3, 4)
    cache.part(np.array([1]))
    step(5, 2, 3, 4, 5)


def test_what_comes_later_changes_nothing(rng):
    layer = CausalSelfAttention(8, 2, rng=rng)
    x = rng.standard_normal((2, 6, 8)).astype(np.float32)
    before = layer(Tensor(x)).detach().numpy()
    x[:, 3:] = 100
    after = layer(Tensor(x)).detach().numpy()
    assert_allclose(after[:, :3], before[:, :3], rtol=1e-6)
    assert (np.abs(after[:, 3:] - before[:, 3:]) > 1e-3).all(-1).all()


def test_dropout_of_weights_keeps_the_mean_and_is_off_in_evaluation(rng):
    layer = CausalSelfAttention(8, 2, dropout=0.25, rng=rng).to(np.float64)
    x = Tensor(rng.standard_normal((2, 4, 8)))
    wanted = to_torch(layer.eval())(torch.from_numpy(x.detach().numpy())).detach().numpy()
    assert_allclose(layer(x).detach().numpy(), wanted, **TIGHT)
    layer.train()
    draws = np.array([layer(x).detach().numpy() for _ in range(4000)])
    spread = draws.std(0)
    assert (spread > 0).all()  # also of the first position, whose only weight is 1
    assert (np.abs(draws.mean(0) - wanted) < 5 * spread / np.sqrt(4000)).all()


def test_dropped_weights_have_no_gradient_and_the_others_a_larger_one(rng):
    """With only one position, y is v or 0: dv is dy / (1 - p) or 0."""
    qkv = Tensor(rng.standard_normal((6, 1, 12)), requires_grad=True)
    kept = np.array([[True, False]] * 3 + [[False, True]] * 3)[:, :, None, None]
    y = apply(CausalAttention, qkv, heads=2, keep=kept, p=0.2)
    dy = rng.standard_normal(y.shape)
    y.backward(dy)
    dv = np.repeat(kept[:, :, 0], 2, axis=1).reshape(6, 1, 4) * dy / 0.8
    assert_allclose(qkv.grad.detach().numpy()[:, :, 8:], dv, **TIGHT)
    assert_allclose(qkv.grad.detach().numpy()[:, :, :8], 0, atol=1e-12)


# -- the network -------------------------------------------------------------------------------------------------------

SIZES = [
    {},
    {"tie_weights": True},
    {"n_layer": 1, "n_head": 1, "n_embd": 5},
    {"n_layer": 3, "n_head": 7, "n_embd": 7, "context": 9, "vocabulary_size": 2},
]


@pytest.mark.parametrize(("size", "length"), [(7, 6), (1, 6), (5, 3), (3, 1), (1, 1)])
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_logits_loss_and_gradients_match_the_twin(sizes, size, length, rng):
    model = with_biases(gpt(rng, **sizes), rng)
    twin = to_torch(model)
    batch = batch_of(model, size, length, rng)
    theirs = twin(torch.from_numpy(batch.x))
    logits = model(batch.x)
    assert_allclose(logits.detach().numpy(), theirs.detach().numpy(), **TIGHT)
    assert_allclose(model.next_logits(batch.x), theirs.detach().numpy()[:, -1], **TIGHT)
    loss, their_loss = model.loss(batch), loss_of(twin, batch)
    assert_allclose(loss.item(), their_loss.item(), **TIGHT)
    loss.backward()
    their_loss.backward()
    found = gradients_of(twin)
    assert found.keys() == dict(model.named_parameters()).keys()
    for name, parameter in model.named_parameters():
        # one position leaves queries and keys without a gradient, and a part of the layer's
        mine = np.zeros(parameter.shape) if parameter.grad is None else parameter.grad.detach().numpy()
        assert_allclose(mine, found[name], **TIGHT, err_msg=name)


def test_a_sequence_without_a_target_is_not_counted(rng):
    model = gpt(rng).to(np.float64)
    batch = batch_of(model, 4, 6, rng)
    batch.y[2] = NOT_A_TARGET
    batch.y[0, 0] = NOT_A_TARGET  # in the middle: read all the same
    twin = to_torch(model)
    assert_allclose(model.loss(batch).item(), loss_of(twin, batch).item(), **TIGHT)
    nats = model.nll(batch.x, batch.y)
    theirs = torch.nn.functional.cross_entropy(
        twin(torch.from_numpy(batch.x)).mT, torch.from_numpy(batch.y), ignore_index=NOT_A_TARGET, reduction="none"
    )
    assert_allclose(nats, theirs.detach().numpy(), **TIGHT)
    assert_array_equal(nats[batch.y == NOT_A_TARGET], 0)


def test_tied_weights_are_one_parameter_in_the_twin_too(rng):
    model = gpt(rng, tie_weights=True)
    twin = to_torch(model)
    assert len(list(twin.parameters())) == len(model.parameters()) == len(gpt(rng).parameters()) - 1
    assert sum(p.numel() for p in twin.parameters()) == model.num_parameters()


@pytest.mark.parametrize("tie_weights", [False, True])
def test_200_steps_of_training_in_float32_give_the_losses_of_the_twin(tie_weights, rng):
    model = gpt(rng, vocabulary_size=27, context=8, n_embd=32, n_head=4, tie_weights=tie_weights)

    def batch() -> Batch:
        """The character after two is their sum: to be found by looking back."""
        ids = rng.integers(0, 3, (32, 9))
        for t in range(2, 9):
            ids[:, t] = ids[:, t - 1] + ids[:, t - 2] + (t % 2)
        return Batch(ids[:, :-1] % 27, ids[:, 1:] % 27)

    losses, their_losses, _ = train_both(model, batch, lr=3e-3, max_norm=1.0)
    assert losses[0] == pytest.approx(np.log(27), rel=0.05)
    assert losses[-1] < 0.6  # the first character, one in eight, is ln 3 = 1.1 nats
    assert_allclose(losses, their_losses, rtol=0, atol=1e-3)
