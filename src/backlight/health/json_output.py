"""What `backlight health --json` prints, for CI and other programs: one object, described in docs/health_json.md."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, Final, Literal

from backlight.health.findings import Finding, Severity
from backlight.health.trials import Candidate
from backlight.watch.records import NotMeasured
from backlight.watch.trial import TrialResult

SCHEMA: Final = 1
"""Version of the object. It is raised when an entry is renamed, removed or changes its meaning, not for a new one."""


@dataclass(frozen=True, kw_only=True)
class HealthOutput:
    """The object that `backlight health --json` prints on the last line of standard output.

    Attributes:
        schema: version of this description.
        run: the run's folder, the record's file, or the log.
        source: "watch": a training was recorded; "examine": the initial weights, with one batch; "log": a log alone.
        watched: whether a training was recorded.
        findings: what is wrong, the most serious first.
        checked: what was checked.
        unknown: what could not be checked, for lack of measurements.
        steps: how many steps the training had, as far as it was seen; 0 for an examination.
        recorded: how many of them were recorded.
        not_measured: what could not be measured, and why.
        columns: of a log: the column that each quantity was read from.
        trials: experiments on copies of the network, with `--trials`.
        candidates: where the fault may lie by the trials, the likeliest first.
        fail_on: the severity given with `--fail-on`; null without it.
        failed: whether there is a finding of that severity or a worse one, which makes the exit code 2.
        report: path of the page that `--report` has written; null without it.
    """

    schema: int = SCHEMA
    run: str
    source: Literal["watch", "examine", "log"]
    watched: bool
    findings: tuple[Finding, ...] = ()
    checked: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    steps: int = 0
    recorded: int = 0
    not_measured: tuple[NotMeasured, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)
    trials: tuple[TrialResult, ...] = ()
    candidates: tuple[Candidate, ...] = ()
    fail_on: Severity | None = None
    failed: bool = False
    report: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return plain values: tuples are lists, and a number that is not finite is None."""
        found: dict[str, Any] = as_json(self)
        return found


def as_json(thing: Any) -> Any:
    """Return a dataclass as plain values, by the names of its entries; of a finding also `lesson`."""
    if is_dataclass(thing):
        entries = {one.name: as_json(getattr(thing, one.name)) for one in fields(thing)}
        return entries | ({"lesson": thing.lesson} if isinstance(thing, Finding) else {})
    if isinstance(thing, Mapping):
        return {str(key): as_json(value) for key, value in thing.items()}
    if isinstance(thing, (tuple, list)):
        return [as_json(one) for one in thing]
    return None if isinstance(thing, float) and not math.isfinite(thing) else thing
