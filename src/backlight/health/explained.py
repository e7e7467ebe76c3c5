"""What each finding means, at length."""

from backlight.core import ConfigError
from backlight.health.checks import TEXTS
from backlight.health.findings import FindingText


def explained(id: str) -> str:  # noqa: A002  (a finding's id)
    """Return what a finding means: paragraphs of plain text, with an empty line between two.

    Args:
        id: of the finding, as in "saturated-units".

    Raises:
        ConfigError: there is no such finding.
    """
    return _text(id).paragraphs


def lessons_on(id: str) -> list[int]:  # noqa: A002
    """Return the lessons of the course on a finding; they have the lectures' numbers.

    Raises:
        ConfigError: there is no such finding.
    """
    return _text(id).lessons


def _text(id: str) -> FindingText:  # noqa: A002
    if id not in TEXTS:
        raise ConfigError(f"a finding is one of {', '.join(TEXTS)}; got {id!r}. Choose one of these.")
    return TEXTS[id]
