"""A network that fuses its context pair by pair over several levels, as WaveNet does, instead of in one layer."""

from dataclasses import dataclass

import numpy as np

from backlight.autograd import Tensor
from backlight.core import ConfigError, IntArray
from backlight.core.settings import setting
from backlight.models.neural import NeuralModel
from backlight.models.spec import MOST, ModelConfig, ModelSpec
from backlight.nn import BatchNorm1d, Embedding, FlattenConsecutive, Linear, Module, Sequential, Tanh


@dataclass(frozen=True, kw_only=True)
class WaveNetConfig(ModelConfig):
    """Configuration of a hierarchical language model.

    With the defaults it has 180,000 parameters on names. Lecture 6's last network, with 76,000 parameters, has an
    embedding of 24 and 128 hidden units.

    Args:
        vocabulary_size: V, including the boundary.
        context: number of characters that it reads, T: a power of 2, with log2 T levels.
        embedding: embedding dimension of each character, E.
        hidden: number of tanh units of each level, H.
        output_scale: scale of the output layer's initial weights. With a small scale the initial logits are nearly
            equal and the initial loss is ln V; with 1 or more, the first steps have to undo confident wrong guesses.

    Raises:
        ConfigError: a size out of range, or a context that is not a power of 2.
    """

    context: int = setting("Context length in characters.", default=8, at_least=1, at_most=MOST)
    embedding: int = setting("Embedding dimension of each character.", default=32, at_least=1, at_most=MOST)
    hidden: int = setting("Units of each level.", default=200, at_least=1, at_most=MOST)
    output_scale: float = setting(
        "Scale of the output layer's initial weights; 1 is overconfident.", default=0.1, at_least=0
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.context < 2 or self.context & (self.context - 1):
            below = 1 << (self.context.bit_length() - 1)
            near = "2" if self.context < 2 else f"{below} or {2 * below}"
            raise ConfigError(
                f"context must be a power of 2, since each level joins pairs; got {self.context}. Try {near}."
            )

    @property
    def levels(self) -> int:
        """Number of levels until one position is left: log2 of the context."""
        return self.context.bit_length() - 1


class WaveNet(NeuralModel):
    """Each level maps each pair of neighbours to tanh(batch_norm([left, right] W)); the last one gives the logits.

    The weights of a level are shared by its positions. Applied at every position of a longer text, the levels are
    causal convolutions with kernel size 2 and dilations 1, 2, 4, ...

    Args:
        config: the configuration.
        rng: the random generator of the initial weights.

    Shape: (B, T) ids -> (B, V) logits
    Source: van den Oord et al. 2016, arXiv:1609.03499, figure 3, by lecture 6 of "Neural Networks: Zero to Hero",
        which leaves out its gates, residuals and skips.
    """

    fixed_graph = True

    def __init__(self, config: WaveNetConfig, *, rng: np.random.Generator) -> None:
        self.config = config
        self.vocabulary_size = config.vocabulary_size
        self.context = config.context
        self.embedding = Embedding(config.vocabulary_size, config.embedding, rng=rng)
        layers: list[Module] = []
        for level in range(config.levels):
            channels = config.embedding if level == 0 else config.hidden
            layers += [
                FlattenConsecutive(2),
                # batch norm subtracts the mean, and with it any bias
                Linear(2 * channels, config.hidden, bias=False, nonlinearity="tanh", rng=rng),
                BatchNorm1d(config.hidden),
                Tanh(),
            ]
        self.hidden = Sequential(*layers)
        self.output = Linear(config.hidden, config.vocabulary_size, scale=config.output_scale, rng=rng)

    def forward(self, x: IntArray) -> Tensor:
        """Return (B, V) logits of the character that follows each row of (B, T) ids."""
        return self.output(self.hidden(self.embedding(x)))


SPEC = ModelSpec(
    name="wavenet",
    summary="pairs of characters joined level by level, with batch norm (van den Oord et al. 2016)",
    config=WaveNetConfig,
    build=lambda config, rng: WaveNet(config, rng=rng),
    # strong decay: batch norm makes the scale of the weights irrelevant, and with small weights the steps stay large
    train={"steps": 10_000, "batch_size": 256, "lr": 5e-3, "warmup": 100, "weight_decay": 0.4, "ema_decay": 0.998},
    quick={"steps": 8_000},
    cost=60,
)
