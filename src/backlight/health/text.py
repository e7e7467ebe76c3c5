"""A diagnosis as text, for a terminal of any width."""

import textwrap
from collections.abc import Iterator
from typing import Protocol

from backlight.health.findings import Finding, Severity, several

Line = tuple[str, str]
"""The style of a line (a severity, "bold", "plain" or "dim"), and the line."""

_MARGIN = 10
_NAMES = 8
"""How many names of layers or parameters are shown."""


class Said(Protocol):
    """What is written down; see `Diagnosis`."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The most serious first."""

    @property
    def checked(self) -> tuple[str, ...]:
        """What was looked at."""

    @property
    def unknown(self) -> tuple[str, ...]:
        """What was not measured."""

    @property
    def steps(self) -> int:
        """How many were watched."""


def as_text(diagnosis: Said, *, width: int = 80) -> str:
    """Return a diagnosis as lines of at most `width` characters, most serious findings first."""
    return "\n".join(line for _, line in lines(diagnosis, width=width))


def lines(diagnosis: Said, *, width: int = 80) -> Iterator[Line]:
    """Yield the lines of a diagnosis, each with its style."""
    yield from _wrapped("bold", summary(diagnosis), width)
    for number, finding in enumerate(diagnosis.findings, 1):
        yield "plain", ""
        yield from _finding(number, finding, width)
    yield "plain", ""
    yield from _wrapped("dim", "Looked at: " + ", ".join(diagnosis.checked) + ".", width)
    if diagnosis.unknown:
        yield from _wrapped("dim", "Not measured: " + ", ".join(diagnosis.unknown) + ".", width)


def summary(diagnosis: Said) -> str:
    """Return how many findings there are, in a sentence."""
    count = len(diagnosis.findings)
    seen = f"{diagnosis.steps:,} steps" if diagnosis.steps else "one batch"
    if not count:
        return f"No findings: {len(diagnosis.checked)} things were looked at in {seen}, and all are well."
    return f"{several(count, 'finding')} in {seen}" + (", the most serious first." if count > 1 else ".")


def _finding(number: int, finding: Finding, width: int) -> Iterator[Line]:
    severity: Severity = finding.severity
    head = f"{number}. {severity.upper()}  "
    yield from _wrapped(severity, finding.title, width, head)
    if finding.where:
        more = len(finding.where) - _NAMES
        names = ", ".join(finding.where[:_NAMES]) + (f" and {more} more" if more > 0 else "")
        yield from _part("where", [names], width)
    yield from _part("evidence", [str(one) for one in finding.evidence], width)
    yield from _part("because", [finding.because], width)
    yield from _part("try", [f"- {one}" for one in finding.try_this], width, hang=2)
    yield from _part("read", [finding.lesson], width)


def _part(label: str, paragraphs: list[str], width: int, hang: int = 0) -> Iterator[Line]:
    for place, paragraph in enumerate(paragraphs):
        head = label if place == 0 else ""
        yield from _wrapped("plain", paragraph, width, f"   {head:<{_MARGIN}}", hang)


def _wrapped(style: str, text: str, width: int, head: str = "", hang: int = 0) -> Iterator[Line]:
    indent = " " * (len(head) + hang)
    wrapped = textwrap.wrap(text, max(width, 40), initial_indent=head, subsequent_indent=indent, break_on_hyphens=False)
    yield from ((style, line) for line in wrapped)
