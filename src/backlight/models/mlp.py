"""The neural probabilistic language model: characters become vectors, and a hidden layer reads several at once."""

import math
from dataclasses import dataclass

import numpy as np

from backlight.autograd import Tensor
from backlight.core import ConfigError, IntArray
from backlight.models.neural import NeuralModel
from backlight.nn import BatchNorm1d, Embedding, Linear, Module, Sequential, Tanh

MOST = 1_000_000
"""The largest size: more is a slip of the keyboard, and no memory holds it."""


@dataclass(frozen=True, kw_only=True)
class MLPConfig:
    """Sizes of an MLP language model.

    Args:
        vocabulary_size: V, the boundary included.
        context: how many characters it reads, T.
        embedding: length of a character's vector, E.
        hidden: tanh units of each hidden layer, first to last.
        direct: whether the vectors also reach the logits directly, past the hidden layers.
        batch_norm: whether each hidden layer's sums are normalised over the minibatch before the tanh.
        output_scale: factor on the last layer's first weights. Small, so that the first logits are nearly equal and
            the first loss is ln V; with 1 or more, training begins with unlearning a confident guess.
    """

    vocabulary_size: int
    context: int = 6
    embedding: int = 32
    hidden: tuple[int, ...] = (256, 256)
    direct: bool = False
    batch_norm: bool = False
    output_scale: float = 0.1

    def __post_init__(self) -> None:
        object.__setattr__(self, "hidden", tuple(self.hidden))  # a list, if it comes from a JSON file
        if self.vocabulary_size < 2:
            raise ConfigError(
                f"vocabulary_size counts the boundary and at least one character; got {self.vocabulary_size}."
            )
        for name, size in (
            ("context", self.context),
            ("embedding", self.embedding),
            *(("hidden", n) for n in self.hidden),
        ):
            if not 1 <= size <= MOST:
                raise ConfigError(f"{name} must be from 1 to {MOST:,}; got {size}. Leave it out for the default.")
        check_output_scale(self.output_scale)
        if not self.hidden:
            raise ConfigError("hidden must name at least one layer; got none. For a model without one, use bigram.")


def check_output_scale(scale: float) -> None:
    """Raise ConfigError for a factor that no first weights can have."""
    if not 0 <= scale < math.inf:
        raise ConfigError(f"output_scale must be a finite number, 0 or more; got {scale}. Try 0.1, or leave it out.")


class MLP(NeuralModel):
    """logits = b + W [x +] U tanh(d + H x), where x joins the vectors of the last T characters.

    Args:
        config: sizes.
        rng: where the first weights come from.

    Shape: (B, T) ids -> (B, V) logits
    Source: Bengio, Ducharme, Vincent & Jauvin 2003, "A Neural Probabilistic Language Model", eq. 1; W is the optional
        direct connection. More than one hidden layer and batch norm (Ioffe & Szegedy 2015) are lecture 4's extensions.
    """

    fixed_graph = True

    def __init__(self, config: MLPConfig, *, rng: np.random.Generator) -> None:
        self.config = config
        self.vocabulary_size = config.vocabulary_size
        self.context = config.context
        self.embedding = Embedding(config.vocabulary_size, config.embedding, rng=rng)
        joined = config.context * config.embedding
        fan_ins = (joined, *config.hidden)
        layers: list[Module] = []
        for fan_in, fan_out in zip(fan_ins, config.hidden, strict=False):
            # batch norm takes the mean away, and with it any bias
            layers.append(Linear(fan_in, fan_out, bias=not config.batch_norm, nonlinearity="tanh", rng=rng))
            layers += [BatchNorm1d(fan_out), Tanh()] if config.batch_norm else [Tanh()]
        self.hidden = Sequential(*layers)
        self.output = Linear(config.hidden[-1], config.vocabulary_size, scale=config.output_scale, rng=rng)
        self.direct = (
            Linear(joined, config.vocabulary_size, bias=False, scale=config.output_scale, rng=rng)
            if config.direct
            else None
        )

    def forward(self, x: IntArray) -> Tensor:
        """Return (B, V) logits of the character after each row of (B, T) ids."""
        vectors = self.embedding(x).view(len(x), -1)
        logits = self.output(self.hidden(vectors))
        return logits if self.direct is None else logits + self.direct(vectors)
