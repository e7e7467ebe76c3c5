"""Decoding with a model that keeps keys and values: each new character is read alone, and the same text only once."""

from typing import Final, Protocol

import numpy as np

from backlight.core import FloatArray, IntArray
from backlight.models.decoding import slide
from backlight.nn import KeyValueCache

SPARSE: Final = 0.8
"""A decoder with fewer of its columns than this still going on makes itself smaller. 0.6 to 0.9 are about as fast."""


class Steps(Protocol):
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


class CachedDecoder:
    """Texts under way, with the keys and values of what they have read: each new character is read alone.

    Texts that have been the same so far share a column of the caches, and are read once: of 10,000 names, all have the
    same beginning, and there are a few dozen first letters. Where they part, one goes on in the column, and what it
    holds is copied to a new one for each of the others.

    Positions are counted from the first character in the context. Once that is full, each step drops the oldest
    character and all others move up a position, which changes their keys and values: the text is read again, as
    without a cache.

    Args:
        model: the network, in evaluation mode.
        x_BT: what the texts begin with, (B, T), T at least 1 and at most the context.
    """

    def __init__(self, model: Steps, x_BT: IntArray) -> None:
        self._model = model
        different, columns = np.unique(x_BT, axis=0, return_inverse=True)
        self._columns = columns.reshape(-1)  # of the caches, of each text
        self._room = len(x_BT)
        self._caches = model.caches(self._room)
        self._width = len(different)
        for cache in self._caches:
            cache.width = self._width
        self.x_BT = x_BT
        for ids in different.T:
            logits = model.step(ids, self._caches)
        self.logits = logits[self._columns]

    def advance(self, ids: IntArray) -> None:
        """Add a character to each text, (B,), and move the logits on."""
        full = self.x_BT.shape[1] == self._model.context
        self.x_BT = slide(self.x_BT, ids, self._model.context)
        if full:
            self.logits = self._model.next_logits(self.x_BT)
        else:
            characters = self._part(ids)
            self.logits = self._model.step(characters, self._caches)[self._columns]

    def keep(self, rows: IntArray) -> None:
        """Go on with these texts only, given by ascending number."""
        self.x_BT, self.logits, self._columns = self.x_BT[rows], self.logits[rows], self._columns[rows]

    def _part(self, ids: IntArray) -> IntArray:
        """Give texts of one column that go on with different characters a column each; return all columns' characters.

        Columns of texts that have ended get any character.
        """
        V = self._model.vocabulary_size
        ways, way = np.unique(self._columns * V + ids, return_inverse=True)
        columns, characters = ways // V, ways % V
        stays = np.diff(columns, prepend=-1) > 0  # the first way out of a column goes on in it
        live = columns[stays]
        more = len(ways) - len(live)
        # moving what goes on costs more than a step, so columns of ended texts stay in use until they are many
        if len(live) < SPARSE * self._width or self._width + more > self._room:
            self._width, self._room = len(live), len(ids)
            for cache in self._caches:
                cache.keep(live, self._room)
            columns = np.cumsum(stays) - 1
        if more:
            for cache in self._caches:
                cache.part(columns[~stays])
            columns[~stays] = np.arange(self._width, self._width + more)
            self._width += more
        self._columns = columns[way.reshape(-1)]
        of_all = np.zeros(self._width, ids.dtype)
        of_all[columns] = characters
        return of_all
