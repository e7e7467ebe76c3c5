"""The bigram model as a network: one linear layer whose rows become the logs of counts."""

from dataclasses import dataclass

import numpy as np

from backlight.autograd import Tensor
from backlight.core import ConfigError, IntArray
from backlight.models.neural import NeuralModel
from backlight.nn import Embedding


@dataclass(frozen=True, kw_only=True)
class BigramConfig:
    """Sizes of a bigram network.

    Args:
        vocabulary_size: V, the boundary included.
    """

    vocabulary_size: int

    def __post_init__(self) -> None:
        if self.vocabulary_size < 2:
            raise ConfigError(
                f"vocabulary_size counts the boundary and at least one character; got {self.vocabulary_size}."
            )


class Bigram(NeuralModel):
    """logits = onehot(last id) W: the row of W that belongs to the last character.

    At the minimum of the loss, softmax of row i is the share of each character among those that follow i; so the row
    is the log of a counted row, up to a constant that softmax does not see.

    Args:
        config: sizes.
        rng: where the first weights come from.

    Shape: (B, 1) ids -> (B, V) logits
    """

    context = 1

    def __init__(self, config: BigramConfig, *, rng: np.random.Generator) -> None:
        self.config = config
        self.vocabulary_size = config.vocabulary_size
        # near 0: all characters are about equally likely, and the first loss is ln V
        self.table = Embedding(config.vocabulary_size, config.vocabulary_size, scale=0.01, rng=rng)

    def forward(self, x: IntArray) -> Tensor:
        """Return the rows that the ids pick, (B, V)."""
        return self.table(x[:, -1])
