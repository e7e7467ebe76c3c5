"""tiktoken's ranks: a line for each token, its bytes in base 64 and its rank, which is its id and its merge's place.

The merges are not written down, but they follow: the bytes of a token, merged by the tokens of lower rank, end as two
parts, and those are what the token joins.
"""

import base64
import binascii
from collections.abc import Mapping
from contextlib import suppress
from itertools import pairwise
from typing import Final

from backlight.core import DataError, VocabularyError
from backlight.text.tokenizers.table import LARGEST_ID, MergeTable
from backlight.text.tokenizers.visible import shown

_LONGEST: Final = 1024


def read(content: bytes, pattern: str | None, special_tokens: Mapping[str, int]) -> MergeTable:
    """Return what the file says, together with what it does not: the pattern and the special tokens.

    Raises:
        DataError: it is not such a file.
        VocabularyError: a token cannot be built, or a byte is missing.
    """
    ranks: dict[bytes, int] = {}
    for number, line in enumerate(content.split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            token, rank = line.split()
            key, value = base64.b64decode(token, validate=True), int(rank)
        except (ValueError, binascii.Error):
            raise _damaged(number, line) from None
        if key in ranks or not key or len(key) > _LONGEST or not 0 <= value <= LARGEST_ID:
            raise _damaged(number, line)
        ranks[key] = value
    by_rank = sorted((rank, token) for token, rank in ranks.items() if len(token) > 1)
    return MergeTable(ranks, [_parts(token, rank, ranks) for rank, token in by_rank], pattern, special_tokens)


def write(table: MergeTable) -> bytes:
    """Return the content of the file.

    Raises:
        DataError: other merges would follow from the ids than the table has.
    """
    by_rank = sorted(table.vocabulary.items(), key=lambda one: one[1])
    content = b"".join(base64.b64encode(token) + b" %d\n" % rank for token, rank in by_rank)
    with suppress(VocabularyError):
        if read(content, table.pattern, table.special_tokens).merges == table.merges:
            return content
    raise DataError(
        "tiktoken's ranks are ids that follow the order of the merges, one for each token; those of this tokenizer do"
        " not. Save it as tokenizer.json."
    )


def _parts(token: bytes, rank: int, ranks: Mapping[bytes, int]) -> tuple[bytes, bytes]:
    """Return the two tokens that a token joins."""
    parts = [bytes([byte]) for byte in token]
    while len(parts) > 2:
        candidates = [ranks.get(left + right, rank) for left, right in pairwise(parts)]
        lowest = min(candidates)
        if lowest >= rank:
            raise VocabularyError(
                f"every token is built from two of lower rank; '{shown(token)}', rank {rank}, is not: its bytes merge"
                f" into {len(parts)} parts. Is the file whole?"
            )
        at = candidates.index(lowest)
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
    return parts[0], parts[1]


def _damaged(number: int, line: bytes) -> DataError:
    return DataError(
        f"tiktoken's ranks have a token in base 64 and its rank on each line, each token once; got {line[:60]!r} at"
        f" line {number}. Is it whole, and of this kind?"
    )
