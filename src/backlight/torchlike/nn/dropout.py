"""Dropout, with PyTorch's masks for the same seed."""

from backlight import nn as backlight_nn
from backlight.autograd import Tensor, apply, as_tensor
from backlight.autograd.ops.dropout import Dropout as DropoutOp
from backlight.autograd.tensor_base import Operand
from backlight.core import ConfigError
from backlight.core.arguments import is_number, shown
from backlight.torchlike import draws
from backlight.torchlike.nn.module import Module
from backlight.torchlike.nn.options import refuse
from backlight.torchlike.random import default_generator


def dropout(input: Operand, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Return the input with each element set to 0 with probability p and the others divided by 1 - p.

    Args:
        input: (...) numbers.
        p: the probability, from 0 to 1.
        training: if false, the input is returned.
        inplace: must be False.

    Raises:
        ConfigError: p outside its range, or `inplace`.
    """
    if not is_number(p) or not 0 <= p <= 1:
        raise ConfigError(f"p is a dropout probability, from 0 to 1; got {shown(p)}.")
    refuse("dropout", inplace=(inplace, False))
    x = as_tensor(input)
    if not training or p == 0 or not x.array.size:
        return x
    if p == 1:
        return x * 0.0
    return apply(DropoutOp, x, keep=draws.bernoulli(x.array, 1 - p, default_generator), p=p)


class Dropout(Module):
    """In training mode, set each element to 0 with probability p and divide the others by 1 - p.

    Args:
        p: the probability, from 0 to 1.
        inplace: must be False.

    Shape: (...) -> (...)
    Raises: ConfigError: p outside its range, or `inplace`.
    Source: Srivastava, Hinton, Krizhevsky, Sutskever & Salakhutdinov 2014, "Dropout".
    """

    layer_kind = backlight_nn.Dropout.layer_kind

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        if not is_number(p) or not 0 <= p <= 1:
            raise ConfigError(f"p is a dropout probability, from 0 to 1; got {shown(p)}.")
        refuse("Dropout", inplace=(inplace, False))
        self.p = p
        self.inplace = inplace

    def forward(self, input: Operand) -> Tensor:
        """Return the input with some elements dropped, or the input itself in evaluation mode."""
        return dropout(input, self.p, self.training)

    def extra_repr(self) -> str:
        """Return the probability, and that a new tensor is returned."""
        return f"p={self.p}, inplace={self.inplace}"
