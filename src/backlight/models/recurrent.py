"""Recurrent language models: a hidden state of fixed size summarises all characters before."""

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
    """Configuration of a recurrent language model. Subclasses set the kind of layer.

    Args:
        vocabulary_size: V, including the boundary.
        context: maximum number of steps that are unrolled in training and scoring, T; gradients reach no further back.
        embedding: embedding dimension of each character, E.
        hidden: size of the hidden state of each layer, first to last.
        dropout: dropout probability of the embeddings and of the output of each layer; the state is not dropped
            between steps.
        output_scale: scale of the output layer's initial weights. With a small scale the initial logits are nearly
            equal and the initial loss is ln V; with 1 or more, the first steps have to undo confident wrong guesses.
    """

    cell: ClassVar[str]

    context: int = setting("Context length in characters.", default=16, at_least=1, at_most=MOST)
    embedding: int = setting("Embedding dimension of each character.", default=64, at_least=1, at_most=MOST)
    hidden: tuple[int, ...] = _hidden(192)
    dropout: float = setting("Dropout probability.", default=0.2, at_least=0, below=1)
    output_scale: float = setting(
        "Scale of the output layer's initial weights; near 1, the first predictions are overconfident.",
        default=0.1,
        at_least=0,
    )


@dataclass(frozen=True, kw_only=True)
class RNNConfig(RecurrentConfig):
    """Configuration of a plain recurrent model; see `RecurrentConfig`."""

    cell = "rnn"
    hidden: tuple[int, ...] = _hidden(384)


@dataclass(frozen=True, kw_only=True)
class GRUConfig(RecurrentConfig):
    """Configuration of a GRU model; see `RecurrentConfig`."""

    cell = "gru"
    hidden: tuple[int, ...] = _hidden(224)


@dataclass(frozen=True, kw_only=True)
class LSTMConfig(RecurrentConfig):
    """Configuration of an LSTM model; see `RecurrentConfig`."""

    cell = "lstm"
    hidden: tuple[int, ...] = _hidden(192)


class RecurrentModel(NeuralModel):
    """logits[t] = b + W h[t], h[t] = cell(C[x[t]], h[t-1]): each character updates a state, which predicts the next.

    Nothing is computed after the last target of each sequence: padding costs nothing and has no gradient.

    The state is 0 at the start of every row of ids, and so at the start of each chunk of a stream of text: training and
    scoring carry no state from one chunk to the next. A decoder carries its state on, even beyond `context` characters.

    Args:
        config: the configuration; its class decides the kind of layer.
        rng: the random generator of the initial weights.

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
        """Return (B, T, V) logits of the character that follows each position of (B, T) ids."""
        return self.output(self._states(x))

    def inputs(self, batch: Batch) -> tuple[Any, ...]:
        """Return ids (N,), the batch size of each step, and targets (N,), packed step by step without padding."""
        needed = PackedBatch.by_step(batch.x, batch.y)
        return needed.of(batch.x), needed.counts, needed.of(batch.y)

    def masks_drawn(self, batch: Batch) -> int:
        """Return how many random numbers dropout draws for a batch: for the embeddings and the output of each layer."""
        if not self.config.dropout:
            return 0
        ids, _, _ = self.inputs(batch)
        return int(len(ids) * (self.config.embedding + sum(self.config.hidden)))

    def kind(self, inputs: tuple[Any, ...]) -> Hashable:
        """Return None: the graph is the same for all inputs, since the batch sizes are among them."""
        del inputs
        return None

    def loss_of(self, inputs: tuple[Any, ...]) -> Tensor:
        """Return the mean cross-entropy of what `inputs` returned, in nats per target, with its graph."""
        ids, counts, targets = inputs
        return cross_entropy(self.output(self._states(ids, counts)), targets)

    def nll(self, x_BT: IntArray, y: IntArray) -> FloatArray:
        """Return -log p(y | x) in nats for each target, in the shape of y, (B, T); 0 where y is not a target."""
        x = self._whole(x_BT)
        needed = PackedBatch.by_step(x, y)
        with no_grad():
            logits = self.output(self._states(needed.of(x), needed.counts)).array
        return needed.spread(nll_of(logits, needed.of(y)))

    def next_logits(self, x_BT: IntArray) -> FloatArray:
        """Return (B, V) logits of the character that follows each row of (B, T) ids, without a graph."""
        with no_grad():
            return self.output(self._states(self._whole(x_BT))[:, -1]).array

    def decoder(self, x_BT: IntArray) -> "RecurrentDecoder":
        """Return a decoder of texts that begin with these ids (B, T), which keeps the hidden states."""
        return RecurrentDecoder(self, self._whole(x_BT))

    def carry(self, x_BT: IntArray, states: Sequence[State | None]) -> tuple[FloatArray, list[State]]:
        """Continue from a state, in evaluation mode and without a graph.

        Args:
            x_BT: (B, T) further ids of each text, T at least 1.
            states: the state of each layer after the previous ids, (B, H) arrays; None before the first id.

        Returns:
            (B, V) logits of the character that follows each text, and the new states of the layers.
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
        # twice the steps at half the batch size reached a slightly lower loss (docs/log.md); clipped, because gradients
        # through many steps can explode (Pascanu, Mikolov & Bengio 2013, arXiv:1211.5063), in a plain RNN most of all
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
