"""Text a character at a time, many texts at once: what a model keeps from one character to the next.

Texts that a model cannot tell apart are one text to it. All items have the same beginning, and there are a few dozen
first letters; so of 10,000 names, half the characters have been read before. A decoder reads what differs, in rows, and
knows which row stands for each text.
"""

from abc import abstractmethod
from typing import Final, Protocol, runtime_checkable

import numpy as np

from backlight.core import FloatArray, IntArray
from backlight.models.protocol import LanguageModel

ROWS: Final = 4096
"""Rows that a model is given at a time: enough for large products, few enough for their results to stay near."""

TABLE: Final = 1 << 20
"""Logits of a table of all contexts at most."""


class Decoder:
    """Texts under way, and what comes next in each.

    Args:
        x_BT: what the texts begin with.
        vocabulary_size: V.
        context: how many ids of a text are kept, T.

    Attributes:
        x_WT: what each row has read, the newest id last; rows are different, W at most B.
        logits: (W, V) of the character after each row.
        which: (B,) the row that stands for each text.
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
        """Add a character to each text, (B,), and move the logits on."""

    def keep(self, texts: IntArray) -> None:
        """Go on with these texts only, given by ascending number; the others have ended."""
        self.which = self.which[texts]

    def _part(self, ids: IntArray) -> tuple[IntArray, IntArray]:
        """Make a row of each way in which texts go on; return the row that each comes from, ascending, and its id."""
        ways, which = np.unique(self.which * self._V + ids, return_inverse=True)
        self.which = which.reshape(-1)
        rows, characters = ways // self._V, ways % self._V
        longer = np.concatenate([self.x_WT[rows], characters[:, None]], axis=1)
        self.x_WT = longer[:, max(longer.shape[1] - self._context, 0) :]
        return rows, characters


@runtime_checkable
class Decodes(Protocol):
    """A model that need not read everything again for each new character."""

    def decoder(self, x_BT: IntArray) -> Decoder:
        """Return texts that begin with these ids, at least one and at most the model's context."""


class Rereading(Decoder):
    """Decodes with any model, which reads the last characters, as many as its context, anew each time.

    Args:
        model: the model.
        x_BT: what the texts begin with.
    """

    def __init__(self, model: LanguageModel, x_BT: IntArray) -> None:
        super().__init__(x_BT, vocabulary_size=model.vocabulary_size, context=model.context)
        self._model = model
        self.logits = _read(model, self.x_WT)

    def advance(self, ids: IntArray) -> None:
        """Add a character to each text, and read what is within the context."""
        self._part(ids)
        self.logits = _read(self._model, self.x_WT)


class Tabulated(Decoder):
    """Decodes with a model of so few contexts that it is quicker to read them all, once, than what turns up.

    A row stands for a context, whatever texts have it, and the logits never change.

    Args:
        model: a model of windows.
        x_BT: what the texts begin with.
    """

    def __init__(self, model: LanguageModel, x_BT: IntArray) -> None:
        self._V = model.vocabulary_size
        places = self._V ** np.arange(model.context)[::-1]  # a context is a number of T digits to the base V
        self._contexts = self._V**model.context
        self.x_WT = np.arange(self._contexts)[:, None] // places % self._V
        self.logits = _read(model, self.x_WT)
        self.which = x_BT @ places

    def advance(self, ids: IntArray) -> None:
        """Add a character to each text: the oldest digit goes, a new one comes."""
        self.which = (self.which * self._V + ids) % self._contexts


def decode(model: LanguageModel, x_BT: IntArray) -> Decoder:
    """Return texts that begin with x: by the model's own decoder, by a table, or by reading again."""
    if isinstance(model, Decodes):
        return model.decoder(x_BT)
    if model.reads == "windows":
        contexts = model.vocabulary_size**model.context
        # a text has a handful of characters, of which half turn up in others too
        if contexts <= 3 * len(x_BT) and contexts * model.vocabulary_size <= TABLE:
            return Tabulated(model, x_BT)
    return Rereading(model, x_BT)


def _read(model: LanguageModel, x_WT: IntArray) -> FloatArray:
    """Return (W, V) logits, a part of the rows at a time."""
    if len(x_WT) <= ROWS:
        return model.next_logits(x_WT)
    return np.concatenate([model.next_logits(x_WT[begin : begin + ROWS]) for begin in range(0, len(x_WT), ROWS)])
