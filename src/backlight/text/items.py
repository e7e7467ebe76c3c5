"""Items without a Python string for each: one block of UTF-8, with the bounds of the items.

A Python string takes 50 bytes besides its characters, and its entry in a list takes 8 more. Here an item takes 8 bytes
besides its characters, and is decoded to a string when it is accessed. This matters for ten million lines.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Self, overload

import numpy as np

from backlight.core import BoolArray, IntArray
from backlight.text.codepoints import code_points

BLOCK = 1 << 20
"""The number of bytes that are processed at a time."""

_SURROGATES = "surrogatepass"
"""Files cannot contain lone surrogates, but strings can."""


class Items(Sequence[str]):
    """A sequence of strings in one block of UTF-8, which are decoded when they are accessed.

    It is equal to any sequence of the same strings.

    Args:
        data: the block.
        starts: (items,) byte offset at which each item begins.
        ends: (items,) byte offset at which it ends.

    Memory: the block, which is shared by all selections from it, and 8 bytes per item (16 above 4 GiB).
    """

    __slots__ = ("_ascii", "_data", "_ends", "_starts")

    _starts: IntArray
    _ends: IntArray

    def __init__(self, data: bytes, starts: IntArray, ends: IntArray) -> None:
        dtype = np.uint32 if len(data) <= np.iinfo(np.uint32).max else np.int64
        self._data = data
        self._starts = starts.astype(dtype, copy=False)
        self._ends = ends.astype(dtype, copy=False)
        self._ascii = data.isascii()

    @classmethod
    def of(cls, texts: Iterable[str]) -> "Items":
        """Return these texts as items."""
        if isinstance(texts, Items):
            return texts
        encoded = [text.encode("utf-8", _SURROGATES) for text in texts]
        ends = np.cumsum([len(one) for one in encoded], dtype=np.int64)
        return Items(b"".join(encoded), np.concatenate([np.zeros(1, np.int64), ends])[: len(encoded)], ends)

    # -- as a sequence of strings --------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self._starts)

    @overload
    def __getitem__(self, place: int) -> str: ...

    @overload
    def __getitem__(self, place: slice) -> "Items": ...

    def __getitem__(self, place: int | slice) -> "str | Items":
        if isinstance(place, slice):
            return self._with(self._starts[place], self._ends[place])
        return self._data[self._starts[place] : self._ends[place]].decode("utf-8", _SURROGATES)

    def __iter__(self) -> Iterator[str]:
        for raw in self.raw():
            yield raw.decode("utf-8", _SURROGATES)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or isinstance(other, str):
            return NotImplemented
        return len(self) == len(other) and all(mine == theirs for mine, theirs in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]  # as a list

    def __repr__(self) -> str:
        shown = [repr(one) for one in self[:3]]
        return f"Items([{', '.join(shown)}{', ...' if len(self) > len(shown) else ''}], of {len(self):,})"

    # -- all at once ---------------------------------------------------------------------------------------------------

    def take(self, rows: IntArray | BoolArray) -> "Items":
        """Return the items with these indices, (n,), in this order, or those selected by a mask, (items,)."""
        return self._with(self._starts[rows], self._ends[rows])

    def raw(self) -> Iterator[bytes]:
        """Yield each item in UTF-8."""
        data = self._data
        step = max(1, BLOCK >> 4)
        for first in range(0, len(self), step):
            bounds = (bound[first : first + step].tolist() for bound in (self._starts, self._ends))
            for start, end in zip(*bounds, strict=True):
                yield data[start:end]

    def sizes(self) -> IntArray:
        """Return the number of bytes of each item. Shape: (items,) int64."""
        return self._ends - self._starts.astype(np.int64)

    def lengths(self) -> IntArray:
        """Return the number of characters of each item. Shape: (items,) int64."""
        sizes = self.sizes()
        if self._ascii:
            return sizes
        if len(self) == 1:
            return np.array([sum(map(len, self.codes()))])
        return np.fromiter(map(len, self), np.int64, count=len(self))

    def codes(self) -> Iterator[IntArray]:
        """Yield the code points of all items, concatenated, in (n,) blocks."""
        for block in self._blocks():
            yield np.frombuffer(block, np.uint8) if self._ascii else code_points(block.decode("utf-8", _SURROGATES))

    def is_ascii(self) -> bool:
        """Return whether all characters of the block are ASCII."""
        return self._ascii

    def is_blank(self) -> bool:
        """Return whether all items consist of white space only."""
        return all(block.decode("utf-8", _SURROGATES).isspace() for block in self._blocks())

    def split_one(self, places: Sequence[int]) -> list["Items"]:
        """Cut the only item before the characters with these ascending indices."""
        start, end = int(self._starts[0]), int(self._ends[0])
        cuts = [start, *(self._offset(start, end, place) for place in places), end]
        return [self._with(np.array([a]), np.array([b])) for a, b in pairwise(cuts)]

    def kinds(self) -> IntArray:
        """Return a number for each item, equal for equal texts, in the order of first occurrence.

        Shape: (items,) int64.
        """
        hashes = np.fromiter(map(hash, self.raw()), np.int64, count=len(self))
        by_hash = np.argsort(hashes, kind="stable")
        sorted_hashes = hashes[by_hash]
        new = np.ones(len(self), np.bool_)
        np.not_equal(sorted_hashes[1:], sorted_hashes[:-1], out=new[1:])
        first = by_hash[new]  # the first item with each hash, since the sort is stable
        first_of = np.empty(len(self), np.int64)
        first_of[by_hash] = first[np.cumsum(new) - 1]
        copies = np.flatnonzero(first_of != np.arange(len(self)))
        if any(
            one != other for one, other in zip(self.take(copies).raw(), self.take(first_of[copies]).raw(), strict=True)
        ):
            return self._kinds_by_text()  # a hash collision, in one of a million texts of ten million items
        number = np.empty(len(self), np.int64)
        first.sort()
        number[first] = np.arange(len(first))
        return number[first_of]

    def _kinds_by_text(self) -> IntArray:
        numbers: dict[bytes, int] = {}
        return np.fromiter((numbers.setdefault(one, len(numbers)) for one in self.raw()), np.int64, count=len(self))

    def _with(self, starts: IntArray, ends: IntArray) -> Self:
        made = type(self).__new__(type(self))
        made._data, made._ascii = self._data, self._ascii
        made._starts, made._ends = (
            starts.astype(self._starts.dtype, copy=False),
            ends.astype(self._ends.dtype, copy=False),
        )
        return made

    def _blocks(self) -> Iterator[bytes]:
        """Yield the bytes of all items in blocks of whole characters."""
        ends = np.cumsum(self._ends - self._starts.astype(np.int64))
        first = 0
        while first < len(self):
            before = ends[first - 1] if first else 0
            last = int(np.searchsorted(ends, before + BLOCK, side="right"))
            if last > first:
                yield b"".join(self[first:last].raw())
            else:
                yield from self._parts(first)
                last = first + 1
            first = last

    def _parts(self, place: int) -> Iterator[bytes]:
        """Yield the bytes of one long item in blocks of whole characters."""
        begin, end = int(self._starts[place]), int(self._ends[place])
        while begin < end:
            stop = min(begin + BLOCK, end)
            while stop < end and self._data[stop] & 0xC0 == 0x80:  # within a character
                stop += 1
            yield self._data[begin:stop]
            begin = stop

    def _offset(self, start: int, end: int, place: int) -> int:
        """Return the byte offset of the character `place` of the item from `start` to `end`."""
        if self._ascii:
            return start + place
        seen = 0
        for begin in range(start, end, BLOCK):
            block = np.frombuffer(self._data, np.uint8, min(BLOCK, end - begin), begin)
            begins = np.flatnonzero((block & 0xC0) != 0x80)
            if seen + len(begins) > place:
                return begin + int(begins[place - seen])
            seen += len(begins)
        return end
