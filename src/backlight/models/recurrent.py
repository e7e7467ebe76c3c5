"""Recurrent language models: a state of fixed size remembers what was read, however long ago."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import numpy as np

from backlight.autograd import Tensor, cross_entropy, no_grad
from backlight.autograd.ops.recurrence import State
from backlight.core import Batch, FloatArray, IntArray
from backlight.core.settings import setting
from backlight.models._packed import PackedBatch
from backlight.models.decoding import Decoder
from backlight.models.neural import NeuralModel, nll_of
from backlight.models.protocol import Reads
from backlight.models.spec import MOST, ModelConfig, ModelSpec
from backlight.nn import GRU, LSTM, RNN, Dropout, Embedding, Linear

LAYERS: Final[dict[str, type[RNN | GRU | LSTM]]] = {"rnn": RNN, "gru": GRU, "lstm": LSTM}


def _hidden(units: int) -> Any:
    return setting("Units of each recurrent layer, first to last.", default=(units,), at_least=1, at_most=MOST)


@dataclass(frozen=True, kw_only=True)
class RecurrentConfig(ModelConfig):
    """Sizes of a recurrent language model; which kind of layer it has is the subclass's to say.

    Args:
        vocabulary_size: V, the boundary included.
        context: how many steps are unrolled at most in training and scoring, T: so far back a gradient reaches.
        embedding: length of a character's vector, E.
        hidden: length of the state of each layer, first to last.
        dropout: share of numbers dropped in training: of the vectors, and of what each layer passes on; never of
            its state from step to step.
        output_scale: factor on the last layer's first weights. Small, so that the first logits are nearly equal and
            the first loss is ln V; with 1 or more, training begins with unlearning a confident guess.
    """

    cell: ClassVar[str]

    context: int = setting("Context length in characters.", default=16, at_least=1, at_most=MOST)
    embedding: int = setting("Length of a character's embedding.", default=64, at_least=1, at_most=MOST)
    hidden: tuple[int, ...] = _hidden(192)
    dropout: float = setting("Dropout probability.", default=0.2, at_least=0, below=1)
    output_scale: float = setting(
        "Scale of the output layer's initial weights; 1 is overconfident.", default=0.1, at_least=0
    )


@dataclass(frozen=True, kw_only=True)
class RNNConfig(RecurrentConfig):
    """Sizes of a plain recurrent model. For the arguments see `RecurrentConfig`."""

    cell = "rnn"
    hidden: tuple[int, ...] = _hidden(384)


@dataclass(frozen=True, kw_only=True)
class GRUConfig(RecurrentConfig):
    """Sizes of a GRU model. For the arguments see `RecurrentConfig`."""

    cell = "gru"
    hidden: tuple[int, ...] = _hidden(224)


@dataclass(frozen=True, kw_only=True)
class LSTMConfig(RecurrentConfig):
    """Sizes of an LSTM model. For the arguments see `RecurrentConfig`."""

    cell = "lstm"
    hidden: tuple[int, ...] = _hidden(192)


class RecurrentModel(NeuralModel):
    """logits[t] = b + W h[t], h[t] = cell(C[x[t]], h[t-1]): each character changes a state, which predicts the next.

    Where the targets of a batch's sequences end, so does its computing: padding costs nothing and has no gradient.

    Every row of ids starts from a state of 0. On a stream of text, which is cut into chunks, that is so at the start of
    each chunk too: training and scoring carry nothing from one to the next. A decoder does carry its state, also
    beyond `context` characters.

    Args:
        config: sizes; its class decides the kind of layer.
        rng: where the first weights come from.

    Shape: (B, T) ids -> (B, T, V) logits
    Source: Elman 1990 (rnn); Cho et al. 2014, arXiv:1406.1078 (gru); Hochreiter & Schmidhuber 1997 and Gers,
        Schmidhuber & Cummins 2000 (lstm); as language models of characters: Mikolov et al. 2010; Graves 2013,
        arXiv:1308.0850.
    """

    reads: Reads = "sequences"
    fixed_graph = True

    def __init__(self, config: RecurrentConfig, *, rng: np.random.Generator) -> None:
        self.config = config
        self.vocabulary_size = config.vocabulary_size
        self.context = config.context
        self.embedding = Embedding(config.vocabulary_size, config.embedding, rng=rng)
        self.dropout = Dropout(config.dropout, rng=rng)
        layer, fan_ins = LAYERS[config.cell], (config.embedding, *config.hidden)
        self.layers = [layer(i, h, rng=rng) for i, h in zip(fan_ins, config.hidden, strict=False)]
        self.output = Linear(config.hidden[-1], config.vocabulary_size, scale=config.output_scale, rng=rng)

    def forward(self, x: IntArray) -> Tensor:
        """Return (B, T, V) logits of the character after each position of (B, T) ids."""
        return self.output(self._states(x))

    def inputs(self, batch: Batch) -> tuple[Any, ...]:
        """Return ids and targets, step by step, and how many each step has."""
        needed = PackedBatch.by_step(batch.x, batch.y)
        return needed.of(batch.x), needed.counts, needed.of(batch.y)

    def kind(self, inputs: tuple[Any, ...]) -> Hashable:
        """Return the same for all: no op's settings but the counts depend on how many ids there are."""
        del inputs
        return None

    def loss_of(self, inputs: tuple[Any, ...]) -> Tensor:
        """Return the mean cross-entropy in nats per target, in the graph, computed from what `inputs` returned."""
        ids, counts, targets = inputs
        return cross_entropy(self.output(self._states(ids, counts)), targets)

    def nll(self, x_BT: IntArray, y: IntArray) -> FloatArray:
        """Return -log p(y | x) in nats for each target, in y's shape; 0 where y is not a target."""
        x = self._whole(x_BT)
        needed = PackedBatch.by_step(x, y)
        with no_grad():
            logits = self.output(self._states(needed.of(x), needed.counts)).array
        return needed.spread(nll_of(logits, needed.of(y)))

    def next_logits(self, x_BT: IntArray) -> FloatArray:
        """Return (B, V) logits of the character after each row, without a graph."""
        with no_grad():
            return self.output(self._states(self._whole(x_BT))[:, -1]).array

    def decoder(self, x_BT: IntArray) -> "RecurrentDecoder":
        """Return texts that begin with these ids, with the state that they have left."""
        return RecurrentDecoder(self, self._whole(x_BT))

    def carry(self, x_BT: IntArray, states: Sequence[State | None]) -> tuple[FloatArray, list[State]]:
        """Read on from a state, in evaluation mode and without a graph.

        Args:
            x_BT: further ids of each text, at least one.
            states: what each layer remembers of the ids before; None before the first.

        Returns:
            (B, V) logits of the character after each text, and the layers' states.
        """
        with no_grad():
            y = self.embedding(x_BT).array
            left = []
            for layer, state in zip(self.layers, states, strict=True):
                y, after = layer.carry(y, state)
                left.append(after)
            return self.output(Tensor(y[:, -1])).array, left

    def _states(self, ids: IntArray, counts: Sequence[int] | None = None) -> Tensor:
        h = self.dropout(self.embedding(ids))
        for layer in self.layers:
            h = self.dropout(layer(h, counts))
        return h


