"""The score as text and as a page."""

from collections.abc import Iterator

from tests.faults.margins import nearest
from tests.faults.scoring import Score, Verdict

from backlight.health.thresholds import THRESHOLDS


def as_text(score: Score) -> str:
    """Return the score for a terminal: a line for each net and fault, and the sums."""
    return "\n".join((*_table(score), "", *_sums(score)))


def _table(score: Score) -> Iterator[str]:
    yield f"{'net that is well':62} false alarms"
    for name, verdicts in _by_name(score.healthy).items():
        alarms = sum(bool(one.found) for one in verdicts)
        yield f"{name:62} {alarms}/{len(verdicts)}  {_findings(verdicts)}".rstrip()
    yield ""
    yield f"{'fault':62} flagged named first  findings"
    for name, verdicts in score.by_fault().items():
        flagged = sum(map(score.flagged, verdicts))
        named, first = sum(one.named for one in verdicts), sum(one.named_first for one in verdicts)
        n = len(verdicts)
        yield f"{name:62} {flagged}/{n}     {named}/{n}   {first}/{n}    {_findings(verdicts)}"


def _sums(score: Score) -> Iterator[str]:
    healthy, faults, kinds = _by_name(score.healthy), score.by_fault(), score.by_kind()
    yield f"healthy nets: {len(healthy)}, runs with a false alarm: {len(score.false_alarms)} of {len(score.healthy)}"
    for what, groups in (("faults", faults), ("kinds of fault", kinds)):
        flagged, named, first = score.count(groups)
        yield (
            f"{what}: {len(groups)}, flagged in every run: {flagged}, cause named in every run: {named}, "
            f"named by the first finding: {first}"
        )


def _findings(verdicts: list[Verdict]) -> str:
    """Return what was found, with how often, the most frequent first."""
    counts: dict[str, int] = {}
    for one in verdicts:
        for found in one.found:
            counts[found] = counts.get(found, 0) + 1
    often = sorted(counts, key=lambda found: -counts[found])
    return ", ".join(found if counts[found] == len(verdicts) else f"{found} ({counts[found]})" for found in often)


def _by_name(verdicts: tuple[Verdict, ...]) -> dict[str, list[Verdict]]:
    found: dict[str, list[Verdict]] = {}
    for one in verdicts:
        found.setdefault(one.name, []).append(one)
    return found


def as_markdown(score: Score, *, seeds: int) -> str:
    """Return the page docs/faults.md."""
    flagged, named, first = score.count(score.by_fault())
    kinds = score.by_kind()
    near = nearest([one.nearest for one in score.healthy])
    kinds_flagged, kinds_named, kinds_first = score.count(kinds)
    return "\n".join(
        (
            "# The fault suite",
            "",
            "Nets that are well, and nets made ill on purpose, each trained for a few hundred steps under `watch`,",
            f"with {seeds} seeds for data, first weights and minibatches. Made by",
            f"`python -m tests.faults --seeds {seeds} --write`; one seed of it is part of `make test`.",
            "",
            "A judge sees measurements, and neither the name of a fault nor the net. The findings that count as naming",
            "a cause were written down in `tests/faults/catalogue.py` before the judges were tried on it. A fault",
            "counts as flagged or named only if it is with every seed, and a kind only with every net and seed.",
            "",
            "| | of | flagged | cause named | named by the first finding |",
            "|---|---:|---:|---:|---:|",
            f"| faults | {len(score.by_fault())} | {flagged} | {named} | {first} |",
            f"| kinds of fault | {len(kinds)} | {kinds_flagged} | {kinds_named} | {kinds_first} |",
            "",
            f"Healthy nets: {len(_by_name(score.healthy))}, in {len(score.healthy)} runs.",
            f"Runs with a false alarm: {len(score.false_alarms)}.",
            "",
            "## Nets that are well",
            "",
            "| net | runs | false alarms |",
            "|---|---:|---|",
            *(
                f"| {name} | {len(verdicts)} | {_findings(verdicts) or 'none'} |"
                for name, verdicts in _by_name(score.healthy).items()
            ),
            "",
            "## Faults",
            "",
            "| fault (net) | flagged | named | first | findings, with the number of runs where not all |",
            "|---|---:|---:|---:|---|",
            *(
                f"| {name} | {sum(map(score.flagged, v))}/{len(v)} | {sum(x.named for x in v)}/{len(v)} | "
                f"{sum(x.named_first for x in v)}/{len(v)} | {_findings(v) or 'none'} |"
                for name, v in score.by_fault().items()
            ),
            "",
            "## Thresholds",
            "",
            "All of them, from `backlight/health/thresholds.py`, and where it can be said, the number of the healthy",
            "net that comes nearest.",
            "",
            "| threshold | value | unit | nearest healthy net | source |",
            "|---|---:|---|---:|---|",
            *(
                f"| {one.name} | {one.value:g} | {one.unit} | "
                f"{f'{near[one.name]:.2g}' if one.name in near else ''} | {one.source} |"
                for one in THRESHOLDS.values()
            ),
            "",
        )
    )
