"""Decoding with a model that keeps keys and values: each new character is read alone."""

from typing import Final, Protocol

import numpy as np

from backlight.core import FloatArray, IntArray
from backlight.models.decoding import Decoder
from backlight.nn.decode_step import KeyValueCache

SPARSE: Final = 0.8
"""A decoder with fewer of its columns than this still going on makes itself smaller. 0.6 to 0.9 are about as fast."""


class CachedModel(Protocol):
    """A model of sequences that can read one more character of each text."""

    @property
    def vocabulary_size(self) -> int:
        """V, the boundary included."""

    @property
    def context(self) -> int:
        """How many characters back the model looks at most, T."""

    def next_logits(self, x_BT: IntArray) -> FloatArray:
        """Return (B, V) logits of the character after each row."""

    def caches(self, rows: int) -> list[KeyValueCache]:
        """Return what `step` needs for so many texts."""

    def step(self, ids: IntArray, caches: list[KeyValueCache]) -> FloatArray:
        """Return (B, V) logits after one more character of each text, (B,), which joins the caches."""


class CachedDecoder(Decoder):
    """Texts under way, with the keys and values of what they have read: each new character is read alone.

    Each row has a column of the caches. Where texts part, one way goes on in the column, and what it holds is copied to
    a new one for each of the others.

    Positions are counted from the first character in the context. Once that is full, each step drops the oldest
    character and all others move up a position, which changes their keys and values: the text is read again, as
    without a cache.

    Args:
        model: the network, in evaluation mode.
        x_BT: what the texts begin with, (B, T), T at least 1 and at most the context.
    """

    def __init__(self, model: CachedModel, x_BT: IntArray) -> None:
        super().__init__(x_BT, vocabulary_size=model.vocabulary_size, context=model.context)
        self._model = model
        self._room = len(x_BT)
        self._width = len(self.x_WT)  # columns in use
        self._columns = np.arange(self._width)  # of each row
        self._caches = model.caches(self._room)
        for cache in self._caches:
            cache.width = self._width
        for ids in self.x_WT.T:
            self.logits = model.step(ids, self._caches)

    def advance(self, ids: IntArray) -> None:
        """Add a character to each text, (B,), and move the logits on."""
        full = self.x_WT.shape[1] == self._context
        rows, characters = self._part(ids)
        if full:
            self.logits = self._model.next_logits(self.x_WT)
            return
        self._place(rows)
        of_all = np.zeros(self._width, ids.dtype)  # columns of texts that have ended are given any character
        of_all[self._columns] = characters
        self.logits = self._model.step(of_all, self._caches)[self._columns]

    def _place(self, rows: IntArray) -> None:
        """Give each way out of a row, named by that row, a column of its own."""
        first = np.diff(rows, prepend=-1) > 0  # the first way out of a row goes on in its column
        live, more = self._columns[rows[first]], int(np.count_nonzero(~first))
        columns = self._columns[rows]
        # moving what goes on costs about as much as a step, so columns of ended texts stay in use until they are many
        if len(live) < SPARSE * self._width or self._width + more > self._room:
            self._width, self._room = len(live), len(self.which)
            for cache in self._caches:
                cache.keep(live, self._room)
            columns = np.cumsum(first) - 1
        if more:
            for cache in self._caches:
                cache.part(columns[~first])
            columns[~first] = np.arange(self._width, self._width + more)
            self._width += more
        self._columns = columns
