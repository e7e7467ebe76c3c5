"""Recognise a mistake: one that the exercise knows, a change of the right answer, or what the numbers alone show."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from backlight.lessons.exercises.appearance import appearance
from backlight.lessons.exercises.changes import SEEN
from backlight.lessons.exercises.comparing import Comparing
from backlight.lessons.exercises.conditions import condition_of
from backlight.lessons.exercises.endings import endings
from backlight.lessons.exercises.exercise import Exercise, Inputs, Mistake
from backlight.lessons.exercises.naming import listed
from backlight.lessons.exercises.outcomes import InvalidAnswer, Parts, Unfinished, parts_of
from backlight.lessons.exercises.programs import programs_of
from backlight.lessons.exercises.searching import ChangeFound, search


@dataclass(frozen=True)
class LikelyMistake:
    """What explains a wrong answer.

    Attributes:
        name: a few words.
        message: what to think about, in a sentence or two; may be empty.
        parts: the wrong parts that it explains.
    """

    name: str
    message: str
    parts: tuple[str, ...]


_PLAIN: Final = {"wrong sign", "transposed", "forgot to sum over a broadcast axis", "summed too much"}
"""What the numbers or shapes show by themselves: the usual thing, whichever change leads to it."""


_LINES: Final = 3
"""So many lines are named at most in which a change gives the same numbers."""


def explanation(compared: Comparing, part: str | None = None) -> LikelyMistake | None:
    """Return what explains a wrong part, and as many of the others as possible; None if nothing does.

    Whatever explains a part gives the learner's numbers for it in every case, and contradicts no part that is right. A
    mistake that the exercise knows goes before a change of the solution, since its message teaches more.

    Args:
        compared: the comparison of an answer that is wrong.
        part: the part; by default the first that is wrong.
    """
    exercise, wrong = compared.exercise, compared.wrong
    first = wrong[0] if part is None else part
    others = [name for name in wrong if name != first] if part is None else []
    known = _known(compared, first, others)
    partly = known is not None and len(known.parts) <= len(others) and not (exercise.in_parts or exercise.properties)
    if known is not None and not partly:
        return known
    if known is not None:
        return _better(compared, known) or known
    shown = _shown(compared, first)
    if shown is not None and shown.name in _PLAIN and (not others or exercise.in_parts):
        return shown
    right = compared.right if part is None else []
    changes = search(exercise, compared.ours, [first, *others], right, compared.same)
    by_change = _of_changes(changes) if changes else None
    if shown is not None and changes and changes[0].change.rank > SEEN:
        return shown
    if changes and changes[0].whole:
        return by_change
    if shown is not None and len(wrong) == 1:
        return shown
    found = _in_one_part(compared, first) or (None if exercise.properties else by_change) or shown
    return _of_names(compared, found) or found or _by_condition(compared)


def _better(compared: Comparing, known: LikelyMistake) -> LikelyMistake | None:
    """Return what explains all wrong parts, of which a known mistake explains only some; None if nothing does.

    Another known mistake that explains one of the others is as good, and teaches more.
    """
    if 2 * len(known.parts) < len(compared.wrong) and (by_names := _of_names(compared, known)):
        return by_names
    rest = next(name for name in compared.wrong if name not in known.parts)
    if _known(compared, rest, []) is not None:
        return None
    changes = search(compared.exercise, compared.ours, compared.wrong, compared.right, compared.same)
    return _of_changes(changes) if changes and changes[0].whole and changes[0].change.rank <= SEEN else None


def _of_names(compared: Comparing, found: LikelyMistake | None) -> LikelyMistake | None:
    """Return which names of a dictionary are wrong, if their endings tell more than what was found."""
    ends = [] if found and len(found.parts) == len(compared.wrong) else endings(compared.wrong, compared.right)
    if not ends or (found and not all("." in end for end in ends)):
        return None
    name = f"all names that end with {listed(ends, 'or')} are missing or wrong, and no others"
    return LikelyMistake(name, "", tuple(compared.wrong))


def _in_one_part(compared: Comparing, part: str) -> LikelyMistake | None:
    """Return a known mistake that was made in one element of a tuple only."""
    if not compared.exercise.parts or compared.exercise.properties or len(compared.ours) == 1:
        return None
    found = _known(compared, part, [], binding=False)
    return replace(found, name=f"{found.name}, in {part} only") if found else None


def _by_condition(compared: Comparing) -> LikelyMistake | None:
    """Return for which inputs an answer is wrong, if a condition of the right one tells."""
    exercise = compared.exercise
    for program in programs_of(exercise.answer, exercise.parts):
        where = condition_of(program, exercise.inputs()[: len(compared.ours)], compared.wrong_cases)
        if where:
            return LikelyMistake(
                f"it is wrong where {where}, and right for all other inputs", "", tuple(compared.wrong)
            )
    return None


def _of_changes(found: Sequence[ChangeFound]) -> LikelyMistake | None:
    """Return the most usual of the changes that explain the most, with those in other lines that are as usual.

    None if they are rare ones in many lines: then none of them is likely.
    """
    best = found[0]
    usual = best.change.rank <= SEEN
    alike = [one for one in found if (one.explained, one.way) == (best.explained, best.way)]
    alike = [one for one in alike if (one.change.rank <= SEEN) == usual]
    if len({one.change.line for one in alike}) > 2:
        alike = [one for one in alike if one.change.rank == best.change.rank]
    lines: dict[int, str] = {}
    said = {one.change.what for one in alike if one.change.quantity}
    for one in alike:
        if one.change.what.partition(": ")[2] not in said:  # what is returned repeats what is computed
            lines.setdefault(one.change.line, one.change.words)
    if len(lines) > _LINES and not usual:
        return None
    return LikelyMistake("; or ".join([*lines.values()][:_LINES]), "", best.explained)


def _known(compared: Comparing, first: str, others: Sequence[str], *, binding: bool = True) -> LikelyMistake | None:
    """Return the known mistake that explains the most parts; with `binding` it may contradict no right one."""
    exercise = compared.exercise
    best: LikelyMistake | None = None
    for mistake in exercise.mistakes:
        explained = _explained(exercise, mistake, compared, first, others, compared.right if binding else [])
        if explained and (best is None or len(explained) > len(best.parts)):
            best = LikelyMistake(mistake.name, mistake.message, explained)
            if exercise.properties or exercise.in_parts or len(explained) == 1 + len(others):
                break
    return best


def _explained(
    exercise: Exercise, mistake: Mistake, compared: Comparing, first: str, others: Sequence[str], right: Sequence[str]
) -> tuple[str, ...]:
    explained = [first, *others]
    tried = 0
    for at, case in enumerate(exercise.inputs()[: len(compared.ours)]):
        mine = compared.ours[at]
        theirs = _outcome(exercise, mistake.answer, case, compared.reference[at])
        if theirs is None:
            return ()
        if any(part in mine and _contradicts(compared, at, part, theirs) for part in right):
            return ()
        if first not in mine or first not in compared.reference[at]:
            continue
        tried += 1
        explained = [
            part for part in explained
            if part not in mine or (part in theirs and compared.same(at, part, mine[part], theirs[part]))
        ]  # fmt: skip
        if first not in explained:
            return ()
    return tuple(explained) if tried else ()


def _contradicts(compared: Comparing, at: int, part: str, theirs: Parts) -> bool:
    """Return whether a mistake makes a part wrong in which the learner is right.

    A chain that is handed in piece by piece is contradicted by nothing, since a known mistake stands for several; facts
    by those before the first wrong one, unless they are independent: later ones may depend on how good an answer is.
    """
    exercise = compared.exercise
    if exercise.in_parts:
        return False
    if exercise.properties and not exercise.independent:
        names = list(compared.reference[0])
        if names.index(part) > names.index(compared.wrong[0]):
            return False
    if exercise.properties and part in theirs and np.isnan(theirs[part]).all():
        return False  # it was not measured
    return part not in theirs or not compared.same(at, part, compared.ours[at][part], theirs[part])


def _outcome(exercise: Exercise, answer: object, case: Inputs, right: Parts) -> Parts | None:
    with np.errstate(all="ignore"):
        outcome = exercise.use(answer, case)
    try:
        return parts_of(outcome, exercise.parts, right)
    except (InvalidAnswer, Unfinished):
        return None


def _shown(compared: Comparing, part: str) -> LikelyMistake | None:
    name, message = appearance(compared, part)
    return LikelyMistake(name, message, (part,)) if name else None
