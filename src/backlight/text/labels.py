"""Labels of items, such as the country of a place: each label is a character of its own, which precedes its items.

A model learns that character like any other: it predicts the label as the first character of an item, and the rest of
the item after it. So a label can be asked for as the beginning of a sample, and two labels can be compared by a score.
The characters are in a private area of Unicode, which no text uses.
"""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Final

from backlight.core import ConfigError, DataError

FIRST: Final = 0xF0000
"""The code point of the first label: the beginning of Supplementary Private Use Area-A."""

MOST: Final = 1_000
"""More labels than this are no labels, but texts or numbers."""

_SHOWN: Final = 10


def marked(texts: Sequence[str], labels: Sequence[str], known: Sequence[str], name: str) -> tuple[list[str], list[str]]:
    """Return the texts, each after the character of its label, and all labels.

    Args:
        texts: the items.
        labels: the label of each.
        known: labels that have characters already; new ones follow in alphabetical order.
        name: the name of the file, for errors.

    Raises:
        DataError: there are more than 1,000 labels, or a text has a character of the private area.
    """
    whole = [*known, *sorted(set(labels) - set(known))]
    if len(whole) > MOST:
        raise DataError(
            f"a column of labels must have at most {MOST:,} different ones; that of {name} has {len(whole):,}. Choose"
            " another --label."
        )
    if any(FIRST <= ord(character) < FIRST + MOST for text in texts for character in text if character > "\uffff"):
        raise DataError(
            f"labels need the characters from U+{FIRST:X} on for themselves; an item of {name} has one. Remove it."
        )
    of = {label: chr(FIRST + nth) for nth, label in enumerate(whole)}
    return [of[label] + text for label, text in zip(labels, texts, strict=True)], whole


def mark_of(label: str, known: Sequence[str] | None) -> str:
    """Return the character of a label.

    Raises:
        ConfigError: there is no such label.
    """
    if known is None:
        raise ConfigError("label needs a model with labels; this one has none. Train with --label COLUMN.")
    if label not in known:
        near = get_close_matches(label, known, n=1)
        shown = ", ".join(known[:_SHOWN]) + (", ..." if len(known) > _SHOWN else "")
        raise ConfigError(
            f"label must be one of those that the model was trained with: {shown}; got {label!r}."
            f" {f'Did you mean {near[0]}?' if near else 'Choose one of them.'}"
        )
    return chr(FIRST + list(known).index(label))


def split(text: str, known: Sequence[str] | None) -> tuple[str | None, str]:
    """Return the label of a text and the text without it; None for a text that begins with no label."""
    if known is None or not text or not FIRST <= ord(text[0]) < FIRST + len(known):
        return None, text
    return known[ord(text[0]) - FIRST], text[1:]


def spelled(text: str, known: Sequence[str] | None) -> str:
    """Return a text as it is shown, with its label in words: "IT: Milano"."""
    label, rest = split(text, known)
    return rest if label is None else f"{label}: {rest}"
