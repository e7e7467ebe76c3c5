"""Unicode forms: the same letter can be written as one code point or as several.

NFC composes: é is one code point, and a Korean syllable too. NFD decomposes: é is e and an accent, and a Korean
syllable is two or three letters, of which there are 67 instead of 11,172 syllables.

Source: Unicode Standard Annex 15.
"""

from typing import Final, Literal
from unicodedata import is_normalized, normalize

import numpy as np

from backlight.text.codepoints import characters_in
from backlight.text.items import Items

Form = Literal["nfc", "nfd", "none"]

SYLLABLES: Final = ("\uac00", "\ud7a3")
MANY_SYLLABLES: Final = 200
"""With more distinct Korean syllables than this, their letters are offered."""


def normalised(text: str, form: Form | None) -> str:
    """Return a text in a Unicode form; with "none" or None, as it is."""
    match form:
        case "nfc":
            return normalize("NFC", text)
        case "nfd":
            return normalize("NFD", text)
    return text


def normalised_items(items: Items, form: Form | None) -> Items:
    """Return all items in a Unicode form. Memory: one string at a time besides the items."""
    if form in {None, "none"} or items.is_ascii():
        return items
    data = bytearray()
    ends = np.zeros(len(items) + 1, np.int64)
    for nth, item in enumerate(items, 1):
        data += normalised(item, form).encode("utf-8", "surrogatepass")
        ends[nth] = len(data)
    return Items(bytes(data), ends[:-1], ends[1:])


def spelling_notes(items: Items, name: str) -> list[str]:
    """Return a line if characters are written in two ways, and one if Korean could be written in fewer characters.

    Args:
        items: the items, not normalised.
        name: the name of the text.
    """
    if items.is_ascii():
        return []
    notes, composed, decomposed = [], 0, 0
    for item in items:
        if item.isascii():
            continue
        decomposed += not is_normalized("NFC", item)
        composed += not is_normalized("NFD", item)
    if composed and decomposed:
        notes.append(
            f"{name} writes accents in two ways: as one code point with the letter (NFC) in {composed:,} items, and as"
            f" one of their own (NFD) in {decomposed:,}. To write them in one way: --normalise nfc"
        )
    syllables = [character for character in characters_in(items.codes()) if SYLLABLES[0] <= character <= SYLLABLES[1]]
    if len(syllables) > MANY_SYLLABLES:
        letters = len(set(normalize("NFD", "".join(syllables))))
        notes.append(
            f"{name} has {len(syllables):,} different Korean syllables. To write them in their {letters} letters:"
            " --normalise nfd"
        )
    return notes
