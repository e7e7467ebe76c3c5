"""Activation functions as layers: each calls the function of the same name."""

from typing import Any

from backlight import nn as backlight_nn
from backlight.autograd import as_tensor
from backlight.core import ConfigError
from backlight.nn.kind import Kind
from backlight.torchlike.nn import functional
from backlight.torchlike.nn.module import Module

F: Any = functional  # the functions are named when a layer is called


class Tanh(Module):
    """tanh of each element."""

    layer_kind = backlight_nn.Tanh.layer_kind

    def forward(self, input: Any) -> Any:
        """Return tanh x."""
        return as_tensor(input).tanh()


class Sigmoid(Module):
    """1 / (1 + exp(-x)) of each element."""

    layer_kind = backlight_nn.Sigmoid.layer_kind

    def forward(self, input: Any) -> Any:
        """Return 1 / (1 + exp(-x))."""
        return as_tensor(input).sigmoid()


class _InPlace(Module):
    """An activation function that PyTorch can also apply in place; here it returns a new tensor."""

    layer_kind = Kind("activation")

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def extra_repr(self) -> str:
        """Return whether PyTorch would work in place."""
        return "inplace=True" if self.inplace else ""


class ReLU(_InPlace):
    """max(0, x) of each element. With `inplace`, the result is the same, in a new tensor."""

    layer_kind = backlight_nn.ReLU.layer_kind

    def forward(self, input: Any) -> Any:
        """Return max(0, x)."""
        return as_tensor(input).relu()


class SiLU(_InPlace):
    """x / (1 + exp(-x)) of each element. With `inplace`, the result is the same, in a new tensor."""

    def forward(self, input: Any) -> Any:
        """Return x / (1 + exp(-x))."""
        return F.silu(input)


class LeakyReLU(_InPlace):
    """x where it is above 0, and negative_slope x elsewhere."""

    layer_kind = Kind("activation")

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        super().__init__(inplace)
        self.negative_slope = negative_slope

    def forward(self, input: Any) -> Any:
        """Return x, or negative_slope x below 0."""
        return F.leaky_relu(input, self.negative_slope)

    def extra_repr(self) -> str:
        """Return the slope."""
        return f"negative_slope={self.negative_slope}" + (", inplace=True" if self.inplace else "")


class ELU(_InPlace):
    """x where it is above 0, and alpha (exp(x) - 1) elsewhere."""

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__(inplace)
        self.alpha = alpha

    def forward(self, input: Any) -> Any:
        """Return x, or alpha (exp(x) - 1) below 0."""
        return F.elu(input, self.alpha)

    def extra_repr(self) -> str:
        """Return alpha."""
        return f"alpha={self.alpha}" + (", inplace=True" if self.inplace else "")


class GELU(Module):
    """x Φ(x) of each element.

    Args:
        approximate: "none" for the exact Φ, "tanh" for its approximation.

    Source: Hendrycks & Gimpel 2016, arXiv:1606.08415, section 2.
    """

    layer_kind = backlight_nn.GELU.layer_kind

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        self.approximate = approximate

    def forward(self, input: Any) -> Any:
        """Return x Φ(x)."""
        return F.gelu(input, approximate=self.approximate)

    def extra_repr(self) -> str:
        """Return the approximation of Φ."""
        return f"approximate={self.approximate!r}"


class Softmax(Module):
    """Probabilities along an axis.

    Args:
        dim: the axis, which must be given.
    """

    layer_kind = Kind("softmax")

    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        if dim is None:
            raise ConfigError(f"{type(self).__name__} needs the axis of the classes; got dim=None. The last is dim=-1.")
        self.dim = dim

    def forward(self, input: Any) -> Any:
        """Return exp(x) divided by its sum."""
        return as_tensor(input).softmax(self.dim)

    def extra_repr(self) -> str:
        """Return the axis."""
        return f"dim={self.dim}"


class LogSoftmax(Softmax):
    """Log probabilities along an axis, in nats. Args: see `Softmax`."""

    def forward(self, input: Any) -> Any:
        """Return the logarithm of exp(x) divided by its sum."""
        return as_tensor(input).log_softmax(self.dim)
