"""What a check finds: what is wrong, where, by which numbers, why it matters, what to try.

The words of a finding stand once, in a `FindingText` beside the check that finds it. The check adds a severity, places,
evidence, and the values that the words need.
"""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
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
        id: the same for the same fault, in every network.
        severity: how bad it is.
        title: what is wrong, in one sentence.
        where: names of layers or parameters, the worst first; empty if it is the whole run.
        evidence: the numbers, the most telling first.
        because: why it matters.
        try_this: what to do, the most promising first.
        figures: names of the figures that show it, the most telling first.
        consequences: titles of what was found too and follows from this.
    """

    id: str
    severity: Severity
    title: str
    where: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...]
    because: str
    try_this: tuple[str, ...]
    figures: tuple[str, ...] = ()
    consequences: tuple[str, ...] = ()

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
            "consequences": list(self.consequences),
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Advice:
    """What to try, where that is written differently in the two frameworks.

    Attributes:
        torch: for a network of PyTorch.
        ours: for a network of this package.
    """

    torch: str
    ours: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingText:
    """The words of a finding. Braces hold the names of values that a check gives, as in `str.format`.

    Attributes:
        id: of the finding; public, and the same for ever.
        title, because, try_this, figures: see `Finding`.
        about: what the finding means, at length: paragraphs with an empty line between two. "Lecture 4" in it makes
            `backlight health --about` name lesson 4.
        cases: other words in cases that the check may name: a title, a reason, or further advice, which comes first.
        explained_by: ids of findings that cause this one: where one of them is found, this one is left out.
    """

    id: str
    title: str
    because: str
    try_this: tuple[str | Advice, ...]
    figures: tuple[str, ...]
    about: str
    cases: Mapping[str, "Case"] = field(default_factory=dict)
    explained_by: frozenset[str] = frozenset()

    def found(
        self, *, framework: str, severity: Severity, evidence: Iterable[Evidence], where: Iterable[str] = (),
        cases: Iterable[str] = (), values: Mapping[str, Any] = MappingProxyType({}),
    ) -> Finding:  # fmt: skip
        """Return the finding.

        Args:
            framework: of the network.
            severity: see `Finding`.
            evidence: see `Finding`.
            where: see `Finding`.
            cases: which of `cases` hold.
            values: what the words need.
        """
        special = [self.cases[name] for name in cases]
        title = next((one.title for one in special if one.title), self.title)
        because = next((one.because for one in special if one.because), self.because)
        advice = [*(tip for one in special for tip in one.try_this), *self.try_this]
        said = (one if isinstance(one, str) else one.torch if framework == "torch" else one.ours for one in advice)
        return Finding(
            id=self.id,
            severity=severity,
            title=title.format(**values),
            where=tuple(where),
            evidence=tuple(evidence),
            because=because.format(**values),
            try_this=tuple(one.format(**values) for one in said),
            figures=self.figures,
        )

    @property
    def paragraphs(self) -> str:
        """`about` as paragraphs of one line each, with an empty line between two."""
        return "\n\n".join(" ".join(paragraph.split()) for paragraph in self.about.strip().split("\n\n"))

    @property
    def lessons(self) -> list[int]:
        """The lessons of the course on this; they have the lectures' numbers."""
        return sorted({int(number) for number in re.findall(r"\b[Ll]ecture (\d+)", self.about)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Other words of a finding in a special case; empty ones stay as they are."""

    title: str = ""
    because: str = ""
    try_this: tuple[str | Advice, ...] = ()


def most_serious_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return the findings by severity; those of one severity stay in their order."""
    return tuple(sorted(findings, key=lambda one: SEVERITIES.index(one.severity)))


def number(value: float) -> str:
    """Return a number for people: 4 digits, and powers of ten where it is very large or small."""
    if not math.isfinite(value):
        return {math.inf: "infinite", -math.inf: "minus infinite"}.get(value, "not a number")
    if value == int(value) and abs(value) < 1e6:
        return f"{int(value):,}"
    return f"{value:,.4g}" if 1e-3 <= abs(value) < 1e6 else f"{value:.2e}"


def several(count: int, what: str) -> str:
    """Return "1 layer", "2 layers"."""
    return f"{count:,} {what}" + ("" if count == 1 else "s")


def percent(share: float) -> float:
    """Return a share in percent, rounded for people."""
    return round(100 * share, 1 if share < 0.1 else 0)
