"""Neighbouring positions joined: how a network reads its context pair by pair instead of all at once."""

from backlight.autograd import Tensor
from backlight.core import ConfigError, ShapeError
from backlight.nn.module import Module


class FlattenConsecutive(Module):
    """Join the channels of every n consecutive positions: (B, T, C) -> (B, T/n, n C).

    If one position is left, its axis goes too: (B, n, C) -> (B, n C).

    Args:
        n: how many positions become one.

    Shape: (B, T, C) -> (B, T/n, n C), or (B, n C) if T = n
    Raises:
        ConfigError: n below 1.
        ShapeError: an input without the three axes, or T not a multiple of n.
    Source: lecture 6 of "Neural Networks: Zero to Hero"; van den Oord et al. 2016, arXiv:1609.03499, figure 3.
    """

    def __init__(self, n: int) -> None:
        if n < 1:
            raise ConfigError(f"n counts the positions that become one, at least 1; got {n}. Try 2.")
        self.n = n

    def forward(self, x: Tensor) -> Tensor:
        """Return x with every n positions joined."""
        shape = x.array.shape
        if len(shape) != 3 or not shape[1] or shape[1] % self.n:
            raise ShapeError(
                f"FlattenConsecutive({self.n}) needs x of shape (B, T, C) with T a multiple of {self.n}; "
                f"got x of shape {shape}. Choose a context that can be divided by {self.n} at every level."
            )
        B, T, C = shape
        joined = x.view(B, T // self.n, self.n * C)
        return joined.squeeze(1) if joined.array.shape[1] == 1 else joined

    def extra_repr(self) -> str:
        """Return how many positions become one."""
        return f"{self.n}"
