"""Activation functions. Without them, any number of linear layers is equivalent to one."""

from backlight.autograd import Tensor, as_tensor
from backlight.autograd.tensor_base import Operand
from backlight.nn.kind import Kind
from backlight.nn.module import Module


class Tanh(Module):
    """tanh of each element: between -1 and 1, steepest at 0, flat (saturated) beyond ±3.

    Shape: (...) -> (...)
    """

    layer_kind = Kind("activation", (-1.0, 1.0), bounded=True)

    def forward(self, x: Operand) -> Tensor:
        """Return tanh x."""
        return as_tensor(x).tanh()


class ReLU(Module):
    """max(0, x) of each element. A unit that is never positive gets no gradient: it is dead.

    Shape: (...) -> (...)
    """

    layer_kind = Kind("activation", one_sided=True)

    def forward(self, x: Operand) -> Tensor:
        """Return max(0, x)."""
        return as_tensor(x).relu()


class Sigmoid(Module):
    """1 / (1 + exp(-x)) of each element: between 0 and 1.

    Shape: (...) -> (...)
    """

    layer_kind = Kind("activation", (0.0, 1.0), bounded=True)

    def forward(self, x: Operand) -> Tensor:
        """Return 1 / (1 + exp(-x))."""
        return as_tensor(x).sigmoid()


class GELU(Module):
    """x Φ(x) of each element, with the tanh approximation of the normal distribution function Φ.

    Shape: (...) -> (...)
    Source: Hendrycks & Gimpel 2016, arXiv:1606.08415, section 2.
    """

    layer_kind = Kind("activation")

    def forward(self, x: Operand) -> Tensor:
        """Return x Φ(x)."""
        return as_tensor(x).gelu()

    def extra_repr(self) -> str:
        """Return the approximation of Φ."""
        return "approximate='tanh'"


ACTIVATIONS = {"tanh": Tanh, "relu": ReLU, "sigmoid": Sigmoid, "gelu": GELU}
"""The activations by the names in configurations and in `init.GAINS`."""
