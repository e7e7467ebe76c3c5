"""The bigram model as a network: one linear layer whose rows become the logs of counts."""

from dataclasses import dataclass

import numpy as np

from backlight.autograd import Tensor
from backlight.core import IntArray
from backlight.models.neural import NeuralModel
from backlight.models.spec import ModelConfig, ModelSpec
from backlight.nn import Embedding


@dataclass(frozen=True, kw_only=True)
class BigramConfig(ModelConfig):
    """Sizes of a bigram network: the vocabulary's decides all."""


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


SPEC = ModelSpec(
    name="bigram",
    summary="one linear layer on the last character: its rows become log counts",
    config=BigramConfig,
    build=lambda config, rng: Bigram(config, rng=rng),
    # one linear layer: convex, so a large rate is safe and few steps are enough
    train={"steps": 2_000, "batch_size": 1_024, "lr": 0.05, "warmup": 50},
    cost=3,
)
