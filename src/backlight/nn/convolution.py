"""Causal convolution."""

import math

import numpy as np

from backlight.autograd import Parameter, Tensor, apply
from backlight.autograd.ops.convolution import CausalConv1d as CausalConv1dOp
from backlight.autograd.tensor_base import Operand
from backlight.core import ShapeError
from backlight.core.arguments import check_rng, check_whole
from backlight.nn import init
from backlight.nn.kind import Kind
from backlight.nn.module import Module, as_input


class CausalConv1d(Module):
    """A convolution in which a position depends on itself and on `kernel_size - 1` earlier ones, `dilation` apart.

    As in WaveNet, k layers of kernel size 2 with dilations 1, 2, 4, ... have a receptive field of 2ᵏ positions.

    Args:
        in_channels: channels of the input, I.
        out_channels: channels of the output, O.
        kernel_size: number of positions, K; the last of the K matrices belongs to the present position.
        dilation: distance between these positions.
        nonlinearity: the activation that follows, which sets the gain of the Kaiming initialisation.
        rng: draws the initial weights.

    Attributes:
        weight: (K, I, O); PyTorch's is (O, I, K).
        bias: (O,), initially 0.

    Shape: (B, T, I) -> (B, T, O), with zero padding before the first position.

    Raises:
        ConfigError: a size below 1, or no rng.
        ShapeError: the input is not (B, T, I).
    Source: van den Oord et al. 2016, arXiv:1609.03499, section 2.1.
    """

    layer_kind = Kind("convolution", settings=("kernel_size", "dilation"))

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, *, dilation: int = 1, nonlinearity: str = "linear",
        rng: np.random.Generator | None = None,
    ) -> None:  # fmt: skip
        check_whole(in_channels=in_channels, out_channels=out_channels, kernel_size=kernel_size, dilation=dilation)
        rng = check_rng(rng, f"CausalConv1d({in_channels}, {out_channels}, {kernel_size})")
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = kernel_size
        self.dilation = dilation
        # each output sums kernel_size x in_channels products
        std = init.gain(nonlinearity) / math.sqrt(kernel_size * in_channels)
        first = rng.standard_normal((kernel_size, in_channels, out_channels)) * std
        self.weight = Parameter(first.astype(np.float32))
        self.bias = Parameter(np.zeros(out_channels, np.float32))

    def forward(self, x: Operand) -> Tensor:
        """Return the convolution, (B, T, O)."""
        x = as_input(x, self.weight)
        if x.array.ndim != 3 or x.array.shape[-1] != self.in_channels:
            raise ShapeError(
                f"CausalConv1d({self.extra_repr()}) needs x of shape (B, T, {self.in_channels}); got {tuple(x.shape)}. "
                "Is the channel axis last?"
            )
        return apply(CausalConv1dOp, x, self.weight, self.bias, dilation=self.dilation)

    def extra_repr(self) -> str:
        """Return channels, kernel size and dilation."""
        return f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, dilation={self.dilation}"
