"""One line of text that a training is watched on: at each evaluation, what the network makes of it is recorded."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from backlight.autograd import no_grad
from backlight.core import BOUNDARY, FloatArray, IntArray
from backlight.models.bigram import Bigram
from backlight.models.gpt import GPT, attention_weights
from backlight.models.neural import NeuralModel, nll_of
from backlight.nn import Embedding
from backlight.text.tokenizers import TextVocabulary
from backlight.training.line_pairs import pairs_of
from backlight.training.line_units import units_of
from backlight.watch.records import AttentionRecord, EmbeddingRecord, PairsRecord, TextRecord

LONGEST: Final = 24
"""Targets of the line at most; what follows is left out, so that a record of a GPT's heads has a few kilobytes."""

_MOST_NUMBERS: Final = 8_192
_MOST_TOKENS: Final = 64
_DIGITS: Final = 4


@dataclass(frozen=True)
class WatchedLine:
    """A line of text, for a network.

    Attributes:
        network: the network.
        vocabulary: its vocabulary.
        ids: (N,) of the line.
        ends: whether the end of the line is a target.
        counts: (V, V) how often each token follows each other one in the training text, for a bigram network.
    """

    network: NeuralModel
    vocabulary: TextVocabulary
    ids: IntArray
    ends: bool
    counts: IntArray | None = None

    def record(self, step: int, *, units: bool = True) -> TextRecord:
        """Return what the network, which is in evaluation mode, makes of the line after `step` steps.

        Args:
            step: how many steps have been taken.
            units: whether units are recorded too, which takes some tens of kilobytes.
        """
        network, of = self.network, self.vocabulary.label
        ids = np.concatenate([[BOUNDARY], self.ids, [BOUNDARY] * self.ends]).astype(np.int64)
        most = min(LONGEST, network.context) if network.reads == "sequences" else LONGEST
        read, targets = ids[:-1][:most], ids[1:][:most]
        if network.reads == "sequences":
            x = read[None]
        else:
            before = np.concatenate([np.full(network.context - 1, BOUNDARY), read])
            x = np.lib.stride_tricks.sliding_window_view(before, network.context)
        with no_grad():
            logits: FloatArray = network(x).array.reshape(len(read), -1)
            found = units_of(network, lambda: network(x), self._tokens(), len(read)) if units else ()
        heads = attention_weights(network, read[None]) if isinstance(network, GPT) else []
        return TextRecord(
            step=step,
            read=tuple(map(of, read.tolist())),
            targets=tuple(map(of, targets.tolist())),
            nats=tuple(np.round(nll_of(logits, targets).astype(np.float64), _DIGITS).tolist()),
            attention=tuple(_attention(one) for one in heads),
            embedding=self._embedding(),
            units=found,
            pairs=self._pairs(),
        )

    def _pairs(self) -> PairsRecord | None:
        if self.counts is None or not isinstance(self.network, Bigram):
            return None
        return pairs_of(self.network, self.vocabulary, self.counts)

    def _table(self) -> FloatArray | None:
        """Return the vectors of all tokens, (V, E); None if the network has none."""
        tables = (one for _, one in self.network.named_modules() if isinstance(one, Embedding))
        return next((one.weight.array for one in tables if len(one.weight.array) == self.vocabulary.size), None)

    def _tokens(self) -> IntArray:
        """Return the ids of the line's tokens, and of further ones in their order."""
        table = self._table()
        width = 1 if table is None else table.shape[1]
        most = max(2, min(_MOST_TOKENS, _MOST_NUMBERS // width))
        chosen = list(dict.fromkeys([*self.ids.tolist(), *range(self.vocabulary.size)]))[:most]
        return np.array(chosen, np.int64)

    def _embedding(self) -> EmbeddingRecord | None:
        """Return the vectors of the tokens that are recorded."""
        table, chosen = self._table(), self._tokens()
        if table is None:
            return None
        vectors = table[chosen].astype(np.float64)
        scale = float(np.abs(vectors).max(initial=0.0)) or 1.0
        values = np.round(vectors / scale * 127) + 128
        return EmbeddingRecord(
            tokens=tuple(map(self.vocabulary.label, chosen.tolist())), width=table.shape[1], scale=scale,
            values=values.astype(np.uint8).tobytes().hex(),
        )  # fmt: skip


def _attention(weights_HTT: FloatArray) -> AttentionRecord:
    lower = np.tril_indices(weights_HTT.shape[-1])
    shares = np.round(weights_HTT[:, *lower] * 255).astype(np.uint8)
    return AttentionRecord(heads=len(weights_HTT), weights=shares.tobytes().hex())
