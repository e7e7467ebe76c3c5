"""All checks made, and what they found put together: causes first, what follows from them left out."""

from dataclasses import dataclass, replace
from typing import Any, Final

from backlight.health.checks import CHECKS, TEXTS
from backlight.health.context import Context
from backlight.health.findings import Finding, most_serious_first
from backlight.health.text import as_text
from backlight.watch.records import Measurements, NotMeasured

LAST_RESORTS: Final = ("labels-unrelated", "not-learning")
"""Reported only if nothing serious was found that explains why nothing is learnt, and of these only the first."""

EXPLAINS_NOTHING: Final = frozenset({*LAST_RESORTS, "overconfident-start", "all-frozen"})
"""What does not suppress a last resort: a bad start delays, and does not keep from learning."""


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """What all checks found in one network.

    Attributes:
        findings: the most serious first.
        checked: what was checked.
        unknown: what could not be checked, since it was not measured.
        steps: how many were watched; 0 for an examination.
        recorded: how many of them were recorded; 1 for an examination.
        not_measured: what could not be measured, and why.
        source: "watch", "examine" or "log".
    """

    findings: tuple[Finding, ...]
    checked: tuple[str, ...]
    unknown: tuple[str, ...]
    steps: int
    recorded: int
    not_measured: tuple[NotMeasured, ...] = ()
    source: str = "watch"

    def __str__(self) -> str:
        return as_text(self)

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "findings": [one.to_json() for one in self.findings],
            "checked": list(self.checked),
            "unknown": list(self.unknown),
            "steps": self.steps,
            "recorded": self.recorded,
            "not_measured": [{"what": one.what, "because": one.because, "step": one.step} for one in self.not_measured],
        }


def diagnose(seen: Measurements) -> Diagnosis:
    """Return what is wrong with a network, by what was measured on it."""
    context = Context(seen)
    found = {one.what: one.look(context) for one in CHECKS if one.belongs_to(seen)}
    return Diagnosis(
        findings=most_serious_first(_causes([one for findings in found.values() for one in findings or ()])),
        checked=tuple(what for what, findings in found.items() if findings is not None),
        unknown=tuple(what for what, findings in found.items() if findings is None),
        steps=seen.total_steps if context.trained else 0,
        recorded=len(seen.steps),
        not_measured=seen.not_measured,
        source=seen.source,
    )


def _causes(findings: list[Finding]) -> list[Finding]:
    found = {one.id for one in findings}
    kept = [one for one in findings if not TEXTS[one.id].explained_by & found]
    explained = any(one.severity in {"fatal", "serious"} for one in kept if one.id not in EXPLAINS_NOTHING)
    spoken = [] if explained else [one.id for one in kept if one.id in LAST_RESORTS]
    silent = set(LAST_RESORTS) - set(spoken[:1])
    kept = [one for one in kept if one.id not in silent]
    followed = [one for one in findings if one not in kept and one.id not in LAST_RESORTS]
    return [
        replace(one, consequences=tuple(other.title for other in followed if one.id in _roots(other.id, found)))
        for one in kept
    ]


def _roots(id_: str, found: set[str]) -> set[str]:
    """Return the causes of a finding that have no cause themselves."""
    causes = TEXTS[id_].explained_by & found
    return {root for cause in causes for root in _roots(cause, found)} if causes else {id_}
