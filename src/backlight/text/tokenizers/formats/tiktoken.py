"""tiktoken's ranks: a line for each token, with its bytes in base 64 and its rank, which is its id and merge order.

The merges are not stored but can be derived: merging the bytes of a token by the tokens of lower rank leaves two parts,
which are the parts of its merge.
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
    """Return the tokenizer in a file.

    Args:
        content: the content of the file.
        pattern: how text is split, which the file does not contain.
        special_tokens: the id of each special token, which the file does not contain.

    Raises:
        DataError: the file is not in this format.
        VocabularyError: a token cannot be built from merges, or a byte is missing.
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
        DataError: the merges cannot be derived from the ids.
    """
    by_rank = sorted(table.vocabulary.items(), key=lambda one: one[1])
    content = b"".join(base64.b64encode(token) + b" %d\n" % rank for token, rank in by_rank)
    with suppress(VocabularyError):
        if read(content, table.pattern, table.special_tokens).merges == table.merges:
            return content
    raise DataError(
        "tiktoken's ranks must be ids in the order of the merges, one for each token; those of this tokenizer are"
        " not. Save it as tokenizer.json."
    )


def _parts(token: bytes, rank: int, ranks: Mapping[bytes, int]) -> tuple[bytes, bytes]:
    """Return the two parts of a token's merge."""
    parts = [bytes([byte]) for byte in token]
    while len(parts) > 2:
        candidates = [ranks.get(left + right, rank) for left, right in pairwise(parts)]
        lowest = min(candidates)
        if lowest >= rank:
            raise VocabularyError(
                f"every token must be built from two of lower rank; '{shown(token)}', rank {rank}, is not: its bytes"
                f" merge into {len(parts)} parts. Is the file complete?"
            )
        at = candidates.index(lowest)
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
    return parts[0], parts[1]


def _damaged(number: int, line: bytes) -> DataError:
    return DataError(
        f"tiktoken's ranks must have a token in base 64 and its rank on each line, each token once; got {line[:60]!r}"
        f" at line {number}. Is the file complete, and of this kind?"
    )
