"""A diagnosis as text, for a terminal of any width."""

import textwrap
from collections.abc import Iterator, Sequence
from typing import Protocol

from backlight.health.findings import Finding, Severity, several
from backlight.health.thresholds import limit
from backlight.health.trials.ranking import trials_text
from backlight.watch.records import NotMeasured
from backlight.watch.trial import TrialResult

Line = tuple[str, str]
"""The style of a line (a severity, "bold", "plain" or "dim"), and the line."""

_MARGIN = 10
_NAMES = 8
"""How many names of layers or parameters are shown."""


class Shown(Protocol):
    """What is written down; see `Diagnosis`."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The most serious first."""

    @property
    def checked(self) -> tuple[str, ...]:
        """What was checked."""

    @property
    def unknown(self) -> tuple[str, ...]:
        """What could not be checked."""

    @property
    def not_measured(self) -> tuple[NotMeasured, ...]:
        """What could not be measured."""

    @property
    def steps(self) -> int:
        """How many were watched."""

    @property
    def recorded(self) -> int:
        """How many were recorded."""

    @property
    def source(self) -> str:
        """Where the measurements are from, "watch", "examine" or "log"."""


def as_text(diagnosis: Shown, *, width: int = 80) -> str:
    """Return a diagnosis as lines of at most `width` characters, most serious findings first."""
    return "\n".join(line for _, line in lines(diagnosis, width=width))


def lines(diagnosis: Shown, *, width: int = 80) -> Iterator[Line]:
    """Yield the lines of a diagnosis, each with its style."""
    yield from _wrapped("bold", summary(diagnosis), width)
    for place, finding in enumerate(diagnosis.findings, 1):
        yield "plain", ""
        yield from _finding(place, finding, width)
    yield "plain", ""
    for label, names in details(diagnosis):
        yield from _wrapped("dim", f"{label}: {names}.", width)


def trials_as_text(trials: Sequence[TrialResult], *, width: int = 80) -> str:
    """Return what trials showed as lines of at most `width` characters."""
    return "\n".join(line for _, line in trial_lines(trials, width=width))


def trial_lines(trials: Sequence[TrialResult], *, width: int = 80) -> Iterator[Line]:
    """Yield the lines of what trials showed, each with its style."""
    for style, head, paragraph in trials_text(trials):
        if paragraph:
            yield from _wrapped(style, paragraph, width, head)
        else:
            yield "plain", ""


def summary(diagnosis: Shown) -> str:
    """Return how many findings there are, in a sentence; and never that there are none where nothing was measured."""
    count = len(diagnosis.findings)
    over = _over(diagnosis)
    if count:
        return f"{several(count, 'finding')} in {over}" + (", the most serious first." if count > 1 else ".")
    if not diagnosis.recorded:
        steps = f"{over} watched, none recorded" if diagnosis.steps else "no training step was watched"
        return f"Nothing was measured: {steps}. So nothing can be said about this network."
    if diagnosis.source != "examine" and diagnosis.recorded < limit("records for a verdict"):
        return f"Too little was measured to say that the network is healthy: {over}, {diagnosis.recorded} recorded."
    return f"No findings: {several(len(diagnosis.checked), 'check')} on {over} found nothing wrong."


def _over(diagnosis: Shown) -> str:
    steps = several(diagnosis.steps, "step")
    return {"watch": steps, "log": f"the log of {steps}"}.get(diagnosis.source, "one batch")


def details(diagnosis: Shown) -> Iterator[tuple[str, str]]:
    """Yield what was checked, what was not, and what was not measured: a label and names."""
    if diagnosis.checked:
        yield "Checked", ", ".join(diagnosis.checked)
    if diagnosis.unknown:
        yield "Not checked, for lack of measurements", ", ".join(diagnosis.unknown)
    if diagnosis.not_measured:
        yield "Not measured", "; ".join(_reason(one) for one in _first(diagnosis.not_measured))


def _reason(one: NotMeasured) -> str:
    since = "" if one.step is None or one.what.startswith("step ") else f" from step {one.step} on"
    return f"{one.what}{since} ({one.because})"


def _first(found: Sequence[NotMeasured]) -> Sequence[NotMeasured]:
    more = len(found) - _NAMES
    return found if more <= 0 else [*found[:_NAMES], NotMeasured(what=f"{more} more", because="for such reasons")]


def _finding(place: int, finding: Finding, width: int) -> Iterator[Line]:
    severity: Severity = finding.severity
    head = f"{place}. {severity.upper()}  "
    yield from _wrapped(severity, finding.title, width, head)
    if finding.where:
        more = len(finding.where) - _NAMES
        names = ", ".join(finding.where[:_NAMES]) + (f" and {more} more" if more > 0 else "")
        yield from _part("where", [names], width)
    yield from _part("evidence", [str(one) for one in finding.evidence], width)
    yield from _part("because", [finding.because], width)
    yield from _part("try", [f"- {one}" for one in finding.try_this], width, hang=2)
    yield from _part("follows", [f"- {one}" for one in finding.consequences], width, hang=2)
    yield from _part("read", [finding.lesson], width)


def _part(label: str, paragraphs: list[str], width: int, hang: int = 0) -> Iterator[Line]:
    for place, paragraph in enumerate(paragraphs):
        head = label if place == 0 else ""
        yield from _wrapped("plain", paragraph, width, f"   {head:<{_MARGIN}}", hang)


def _wrapped(style: str, text: str, width: int, head: str = "", hang: int = 0) -> Iterator[Line]:
    indent = " " * (len(head) + hang)
    wrapped = textwrap.wrap(text, max(width, 40), initial_indent=head, subsequent_indent=indent, break_on_hyphens=False)
    yield from ((style, line) for line in wrapped)
