"""The tokens, merges, splitting pattern and special tokens of a byte-pair encoding."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from backlight.core import VocabularyError
from backlight.text.tokenizers.splitting import Splitter
from backlight.text.tokenizers.visible import shown

LARGEST_ID: Final = (1 << 24) - 1


@dataclass(frozen=True)
class MergeTable:
    """Tokens, and the merges that build them from bytes.

    Attributes:
        vocabulary: the id of each token, by its bytes. It has all 256 single bytes, so any text can be encoded.
        merges: left and right part of each merge, in the order in which they were learnt and are applied.
        pattern: how texts are split first: 'gpt2', 'gpt4', a regular expression, or None.
        special_tokens: the id of each special token, such as `<|endoftext|>`, by its name.

    Raises:
        VocabularyError: a byte is missing, a token cannot be built by the merges, a merge uses a token that no earlier
            merge made, or an id is used twice.
        ConfigError: the pattern cannot be used.
    """

    vocabulary: Mapping[bytes, int]
    merges: Sequence[tuple[bytes, bytes]]
    pattern: str | None
    special_tokens: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "pattern", Splitter(self.pattern).pattern)
        object.__setattr__(self, "merges", tuple(self.merges))
        self._check_ids()
        self._check_merges()

    def __repr__(self) -> str:
        parts = (f"{len(self.vocabulary):,} tokens", f"{len(self.merges):,} merges", f"pattern {self.pattern!r}")
        return f"MergeTable({', '.join(parts)}, special tokens {list(self.special_tokens)})"

    @classmethod
    def of(cls, merges: Iterable[tuple[int, int]], pattern: str | None, special_tokens: Sequence[str]) -> "MergeTable":
        """Return the table of learnt merges. Bytes get the first ids, and special tokens the last.

        Args:
            merges: pairs of ids; merge i (from 0) makes the id 256 + i.
            pattern: how texts are split first.
            special_tokens: names of the special tokens.
        """
        tokens = [bytes([byte]) for byte in range(256)]
        parts = []
        for left, right in merges:
            parts.append((tokens[left], tokens[right]))
            tokens.append(tokens[left] + tokens[right])
        specials = {name: len(tokens) + i for i, name in enumerate(special_tokens)}
        return cls({token: i for i, token in enumerate(tokens)}, parts, pattern, specials)

    @cached_property
    def tokens(self) -> tuple[bytes | None, ...]:
        """The bytes of each id; for a special token, those of its name; None for an id without a token."""
        found: list[bytes | None] = [None] * (1 + max(*self.vocabulary.values(), *self.special_tokens.values(), -1))
        for token, i in self.vocabulary.items():
            found[i] = token
        for name, i in self.special_tokens.items():
            found[i] = name.encode()
        return tuple(found)

    @cached_property
    def byte_ids(self) -> NDArray[np.int32]:
        """The id of each byte. Shape: (256,)."""
        return np.array([self.vocabulary[bytes([byte])] for byte in range(256)], np.int32)

    @cached_property
    def merge_ids(self) -> NDArray[np.int32]:
        """The ids of left part, right part and result of each merge. Shape: (merges, 3)."""
        ids = self.vocabulary
        rows = [(ids[left], ids[right], ids[left + right]) for left, right in self.merges]
        return np.array(rows, np.int32).reshape(-1, 3)

    @cached_property
    def lengths(self) -> NDArray[np.uint32]:
        """The length of each token in bytes. Shape: (ids,)."""
        return np.array([len(token or b"") for token in self.tokens], np.uint32)

    @cached_property
    def _makers(self) -> dict[bytes, int]:
        """The index of the first merge that makes each token."""
        return {left + right: i for i, (left, right) in reversed(list(enumerate(self.merges)))}

    def history(self, token: bytes) -> list[tuple[int, bytes, bytes]]:
        """Return the merges that build a token from its bytes: number, left and right part of each, in order.

        Merges are numbered from 1. A byte has none. If several merges make the same token, the first of them is used.
        """
        found: set[int] = set()
        waiting = [token]
        while waiting:
            part = waiting.pop()
            if len(part) > 1:
                found.add(self._makers[part])
                waiting += self.merges[self._makers[part]]
        return [(i + 1, *self.merges[i]) for i in sorted(found)]

    def _check_ids(self) -> None:
        if "" in self.special_tokens or b"" in self.vocabulary:
            raise VocabularyError("a token must have at least one byte; got an empty one. Remove it.")
        owners: dict[int, bytes | str] = {}
        for tokens in (self.vocabulary, self.special_tokens):
            for token, i in tokens.items():
                if not 0 <= i <= LARGEST_ID:
                    raise VocabularyError(
                        f"ids must be in 0..{LARGEST_ID}; got {i} for {_named(token)}. Is the file damaged?"
                    )
                if owners.setdefault(i, token) is not token:
                    raise VocabularyError(
                        f"each token must have its own id; got {i} for both {_named(owners[i])} and {_named(token)}."
                        " Is the file damaged?"
                    )

    def _check_merges(self) -> None:
        missing = [byte for byte in range(256) if bytes([byte]) not in self.vocabulary]
        if missing:
            raise VocabularyError(
                f"a byte-level vocabulary must have all 256 bytes, so that any text can be encoded; {len(missing)} are"
                f" missing, the first is {missing[0]:#04x}. Train it with all bytes in its alphabet."
            )
        made = {bytes([byte]) for byte in range(256)}
        seen = set()
        for number, pair in enumerate(self.merges, start=1):
            left, right = pair
            token = left + right
            if left not in made or right not in made:
                part = right if left in made else left
                raise _wrong_merge(number, pair, f"no merge before it makes {_named(part)}. Is the order right?")
            if token not in self.vocabulary:
                raise _wrong_merge(number, pair, "the result has no id. Is the file complete?")
            if pair in seen:
                raise _wrong_merge(number, pair, "it is listed twice. Is the file damaged?")
            seen.add(pair)
            made.add(token)
        for token, i in self.vocabulary.items():
            if token not in made:
                raise VocabularyError(
                    f"every token must be built by a merge; no merge makes {_named(token)}, id {i}."
                    " If it is a special token, list it as one."
                )


def _wrong_merge(number: int, pair: tuple[bytes, bytes], why: str) -> VocabularyError:
    return VocabularyError(
        f"a merge must join bytes, or tokens of earlier merges, into a token; merge {number} joins"
        f" {_named(pair[0])} and {_named(pair[1])}, but {why}"
    )


def _named(token: bytes | str) -> str:
    return repr(token) if isinstance(token, str) else f"'{shown(token)}'"