class RecurrentDecoder(Decoder):
    """Texts under way, each with the state that it has left: a new character costs one step, however long the text.

    Args:
        model: the network.
        x_BT: what the texts begin with, (B, T), T at least 1.
    """

    def __init__(self, model: RecurrentModel, x_BT: IntArray) -> None:
        super().__init__(x_BT, vocabulary_size=model.vocabulary_size, context=model.context)
        self._model = model
        self.logits, self._states = model.carry(self.x_WT, [None] * len(model.layers))

    def advance(self, ids: IntArray) -> None:
        """Add a character to each text, (B,), and move the logits on."""
        rows, characters = self._part(ids)
        states = [tuple(part[rows] for part in state) for state in self._states]
        self.logits, self._states = self._model.carry(characters[:, None], states)


def _spec(name: str, summary: str, config: type[RecurrentConfig], *, lr: float, quick: int, cost: float) -> ModelSpec:
    return ModelSpec(
        name=name,
        summary=summary,
        config=config,
        build=lambda config, rng: RecurrentModel(config, rng=rng),
        # twice the steps at half the batch reached a little less loss (docs/log.md); clipped, because a gradient
        # through many steps can burst (Pascanu, Mikolov & Bengio 2013, arXiv:1211.5063), a plain recurrence's most
        train={"steps": 10_000, "batch_size": 64, "lr": lr, "warmup": 200, "weight_decay": 0.1, "grad_clip": 1.0},
        quick={"steps": quick},
        cost=cost,
    )


RNN_SPEC = _spec(
    "rnn", "a state made of the last character and the state before (Elman 1990)", RNNConfig,
    lr=2e-3, quick=3_000, cost=50,
)  # fmt: skip
GRU_SPEC = _spec(
    "gru", "a state whose gates decide what stays of it (Cho et al. 2014)", GRUConfig, lr=3e-3, quick=4_000, cost=70
)
LSTM_SPEC = _spec(
    "lstm", "a memory cell that gates write, keep and read (Hochreiter & Schmidhuber 1997)", LSTMConfig,
    lr=3e-3, quick=4_000, cost=80,
)  # fmt: skip
