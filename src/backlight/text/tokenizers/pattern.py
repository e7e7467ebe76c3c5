"""Words, atoms, or the matches of any regular expression, as the tokens of a model."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import islice, pairwise
from typing import Any, Final

import numpy as np

from backlight.core import BOUNDARY, ConfigError, EncodedItems, IntArray, VocabularyError
from backlight.text.codepoints import characters_in
from backlight.text.ids import check_range, checked_ids
from backlight.text.items import Items
from backlight.text.tokenizers.visible import shown
from backlight.text.vocabulary import BOUNDARY_MARKS, unknown_character

FORMAT: Final = "backlight.tokens"
VERSION: Final = 1

_SIGNS: Final = "".join(rf"\u{first:04x}-\u{last:04x}" for first, last in (
    (0x21, 0x2F), (0x3A, 0x40), (0x5B, 0x60), (0x7B, 0x7E), (0xA1, 0xBF), (0x2010, 0x206F), (0x20A0, 0x20CF),
    (0x2190, 0x2BFF), (0x3001, 0x3004), (0x3008, 0x3020), (0x3030, 0x3030), (0xFF01, 0xFF0F), (0xFF1A, 0xFF20),
    (0x60C, 0x60D), (0x61B, 0x61B), (0x61E, 0x61F), (0x66A, 0x66D), (0x6D4, 0x6D4), (0x964, 0x965), (0x5BE, 0x5BE),
))  # fmt: skip
PATTERNS: Final = {
    # a word may have apostrophes and hyphens inside it; combining marks belong to it
    "words": rf" ?[^\s{_SIGNS}]+(?:['\u2019-][^\s{_SIGNS}]+)*| ?[{_SIGNS}]|\s",
    "smiles": r"\[[^\[\]]*\]|Br|Cl|%\(\d+\)|%\d\d",
}
"""The named patterns. "words": words with the space before them, signs, white space. "smiles": atoms in brackets, atoms
of two letters, and ring numbers of two digits or more, besides single characters; as in Schwaller et al. 2019,
Molecular Transformer, ACS Central Science 5(9)."""

FEWEST: Final = 2
"""A match that occurs less often is no token, and is spelled in characters."""


@dataclass(frozen=True)
class PatternVocabulary:
    """The tokens of a model: matches of a pattern that occur at least twice, and all characters.

    A match that is no token is spelled in characters, so every text of known characters can be encoded, and decoding
    restores it. The id of `tokens[i]` is i + 1; id 0 is the boundary before and after an item.

    Attributes:
        pattern: a name in `PATTERNS`, or a regular expression in the syntax of Python's `re`.
        tokens: distinct strings, sorted.

    Raises:
        ConfigError: the pattern is not a regular expression.
        VocabularyError: there is no token, or they are not distinct and sorted.
    """

    pattern: str
    tokens: tuple[str, ...]

    def __post_init__(self) -> None:
        compiled(self.pattern)
        if not self.tokens or not all(self.tokens) or any(a >= b for a, b in pairwise(self.tokens)):
            raise VocabularyError(
                f"a vocabulary's tokens must be distinct and sorted, and none empty; got {len(self.tokens)}. Build it"
                " with PatternVocabulary.of(pattern, items)."
            )

    @classmethod
    def of(cls, pattern: str, items: Sequence[str], *, known: Sequence[str] = ()) -> "PatternVocabulary":
        """Return the vocabulary of the matches in `items`.

        Args:
            pattern: see the class.
            items: the texts whose matches become tokens.
            known: further texts, whose characters become tokens too.

        Raises:
            ConfigError: the pattern is not a regular expression.
            VocabularyError: there is no character.
        """
        counts = Counter(match for item in items for match in _matches(pattern, item))
        matches = {match for match, count in counts.items() if count >= FEWEST}
        characters = {character for texts in (items, known) for character in characters_in(Items.of(texts).codes())}
        return cls(pattern, tuple(sorted(matches | characters)))

    @property
    def size(self) -> int:
        """V, the number of tokens and the boundary."""
        return len(self.tokens) + 1

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {token: nth for nth, token in enumerate(self.tokens, 1)}

    @cached_property
    def _longest(self) -> int:
        return max(map(len, self.tokens))

    def encode(self, text: str) -> IntArray:
        """Return the ids of a text, without boundaries. Shape: (tokens,) int64.

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
        starts = np.zeros(len(items) + 1, np.int64)
        dtype = np.min_scalar_type(self.size - 1)
        parts, characters = [np.zeros(0, dtype)], 0
        for nth, item in enumerate(items):
            ids = self._encoded(item, nth, items)
            parts.append(ids.astype(dtype))
            starts[nth + 1] = starts[nth] + len(ids)
            characters += len(item)
        return EncodedItems(np.concatenate(parts), starts, ends, characters)

    def _encoded(self, item: str, nth: int, items: Sequence[str]) -> IntArray:
        ids = self._ids
        try:
            spelled = (
                ids[match] if match in ids else [ids[c] for c in match] for match in _matches(self.pattern, item)
            )
            flat = [one for part in spelled for one in (part if isinstance(part, list) else (part,))]
        except KeyError as error:
            raise unknown_character(item, error.args[0], nth, len(items), len(self.tokens), "tokens") from None
        return np.array(flat, np.int64)

    def begin(self, text: str) -> tuple[IntArray, bytes]:
        """Return the ids of a text's beginning, and its rest in UTF-8, with which the next tokens must begin.

        The rest is the last match, or the longest end of the text with which a token begins, since a model has not seen
        a token that is cut off.

        Raises:
            VocabularyError: a character is not in the vocabulary.
        """
        if not text:
            return np.zeros(0, np.int64), b""
        (last,) = list(islice(reversed(list(_matches(self.pattern, text))), 1))
        size = next(
            (size for size in range(min(self._longest, len(text)), len(last), -1) if self._opens(text[-size:])),
            len(last),
        )
        self.encode(text)  # every character is known
        return self.encode(text[:-size]), text[-size:].encode()

    def _opens(self, text: str) -> bool:
        return any(token.startswith(text) and token != text for token in self.tokens)

    def spelling(self, token: int) -> bytes:
        """Return a token in UTF-8; that of the boundary is empty.

        Raises:
            VocabularyError: the id is not in 0..V-1.
        """
        check_range(np.asarray(token), self.size)
        return b"" if token == BOUNDARY else self.tokens[token - 1].encode()

    def unknown(self, text: str) -> str:
        """Return the distinct characters of a text that are not in the vocabulary, sorted."""
        return "".join(sorted(character for character in set(text) if character not in self._ids))

    def decode(self, ids: Iterable[int] | IntArray) -> str:
        """Return the text of the ids; boundaries are omitted.

        Args:
            ids: (N,) ids in 0..V-1.

        Raises:
            VocabularyError: ids are not whole numbers, or not in 0..V-1.
        """
        given = checked_ids(ids, self.size)
        return "".join(self.tokens[token - 1] for token in given.tolist() if token != BOUNDARY)

    def label(self, token: int) -> str:
        """Return a visible label of an id, for axes and tables; that of the boundary is `<boundary>`.

        Raises:
            VocabularyError: the id is not in 0..V-1.
        """
        check_range(np.asarray(token), self.size)
        return BOUNDARY_MARKS[-1] if token == BOUNDARY else shown(self.tokens[token - 1].encode())

    def grown(self, items: Sequence[str]) -> "PatternVocabulary":
        """Return this vocabulary with the characters of further texts."""
        return replace(self, tokens=tuple(sorted({*self.tokens, *characters_in(Items.of(items).codes())})))

    def to_json(self) -> dict[str, Any]:
        """Return plain values for JSON, from which `from_json` restores the vocabulary."""
        return {"format": FORMAT, "version": VERSION, "pattern": self.pattern, "tokens": list(self.tokens)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "PatternVocabulary":
        """Return the vocabulary that `to_json` describes.

        Raises:
            VocabularyError: the values are damaged, or were written by another version.
        """
        pattern, tokens = values.get("pattern"), values.get("tokens")
        strings = isinstance(tokens, list) and all(isinstance(token, str) for token in tokens)
        if values.get("version") != VERSION or not isinstance(pattern, str) or not strings:
            raise VocabularyError(
                f"a vocabulary of tokens must have version {VERSION}, a pattern and tokens; got {sorted(values)}."
                " Restore the file, or train again."
            )
        return cls(pattern, tuple(tokens or ()))


@lru_cache(maxsize=16)
def compiled(pattern: str) -> re.Pattern[str]:
    """Compile a pattern, so that what lies between its matches is matched character by character.

    Raises:
        ConfigError: it is not a regular expression.
    """
    try:
        return re.compile(f"(?:{PATTERNS.get(pattern, pattern)})|(?s:.)")
    except re.error as error:
        raise ConfigError(
            f"tokens must be characters, {', '.join(PATTERNS)}, bpe:N or a regular expression; got {pattern!r}:"
            f" {error.msg}. Correct it."
        ) from None


def _matches(pattern: str, text: str) -> Iterator[str]:
    """Yield the matches of a pattern, and the characters between them. Joined, they are the text."""
    return (part for match in compiled(pattern).finditer(text) if (part := match[0]))
