"""A visible character for each byte, as in the files of GPT-2 and Hugging Face: a space is `Ġ`, a line feed `Ċ`.

Bytes that are printable characters of Latin-1 represent themselves; the others are numbered from U+0100 on.
"""

from typing import Final

_PRINTABLE: Final = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
_OTHERS: Final = sorted({*range(256)} - {*_PRINTABLE})

CHARACTER_OF: Final = {**{b: chr(b) for b in _PRINTABLE}, **{b: chr(0x100 + i) for i, b in enumerate(_OTHERS)}}
BYTE_OF: Final = {character: byte for byte, character in CHARACTER_OF.items()}


def to_characters(token: bytes) -> str:
    """Return the characters that represent a token."""
    return "".join(map(CHARACTER_OF.__getitem__, token))


def to_bytes(written: str) -> bytes:
    """Return the token that these characters represent.

    Raises:
        KeyError: a character represents no byte.
    """
    return bytes(map(BYTE_OF.__getitem__, written))
