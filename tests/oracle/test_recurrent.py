"""Recurrent networks beside PyTorch's: 200 steps of training, rows that end early, a state that goes on."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from tests.oracle.training import train_both

from backlight import nn
from backlight.autograd import Tensor
from backlight.core import NOT_A_TARGET, Batch
from backlight.models.recurrent import GRUConfig, LSTMConfig, RecurrentModel, RNNConfig
from backlight.pytorch import gradients_of, to_torch

TIGHT = {"rtol": 1e-10, "atol": 1e-12}
CONFIGS = [RNNConfig, GRUConfig, LSTMConfig]
LAYERS = [nn.RNN, nn.GRU, nn.LSTM]


def words(law: np.ndarray, size: int, rng: np.random.Generator) -> Batch:
    """Sequences of unequal length, padded, in which the next id is one of three that the last one allows."""
    T = 9
    ids = np.zeros((size, T + 1), int)
    for t in range(T):
        ids[:, t + 1] = law[ids[:, t], rng.integers(0, law.shape[1], size)]
    lengths = rng.integers(1, T + 1, (size, 1))
    return Batch(ids[:, :-1], np.where(np.arange(T) < lengths, ids[:, 1:], NOT_A_TARGET))


@pytest.mark.parametrize("config", CONFIGS)
def test_200_steps_of_training_in_float32_give_the_losses_of_the_twin(config, rng):
    model = RecurrentModel(config(vocabulary_size=27, embedding=10, hidden=(32,), dropout=0), rng=rng)
    law = rng.integers(0, 27, (27, 3))
    losses, their_losses, _ = train_both(model, lambda: words(law, 16, rng))
    assert losses[0] == pytest.approx(np.log(27), rel=0.1)
    assert np.mean(losses[-20:]) < 1.4  # it learnt: ln 27 is 3.3, and ln 3, the best there is, 1.1
    assert_allclose(losses, their_losses, rtol=0, atol=1e-3)


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("lengths", [[5, 3, 3, 1], [4, 4], [1, 1, 1], [7]], ids=str)
def test_rows_that_end_early_are_those_of_a_packed_sequence(layer, lengths, rng):
    ours = layer(3, 5, rng=rng).to(np.float64)
    twin = to_torch(ours)
    rows = [torch.randn(n, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(n)) for n in lengths]
    packed = torch.nn.utils.rnn.pack_sequence(rows)
    counts = packed.batch_sizes.tolist()
    x = Tensor(packed.data.detach().numpy().copy(), requires_grad=True)
    y = ours(x, counts)

    their_x = packed.data.clone().requires_grad_()
    theirs = twin(torch.nn.utils.rnn.PackedSequence(their_x, packed.batch_sizes))
    assert_allclose(y.detach().numpy(), theirs.data.detach().numpy(), **TIGHT)
    dy = rng.standard_normal(y.shape)
    y.backward(dy)
    theirs.data.backward(torch.from_numpy(dy))
    assert_allclose(x.grad.detach().numpy(), their_x.grad.detach().numpy(), **TIGHT)
    for name, gradient in gradients_of(twin).items():
        assert_allclose(dict(ours.named_parameters())[name].grad.detach().numpy(), gradient, **TIGHT, err_msg=name)


@pytest.mark.parametrize("layer", LAYERS)
def test_carried_state_is_that_of_torch(layer, rng):
    ours = layer(3, 5, rng=rng).to(np.float64)
    twin = to_torch(ours)
    twin._forward_hooks.clear()  # it leaves PyTorch's state away
    x = rng.standard_normal((4, 6, 3))
    state, their_state = None, None
    for part in (x[:, :1], x[:, 1:4], x[:, 4:]):
        y, state = ours.carry(part, state)
        theirs, their_state = twin(torch.from_numpy(part.copy()), their_state)
        assert_allclose(y, theirs.detach().numpy(), **TIGHT)
        parts = their_state if isinstance(their_state, tuple) else (their_state,)
        for mine, reference in zip(state, parts, strict=True):
            assert_allclose(mine, reference[0].detach().numpy(), **TIGHT)
    assert_allclose(y, ours(Tensor(x)).detach().numpy()[:, 4:], **TIGHT)


def test_reset_gate_stands_after_the_product_and_its_bias(rng):
    """Where the reset gate is shut, the candidate hears nothing, not even of the hidden bias."""
    layer = nn.GRU(1, 2, rng=rng).to(np.float64)
    layer.bias_ih_l0.array[:2] = -1e3  # r = 0
    layer.bias_ih_l0.array[2:4] = -1e3  # z = 0: the state is the candidate
    layer.bias_hh_l0.array[4:] = 0.7
    layer.bias_ih_l0.array[4:] = 0.3
    x = Tensor(np.zeros((1, 3, 1)))
    assert_allclose(layer(x).detach().numpy(), np.full((1, 3, 2), np.tanh(0.3)), rtol=1e-12)
    layer.bias_ih_l0.array[:2] = 1e3  # r = 1
    assert_allclose(layer(x).detach().numpy()[:, 0], np.full((1, 2), np.tanh(1.0)), rtol=1e-12)
    assert_allclose(
        layer(x).detach().numpy(), to_torch(layer)(torch.zeros(1, 3, 1, dtype=torch.float64)).detach(), **TIGHT
    )


@pytest.mark.parametrize("config", CONFIGS)
def test_twin_has_one_bias_where_two_would_say_the_same(config, rng):
    model = RecurrentModel(config(vocabulary_size=5, embedding=2, hidden=(3,), dropout=0), rng=rng)
    twin = to_torch(model)
    biases = [name for name, _ in twin.named_parameters() if "bias" in name and "layers" in name]
    assert biases == [f"layers.0.bias_{kind}_l0" for kind in (["ih", "hh"] if config is GRUConfig else ["ih"])]
    assert sum(p.numel() for p in twin.parameters()) == model.num_parameters()


@pytest.mark.parametrize("config", CONFIGS)
def test_twin_moves_to_another_dtype_and_back_whole(config, rng):
    model = RecurrentModel(config(vocabulary_size=5, embedding=2, hidden=(3,), dropout=0), rng=rng)
    twin = to_torch(model).double()
    x = rng.integers(0, 5, (2, 4))
    assert_allclose(twin(torch.from_numpy(x)).detach().numpy(), model.to(np.float64)(x).detach().numpy(), **TIGHT)


@pytest.mark.parametrize("config", CONFIGS)
def test_dropout_is_outside_the_recurrence_and_off_in_evaluation(config, rng):
    model = RecurrentModel(config(vocabulary_size=5, embedding=2, hidden=(3, 3), dropout=0.5), rng=rng).eval()
    x = rng.integers(0, 5, (2, 4))
    assert_allclose(
        model(x).detach().numpy(), to_torch(model)(torch.from_numpy(x)).detach().numpy(), rtol=1e-5, atol=1e-6
    )
    assert not np.allclose(model.train()(x).detach().numpy(), model.eval()(x).detach().numpy())
    assert_array_equal(model(x).detach().numpy(), model(x).detach().numpy())
