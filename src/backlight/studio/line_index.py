"""Where the lines of a growing record stream are, by type: so that a viewer of a long run gets a bounded part of it."""

import os
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from backlight.core import IntArray

_LINE_FEED: Final = ord("\n")
_CHUNK: Final = 16 * 2**20
_PREFIX: Final = b'{"type":"'

MOST_BYTES: Final = {"step": 6_000_000, "loss": 2_500_000, "text": 2_000_000, "samples": 500_000}
"""Of lines of these types, at most about this many bytes go to a viewer: evenly spaced ones, and the latest."""


@dataclass
class LineIndex:
    """The whole lines of a file that only grows. A last line without its end is left for later.

    Attributes:
        path: the file. While it does not exist, it has no lines.
        size: how many bytes have been read.
        count: how many lines have been read.
    """

    path: Path
    size: int = 0
    count: int = 0
    _identity: tuple[int, int] | None = None
    _size_seen: int = -1
    _types: dict[str, "_Places"] = field(default_factory=dict)

    def grow(self) -> bool:
        """Read what has been appended. Return False if the file is another one, or shorter: then start anew.

        Raises:
            OSError: the file cannot be read.
        """
        try:
            if self._unchanged():
                return True
            file = self.path.open("rb")
        except (FileNotFoundError, NotADirectoryError):
            return self._identity is None
        with file:
            found = os.fstat(file.fileno())
            if self._identity not in {None, (found.st_dev, found.st_ino)} or found.st_size < self.size:
                return False
            self._identity = (found.st_dev, found.st_ino)
            self._size_seen = found.st_size
            rest = b""
            file.seek(self.size)
            while chunk := file.read(_CHUNK):
                rest += chunk
                rest = rest[self._add(rest) :]
        return True

    def _unchanged(self) -> bool:
        """Return whether the file is as it was when it was read last."""
        found = self.path.stat()
        return self._identity == (found.st_dev, found.st_ino) and found.st_size == self._size_seen

    def _add(self, data: bytes) -> int:
        """Note the whole lines of what follows, and return how many bytes they have."""
        ends = np.flatnonzero(np.frombuffer(data, np.uint8) == _LINE_FEED)
        if not len(ends):
            return 0
        begins = np.concatenate([[0], ends[:-1] + 1])
        lengths, orders = ends - begins, self.count + np.arange(len(ends))
        numbers: dict[str, int] = {}
        kinds = [numbers.setdefault(_type_of(data, begin), len(numbers)) for begin in begins.tolist()]
        for kind, number in numbers.items():
            rows = np.flatnonzero(np.array(kinds) == number)
            self._types.setdefault(kind, _Places()).add(self.size + begins[rows], lengths[rows], orders[rows])
        self.count += len(ends)
        self.size += int(ends[-1]) + 1
        return int(ends[-1]) + 1

    def lines(self, since: int = 0, *, share: float = 1.0) -> list[bytes]:
        """Return the lines from the `since`-th on, without their ends, those of some types thinned (`MOST_BYTES`).

        Args:
            since: the number of a line.
            share: of `MOST_BYTES`, how much is taken.

        Raises:
            OSError: the file cannot be read.
        """
        chosen = sorted(one for kind, places in self._types.items() for one in places.since(since, kind, share))
        if not chosen:
            return []
        found = []
        with self.path.open("rb") as file:
            for offset, length in chosen:
                file.seek(offset)
                found.append(file.read(length))
        return found


@dataclass
class _Places:
    """The lines of one type: where they are in the file, how long, and which of all lines."""

    offsets: "array[int]" = field(default_factory=lambda: array("q"))
    lengths: "array[int]" = field(default_factory=lambda: array("q"))
    orders: "array[int]" = field(default_factory=lambda: array("q"))

    def add(self, offsets: IntArray, lengths: IntArray, orders: IntArray) -> None:
        """Add lines, (N,) each."""
        for column, new in ((self.offsets, offsets), (self.lengths, lengths), (self.orders, orders)):
            column.frombytes(new.astype(np.int64).tobytes())

    def since(self, order: int, kind: str, share: float) -> Iterator[tuple[int, int]]:
        """Yield offset and length of the lines that a viewer gets, from a place among all lines on."""
        first = bisect_left(self.orders, order)
        for at in spaced(self.lengths[first:], _most(kind, share)):
            yield self.offsets[first + at], self.lengths[first + at]


def thinned(lines: Sequence[bytes], share: float = 1.0) -> list[bytes]:
    """Return the lines of a record stream that a viewer gets, in their order.

    Args:
        lines: of the stream.
        share: of `MOST_BYTES`, how much is taken.
    """
    by_type: dict[str, list[int]] = {}
    for place, line in enumerate(lines):
        by_type.setdefault(_type_of(line, 0), []).append(place)
    kept = (
        places[at]
        for kind, places in by_type.items()
        for at in spaced([len(lines[place]) for place in places], _most(kind, share))
    )
    return [lines[place] for place in sorted(kept)]


def _most(kind: str, share: float) -> int | None:
    return None if kind not in MOST_BYTES else int(share * MOST_BYTES[kind])


def spaced(lengths: Sequence[int], most: int | None) -> Iterable[int]:
    """Return the places of evenly spaced lines, and of the last, that have about `most` bytes; None takes all."""
    every = 1 if most is None else -(-sum(lengths) // most) or 1
    places = range(0, len(lengths), every)
    return places if not lengths or places[-1] == len(lengths) - 1 else [*places, len(lengths) - 1]


def _type_of(data: bytes, begin: int) -> str:
    """Return the type of a line, which stands first in it; an empty string for any other line."""
    if not data.startswith(_PREFIX, begin):
        return ""
    begin += len(_PREFIX)
    return data[begin : data.find(b'"', begin, begin + 40)].decode("ascii", "replace")
