"""Beside PyTorch over many batches: running statistics, chance, convolutions, 200 steps of training."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from tests.oracle.training import next_characters, train_both
from torch.nn import functional as F  # noqa: N812  (its usual name)

from backlight import nn
from backlight.autograd import Tensor
from backlight.models import MLP, MLPConfig, WaveNet, WaveNetConfig
from backlight.pytorch import copy_weights, loss_of, to_torch, weights_of

TIGHT = {"rtol": 1e-10, "atol": 1e-12}


@pytest.mark.parametrize("momentum", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("shape", [(2, 5), (7, 5), (3, 4, 5)])
def test_running_statistics_follow_torch_over_many_batches(shape, momentum, rng):
    ours = nn.BatchNorm1d(5, momentum=momentum).to(np.float64)
    twin = to_torch(ours)
    for step in range(5):
        x = 3 * rng.standard_normal(shape) + step
        assert_allclose(ours(Tensor(x)).detach().numpy(), twin(torch.from_numpy(x)).detach().numpy(), **TIGHT)
    for name, array in weights_of(twin).items():
        assert_allclose(ours.state_dict()[name], array, **TIGHT, err_msg=name)
    x = rng.standard_normal(shape)
    theirs = twin.eval()(torch.from_numpy(x)).detach().numpy()
    assert_allclose(ours.eval()(Tensor(x)).detach().numpy(), theirs, **TIGHT)


def test_running_statistics_go_there_and_back(rng):
    ours, other = nn.BatchNorm1d(5), nn.BatchNorm1d(5)
    twin = to_torch(other)
    ours(Tensor(rng.standard_normal((9, 5)).astype(np.float32)))
    copy_weights(ours, twin)
    assert_allclose(twin.running_var.detach().numpy(), ours.running_var.detach().numpy())
    other.load_state_dict(weights_of(twin))
    assert_allclose(other.running_mean.detach().numpy(), ours.running_mean.detach().numpy())
    assert ours.running_mean.detach().numpy().any()
    twin.running_mean.add_(1)
    assert not np.shares_memory(ours.running_mean.detach().numpy(), twin.running_mean.detach().numpy())


def test_one_row_is_refused_as_in_torch():
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        to_torch(nn.BatchNorm1d(5))(torch.ones(1, 5))


@pytest.mark.parametrize("p", [0.1, 0.5])
def test_dropout_drops_as_often_and_scales_as_much_as_torch(p, rng):
    ours = nn.Dropout(p, rng=rng)
    x = np.ones((300, 100))
    torch.manual_seed(5)
    mine, theirs = ours(Tensor(x)).detach().numpy(), to_torch(ours)(torch.from_numpy(x)).detach().numpy()
    assert np.unique(mine).tolist() == pytest.approx(np.unique(theirs).tolist())
    spread = np.sqrt(2 * p * (1 - p) / x.size)
    assert abs((mine == 0).mean() - (theirs == 0).mean()) < 5 * spread
    assert_allclose(mine.mean(), theirs.mean(), atol=5 * spread / (1 - p))
    # neither by rows nor by columns
    for axis in (0, 1):
        assert_allclose((mine == 0).mean(axis).std(), (theirs == 0).mean(axis).std(), rtol=0.5)


@pytest.mark.parametrize("context", [2, 4, 8, 16])
def test_wavenet_is_torchs_dilated_causal_convolution_read_at_the_last_position(context, rng):
    model = WaveNet(WaveNetConfig(vocabulary_size=11, context=context, embedding=3, hidden=5), rng=rng).to(np.float64)
    x = rng.integers(0, 11, (33, context))
    for _ in range(3):
        model(x)  # moves the running statistics
    model.eval()
    twin, layers = to_torch(model), model.hidden.layers
    h_BCT = twin.embedding(torch.from_numpy(x)).transpose(1, 2)
    for level in range(model.config.levels):
        weight = torch.from_numpy(layers[4 * level + 1].weight.detach().numpy())
        kernel_HC2 = weight.reshape(2, -1, weight.shape[1]).permute(2, 1, 0)
        padded = F.pad(h_BCT, (2**level, 0))  # causal: as long as before, and nothing from the right
        sums = F.conv1d(padded, kernel_HC2, dilation=2**level)
        h_BCT = torch.tanh(torch.nn.BatchNorm1d.forward(twin.hidden[4 * level + 2], sums))
    logits = twin.output(h_BCT[:, :, -1])
    assert_allclose(model(x).detach().numpy(), logits.detach().numpy(), **TIGHT)


SMALL = {"vocabulary_size": 27, "embedding": 10}
MODELS = {
    "mlp": lambda rng: MLP(MLPConfig(context=3, hidden=(64,), batch_norm=True, **SMALL), rng=rng),
    "deep mlp": lambda rng: MLP(MLPConfig(context=3, hidden=(40,) * 5, batch_norm=True, **SMALL), rng=rng),
    "wavenet": lambda rng: WaveNet(WaveNetConfig(hidden=40, **SMALL), rng=rng),
}


@pytest.mark.parametrize("name", MODELS)
def test_200_steps_of_training_in_float32_give_the_losses_of_the_twin(name, rng):
    model = MODELS[name](rng)
    batch = next_characters(model.context, rng)
    losses, their_losses, theirs = train_both(model, batch, lr=3e-3)
    assert losses[0] == pytest.approx(np.log(27), rel=0.1)
    assert np.mean(losses[-20:]) < 2.2  # it learnt: ln 27 is 3.3, and ln 3, the best there is, 1.1
    assert_allclose(losses, their_losses, rtol=0, atol=1e-3)
    model.eval()
    theirs.eval()
    last = batch()
    assert_allclose(model.loss(last).item(), loss_of(theirs, last).item(), rtol=0, atol=1e-3)
