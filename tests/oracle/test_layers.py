"""Every layer beside its twin in PyTorch, in float64, and beside central differences."""

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

import backlight.models
import backlight.nn
from backlight import nn
from backlight.autograd import Tensor
from backlight.nn import init
from backlight.nn.module import Module
from backlight.twins import TWINS, gradients_of, twin_of, weights_of

TIGHT = {"rtol": 1e-10, "atol": 1e-12}


def gaussian(*shape: int) -> Callable[[np.random.Generator], Any]:
    return lambda rng: rng.standard_normal(shape)


def ids(count: int, *shape: int) -> Callable[[np.random.Generator], Any]:
    return lambda rng: rng.integers(0, count, shape)


@dataclass(frozen=True)
class Case:
    name: str
    make: Callable[[np.random.Generator], Module]
    x: Callable[[np.random.Generator], Any]

    def __str__(self) -> str:
        return self.name


def linear(fan_in: int, fan_out: int, **settings: Any) -> Callable[[np.random.Generator], Module]:
    return lambda rng: nn.Linear(fan_in, fan_out, rng=rng, **settings)


def attention(channels: int, heads: int) -> Callable[[np.random.Generator], Module]:
    return lambda rng: nn.CausalSelfAttention(channels, heads, rng=rng)


def convolution(kernel: int, dilation: int) -> Callable[[np.random.Generator], Module]:
    return lambda rng: nn.CausalConv1d(5, 4, kernel, dilation=dilation, rng=rng)


def small_net(rng: np.random.Generator) -> Module:
    return nn.Sequential(
        nn.Embedding(11, 3, rng=rng), nn.Flatten(), nn.Linear(15, 7, nonlinearity="tanh", rng=rng), nn.Tanh(),
        nn.Sequential(nn.Linear(7, 9, bias=False, rng=rng), nn.GELU()), nn.Linear(9, 11, scale=0.1, rng=rng),
    )  # fmt: skip


def twice_the_same(rng: np.random.Generator) -> Module:
    shared = nn.Linear(5, 5, rng=rng)
    return nn.Sequential(shared, nn.Tanh(), shared, nn.Sigmoid(), nn.Linear(5, 3, rng=rng))


def one_weight_two_layers(rng: np.random.Generator) -> Module:
    first, second = nn.Linear(5, 5, rng=rng), nn.Linear(5, 5, rng=rng)
    second.weight = first.weight
    return nn.Sequential(first, nn.ReLU(), second)


def recurrent(cls: Any, fan_in: int, hidden: int) -> Callable[[np.random.Generator], Module]:
    """Return a maker that draws biases too, of which a GRU has two."""

    def make(rng: np.random.Generator) -> Module:
        module = cls(fan_in, hidden, rng=rng)
        for parameter in module.parameters():
            if parameter.ndim == 1:
                parameter.array[...] = rng.standard_normal(parameter.shape)
        return module

    return make


