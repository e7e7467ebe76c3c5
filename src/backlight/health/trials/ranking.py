"""What the trials leave of the explanations: the parts where a fault can lie, the likeliest first."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from backlight.watch.trial import PARTS, Part, TrialResult

Standing = Literal["pointed at", "left", "excluded"]

DESCRIBED: Final[dict[Part, str]] = {
    "inputs": "the inputs",
    "labels": "the labels",
    "network": "the network and its weights",
    "loss": "the loss",
    "loop": "the loop: the step, the optimiser and its settings",
    "evaluation": "evaluation: modes and saved weights",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A part where the fault may lie.

    Attributes:
        part: which.
        standing: what the trials say of it.
        reasons: why, each with the name of its trial.
    """

    part: Part
    standing: Standing
    reasons: tuple[str, ...]


def ranked(trials: Sequence[TrialResult]) -> tuple[Candidate, ...]:
    """Return all parts: those that most trials point at, those that no trial speaks of, those that are excluded.

    Where one trial points at a part and another excludes it, it is pointed at: an experiment that shows a fault weighs
    more than one that shows none.
    """
    found = []
    for place, part in enumerate(PARTS):
        points = tuple(_because(trials, part, pointing=True))
        excludes = tuple(_because(trials, part, pointing=False))
        standing: Standing = "pointed at" if points else "excluded" if excludes else "left"
        order = ("pointed at", "left", "excluded").index(standing)
        found.append(
            ((order, -len(points), place), Candidate(part=part, standing=standing, reasons=points or excludes))
        )
    return tuple(one for _, one in sorted(found, key=lambda pair: pair[0]))


def _because(trials: Sequence[TrialResult], part: Part, *, pointing: bool) -> Iterator[str]:
    for one in trials:
        reasons = one.points_to if pointing else one.excludes
        if part in reasons:
            yield f"{reasons[part]} ({one.name})"


def trials_text(trials: Sequence[TrialResult]) -> Iterator[tuple[str, str, str]]:
    """Yield what there is to print: a style, the beginning of the first line, and a paragraph.

    Args:
        trials: the results.
    """
    made = [one for one in trials if not one.not_run]
    yield "bold", "", f"{len(made)} of {len(trials)} trials were made on copies of the network."
    for one in made:
        yield "plain", "", ""
        yield "bold", "", one.question
        yield "dim", "   ", one.done
        for sentence in one.showed:
            yield "plain", "   - ", f"{sentence[:1].upper()}{sentence[1:]}."
        for label, ids in (("Likelier by this", one.likelier), ("Less likely", one.less_likely)):
            if ids:
                yield "dim", "   ", f"{label}: {', '.join(ids)}."
    yield "plain", "", ""
    yield "bold", "", "Where the fault may lie, by these trials:"
    for candidate in ranked(trials):
        reasons = "; ".join(candidate.reasons)
        yield (
            "plain",
            "   - ",
            f"{DESCRIBED[candidate.part]}: {candidate.standing}{': ' if reasons else ''}{reasons}.",
        )
    for one in trials:
        if one.not_run:
            yield "dim", "", f"Not made: {one.name} ({one.not_run})."
