"""The bigram model as a network: one linear layer whose rows become log counts."""

from dataclasses import dataclass

import numpy as np

from backlight.autograd import Tensor
from backlight.core import IntArray
from backlight.models.neural import NeuralModel
from backlight.models.spec import ModelConfig, ModelSpec
from backlight.nn import Embedding


@dataclass(frozen=True, kw_only=True)
class BigramConfig(ModelConfig):
    """Configuration of a bigram network, whose only size is that of the vocabulary."""


class Bigram(NeuralModel):
    """logits = onehot(last id) W: the row of W for the last character.

    At the minimum of the loss, the softmax of row i is the relative frequency of each character after i, so the row
    holds log counts up to an additive constant, to which softmax is invariant.

    Args:
        config: the configuration.
        rng: the random generator of the initial weights.

    Shape: (B, 1) ids -> (B, V) logits
    """

    context = 1

    def __init__(self, config: BigramConfig, *, rng: np.random.Generator) -> None:
        self.config = config
        self.vocabulary_size = config.vocabulary_size
        # near 0, so that all characters are about equally likely and the initial loss is ln V
        self.table = Embedding(config.vocabulary_size, config.vocabulary_size, scale=0.01, rng=rng)

    def forward(self, x: IntArray) -> Tensor:
        """Return the rows of the last ids, (B, V)."""
        return self.table(x[:, -1])


SPEC = ModelSpec(
    name="bigram",
    summary="one linear layer on the last character: its rows become log counts",
    config=BigramConfig,
    build=lambda config, rng: Bigram(config, rng=rng),
    # the loss is convex, so a high rate is safe and a few steps are enough
    train={"steps": 2_000, "batch_size": 1_024, "lr": 0.05, "warmup": 50},
    cost=3,
)
