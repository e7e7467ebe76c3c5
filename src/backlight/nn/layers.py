"""Layers with weights, and what arranges layers."""

from typing import Any

import numpy as np

from backlight.autograd import Parameter, Tensor, embed, linear
from backlight.core import ConfigError, ShapeError
from backlight.nn import init
from backlight.nn.module import Module


class Linear(Module):
    """y = x W + b.

    Args:
        fan_in: length of the input's last axis.
        fan_out: length of the output's last axis.
        bias: whether there is a b; it starts at 0.
        nonlinearity: what follows, which decides the gain of the Kaiming initialisation.
        scale: a further factor on the first weights. Small (0.1, 0.01) for the last layer: the first logits are then
            nearly equal and the first loss is ln V, instead of a confident guess that must be unlearnt.
        rng: where the first weights come from.

    Shape: (..., fan_in) -> (..., fan_out). The weight is (fan_in, fan_out), as the lectures have it; PyTorch's is the
        transpose.
    Raises: ShapeError: the input's last axis is not `fan_in` long.
    Source: He et al. 2015, arXiv:1502.01852, eq. 10, for the initialisation.
    """

    def __init__(
        self, fan_in: int, fan_out: int, *, bias: bool = True, nonlinearity: str = "linear", scale: float = 1.0,
        rng: np.random.Generator,
    ) -> None:  # fmt: skip
        _positive(fan_in=fan_in, fan_out=fan_out)
        self.fan_in = fan_in
        self.fan_out = fan_out
        first = init.kaiming_normal(fan_in, fan_out, rng=rng, nonlinearity=nonlinearity)
        self.weight = Parameter(first * np.float32(scale))
        self.bias = Parameter(np.zeros(fan_out, np.float32)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """Return x W + b, (..., fan_out)."""
        if x.array.shape[-1] != self.fan_in:
            raise ShapeError(
                f"Linear({self.fan_in}, {self.fan_out}) needs x.shape[-1] == {self.fan_in}; got x of shape {x.shape}. "
                f"Should it be Linear({x.shape[-1]}, {self.fan_out}), or does a Flatten go before it?"
            )
        return linear(x, self.weight, self.bias)

    def extra_repr(self) -> str:
        """Return fan-in, fan-out, and whether the bias is left out."""
        return f"{self.fan_in}, {self.fan_out}" + ("" if self.bias is not None else ", bias=False")


class Embedding(Module):
    """A table with a vector for each id: row `id` of W, which is what a one-hot vector times W picks.

    Args:
        count: how many ids, V.
        size: length of a vector, E.
        scale: standard deviation of the first vectors.
        rng: where they come from.

    Shape: (...) integer ids in 0..V-1 -> (..., E)
    Raises: ConfigError: an id that is not in 0..V-1.
    Source: Bengio et al. 2003, section 2: the mapping C.
    """

    def __init__(self, count: int, size: int, *, scale: float = 1.0, rng: np.random.Generator) -> None:
        _positive(count=count, size=size)
        self.count = count
        self.size = size
        self.weight = Parameter((rng.standard_normal((count, size)) * scale).astype(np.float32))

    def forward(self, x: Any) -> Tensor:
        """Return the vectors of ids, (..., E)."""
        return embed(x, self.weight)

    def extra_repr(self) -> str:
        """Return the number of ids and the length of a vector."""
        return f"{self.count}, {self.size}"


class Flatten(Module):
    """Join all axes but the first: (B, T, E) -> (B, T E)."""

    def forward(self, x: Tensor) -> Tensor:
        """Return x as a matrix with one row an example."""
        return x.view(x.shape[0], -1)


class Sequential(Module):
    """Modules one after the other, each fed with the one before.

    Args:
        layers: the modules in order.
    """

    def __init__(self, *layers: Module) -> None:
        self.layers = list(layers)

    def forward(self, x: Any) -> Tensor:
        """Return the last module's output."""
        y: Tensor = x  # ids, if the first module is an embedding
        for layer in self.layers:
            y = layer(y)
        return y

    def __len__(self) -> int:
        return len(self.layers)

    def __getitem__(self, index: int) -> Module:
        return self.layers[index]


def _positive(**sizes: int) -> None:
    for name, size in sizes.items():
        if size < 1:
            raise ConfigError(f"{name} must be at least 1; got {size}.")
