"""The vocabulary: characters to ids and back."""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from backlight.core import BOUNDARY, EncodedItems, IntArray, VocabularyError
from backlight.text.codepoints import CODE_POINTS, characters_in, code_points
from backlight.text.ids import check_range, checked_ids
from backlight.text.items import Items
from backlight.text.storage import new_array

FORMAT = "backlight.vocabulary"
VERSION = 1
CHARACTERS = "characters"
"""The name of a vocabulary of characters, among those of other tokens."""

BOUNDARY_MARKS = (".", "\N{BULLET}", "<boundary>")
VISIBLE = {" ": "\N{OPEN BOX}", "\n": "\N{DOWNWARDS ARROW WITH CORNER LEFTWARDS}", "\t": "\N{RIGHTWARDS ARROW TO BAR}"}


@dataclass(frozen=True)
class Vocabulary:
    """The characters of a model.

    The id of `characters[i]` is i + 1. Id 0 is the boundary before and after an item. It is not a character, so a text
    may contain any character, including a full stop.

    Attributes:
        characters: distinct code points, sorted.

    Raises:
        VocabularyError: there is no character, or they are not distinct and sorted, or one is a lone surrogate.
    """

    characters: str

    def __post_init__(self) -> None:
        if not self.characters:
            raise VocabularyError("a vocabulary needs at least one character; got none. Use a text that is not empty.")
        if any(a >= b for a, b in pairwise(self.characters)):
            raise VocabularyError(
                f"a vocabulary's characters must be distinct and sorted by code point; got {_short(self.characters)}."
                " Build it with Vocabulary.of(items)."
            )
        for character in self.characters:
            if unicodedata.category(character) == "Cs":
                raise VocabularyError(
                    f"a vocabulary must have whole characters; got a lone surrogate (U+{ord(character):04X})."
                    " Decode the text as UTF-8."
                )

    @classmethod
    def of(cls, items: Iterable[str]) -> "Vocabulary":
        """Return the vocabulary of all characters in `items`.

        Raises:
            VocabularyError: there is no character, or one is a lone surrogate.
        """
        return cls(characters_in(Items.of(items).codes()))

    @property
    def size(self) -> int:
        """V, the number of characters and the boundary."""
        return len(self.characters) + 1

    @cached_property
    def _codes(self) -> IntArray:
        """Code point of each id, (V,); the element of the boundary is not used."""
        return np.concatenate([np.zeros(1, dtype=np.uint32), code_points(self.characters)])

    @cached_property
    def _ids(self) -> IntArray:
        """Id of each code point, or 0 if it has none; the last element is for all larger code points."""
        table = np.zeros(min(int(self._codes[-1]) + 2, CODE_POINTS), dtype=np.min_scalar_type(self.size - 1))
        table[self._codes[1:]] = np.arange(1, self.size)
        return table

    def encode(self, text: str) -> IntArray:
        """Return the ids of a text's characters, without boundaries. Shape: (characters,) int64.

        Raises:
            VocabularyError: a character is not in the vocabulary.
        """
        return self.encode_items([text]).ids.astype(np.int64)

    def encode_items(self, items: Sequence[str], *, ends: bool = True) -> EncodedItems:
        """Encode many items at once.

        Args:
            items: the texts.
            ends: whether the end of each item is a target; False for a stream of text.

        Raises:
            VocabularyError: a character is not in the vocabulary.
        """
        given = Items.of(items)
        starts = np.zeros(len(given) + 1, dtype=np.int64)
        np.cumsum(given.lengths(), out=starts[1:])
        ids = new_array(int(starts[-1]), self._ids.dtype)
        begin = 0
        for codes in given.codes():
            end = begin + len(codes)
            np.take(self._ids, codes, out=ids[begin:end], mode="clip")
            if not ids[begin:end].all():
                raise self._not_covered(given, starts, begin + int(np.argmin(ids[begin:end])))
            begin = end
        return EncodedItems(ids, starts, ends)

    def _not_covered(self, items: Sequence[str], starts: IntArray, position: int) -> VocabularyError:
        i = int(np.searchsorted(starts, position, side="right")) - 1
        character = items[i][position - int(starts[i])]
        return unknown_character(items[i], character, i, len(items), len(self.characters), "characters")

    def begin(self, text: str) -> tuple[IntArray, bytes]:
        """Return the ids of a text, and no rest; see `TextVocabulary`."""
        return self.encode(text), b""

    def spelling(self, token: int) -> bytes:
        """Return a character in UTF-8; that of the boundary is empty.

        Raises:
            VocabularyError: the id is not in 0..V-1.
        """
        return self.decode([token]).encode()

    def unknown(self, text: str) -> str:
        """Return the distinct characters of a text that are not in the vocabulary, sorted."""
        return "".join(sorted(set(text) - self._known))

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(self.characters)

    def grown(self, items: Sequence[str]) -> "Vocabulary":
        """Return this vocabulary with the characters of further texts."""
        return Vocabulary("".join(sorted({*self.characters, *characters_in(Items.of(items).codes())})))

    def decode(self, ids: Iterable[int] | IntArray) -> str:
        """Return the characters of the ids; boundaries are omitted.

        Args:
            ids: (N,) ids in 0..V-1.

        Raises:
            VocabularyError: ids are not whole numbers, or not in 0..V-1.
        """
        given = checked_ids(ids, self.size)
        characters = self._codes[given[given != BOUNDARY]]
        text: str = characters.astype("<u4").tobytes().decode("utf-32-le")
        return text

    def label(self, token: int) -> str:
        """Return a visible label of an id, for axes and tables.

        The boundary is `.`, or a bullet if the vocabulary has a full stop. White space has a symbol, and a character
        that is invisible alone (a control character or combining mark) is shown by its code point, such as `U+0301`.

        Raises:
            VocabularyError: the id is not in 0..V-1.
        """
        check_range(np.asarray(token), self.size)
        if token == BOUNDARY:
            return next(mark for mark in BOUNDARY_MARKS if len(mark) > 1 or mark not in self.characters)
        return visible_label(self.characters[token - 1])

    def to_json(self) -> dict[str, Any]:
        """Return plain values for JSON, from which `from_json` restores the vocabulary."""
        return {"format": FORMAT, "version": VERSION, "size": self.size, "characters": self.characters}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Vocabulary":
        """Return the vocabulary that `to_json` describes.

        Raises:
            VocabularyError: the values are damaged, or were written by another version.
        """
        if values.get("format") != FORMAT:
            raise _unreadable(f'got {_short(str(dict(values)))}, without "format": "{FORMAT}"')
        if values.get("version") != VERSION:
            raise _unreadable(f"got version {values.get('version')!r}; this is version {VERSION}")
        characters = values.get("characters")
        if not isinstance(characters, str) or values.get("size") != len(characters) + 1:
            raise _unreadable("got a size that is not the number of characters + 1")
        return cls(characters)


def unknown_character(item: str, character: str, place: int, items: int, size: int, what: str) -> VocabularyError:
    """Return the error for a character that is not in a vocabulary.

    Args:
        item: the text that has it.
        character: the character.
        place: the index of the text.
        items: the number of texts.
        size: the number of characters or tokens.
        what: "characters" or "tokens".
    """
    offset = item.index(character)
    if items == 1:
        where = f"at line {item.count(chr(10), 0, offset) + 1}, character {offset + 1}"
    else:
        where = f"in item {place + 1} ({_short(item)})"
    return VocabularyError(
        f"every character must be in the vocabulary of {size} {what}; got {character!r}"
        f" (U+{ord(character):04X}) {where}. Remove it, or train on text that has it."
    )


def visible_label(character: str) -> str:
    """Return the visible label of a character; see `Vocabulary.label`."""
    if character in VISIBLE:
        return VISIBLE[character]
    return f"U+{ord(character):04X}" if unicodedata.category(character)[0] in "CMZ" else character


def _unreadable(given: str) -> VocabularyError:
    return VocabularyError(f"a vocabulary must be what to_json returned; {given}. Restore the file, or train again.")


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "...")
