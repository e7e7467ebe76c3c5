"""How a function becomes a check."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Literal

from backlight.health.context import Context
from backlight.health.findings import Finding, FindingText
from backlight.watch.records import Measurements

Of = Literal["all", "log", "trials"]

Look = Callable[[Context], list[Finding] | None]


@dataclass(frozen=True, slots=True)
class Check:
    """One check.

    Attributes:
        what: what it looks at, in the words of a report.
        texts: the words of what it may find.
        look: returns its findings; an empty list if nothing is wrong, None if what it needs was not measured.
        of: "log" or "trials" if it is made of these only, and belongs to no other diagnosis.
    """

    what: str
    texts: tuple[FindingText, ...]
    look: Look
    of: Of = "all"

    def belongs_to(self, seen: Measurements) -> bool:
        """Return whether this check is one of those of a diagnosis."""
        return self.of == "all" or (bool(seen.trials) if self.of == "trials" else seen.source == "log")


def check(what: str, *texts: FindingText, of: Of = "all") -> Callable[[Look], Check]:
    """Make a check of the function that follows.

    Args:
        what: what it looks at, in the words of a report.
        texts: the words of what it may find.
        of: "log" or "trials" if it is made of these only.
    """
    return lambda look: Check(what, texts, look, of)


def checks_in(module: ModuleType) -> Iterator[Check]:
    """Yield the checks of a module in the order in which they stand there."""
    yield from (one for one in vars(module).values() if isinstance(one, Check))
