"""`Conv1d` with PyTorch's arguments, on the causal convolution of `backlight.autograd`."""

import math
from typing import Any

import numpy as np

from backlight.autograd import Tensor, apply, cat
from backlight.autograd.ops.convolution import CausalConv1d
from backlight.core import ConfigError, ShapeError
from backlight.core.arguments import check_flag, check_whole, shown
from backlight.nn.kind import Kind
from backlight.nn.module import as_input
from backlight.torchlike.nn import init
from backlight.torchlike.nn.module import Module
from backlight.torchlike.nn.options import empty_parameter, refuse
from backlight.torchlike.nn.parameter import Parameter


class Conv1d(Module):
    """A convolution along the last axis: y[o, t] = b[o] + Σ_i,j W[o, i, j] x[i, t stride + j dilation - padding].

    Args:
        in_channels: channels of the input, I.
        out_channels: channels of the output, O.
        kernel_size: number of positions, K.
        stride: distance between two outputs.
        padding: zeros at both ends; "same" for as many outputs as inputs, "valid" for none.
        dilation: distance between the positions of the kernel.
        groups: parts into which the channels are divided, each with its own kernel.
        bias: whether to add a bias.
        padding_mode: must be "zeros".
        device: "cpu" or None.
        dtype: float32 (the default) or float64.

    Attributes:
        weight: (O, I / groups, K), uniform within ±1 / √(K I / groups).
        bias: (O,), likewise, or None.

    Shape: (N, I, T) or (I, T) -> (N, O, T') or (O, T')

    Raises:
        ConfigError: a size below 1, sizes that do not fit, or another padding mode.
        ShapeError: another number of channels, or an input that is shorter than the kernel.
    """

    layer_kind = Kind("convolution", settings=("kernel_size", "dilation"))
    weight: Parameter
    bias: Parameter | None

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any = 1, padding: Any = 0,
        dilation: Any = 1, groups: int = 1, bias: bool = True, padding_mode: str = "zeros", device: Any = None,
        dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__()
        refuse("Conv1d", padding_mode=(padding_mode, "zeros"))
        check_flag(bias=bool(bias))
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.kernel_size, self.stride, self.dilation = (_one(size) for size in (kernel_size, stride, dilation))
        check_whole(in_channels=in_channels, out_channels=out_channels, groups=groups)
        check_whole(kernel_size=self.kernel_size[0], stride=self.stride[0], dilation=self.dilation[0])
        if in_channels % groups or out_channels % groups:
            raise ConfigError(f"groups must divide both numbers of channels; got {groups}.")
        if isinstance(padding, str):
            if padding not in {"same", "valid"} or (padding == "same" and self.stride != (1,)):
                raise ConfigError(f"padding must be a number, 'valid', or 'same' with stride 1; got {shown(padding)}.")
            self.padding: Any = padding
        else:
            check_whole(0, padding=_one(padding)[0])
            self.padding = _one(padding)
        self.weight = empty_parameter((out_channels, in_channels // groups, self.kernel_size[0]), device, dtype)
        self.register_parameter("bias", empty_parameter((out_channels,), device, dtype) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weight and then the bias."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(self.weight.array[0].size)
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input: Any) -> Tensor:
        """Return the convolution, (N, O, T')."""
        x = as_input(input, self.weight)
        single = x.array.ndim == 2
        if single:
            x = x.unsqueeze(0)
        if x.array.ndim != 3 or x.array.shape[1] != self.in_channels:
            raise ShapeError(
                f"Conv1d needs (N, {self.in_channels}, T) or ({self.in_channels}, T); got {tuple(x.array.shape)}. "
                "Is the channel axis before the last?"
            )
        reach = (self.kernel_size[0] - 1) * self.dilation[0]
        x = self._padded(x.permute(0, 2, 1), reach)
        if x.array.shape[1] <= reach:
            raise ShapeError(f"Conv1d needs at least {reach + 1} positions, with padding; got {x.array.shape[1]}.")
        taps = self.weight.permute(2, 1, 0)  # (K, I / groups, O)
        I, O = self.in_channels // self.groups, self.out_channels // self.groups
        shift = self.bias if self.bias is not None else Tensor(np.zeros(self.out_channels, x.array.dtype))
        parts = [
            apply(
                CausalConv1d, x[:, :, g * I : (g + 1) * I], taps[:, :, g * O : (g + 1) * O],
                shift[g * O : (g + 1) * O], dilation=self.dilation[0],
            )
            for g in range(self.groups)
        ] if self.groups > 1 else [apply(CausalConv1d, x, taps, shift, dilation=self.dilation[0])]  # fmt: skip
        y = parts[0] if len(parts) == 1 else cat(parts, 2)
        y = y[:, reach :: self.stride[0]].permute(0, 2, 1)  # the first outputs see zeros before the input
        return y.squeeze(0) if single else y

    def _padded(self, x: Tensor, reach: int) -> Tensor:
        """Return x (N, T, I) with zeros at both ends."""
        if self.padding == "valid":
            return x
        left, right = (reach // 2, reach - reach // 2) if self.padding == "same" else (self.padding[0],) * 2
        N, _, I = x.array.shape
        zeros = [Tensor(np.zeros((N, count, I), x.array.dtype)) for count in (left, right)]
        return cat([zeros[0], x, zeros[1]], 1) if left or right else x

    def extra_repr(self) -> str:
        """Return the sizes, and the settings that are not the default."""
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        usual = {"padding": (0,), "dilation": (1,), "groups": 1}
        for name, value in usual.items():
            if getattr(self, name) != value:
                text += f", {name}={getattr(self, name)}"
        return text if self.bias is not None else f"{text}, bias=False"


def _one(size: Any) -> tuple[Any]:
    return (size[0],) if isinstance(size, (tuple, list)) and len(size) == 1 else (size,)
