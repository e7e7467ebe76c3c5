"""Text a character at a time: what a model keeps from one character to the next."""

from typing import Protocol, runtime_checkable

import numpy as np

from backlight.core import FloatArray, IntArray
from backlight.models.protocol import LanguageModel


class Decoder(Protocol):
    """Texts under way, and what comes next in each.

    Attributes:
        x_BT: ids that the logits come from, the newest last; those within the model's context, or more.
        logits: (B, V) of the character after each text.
    """

    x_BT: IntArray  # noqa: N815  (an axis suffix)
    logits: FloatArray

    def advance(self, ids: IntArray) -> None:
        """Add a character to each text, (B,), and move the logits on."""

    def keep(self, rows: IntArray) -> None:
        """Go on with these texts only, given by ascending number; the others have ended."""


@runtime_checkable
class Decodes(Protocol):
    """A model that need not read everything again for each new character."""

    def decoder(self, x_BT: IntArray) -> Decoder:
        """Return texts that begin with these ids, at least one and at most the model's context."""


class Rereading:
    """Decodes with any model, which reads the last characters, as many as its context, anew each time.

    Args:
        model: the model.
        x_BT: what the texts begin with.
    """

    def __init__(self, model: LanguageModel, x_BT: IntArray) -> None:
        self._model = model
        self.x_BT = x_BT
        self.logits = model.next_logits(x_BT)

    def advance(self, ids: IntArray) -> None:
        """Add a character to each text, and read what is within the context."""
        self.x_BT = slide(self.x_BT, ids, self._model.context)
        self.logits = self._model.next_logits(self.x_BT)

    def keep(self, rows: IntArray) -> None:
        """Go on with these texts only."""
        self.x_BT, self.logits = self.x_BT[rows], self.logits[rows]


def decode(model: LanguageModel, x_BT: IntArray) -> Decoder:
    """Return the model's own decoder for texts that begin with x, or one that reads again."""
    return model.decoder(x_BT) if isinstance(model, Decodes) else Rereading(model, x_BT)


def slide(x_BT: IntArray, ids: IntArray, context: int) -> IntArray:
    """Return x with a new column of ids, of all columns the last `context`."""
    longer = np.concatenate([x_BT, ids[:, None]], axis=1)
    return longer[:, max(longer.shape[1] - context, 0) :]
