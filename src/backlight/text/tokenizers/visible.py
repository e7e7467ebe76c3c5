"""Readable tokens: white space as symbols, incomplete and control characters as escapes."""

import unicodedata
from typing import Final

from backlight.text.vocabulary import VISIBLE

_ESCAPED: Final = {*VISIBLE.values(), "\\"}


def shown(token: bytes) -> str:
    r"""Return a token's bytes as unambiguous text on one line.

    A space is shown as U+2423, a line feed and a tab as arrows. Bytes of an incomplete character are shown as `\xe2`,
    and characters that are invisible, or would combine with the one before them, as `\u200b`.
    """
    text = token.decode("utf-8", "surrogateescape")
    return "".join(_sign(character, first=i == 0) for i, character in enumerate(text))


def _sign(character: str, *, first: bool) -> str:
    if character in VISIBLE:
        return VISIBLE[character]
    code, category = ord(character), unicodedata.category(character)
    if 0xDC80 <= code <= 0xDCFF:  # "surrogateescape" maps a byte that is not part of a character to this range
        return f"\\x{code - 0xDC00:02x}"
    if character in _ESCAPED or category[0] in "CZ" or (first and category[0] == "M"):
        return character.encode("unicode_escape").decode()
    return character
