"""What the doctor's answer to a case is worth, and all answers as a table."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from tests.faults.public.case import Case
from tests.faults.public.running import Outcome

VERDICTS: Final = ("named", "not named", "wrong cause", "silent", "well", "false alarm", "refused", "crash")
RIGHT: Final = frozenset({"named", "well", "refused"})
VAGUE: Final = frozenset({"not-learning"})
"""Findings that claim no cause."""


def verdict(case: Case, told: Outcome) -> str:
    """Return one of `VERDICTS`.

    A fault is named if any finding names the cause; it is given a wrong cause if a finding is neither true of the fault
    nor vague, and otherwise flagged ("not named") or not ("silent"). Notes accuse nobody.
    """
    if told.refused and case.refusable:
        return "refused"
    if told.crash:
        return "crash"
    accusing = _accusing(case, told)
    if not told.faulty:
        return "false alarm" if accusing else "well"
    if told.naming_examined or told.naming_watched:
        return "named"
    if set(accusing) - VAGUE:
        return "wrong cause"
    return "not named" if told.examined or told.watched else "silent"


def _accusing(case: Case, told: Outcome) -> list[str]:
    """Return the ids of findings that claim something untrue: of a healthy run that it is ill, of a fault its cause."""
    found = [one.rsplit(":", 1) for one in told.examined + told.watched]
    return [id_ for id_, severity in found if severity != "note" and id_ not in case.also]


def line(case: Case, told: Outcome) -> str:
    """Return what one run showed, on one line."""
    of = "fault  " if told.faulty else "healthy"
    losses = f"{told.losses[0]:.3g} -> {told.losses[1]:.3g}"
    found = f"E: {' '.join(told.examined) or '-'}  W: {' '.join(told.watched) or '-'}"
    crash = f"  {told.crash.strip().splitlines()[-1]}" if told.crash else ""
    placed = f"  trials: {' '.join(told.placed)} (is: {case.part or '-'})" if told.placed else ""
    where = "".join(letter for letter, ids in (("E", told.naming_examined), ("W", told.naming_watched)) if ids)
    return (
        f"{case.name:36} {of} {told.seed}  {verdict(case, told):12}{where:3} {losses:20} quality {told.quality:.3g}  "
        f"{found}{placed}{crash}  ({told.seconds} s)"
    )


def sums(answers: Sequence[tuple[Case, Outcome]]) -> Iterator[str]:
    """Yield the sums, a line for each folder and kind of run."""
    folders = dict.fromkeys(case.folder for case, _ in answers)
    for folder in folders:
        for faulty in (True, False):
            these = [(case, told) for case, told in answers if case.folder == folder and told.faulty == faulty]
            counts = Counter(verdict(case, told) for case, told in these)
            if these:
                told_of = ", ".join(f"{one} {counts[one]}" for one in VERDICTS if counts[one])
                watched = sum(bool(told.naming_watched) for _, told in these)
                alone = f" (by watch alone {watched})" if faulty else ""
                yield f"{folder}, {'faults' if faulty else 'healthy'}: {len(these)} runs: {told_of}{alone}"


def as_markdown(answers: Sequence[tuple[Case, Outcome]], *, seeds: int) -> str:
    """Return the section on public reports for docs/faults.md."""
    return "\n".join((
        "## Public reports", "",
        "Faults rebuilt from the descriptions in public issues and pull requests, each with the same run without the",
        f"fault, and healthy runs that are unusual; {seeds} seed{'s' * (seeds > 1)}. What would name the cause was",
        "written down before the doctor was asked. Made by `python -m tests.faults.public --set-aside --write`.", "",
        *(f"- {one}" for one in sums(answers)), "",
        "| fault | public report | verdict | twin | findings of the faulty run |", "|---|---|---|---|---|",
        *_rows(answers, faulty=True), "",
        "| healthy run | verdict | findings |", "|---|---|---|",
        *_rows(answers, faulty=False), "",
    ))  # fmt: skip


def _rows(answers: Sequence[tuple[Case, Outcome]], *, faulty: bool) -> Iterator[str]:
    for name in dict.fromkeys(case.name for case, _ in answers if case.faulty == faulty):
        these = [(case, told) for case, told in answers if case.name == name]
        case = these[0][0]
        ill = [(case, told) for case, told in these if told.faulty]
        well = [(case, told) for case, told in these if not told.faulty]
        if faulty:
            reports = ", ".join(case.reports)
            yield f"| {case.what} | {reports} | {_counted(ill)} | {_counted(well)} | {_findings(ill)} |"
        else:
            yield f"| {case.what} | {_counted(well)} | {_findings(well)} |"


def _counted(answers: Sequence[tuple[Case, Outcome]]) -> str:
    counts = Counter(verdict(case, told) for case, told in answers)
    return ", ".join(one if counts[one] == len(answers) else f"{one} ({counts[one]})" for one in counts)


def _findings(answers: Iterable[tuple[Case, Outcome]]) -> str:
    ids = (one.split(":")[0] for _, told in answers for one in told.examined + told.watched)
    return ", ".join(dict.fromkeys(ids)) or "none"
