"""A tokenizer as the vocabulary of a model: its tokens and the boundary."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np

from backlight.core import BOUNDARY, EncodedItems, IntArray, VocabularyError
from backlight.text.ids import check_range, checked_ids
from backlight.text.items import Items
from backlight.text.tokenizers.bpe import BPETokenizer
from backlight.text.tokenizers.splitting import Splitter, utf8_of
from backlight.text.vocabulary import BOUNDARY_MARKS

END_OF_TEXT: Final = "<|endoftext|>"
BLOCK: Final = 1 << 16
"""The number of items that are encoded at a time."""


@dataclass(frozen=True)
class TokenVocabulary:
    """The tokens of a model.

    In this package, the boundary has id 0. If the tokenizer has a token `<|endoftext|>`, it is the boundary; otherwise
    the boundary is an additional id. The ids of the tokens below it increase by one: of GPT-2's 50,257 tokens, token t
    has id t + 1, and `<|endoftext|>`, the last one, has id 0.

    Attributes:
        tokenizer: the tokenizer.
    """

    tokenizer: BPETokenizer

    @cached_property
    def _boundary(self) -> int:
        """The token that is the boundary, or the number of tokens if none is."""
        return self.tokenizer.special_tokens.get(END_OF_TEXT, self.tokenizer.size)

    @property
    def order(self) -> IntArray:
        """The id of each of the tokenizer's tokens, and last that of the boundary if no token is. Shape: (V,)."""
        b = self._boundary
        return np.concatenate([np.arange(1, b + 1), [BOUNDARY], np.arange(b + 1, self.size)])

    @property
    def size(self) -> int:
        """V, the number of tokens, and the boundary if no token is."""
        return self.tokenizer.size + (self._boundary == self.tokenizer.size)

    def encode(self, text: str) -> IntArray:
        """Return the ids of a text, without boundaries. Shape: (tokens,) int64.

        Raises:
            VocabularyError: the text contains the name of a special token, or a lone surrogate.
        """
        return self.encode_items([text]).ids.astype(np.int64)

    def encode_items(self, items: Sequence[str], *, ends: bool = True) -> EncodedItems:
        """Encode many items at once.

        Args:
            items: the texts.
            ends: whether the end of each item is a target; False for a stream of text.

        Raises:
            VocabularyError: an item contains the name of a special token, or a lone surrogate.
        """
        given = Items.of(items)
        dtype = np.min_scalar_type(self.size - 1)
        parts, starts = [np.zeros(0, dtype)], [np.zeros(1, np.int64)]
        for first in range(0, len(given), BLOCK):
            texts = list(utf8_of(given[first : first + BLOCK]))
            self._refuse_special(texts, first)
            ids, id_ends = self.tokenizer.encoding.encode(texts)
            starts.append(id_ends + starts[-1][-1])
            parts.append((ids + (ids < self._boundary)).astype(dtype))
        return EncodedItems(np.concatenate(parts), np.concatenate(starts), ends, int(given.lengths().sum()))

    def begin(self, text: str) -> tuple[IntArray, bytes]:
        """Return the ids of all pieces of a text but the last, and the last in UTF-8; see `TextVocabulary`.

        Raises:
            VocabularyError: the text contains the name of a special token, or a lone surrogate.
        """
        pieces = Splitter(self.tokenizer.table.pattern).split(text)
        return self.encode("".join(pieces[:-1])), "".join(pieces[-1:]).encode()

    def spelling(self, token: int) -> bytes:
        """Return the bytes of a token; those of the boundary are empty.

        Raises:
            VocabularyError: the id is not in 0..V-1.
        """
        if 0 <= token < self.size:  # a check of whole arrays takes 10 us, for 50,000 tokens
            spelling = self._spellings[token]
            if spelling is not None:
                return spelling
        check_range(np.asarray(token), self.size)
        return self.tokenizer.token(int(self.order.argsort()[token]))  # raises: no token has this id

    @cached_property
    def _spellings(self) -> list[bytes | None]:
        """The bytes of each id; None for an id without a token."""
        tokens = [*self.tokenizer.table.tokens, b""]
        spellings = [tokens[i] for i in np.argsort(self.order).tolist()]
        spellings[BOUNDARY] = b""
        return spellings

    def unknown(self, text: str) -> str:
        """Return nothing: every text can be encoded, byte by byte."""
        del text
        return ""

    def grown(self, items: Sequence[str]) -> "TokenVocabulary":
        """Return this vocabulary: every text can be encoded, byte by byte."""
        del items
        return self

    def _refuse_special(self, texts: list[bytes], first: int) -> None:
        for name in self.tokenizer.special_tokens:
            raw = name.encode()
            for i, text in enumerate(texts):
                if raw in text:
                    raise VocabularyError(
                        f"a text must not contain special tokens; got {name!r} in item {first + i + 1}. Remove it, or"
                        " use a tokenizer without it."
                    )

    def decode(self, ids: Iterable[int] | IntArray) -> str:
        """Return the text of the ids; boundaries are omitted, and invalid UTF-8 becomes U+FFFD.

        Args:
            ids: (N,) ids in 0..V-1.

        Raises:
            VocabularyError: ids are not whole numbers, or not in 0..V-1.
        """
        given = checked_ids(ids, self.size)
        kept = given[given != BOUNDARY].astype(np.int64)
        return self.tokenizer.decode(kept - (kept <= self._boundary))

    def label(self, token: int) -> str:
        """Return a visible label of an id, for axes and tables; that of the boundary is `<boundary>`.

        Raises:
            VocabularyError: the id is not in 0..V-1.
        """
        check_range(np.asarray(token), self.size)
        if token == BOUNDARY:
            return BOUNDARY_MARKS[-1]
        return self.tokenizer.label(int(token) - (token <= self._boundary))

    def to_json(self) -> dict[str, Any]:
        """Return the content of the tokenizer's `tokenizer.json`."""
        return self.tokenizer.to_json()

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "TokenVocabulary":
        """Return the vocabulary of the tokenizer that `values` describe.

        Raises:
            DataError: it has a component that is not supported.
            VocabularyError: a token cannot be built from merges, or a byte is missing.
        """
        return cls(BPETokenizer.from_json(values))
