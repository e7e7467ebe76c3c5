"""Decoding with a key-value cache: each step reads only the new characters."""

from typing import Final, Protocol

import numpy as np

from backlight.core import FloatArray, IntArray
from backlight.models.decoding import Decoder
from backlight.nn.decode_step import KeyValueCache

SPARSE: Final = 0.8
"""A decoder is compacted when a smaller fraction of its columns is active. 0.6 to 0.9 are equally fast."""


class CachedModel(Protocol):
    """A model of sequences with key-value caches."""

    @property
    def vocabulary_size(self) -> int:
        """V, including the boundary."""

    @property
    def context(self) -> int:
        """The maximum number of characters on which a prediction depends, T."""

    def next_logits(self, x_BT: IntArray) -> FloatArray:
        """Return (B, V) logits of the character that follows each row of (B, T) ids."""

    def caches(self, rows: int) -> list[KeyValueCache]:
        """Return the key-value cache of each block for this many texts, as `step` needs them."""

    def begin(self, x_BT: IntArray, caches: list[KeyValueCache]) -> FloatArray:
        """Read the beginning of each text, (B, T) ids, add it to the empty caches, and return (B, V) logits."""

    def step(self, ids: IntArray, caches: list[KeyValueCache]) -> FloatArray:
        """Read the next character of each text, (B,) ids, add it to the caches, and return (B, V) logits."""


class CachedDecoder(Decoder):
    """A decoder with a key-value cache, which reads only the new character of each context.

    Each row has a column in the caches. Where texts diverge, one continuation keeps the column, and it is copied for
    each of the others.

    Positions are counted from the first character in the context. Once the context is full, each step drops the oldest
    character and moves all others up by one position, which changes their keys and values, so the context is read
    again, as without a cache.

    Args:
        model: the network, in evaluation mode.
        x_BT: (B, T) ids that the texts begin with, T from 1 to the context.
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
        # one position is a step; the matrix products of several are larger, and so faster
        begin = model.begin if self.x_WT.shape[1] > 1 else lambda x, caches: model.step(x[:, 0], caches)
        self.logits = begin(self.x_WT, self._caches)

    def advance(self, ids: IntArray) -> None:
        """Append a character to each text, (B,) ids, and update the logits."""
        full = self.x_WT.shape[1] == self._context
        rows, characters = self._part(ids)
        if full:
            self.logits = self._model.next_logits(self.x_WT)
            return
        self._place(rows)
        of_all = np.zeros(self._width, ids.dtype)  # columns of texts that have ended read an arbitrary id
        of_all[self._columns] = characters
        self.logits = self._model.step(of_all, self._caches)[self._columns]

    def _place(self, rows: IntArray) -> None:
        """Assign a column to each continuation, given its old row."""
        first = np.diff(rows, prepend=-1) > 0  # the first continuation of a row keeps its column
        live, more = self._columns[rows[first]], int(np.count_nonzero(~first))
        columns = self._columns[rows]
        # compacting costs about as much as a step, so columns of ended texts are kept until there are many
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
