"""What a judge says: what is wrong, where, by which numbers, why it matters, what to try."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

Severity = Literal["fatal", "serious", "warning", "note"]
"""fatal: nothing can be learnt like this. serious: much less is learnt than could be. warning: likely to cost
something, now or later. note: wasteful or surprising, and harmless."""

SEVERITIES: Final = get_args(Severity)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One number that was measured.

    Attributes:
        what: what it is.
        value: how much; nan for what is not a number, as a loss may be.
        unit: "nats", "% of the units", "x"; a share is given in percent.
        expected: what it ought to be, in words; empty where that goes without saying.
    """

    what: str
    value: float
    unit: str = ""
    expected: str = ""

    def __str__(self) -> str:
        unit = self.unit if self.unit[:1] in {"", "%"} else f" {self.unit}"
        unit = unit if math.isfinite(self.value) else ""
        return f"{self.what}: {number(self.value)}{unit}" + (f" (expected: {self.expected})" if self.expected else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        id: the same for the same illness, in every net.
        severity: how bad it is.
        title: what is wrong, in one sentence.
        where: names of layers or parameters, the worst first; empty if it is the whole run.
        evidence: the numbers, the most telling first.
        because: why it matters.
        try_this: what to do, the most promising first.
    """

    id: str
    severity: Severity
    title: str
    where: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...]
    because: str
    try_this: tuple[str, ...]

    @property
    def lesson(self) -> str:
        """The command that explains this at length, and names the lesson."""
        return f"backlight health --about {self.id}"

    def to_json(self) -> dict[str, Any]:
        """Return plain values; a number that is not finite is None."""
        evidence = [
            {
                "what": one.what, "value": one.value if math.isfinite(one.value) else None, "unit": one.unit,
                "expected": one.expected,
            }
            for one in self.evidence
        ]  # fmt: skip
        return {
            "id": self.id, "severity": self.severity, "title": self.title, "where": list(self.where),
            "evidence": evidence, "because": self.because, "try_this": list(self.try_this), "lesson": self.lesson,
        }  # fmt: skip


def most_serious_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return the findings by severity; those of one severity stay in their order."""
    return tuple(sorted(findings, key=lambda one: SEVERITIES.index(one.severity)))


def number(value: float) -> str:
    """Return a number as one reads it: 4 digits, and powers of ten where it is very large or small."""
    if not math.isfinite(value):
        return {math.inf: "infinite", -math.inf: "minus infinite"}.get(value, "not a number")
    if value == int(value) and abs(value) < 1e6:
        return f"{int(value):,}"
    return f"{value:,.4g}" if 1e-3 <= abs(value) < 1e6 else f"{value:.2e}"


def several(count: int, what: str) -> str:
    """Return "1 layer", "2 layers"."""
    return f"{count:,} {what}" + ("" if count == 1 else "s")


def percent(share: float) -> float:
    """Return a share in percent, rounded to what one reads."""
    return round(100 * share, 1 if share < 0.1 else 0)
