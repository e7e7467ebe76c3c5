"""Decoding a batch of texts one character at a time, with what a model keeps from one character to the next.

Texts with the same context are computed once. All items begin alike, and there are a few dozen first letters, so in
10,000 names half the characters follow a context that has been read before. A decoder has a row for each distinct
context, and maps each text to its row.
"""

from abc import abstractmethod
from typing import Final, Protocol, runtime_checkable

import numpy as np

from backlight.core import FloatArray, IntArray
from backlight.models.protocol import LanguageModel

ROWS: Final = 4096
"""The number of rows per call of a model: enough for large matrix products, few enough for the cache."""

TABLE: Final = 1 << 20
"""The maximum number of logits in a table of all contexts."""


class Decoder:
    """A batch of texts, and the logits of the next character of each.

    Args:
        x_BT: (B, T) ids that the texts begin with.
        vocabulary_size: V.
        context: maximum number of ids that are kept of a text.

    Attributes:
        x_WT: (W, T) the distinct contexts, newest id last; W is at most B.
        logits: (W, V) logits of the character that follows each context.
        which: (B,) the row of each text.
    """

    x_WT: IntArray  # noqa: N815  (an axis suffix)
    logits: FloatArray
    which: IntArray

    def __init__(self, x_BT: IntArray, *, vocabulary_size: int, context: int) -> None:
        self._V = vocabulary_size
        self._context = context
        self.x_WT, which = np.unique(x_BT, axis=0, return_inverse=True)
        self.which = which.reshape(-1)

    @abstractmethod
    def advance(self, ids: IntArray) -> None:
        """Append a character to each text, (B,) ids, and update the logits."""

    def keep(self, texts: IntArray) -> None:
        """Keep these texts only, given by ascending numbers; the others have ended."""
        self.which = self.which[texts]

    def _part(self, ids: IntArray) -> tuple[IntArray, IntArray]:
        """Make a row of each distinct continuation. Return its old row, ascending, and its new id, (W,) each."""
        ways, which = np.unique(self.which * self._V + ids, return_inverse=True)
        self.which = which.reshape(-1)
        rows, characters = ways // self._V, ways % self._V
        longer = np.concatenate([self.x_WT[rows], characters[:, None]], axis=1)
        self.x_WT = longer[:, max(longer.shape[1] - self._context, 0) :]
        return rows, characters


@runtime_checkable
class Decodes(Protocol):
    """A model with its own decoder, which does not read the whole context again for each new character."""

    def decoder(self, x_BT: IntArray) -> Decoder:
        """Return a decoder of texts that begin with these ids, (B, T), T from 1 to the model's context."""


class Rereading(Decoder):
    """A decoder for any model, which reads the whole context again for each new character.

    Args:
        model: the model.
        x_BT: (B, T) ids that the texts begin with.
    """

    def __init__(self, model: LanguageModel, x_BT: IntArray) -> None:
        super().__init__(x_BT, vocabulary_size=model.vocabulary_size, context=model.context)
        self._model = model
        self.logits = _read(model, self.x_WT)

    def advance(self, ids: IntArray) -> None:
        """Append a character to each text, (B,) ids, and read the contexts again."""
        self._part(ids)
        self.logits = _read(self._model, self.x_WT)


class Tabulated(Decoder):
    """A decoder for a model with so few contexts that a table of all their logits is faster.

    Each context has a row, and the logits never change.

    Args:
        model: a model of windows.
        x_BT: (B, T) ids that the texts begin with, T the model's context.
    """

    def __init__(self, model: LanguageModel, x_BT: IntArray) -> None:
        self._V = model.vocabulary_size
        places = self._V ** np.arange(model.context)[::-1]  # a context is a number with T digits in base V
        self._contexts = self._V**model.context
        self.x_WT = np.arange(self._contexts)[:, None] // places % self._V
        self.logits = _read(model, self.x_WT)
        self.which = x_BT @ places

    def advance(self, ids: IntArray) -> None:
        """Append a character to each text, (B,) ids: drop the oldest digit and add a new one."""
        self.which = (self.which * self._V + ids) % self._contexts


def decode(model: LanguageModel, x_BT: IntArray) -> Decoder:
    """Return a decoder of texts that begin with these ids, (B, T): the model's own, or a table, or a rereading one."""
    if isinstance(model, Decodes):
        return model.decoder(x_BT)
    if model.reads == "windows":
        contexts = model.vocabulary_size**model.context
        # a text has about six characters, half of which follow a context that another text has too
        if contexts <= 3 * len(x_BT) and contexts * model.vocabulary_size <= TABLE:
            return Tabulated(model, x_BT)
    return Rereading(model, x_BT)


def _read(model: LanguageModel, x_WT: IntArray) -> FloatArray:
    """Return (W, V) logits, computed for up to `ROWS` rows at a time."""
    if len(x_WT) <= ROWS:
        return model.next_logits(x_WT)
    return np.concatenate([model.next_logits(x_WT[begin : begin + ROWS]) for begin in range(0, len(x_WT), ROWS)])
