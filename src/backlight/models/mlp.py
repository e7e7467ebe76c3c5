"""The neural probabilistic language model: characters become vectors, and a hidden layer reads several at once."""

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

    context: int = setting("Context length in characters.", default=6, at_least=1, at_most=MOST)
    embedding: int = setting("Length of a character's embedding.", default=32, at_least=1, at_most=MOST)
    hidden: tuple[int, ...] = setting(
        "Units of each hidden layer, as in 200 or 256,128.", default=(256, 256), at_least=1, at_most=MOST
    )
    direct: bool = setting("Connect the embeddings to the logits directly as well.", default=False)
    batch_norm: bool = setting("Normalise each hidden layer over the minibatch.", default=False)
    output_scale: float = setting(
        "Scale of the output layer's initial weights; 1 is overconfident.", default=0.1, at_least=0
    )


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


SPEC = ModelSpec(
    name="mlp",
    summary="embeddings and tanh layers on the last characters (Bengio et al. 2003)",
    config=MLPConfig,
    build=lambda config, rng: MLP(config, rng=rng),
    # few large batches rather than the lecture's 200,000 of 32: a matrix product of 256 rows costs far less than eight
    # of 32; the average of the last thousand steps' weights and the weight decay hold back what is learnt by heart
    train={"steps": 5_000, "batch_size": 256, "lr": 5e-3, "warmup": 100, "weight_decay": 0.07, "ema_decay": 0.998},
    cost=20,
)
