"""The inputs on which every layer is checked, one case per line. The reference is `to_torch` of the layer."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from backlight import nn
from backlight.gradcheck.inputs import Make, away_from_0, below, far_out, gaussian
from backlight.nn import Module

MakeLayer = Callable[[np.random.Generator], Module]


@dataclass(frozen=True)
class LayerCase:
    """A layer and an input for it.

    Attributes:
        name: what distinguishes the case.
        layer: creates the layer, in float32.
        x: draws the input: float64 numbers, or ids.
    """

    name: str
    layer: MakeLayer
    x: Make

    def __str__(self) -> str:
        return self.name

    def make(self, rng: np.random.Generator) -> Module:
        """Return the layer with random parameters and buffers, in float64."""
        return with_random_vectors(self.layer(rng), rng)


def with_random_vectors(module: Module, rng: np.random.Generator) -> Module:
    """Return the module in float64 with random biases, gains and running statistics.

    Their usual values, 0 and 1, would hide a missing bias or gain.
    """
    module.to(np.float64)
    for name, parameter in module.named_parameters():
        if name.endswith("bias") or parameter.ndim == 1:
            parameter.array[...] = rng.standard_normal(parameter.shape)
    for name, buffer in module.named_buffers():
        drawn = rng.standard_normal(buffer.shape)
        buffer.array[...] = np.abs(drawn) + 0.3 if name.endswith("var") else drawn
    return module


# -- functions that create layers --------------------------------------------------------------------------------------


def linear(fan_in: int, fan_out: int, **settings: Any) -> MakeLayer:
    """Create a linear layer."""
    return lambda rng: nn.Linear(fan_in, fan_out, rng=rng, **settings)


def embedding(count: int, size: int) -> MakeLayer:
    """Create an embedding."""
    return lambda rng: nn.Embedding(count, size, rng=rng)


def attention(channels: int, heads: int) -> MakeLayer:
    """Create a self-attention layer."""
    return lambda rng: nn.CausalSelfAttention(channels, heads, rng=rng)


def convolution(kernel: int, dilation: int) -> MakeLayer:
    """Create a convolution from 5 channels to 4."""
    return lambda rng: nn.CausalConv1d(5, 4, kernel, dilation=dilation, rng=rng)


def positions(context: int, channels: int, **settings: Any) -> MakeLayer:
    """Create a positional embedding."""
    return lambda rng: nn.PositionalEmbedding(context, channels, rng=rng, **settings)


def recurrent(kind: type[nn.RNN | nn.GRU | nn.LSTM], fan_in: int, hidden: int) -> MakeLayer:
    """Create a recurrent layer of a class, with `fan_in` inputs and `hidden` units."""
    return lambda rng: kind(fan_in, hidden, rng=rng)


def fixed(kind: Callable[..., Module], *sizes: int, **settings: Any) -> MakeLayer:
    """Create a layer without random weights."""
    return lambda _: kind(*sizes, **settings)


def small_net(rng: np.random.Generator) -> Module:
    """Create a nested Sequential."""
    return nn.Sequential(
        nn.Embedding(11, 3, rng=rng), nn.Flatten(), nn.Linear(15, 7, nonlinearity="tanh", rng=rng), nn.Tanh(),
        nn.Sequential(nn.Linear(7, 9, bias=False, rng=rng), nn.GELU()), nn.Linear(9, 11, scale=0.1, rng=rng),
    )  # fmt: skip


def twice_the_same(rng: np.random.Generator) -> Module:
    """Create a network that uses one layer twice, so that two paths lead to each weight."""
    shared = nn.Linear(5, 5, rng=rng)
    return nn.Sequential(shared, nn.Tanh(), shared, nn.Sigmoid(), nn.Linear(5, 3, rng=rng))


def one_weight_two_layers(rng: np.random.Generator) -> Module:
    """Create two layers that share a weight but not their biases."""
    first, second = nn.Linear(5, 5, rng=rng), nn.Linear(5, 5, rng=rng)
    second.weight = first.weight
    return nn.Sequential(first, nn.GELU(), second)


POINTWISE: Final = (nn.Tanh, nn.Sigmoid, nn.GELU)

CASES: Final[list[LayerCase]] = [
    LayerCase("linear", linear(5, 3), gaussian(7, 5)),
    LayerCase("linear, batch of 1", linear(5, 3), gaussian(1, 5)),
    LayerCase("linear, square", linear(5, 5), gaussian(3, 5)),
    LayerCase("linear, 1 to 1", linear(1, 1), gaussian(3, 1)),
    LayerCase("linear, (B, T, C)", linear(5, 3, nonlinearity="relu"), gaussian(3, 7, 5)),
    LayerCase("linear, (B, T, H, C)", linear(5, 3, scale=0.1), gaussian(2, 3, 5, 5)),
    LayerCase("linear without bias", linear(5, 3, bias=False), gaussian(7, 5)),
    LayerCase("linear without bias, (B, T, C)", linear(5, 3, bias=False), gaussian(3, 7, 5)),
    LayerCase("linear without bias, (B, T, H, C)", linear(5, 3, bias=False), gaussian(1, 3, 2, 5)),
    LayerCase("embedding", embedding(11, 3), below(11, 7)),
    LayerCase("embedding, batch of 1", embedding(11, 3), below(11, 1)),
    LayerCase("embedding, ids repeat", embedding(3, 5), below(3, 9, 7)),
    LayerCase("embedding, (B, T, H)", embedding(11, 1), below(11, 3, 2, 5)),
    LayerCase("embedding, many rows", embedding(301, 3), below(301, 5, 7)),
    *[
        LayerCase(f"{kind.__name__.lower()}, {shape}", fixed(kind), gaussian(*shape))
        for kind in POINTWISE
        for shape in [(7,), (1, 5), (3, 5, 7)]
    ],
    *[LayerCase(f"relu, {shape}", fixed(nn.ReLU), away_from_0(*shape)) for shape in [(7,), (1, 5), (3, 5, 7)]],
    *[LayerCase(f"{kind.__name__.lower()}, far out", fixed(kind), far_out(9, 5)) for kind in (*POINTWISE, nn.ReLU)],
    LayerCase("flatten, (B, C)", fixed(nn.Flatten), gaussian(3, 5)),
    LayerCase("flatten, (1, T, C)", fixed(nn.Flatten), gaussian(1, 3, 5)),
    LayerCase("flatten, (B, T, H, C)", fixed(nn.Flatten), gaussian(2, 3, 5, 7)),
    *[
        LayerCase(f"batch norm, {shape}", fixed(nn.BatchNorm1d, 5), gaussian(*shape))
        for shape in [(2, 5), (33, 5), (3, 7, 5), (1, 2, 5), (2, 3, 2, 5)]
    ],
    LayerCase("batch norm, eps and momentum", fixed(nn.BatchNorm1d, 3, eps=0.1, momentum=0.7), gaussian(7, 3)),
    LayerCase("batch norm, 1 channel", fixed(nn.BatchNorm1d, 1), gaussian(7, 1)),
    *[
        LayerCase(f"layer norm, {shape}", fixed(nn.LayerNorm, 5), gaussian(*shape))
        for shape in [(1, 5), (7, 5), (3, 7, 5)]
    ],
    LayerCase("layer norm, eps", fixed(nn.LayerNorm, 3, eps=0.1), gaussian(7, 3)),
    # PyTorch draws other random masks; the op's cases use fixed ones
    LayerCase("dropout of nothing", lambda rng: nn.Dropout(0, rng=rng), gaussian(7, 5)),
    LayerCase("flatten consecutive", fixed(nn.FlattenConsecutive, 2), gaussian(3, 8, 5)),
    LayerCase("flatten consecutive, 3", fixed(nn.FlattenConsecutive, 3), gaussian(1, 9, 5)),
    LayerCase("flatten consecutive, 1 left", fixed(nn.FlattenConsecutive, 4), gaussian(3, 4, 5)),
    LayerCase("flatten consecutive, nothing", fixed(nn.FlattenConsecutive, 1), gaussian(3, 4, 5)),
    *[
        LayerCase(f"{kind.__name__.lower()}, {B, T, I} to {H}", recurrent(kind, I, H), gaussian(B, T, I))
        for kind in (nn.RNN, nn.GRU, nn.LSTM)
        for B, T, I, H in [(7, 5, 3, 9), (1, 5, 3, 2), (5, 1, 3, 5), (1, 1, 1, 1), (3, 17, 7, 5)]
    ],
    *[
        LayerCase(f"attention, {heads} heads, {shape}", attention(shape[-1], heads), gaussian(*shape))
        for heads, shape in [(2, (3, 5, 6)), (1, (2, 7, 3)), (4, (1, 1, 8)), (3, (1, 16, 3))]
    ],
    *[
        LayerCase(f"convolution, {kernel} taps, {dilation} apart, {s}", convolution(kernel, dilation), gaussian(*s))
        for kernel, dilation, s in [(2, 1, (3, 8, 5)), (2, 4, (3, 7, 5)), (3, 2, (1, 5, 5)), (1, 1, (2, 3, 5))]
    ],
    LayerCase("convolution, dilation beyond the start", convolution(2, 9), gaussian(2, 3, 5)),
    LayerCase("positions", positions(7, 3), below(7, 5)),
    LayerCase("positions, (B, T)", positions(7, 3, scale=1.0), below(7, 2, 5)),
    LayerCase("sequential", small_net, below(11, 3, 5)),
    LayerCase("sequential, batch of 1", small_net, below(11, 1, 5)),
    LayerCase("sequential, a layer used twice", twice_the_same, gaussian(3, 5)),
    LayerCase("sequential, a weight in two layers", one_weight_two_layers, gaussian(3, 5)),
]
