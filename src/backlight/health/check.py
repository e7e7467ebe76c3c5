"""How a function becomes a check."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType

from backlight.health.context import Context
from backlight.health.findings import Finding, FindingText

Look = Callable[[Context], list[Finding] | None]


@dataclass(frozen=True, slots=True)
class Check:
    """One check.

    Attributes:
        what: what it looks at, in the words of a report.
        texts: the words of what it may find.
        look: returns its findings; an empty list if nothing is wrong, None if what it needs was not measured.
    """

    what: str
    texts: tuple[FindingText, ...]
    look: Look


def check(what: str, *texts: FindingText) -> Callable[[Look], Check]:
    """Make a check of the function that follows.

    Args:
        what: what it looks at, in the words of a report.
        texts: the words of what it may find.
    """
    return lambda look: Check(what, texts, look)


def checks_in(module: ModuleType) -> Iterator[Check]:
    """Yield the checks of a module in the order in which they stand there."""
    yield from (one for one in vars(module).values() if isinstance(one, Check))
