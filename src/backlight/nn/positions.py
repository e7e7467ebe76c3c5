"""Where a character stands, as a vector: without it, attention sees a bag of characters."""

from typing import Any

import numpy as np

from backlight.autograd import Parameter, Tensor, as_array, embed
from backlight.core import ConfigError, ShapeError
from backlight.nn.module import Module


class PositionalEmbedding(Module):
    """A table with a learnt vector for each position 0..context-1, to be added to the characters' vectors.

    Args:
        context: how many positions there are, the longest T.
        channels: length of a vector, C.
        scale: standard deviation of the first vectors.
        rng: where they come from.

    Shape: (...) integer positions -> (..., C)
    Raises: ShapeError: a position that is not below `context`; there is no vector for it.
    Source: Gehring et al. 2017, arXiv:1705.03122, section 3.1; Radford et al. 2018 for the decoder-only form.
    """

    def __init__(self, context: int, channels: int, *, scale: float = 0.02, rng: np.random.Generator) -> None:
        if context < 1 or channels < 1:
            raise ConfigError(f"context and channels must be at least 1; got {context} and {channels}.")
        self.context = context
        self.channels = channels
        self.weight = Parameter((rng.standard_normal((context, channels)) * scale).astype(np.float32))

    def forward(self, x: Any) -> Tensor:
        """Return the vectors of positions, (..., C)."""
        positions = as_array(x)
        if positions.size and positions.max() >= self.context:
            raise ShapeError(
                f"PositionalEmbedding({self.context}, {self.channels}) has the positions 0..{self.context - 1}; got "
                f"{positions.max()}. Read at most {self.context} characters at a time, or take a longer context."
            )
        return embed(positions, self.weight)

    def extra_repr(self) -> str:
        """Return the number of positions and the length of a vector."""
        return f"{self.context}, {self.channels}"
