"""What each finding means, at length: the sections of explained.md, by the finding's id."""

import re
from functools import cache
from importlib import resources

from backlight.core import ConfigError


def explained(id: str) -> str:  # noqa: A002  (a finding's id)
    """Return what a finding means: paragraphs of plain text, with an empty line between two.

    Args:
        id: of the finding, as in "saturated-units".

    Raises:
        ConfigError: there is no such finding.
    """
    known = sections()
    if id not in known:
        raise ConfigError(f"a finding is one of {', '.join(known)}; got {id!r}. Take one of these.")
    return known[id]


def lessons_on(id: str) -> list[int]:  # noqa: A002
    """Return the lessons of the course that treat of a finding; they have the lectures' numbers."""
    return sorted({int(number) for number in re.findall(r"\b[Ll]ecture (\d)", explained(id))})


@cache
def sections() -> dict[str, str]:
    """Return all explanations by id, in the order of the page."""
    page = resources.files("backlight.health").joinpath("explained.md").read_text(encoding="utf-8")
    parts = re.split(r"^### (.+)$", page, flags=re.MULTILINE)
    texts = (re.split(r"^## ", text, flags=re.MULTILINE)[0] for text in parts[2::2])
    return {id_.strip(): _unwrapped(text) for id_, text in zip(parts[1::2], texts, strict=True)}


def _unwrapped(text: str) -> str:
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.strip().split("\n\n"))
