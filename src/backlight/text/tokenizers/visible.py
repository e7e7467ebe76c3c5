"""Tokens as people can read them: white space by a sign, half characters and controls by an escape."""

import unicodedata
from typing import Final

from backlight.text.vocabulary import VISIBLE

_ESCAPED: Final = {*VISIBLE.values(), "\\"}


def shown(token: bytes) -> str:
    r"""Return a token's bytes as text on one line, from which the bytes can be told.

    A space is shown as U+2423, a line end and a tab by arrows. Bytes that are no whole character are shown as `\xe2`,
    and characters that cannot be seen, or would join what stands before them, as `\u200b`.
    """
    text = token.decode("utf-8", "surrogateescape")
    return "".join(_sign(character, first=i == 0) for i, character in enumerate(text))


def _sign(character: str, *, first: bool) -> str:
    if character in VISIBLE:
        return VISIBLE[character]
    code, category = ord(character), unicodedata.category(character)
    if 0xDC80 <= code <= 0xDCFF:  # how "surrogateescape" keeps a byte that is no part of a character
        return f"\\x{code - 0xDC00:02x}"
    if character in _ESCAPED or category[0] in "CZ" or (first and category[0] == "M"):
        return character.encode("unicode_escape").decode()
    return character
