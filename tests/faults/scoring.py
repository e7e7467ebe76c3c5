"""The score: what each fault was found to be, and what was found on nets that are well."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tests.faults.catalogue import FAULTS
from tests.faults.experiment import Experiment, Fault
from tests.faults.healthy import HEALTHY
from tests.faults.margins import numbers_of
from tests.faults.running import measured

from backlight.health import diagnose
from backlight.watch.records import Measurements


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What was found on one net, with one seed.

    Attributes:
        name: of the net or fault.
        seed: of the run.
        found: ids of the findings, most serious first.
        accepted: ids that name the cause; empty for a net that is well.
        nearest: of a net that is well, how near it comes to each threshold.
    """

    name: str
    seed: int
    found: tuple[str, ...]
    accepted: frozenset[str] = frozenset()
    nearest: Mapping[str, float] = field(default_factory=dict)

    @property
    def named(self) -> bool:
        """Whether one of the findings names the cause."""
        return bool(self.accepted & set(self.found))

    @property
    def named_first(self) -> bool:
        """Whether the most serious finding names the cause."""
        return bool(self.accepted & set(self.found[:1]))


def verdict_on(case: Experiment | Fault, seed: int) -> Verdict:
    """Return what is found on a healthy net or a fault. The judges see measurements, and neither name nor net."""
    if isinstance(case, Fault):
        return Verdict(name=case.name, seed=seed, found=_ids(measured(case.experiment, seed)), accepted=case.accepted)
    seen = measured(case, seed)
    return Verdict(name=case.name, seed=seed, found=_ids(seen), nearest=numbers_of(seen))


def _ids(seen: Measurements) -> tuple[str, ...]:
    return tuple(finding.id for finding in diagnose(seen).findings)


@dataclass(frozen=True, kw_only=True)
class Score:
    """All verdicts.

    Attributes:
        healthy: those on nets that are well.
        faults: those on faults.
    """

    healthy: tuple[Verdict, ...]
    faults: tuple[Verdict, ...]

    @property
    def false_alarms(self) -> tuple[Verdict, ...]:
        """Findings on nets that are well."""
        return tuple(one for one in self.healthy if one.found)

    @property
    def alarming(self) -> frozenset[str]:
        """Ids that no healthy net gets: all others say nothing."""
        return frozenset(id_ for one in self.healthy for id_ in one.found)

    def flagged(self, verdict: Verdict) -> bool:
        """Return whether a fault got a finding that no healthy net gets."""
        return bool(set(verdict.found) - self.alarming)

    def by_fault(self) -> dict[str, list[Verdict]]:
        """Return the verdicts of each fault, over the seeds."""
        return _grouped(self.faults, lambda one: one.name)

    def by_kind(self) -> dict[str, list[Verdict]]:
        """Return the verdicts of each kind of fault, over seeds, nets and frameworks."""
        return _grouped(self.faults, lambda one: one.name.rsplit(" (", 1)[0])

    def count(self, groups: dict[str, list[Verdict]]) -> tuple[int, int, int]:
        """Return how many groups are flagged, named, and named first, each in every one of their verdicts."""
        flagged = sum(all(map(self.flagged, one)) for one in groups.values())
        named = sum(all(verdict.named for verdict in one) for one in groups.values())
        first = sum(all(verdict.named_first for verdict in one) for one in groups.values())
        return flagged, named, first


def score(seeds: Sequence[int], *, only: str = "") -> Iterable[Verdict]:
    """Yield the verdicts on all nets and faults whose name contains `only`, for each seed."""
    for case in (*HEALTHY, *FAULTS):
        if only.lower() in case.name.lower():
            yield from (verdict_on(case, seed) for seed in seeds)


def _grouped(verdicts: Iterable[Verdict], key: Callable[[Verdict], str]) -> dict[str, list[Verdict]]:
    found: dict[str, list[Verdict]] = {}
    for one in verdicts:
        found.setdefault(key(one), []).append(one)
    return found