POINTWISE = [nn.Tanh, nn.ReLU, nn.Sigmoid, nn.GELU]
CASES = [
    Case("linear", linear(5, 3), gaussian(7, 5)),
    Case("linear, batch of 1", linear(5, 3), gaussian(1, 5)),
    Case("linear, square", linear(5, 5), gaussian(3, 5)),
    Case("linear, 1 to 1", linear(1, 1), gaussian(3, 1)),
    Case("linear, (B, T, C)", linear(5, 3, nonlinearity="relu"), gaussian(3, 7, 5)),
    Case("linear, (B, T, H, C)", linear(5, 3, scale=0.1), gaussian(2, 3, 5, 5)),
    Case("linear without bias", linear(5, 3, bias=False), gaussian(7, 5)),
    Case("linear without bias, (B, T, C)", linear(5, 3, bias=False), gaussian(3, 7, 5)),
    Case("linear without bias, (B, T, H, C)", linear(5, 3, bias=False), gaussian(1, 3, 2, 5)),
    Case("embedding", lambda rng: nn.Embedding(11, 3, rng=rng), ids(11, 7)),
    Case("embedding, batch of 1", lambda rng: nn.Embedding(11, 3, rng=rng), ids(11, 1)),
    Case("embedding, ids repeat", lambda rng: nn.Embedding(3, 5, rng=rng), ids(3, 9, 7)),
    Case("embedding, (B, T, H)", lambda rng: nn.Embedding(11, 1, rng=rng), ids(11, 3, 2, 5)),
    Case("embedding, many rows", lambda rng: nn.Embedding(301, 3, rng=rng), ids(301, 5, 7)),
    *[
        Case(f"{cls.__name__.lower()}, {shape}", lambda _, cls=cls: cls(), gaussian(*shape))
        for cls in POINTWISE
        for shape in [(7,), (1, 5), (3, 5, 7)]
    ],
    *[
        Case(f"{cls.__name__.lower()}, far out", lambda _, cls=cls: cls(), lambda rng: 30 * rng.standard_normal((9, 5)))
        for cls in POINTWISE
    ],
    Case("flatten, (B, C)", lambda _: nn.Flatten(), gaussian(3, 5)),
    Case("flatten, (1, T, C)", lambda _: nn.Flatten(), gaussian(1, 3, 5)),
    Case("flatten, (B, T, H, C)", lambda _: nn.Flatten(), gaussian(2, 3, 5, 7)),
    *[
        Case(f"batch norm, {shape}", lambda _: nn.BatchNorm1d(5), gaussian(*shape))
        for shape in [(2, 5), (33, 5), (3, 7, 5), (1, 2, 5), (2, 3, 2, 5)]
    ],
    Case("batch norm, eps and momentum", lambda _: nn.BatchNorm1d(3, eps=0.1, momentum=0.7), gaussian(7, 3)),
    Case("batch norm, 1 channel", lambda _: nn.BatchNorm1d(1), gaussian(7, 1)),
    *[
        Case(f"layer norm, {shape}", lambda _: nn.LayerNorm(5), gaussian(*shape))
        for shape in [(1, 5), (7, 5), (3, 7, 5)]
    ],
    Case("layer norm, eps", lambda _: nn.LayerNorm(3, eps=0.1), gaussian(7, 3)),
    Case("dropout of nothing", lambda rng: nn.Dropout(0, rng=rng), gaussian(7, 5)),  # chance: test_normalisation
    Case("flatten consecutive", lambda _: nn.FlattenConsecutive(2), gaussian(3, 8, 5)),
    Case("flatten consecutive, 3", lambda _: nn.FlattenConsecutive(3), gaussian(1, 9, 5)),
    Case("flatten consecutive, 1 left", lambda _: nn.FlattenConsecutive(4), gaussian(3, 4, 5)),
    Case("flatten consecutive, nothing", lambda _: nn.FlattenConsecutive(1), gaussian(3, 4, 5)),
    *[
        Case(f"{cls.__name__.lower()}, {B, T, I} to {H}", recurrent(cls, I, H), gaussian(B, T, I))
        for cls in [nn.RNN, nn.GRU, nn.LSTM]
        for B, T, I, H in [(7, 5, 3, 9), (1, 5, 3, 2), (5, 1, 3, 5), (1, 1, 1, 1), (3, 17, 7, 5)]
    ],
    *[
        Case(f"attention, {heads} heads, {shape}", attention(shape[-1], heads), gaussian(*shape))
        for heads, shape in [(2, (3, 5, 6)), (1, (2, 7, 3)), (4, (1, 1, 8)), (3, (1, 16, 3))]
    ],
    *[
        Case(f"convolution, {kernel} taps, {dilation} apart, {shape}", convolution(kernel, dilation), gaussian(*shape))
        for kernel, dilation, shape in [(2, 1, (3, 8, 5)), (2, 4, (3, 7, 5)), (3, 2, (1, 5, 5)), (1, 1, (2, 3, 5))]
    ],
    Case("convolution, looking further back than there is", convolution(2, 9), gaussian(2, 3, 5)),
    Case("positions", lambda rng: nn.PositionalEmbedding(7, 3, rng=rng), ids(7, 5)),
    Case("positions, (B, T)", lambda rng: nn.PositionalEmbedding(7, 3, scale=1.0, rng=rng), ids(7, 2, 5)),
    Case("sequential", small_net, ids(11, 3, 5)),
    Case("sequential, batch of 1", small_net, ids(11, 1, 5)),
    Case("sequential, a layer used twice", twice_the_same, gaussian(3, 5)),
    Case("sequential, a weight in two layers", one_weight_two_layers, gaussian(3, 5)),
]


