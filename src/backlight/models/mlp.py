"""The neural probabilistic language model: embeddings of several characters, concatenated, and hidden layers."""

from dataclasses import dataclass

import numpy as np

from backlight.autograd import Tensor
from backlight.core import IntArray
from backlight.core.settings import setting
from backlight.models.neural import NeuralModel
from backlight.models.spec import MOST, ModelConfig, ModelSpec
from backlight.nn import BatchNorm1d, Embedding, Linear, Module, Sequential, Tanh


@dataclass(frozen=True, kw_only=True)
class MLPConfig(ModelConfig):
    """Configuration of an MLP language model.

    Args:
        vocabulary_size: V, including the boundary.
        context: number of characters that it reads, T.
        embedding: embedding dimension of each character, E.
        hidden: number of tanh units in each hidden layer, first to last.
        direct: whether the embeddings are also connected to the logits directly.
        batch_norm: whether each hidden layer has batch norm before its tanh.
        output_scale: scale of the output layer's initial weights. With a small scale the initial logits are nearly
            equal and the initial loss is ln V; with 1 or more, the first steps have to undo confident wrong guesses.
    """

    context: int = setting("Context length in characters.", default=6, at_least=1, at_most=MOST)
    embedding: int = setting("Embedding dimension of each character.", default=32, at_least=1, at_most=MOST)
    hidden: tuple[int, ...] = setting(
        "Units of each hidden layer, as in 200 or 256,128.", default=(256, 256), at_least=1, at_most=MOST
    )
    direct: bool = setting("Also connect the embeddings directly to the logits.", default=False)
    batch_norm: bool = setting("Use batch norm in each hidden layer.", default=False)
    output_scale: float = setting(
        "Scale of the output layer's initial weights; near 1, the first predictions are overconfident.",
        default=0.1,
        at_least=0,
    )


class MLP(NeuralModel):
    """logits = b + [W x +] U tanh(d + H x), where x concatenates the embeddings of the last T characters.

    Args:
        config: the configuration.
        rng: the random generator of the initial weights.

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
            # batch norm subtracts the mean, and with it any bias
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
        """Return (B, V) logits of the character that follows each row of (B, T) ids."""
        vectors = self.embedding(x).view(len(x), -1)
        logits = self.output(self.hidden(vectors))
        return logits if self.direct is None else logits + self.direct(vectors)


SPEC = ModelSpec(
    name="mlp",
    summary="embeddings and tanh layers on the last characters (Bengio et al. 2003)",
    config=MLPConfig,
    build=lambda config, rng: MLP(config, rng=rng),
    # fewer and larger batches than the lecture's 200,000 of 32: a matrix product with 256 rows costs far less than
    # eight with 32; averaging the weights and decaying them reduce overfitting
    train={"steps": 5_000, "batch_size": 256, "lr": 5e-3, "warmup": 100, "weight_decay": 0.07, "ema_decay": 0.998},
    cost=20,
)
