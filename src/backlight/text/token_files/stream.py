"""The ids of several token files as one row, of which parts are read."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from backlight.core import DataError, IntArray
from backlight.text.token_files.format import TokenFile

BLOCK: Final = 1 << 20
"""The number of ids that are read at a time when all are."""


@dataclass(frozen=True)
class TokenStream:
    """The ids of several files, one after another, from `begin` to `end`.

    Nothing is copied before it is read; a part of a stream is a stream.

    Attributes:
        files: the files.
        begin, end: the first id, and the one after the last.
    """

    files: Sequence[TokenFile]
    begin: int
    end: int

    @classmethod
    def of(cls, files: Sequence[TokenFile]) -> "TokenStream":
        """Return the stream of all ids."""
        return cls(files, 0, sum(len(one.ids) for one in files))

    def __len__(self) -> int:
        """Return the number of ids."""
        return self.end - self.begin

    def part(self, begin: int, end: int) -> "TokenStream":
        """Return the ids from `begin` to before `end` as a stream."""
        return TokenStream(self.files, self.begin + begin, self.begin + end)

    @cached_property
    def _ends(self) -> IntArray:
        return np.cumsum([len(one.ids) for one in self.files])

    def read(self, begin: int, end: int) -> IntArray:
        """Return the ids from `begin` to before `end`. Shape: (end - begin,)."""
        begin, end = self.begin + begin, self.begin + end
        first = int(np.searchsorted(self._ends, begin, side="right"))
        pieces = []
        while begin < end:
            before = int(self._ends[first] - len(self.files[first].ids))
            stop = min(end, int(self._ends[first]))
            pieces.append(self.files[first].ids[begin - before : stop - before])
            begin, first = stop, first + 1
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)

    def windows(self, starts: IntArray, length: int) -> IntArray:
        """Return the `length` ids from each start, (n,). Shape: (n, length) int64."""
        found = np.empty((len(starts), length), np.int64)
        for row, start in zip(found, starts.tolist(), strict=True):
            row[:] = self.read(start, start + length)
        return found

    def blocks(self) -> Iterator[IntArray]:
        """Yield all ids in (n,) blocks."""
        for begin in range(0, len(self), BLOCK):
            yield self.read(begin, min(begin + BLOCK, len(self)))

    def check_below(self, size: int) -> None:
        """Check that all ids are of a vocabulary of so many tokens. All files are read.

        Raises:
            DataError: an id is not.
        """
        at = 0
        for block in self.blocks():
            if int(block.max()) >= size:
                place = at + int(np.argmax(block >= size))
                raise self.too_large(place, int(self.read(place, place + 1)[0]), size)
            at += len(block)

    def too_large(self, place: int, token: int, size: int) -> DataError:
        """Return the error for an id that no token has."""
        number = int(np.searchsorted(self._ends, self.begin + place, side="right"))
        within = self.begin + place - int(self._ends[number] - len(self.files[number].ids))
        return DataError(
            f"ids must be below the size of the vocabulary, {size:,}; token {within + 1:,} of "
            f"{str(self.files[number].path)!r} is {token:,}. Use the tokenizer that made the file."
        )
