"""Every layer beside its twin in PyTorch, in float64, and beside central differences."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from backlight import nn
from backlight.autograd import Tensor
from backlight.autograd.gradcheck import central_difference, some_places
from backlight.gradcheck.layer_cases import CASES
from backlight.nn import init
from backlight.nn.module import Module
from backlight.pytorch import gradients_of, to_torch, weights_of

TIGHT = {"rtol": 1e-10, "atol": 1e-12}


def gradients(module: Module) -> dict[str, np.ndarray]:
    return {name: p.grad.detach().numpy() for name, p in module.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_output_and_gradients_match_the_twin(case, training, rng):
    ours = case.make(rng).train(training)
    twin = to_torch(ours)
    numbers = case.x(rng)
    floating = numbers.dtype.kind == "f"
    x = Tensor(numbers.copy(), requires_grad=True) if floating else numbers
    their_x = torch.tensor(numbers, requires_grad=floating)

    y, their_y = ours(x), twin(their_x)
    assert y.array.dtype == np.float64
    assert_allclose(y.detach().numpy(), their_y.detach().numpy(), **TIGHT)

    dy = rng.standard_normal(y.shape)
    y.backward(dy)
    their_y.backward(torch.tensor(dy))
    if floating:
        assert_allclose(x.grad.detach().numpy(), their_x.grad.detach().numpy(), **TIGHT)
    mine, theirs = gradients(ours), gradients_of(twin)
    assert mine.keys() == theirs.keys() == dict(ours.named_parameters()).keys()
    for name in mine:
        assert_allclose(mine[name], theirs[name], **TIGHT, err_msg=name)
    after = weights_of(twin)
    assert list(after) == list(ours.state_dict())
    for name, buffer in ours.named_buffers():
        assert_allclose(buffer.array, after[name], **TIGHT, err_msg=name)


WITH_PARAMETERS = [case for case in CASES if case.make(np.random.default_rng(0)).parameters()]


@pytest.mark.parametrize("case", WITH_PARAMETERS, ids=str)
def test_parameter_gradients_match_central_differences(case, rng):
    module = case.make(rng)
    x = case.x(rng)
    x = Tensor(x) if x.dtype.kind == "f" else x
    dy = rng.standard_normal(module(x).shape)
    module(x).backward(dy)
    for name, parameter in module.named_parameters():
        picked = some_places(parameter.array, 25, rng)
        slopes = central_difference(lambda: module(x).array, parameter.array, dy, places=picked)
        assert_allclose(parameter.grad.detach().numpy().reshape(-1)[picked], slopes, rtol=1e-6, atol=1e-8, err_msg=name)


# -- initialisation: the spread that PyTorch's formulas prescribe ------------------------------------------------------

FAN_IN, FAN_OUT = 300, 200
SCHEMES = ["kaiming_normal", "kaiming_uniform", "xavier_normal", "xavier_uniform"]


def theirs_of(scheme: str, gain: float) -> np.ndarray:
    weight = torch.empty(FAN_OUT, FAN_IN, dtype=torch.float64)
    generator = torch.Generator().manual_seed(5)
    if scheme.startswith("xavier"):
        getattr(torch.nn.init, f"{scheme}_")(weight, gain=gain, generator=generator)
    else:  # kaiming takes the function's name, and we its gain: linear's is 1
        getattr(torch.nn.init, f"{scheme}_")(weight, nonlinearity="linear", generator=generator).mul_(gain)
    return weight.detach().numpy()


@pytest.mark.parametrize("nonlinearity", ["linear", "sigmoid", "tanh", "relu"])
def test_gains_are_those_of_torch(nonlinearity):
    assert_allclose(init.gain(nonlinearity), torch.nn.init.calculate_gain(nonlinearity), rtol=1e-15)


@pytest.mark.parametrize("nonlinearity", ["linear", "tanh", "relu"])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_first_weights_spread_as_those_of_torch(scheme, nonlinearity, rng):
    ours = getattr(init, scheme)(FAN_IN, FAN_OUT, rng=rng, nonlinearity=nonlinearity)
    theirs = theirs_of(scheme, torch.nn.init.calculate_gain(nonlinearity))
    assert ours.shape == theirs.T.shape
    assert ours.dtype == np.float32
    numbers = ours.size
    # a sample of n has a standard deviation off by sqrt((kurtosis - 1) / 4n), here of two samples
    kurtosis = 3.0 if scheme.endswith("normal") else 1.8
    spread = 5 * np.sqrt(2 * (kurtosis - 1) / (4 * numbers))
    assert_allclose(ours.std(), theirs.std(), rtol=spread)
    assert abs(ours.mean()) < 5 * theirs.std() / np.sqrt(numbers)
    if scheme.endswith("uniform"):  # both come close to the bound, which they may not pass
        assert_allclose(np.abs(ours).max(), np.abs(theirs).max(), rtol=1e-3)
    else:
        assert np.mean(np.abs(ours) > 2 * ours.std()) == pytest.approx(0.0455, abs=0.006)  # the tails of a Gaussian


@pytest.mark.parametrize(("nonlinearity", "scale"), [("linear", 1.0), ("tanh", 1.0), ("relu", 0.1), ("gelu", 0.01)])
def test_linear_draws_its_weights_by_kaiming_with_gain_and_scale(nonlinearity, scale, rng):
    layer = nn.Linear(FAN_IN, FAN_OUT, nonlinearity=nonlinearity, scale=scale, rng=rng)
    like = "relu" if nonlinearity == "gelu" else nonlinearity
    wanted = scale * torch.nn.init.calculate_gain(like) / np.sqrt(FAN_IN)
    assert_allclose(layer.weight.detach().numpy().std(), wanted, rtol=5 / np.sqrt(2 * FAN_IN * FAN_OUT))
    assert not layer.bias.detach().numpy().any()


@pytest.mark.parametrize("scale", [1.0, 0.01])
def test_embedding_draws_its_vectors_by_scale(scale, rng):
    weight = nn.Embedding(FAN_IN, FAN_OUT, scale=scale, rng=rng).weight.detach().numpy()
    assert_allclose(weight.std(), scale, rtol=5 / np.sqrt(2 * weight.size))