def gradients(module: Module) -> dict[str, np.ndarray]:
    return {name: p.grad.numpy() for name, p in module.named_parameters() if p.grad is not None}


def with_random_bias(module: Module, rng: np.random.Generator) -> Module:
    """In float64; biases start at 0, and gains and variances at 1, where a forgotten one would not show."""
    module.to(np.float64)
    for name, parameter in module.named_parameters():
        if name.endswith("bias") or parameter.ndim == 1:
            parameter.array[...] = rng.standard_normal(parameter.shape)
    for name, buffer in module.named_buffers():
        drawn = rng.standard_normal(buffer.shape)
        buffer.array[...] = np.abs(drawn) + 0.3 if name.endswith("var") else drawn
    return module


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_output_and_gradients_match_the_twin(case, training, rng):
    ours = with_random_bias(case.make(rng), rng).train(training)
    twin = twin_of(ours)
    numbers = case.x(rng)
    floating = numbers.dtype.kind == "f"
    x = Tensor(numbers.copy(), requires_grad=True) if floating else numbers
    their_x = torch.tensor(numbers, requires_grad=floating)

    y, their_y = ours(x), twin(their_x)
    assert y.array.dtype == np.float64
    assert_allclose(y.numpy(), their_y.detach().numpy(), **TIGHT)

    dy = rng.standard_normal(y.shape)
    y.backward(dy)
    their_y.backward(torch.tensor(dy))
    if floating:
        assert_allclose(x.grad.numpy(), their_x.grad.numpy(), **TIGHT)
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
    module = with_random_bias(case.make(rng), rng)
    x = case.x(rng)
    x = Tensor(x) if x.dtype.kind == "f" else x
    dy = rng.standard_normal(module(x).shape)
    module(x).backward(dy)
    h = 1e-5
    for name, parameter in module.named_parameters():
        flat = parameter.array.reshape(-1)
        picked = rng.choice(flat.size, min(flat.size, 25), replace=False)
        slopes = np.empty(len(picked))
        for at, place in enumerate(picked):
            here = flat[place]
            flat[place] = here + h
            above = np.sum(module(x).numpy() * dy)
            flat[place] = here - h
            slopes[at] = (above - np.sum(module(x).numpy() * dy)) / (2 * h)
            flat[place] = here
        assert_allclose(parameter.grad.numpy().reshape(-1)[picked], slopes, rtol=1e-6, atol=1e-8, err_msg=name)


def layers_of_the_package() -> set[type[Module]]:
    """Every class that defines a forward pass, in all files of nn and models."""
    for package in (backlight.nn, backlight.models):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(found.name)
    known, left = set(), [Module]
    while left:
        below = left.pop().__subclasses__()
        known.update(below)
        left += below
    return {cls for cls in known if cls.__module__.startswith("backlight.") and cls.forward is not Module.forward}


def test_every_layer_and_model_has_a_twin():
    assert layers_of_the_package() == set(TWINS)


def test_every_layer_has_a_case(rng):
    covered = {type(module) for case in CASES for _, module in case.make(rng).named_modules()}
    assert {cls for cls in TWINS if cls.__module__.startswith("backlight.nn")} <= covered


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
    return weight.numpy()


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
    assert_allclose(layer.weight.numpy().std(), wanted, rtol=5 / np.sqrt(2 * FAN_IN * FAN_OUT))
    assert not layer.bias.numpy().any()


@pytest.mark.parametrize("scale", [1.0, 0.01])
def test_embedding_draws_its_vectors_by_scale(scale, rng):
    weight = nn.Embedding(FAN_IN, FAN_OUT, scale=scale, rng=rng).weight.numpy()
    assert_allclose(weight.std(), scale, rtol=5 / np.sqrt(2 * weight.size))
