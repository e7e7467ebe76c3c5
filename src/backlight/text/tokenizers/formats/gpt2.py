"""GPT-2's two files: `vocab.json` with the id of each token, and `merges.txt` with one merge per line, in order."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from backlight.core import DataError
from backlight.text.tokenizers.formats.byte_characters import to_bytes, to_characters
from backlight.text.tokenizers.splitting import GPT2
from backlight.text.tokenizers.table import MergeTable

_HEAD: Final = "#version: 0.2"
_SPECIAL: Final = re.compile(r"<\|.+\|>")


def read(vocabulary: Any, merges: str) -> MergeTable:
    """Return the tokenizer in the two files. Names like `<|...|>` that no merge makes are special tokens.

    Args:
        vocabulary: the content of vocab.json.
        merges: the text of merges.txt.

    Raises:
        DataError: a file is not in this format.
        VocabularyError: a token cannot be built from merges, or a byte is missing.
    """
    if not isinstance(vocabulary, Mapping) or not all(type(i) is int for i in vocabulary.values()):
        raise DataError("vocab.json must have the id of each token; got something else. Is it GPT-2's, and complete?")
    pairs, where = [], ""
    try:
        for number, line in enumerate(merges.split("\n"), start=1):
            if not line.strip() or (number == 1 and line.startswith("#version")):
                continue
            where = f"merges.txt at line {number}"
            parts = line.rstrip("\r").split(" ")
            if len(parts) != 2:
                raise DataError(
                    f"merges.txt must have two tokens per line; got {line[:60]!r} at line {number}. Is it complete?"
                )
            pairs.append((to_bytes(parts[0]), to_bytes(parts[1])))
        where = "vocab.json"
        made = {left + right for left, right in pairs}
        specials = {name: i for name, i in vocabulary.items() if _SPECIAL.fullmatch(name) and name.encode() not in made}
        ordinary = {to_bytes(token): i for token, i in vocabulary.items() if token not in specials}
    except KeyError as error:
        raise DataError(
            f"GPT-2's files must write each byte as one of 256 characters; got {error.args[0]!r} in {where}."
            " Is it another kind of tokenizer?"
        ) from None
    return MergeTable(ordinary, pairs, GPT2, specials)


def write(table: MergeTable) -> tuple[str, str]:
    """Return the texts of vocab.json and merges.txt.

    Raises:
        DataError: the pattern is not GPT-2's, which these files imply.
    """
    if table.pattern != GPT2:
        raise DataError(
            "vocab.json and merges.txt imply GPT-2's splitting pattern; this tokenizer has the pattern"
            f" {table.pattern!r}. Save it as tokenizer.json."
        )
    ids = {to_characters(token): i for token, i in table.vocabulary.items()} | dict(table.special_tokens)
    ordered = dict(sorted(ids.items(), key=lambda one: one[1]))
    lines = [_HEAD, *(f"{to_characters(left)} {to_characters(right)}" for left, right in table.merges)]
    return json.dumps(ordered, ensure_ascii=False) + "\n", "\n".join(lines) + "\n"
