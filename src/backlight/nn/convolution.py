"""A layer that looks back in time at regular steps."""

import math

import numpy as np

from backlight.autograd import Parameter, Tensor, apply
from backlight.autograd.ops.convolution import CausalConv1d as CausalConv1dOp
from backlight.core import ConfigError, ShapeError
from backlight.nn import init
from backlight.nn.kind import Kind
from backlight.nn.module import Module


class CausalConv1d(Module):
    """Each position mixes itself and `kernel - 1` earlier ones, `dilation` apart: never a later one.

    Stacked with dilations 1, 2, 4, ..., k layers of kernel 2 see 2ᵏ positions, as WaveNet does.

    Args:
        fan_in: channels of the input, I.
        fan_out: channels of the output, O.
        kernel: how many positions are mixed, K; the last of the K matrices is the position's own.
        dilation: steps from one of them to the next.
        nonlinearity: what follows, which decides the gain of the Kaiming initialisation.
        rng: where the first weights come from.

    Attributes:
        weight: (K, I, O); PyTorch's is (O, I, K).
        bias: (O,), 0 at first.

    Shape: (B, T, I) -> (B, T, O). What would stand before the first position counts as 0.

    Raises:
        ConfigError: a size below 1.
        ShapeError: the input is not (B, T, I).
    Source: van den Oord et al. 2016, arXiv:1609.03499, section 2.1.
    """

    layer_kind = Kind("convolution", settings=("kernel", "dilation"))

    def __init__(
        self, fan_in: int, fan_out: int, kernel: int, *, dilation: int = 1, nonlinearity: str = "linear",
        rng: np.random.Generator,
    ) -> None:  # fmt: skip
        for name, size in (("fan_in", fan_in), ("fan_out", fan_out), ("kernel", kernel), ("dilation", dilation)):
            if size < 1:
                raise ConfigError(f"{name} must be at least 1; got {size}.")
        self.fan_in = fan_in
        self.fan_out = fan_out
        self.kernel = kernel
        self.dilation = dilation
        std = init.gain(nonlinearity) / math.sqrt(kernel * fan_in)  # each output sums kernel x fan_in products
        self.weight = Parameter((rng.standard_normal((kernel, fan_in, fan_out)) * std).astype(np.float32))
        self.bias = Parameter(np.zeros(fan_out, np.float32))

    def forward(self, x: Tensor) -> Tensor:
        """Return the mixed positions, (B, T, O)."""
        if x.array.ndim != 3 or x.array.shape[-1] != self.fan_in:
            raise ShapeError(
                f"CausalConv1d({self.extra_repr()}) needs x of shape (B, T, {self.fan_in}); got {x.shape}. "
                "Is the channel axis last?"
            )
        return apply(CausalConv1dOp, x, self.weight, self.bias, dilation=self.dilation)

    def extra_repr(self) -> str:
        """Return fan-in, fan-out, kernel and dilation."""
        return f"{self.fan_in}, {self.fan_out}, kernel={self.kernel}, dilation={self.dilation}"
