"""Recognise a mistake: one that the exercise knows, a change of the right answer, or what the numbers alone show."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from backlight.core import Array
from backlight.lessons.exercises.comparing import Comparing, Mismatch
from backlight.lessons.exercises.exercise import Exercise, Inputs, Mistake
from backlight.lessons.exercises.outcomes import InvalidAnswer, Parts, Unfinished, agree, parts_of
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
    if known is not None:
        return known
    shown = general(compared, first)
    if shown is not None and shown.name in _PLAIN and (not others or exercise.in_parts):
        return shown
    right = compared.right if part is None else []
    changes = search(exercise, compared.ours, [first, *others], right, compared.same)
    if changes and changes[0].whole:
        return _of_changes(changes)
    if shown is not None and len(wrong) == 1:
        return shown
    return (_of_changes(changes) if changes and not exercise.properties else None) or shown


def _of_changes(found: Sequence[ChangeFound]) -> LikelyMistake:
    """Return the most usual of the changes that explain the most, and another if it is in another line."""
    best = found[0]
    alike = [one for one in found if one.explained == best.explained and one.change.rank == best.change.rank]
    words = best.change.words
    elsewhere = [one for one in alike if one.change.line != best.change.line]
    if elsewhere and len({one.change.line for one in alike}) == 2:
        words = f"{words}; or {elsewhere[0].change.words}"
    return LikelyMistake(words, "", best.explained)


def _known(compared: Comparing, first: str, others: Sequence[str]) -> LikelyMistake | None:
    """Return the known mistake that explains the most parts."""
    exercise = compared.exercise
    best: LikelyMistake | None = None
    for mistake in exercise.mistakes:
        explained = _explained(exercise, mistake, compared, first, others)
        if explained and (best is None or len(explained) > len(best.parts)):
            best = LikelyMistake(mistake.name, mistake.message, explained)
            if exercise.properties or exercise.in_parts or len(explained) == 1 + len(others):
                break
    return best


def _explained(
    exercise: Exercise, mistake: Mistake, compared: Comparing, first: str, others: Sequence[str]
) -> tuple[str, ...]:
    explained = [first, *others]
    tried = 0
    for at, case in enumerate(exercise.inputs()[: len(compared.ours)]):
        mine, right = compared.ours[at], compared.reference[at]
        if first not in mine or first not in right:
            continue
        theirs = _outcome(exercise, mistake.answer, case, right)
        if theirs is None:
            return ()
        tried += 1
        explained = [
            part for part in explained
            if part not in mine or (part in theirs and compared.same(at, part, mine[part], theirs[part]))
        ]  # fmt: skip
        if first not in explained:
            return ()
        if not all(
            part in theirs and compared.same(at, part, mine[part], theirs[part])
            for part in _binding(compared, first) if part in mine
        ):  # fmt: skip
            return ()
    return tuple(explained) if tried else ()


def _binding(compared: Comparing, first: str) -> list[str]:
    """Return the right parts that a mistake must not contradict.

    All of them, except: of facts, those before the first wrong one, since later ones depend on how good an answer is
    besides; of a chain that is handed in piece by piece, none, since a known mistake stands for several.
    """
    if compared.exercise.in_parts:
        return []
    if compared.exercise.properties:
        names = list(compared.reference[0])
        return [name for name in names[: names.index(first)] if name in compared.right]
    return compared.right


def _outcome(exercise: Exercise, answer: object, case: Inputs, right: Parts) -> Parts | None:
    with np.errstate(all="ignore"):
        outcome = exercise.use(answer, case)
    try:
        return parts_of(outcome, exercise.parts, right)
    except (InvalidAnswer, Unfinished):
        return None


def general(compared: Comparing, part: str) -> LikelyMistake | None:
    """Return a mistake that shows in the numbers of a part alone, wherever it is wrong; None if none does."""
    places = [one for one in compared.mismatches if one.part == part]
    if part.startswith("the shape of "):
        return LikelyMistake(f"wrong shape of {part.removeprefix('the shape of ')}", "", (part,))
    for kind in (_of_shape, _of_sign, _of_transposition):
        found = {kind(one) for one in places}
        if len(found) == 1 and (one := found.pop())[0]:
            return LikelyMistake(*one, (part,))
    if any(one.at is None for one in places):
        return None
    pairs = [(one.ours, one.reference) for one in _all(compared, part)]
    name, message = _of_factor(pairs)
    if (not name or name == "a constant factor") and not compared.exercise.properties:
        by_size = _of_sizes(pairs, compared.exercise.inputs())
        name, message = by_size if by_size[0] else (name, message)
    if not name and not compared.exercise.properties:
        name, message = _of_function(pairs)
    return LikelyMistake(name, message, (part,)) if name else None


def _all(compared: Comparing, part: str) -> list[Mismatch]:
    pairs = enumerate(zip(compared.ours, compared.reference, strict=True))
    return [Mismatch(part, at, mine[part], right[part], ()) for at, (mine, right) in pairs if part in mine]


_NONE = ("", "")

_FUNCTIONS: Final[tuple[tuple[str, Callable[[Array], Array]], ...]] = (
    ("exp", np.exp), ("log", np.log), ("the square", np.square), ("the square root", np.sqrt),
    ("1 divided by it", np.reciprocal), ("1 minus it", lambda x: 1 - x), ("the absolute value", np.abs),
    ("tanh", np.tanh), ("exp of minus it", lambda x: np.exp(-x)),
)  # fmt: skip


def _of_sizes(pairs: Sequence[tuple[Array, Array]], cases: Sequence[Inputs]) -> tuple[str, str]:
    """Return which length of an input an answer is multiplied or divided by, if it is one in all cases."""
    factors = [_factor(ours, right) for ours, right in pairs]
    if len(factors) < 2 or None in factors or len({f"{one:.4g}" for one in factors}) < 2:
        return _NONE
    for name, value in cases[0].items():
        for axis in range(np.ndim(value) if isinstance(value, np.ndarray) else 0):
            lengths = [case[name].shape[axis] for case in cases[: len(pairs)]]
            for sign, said in ((1, "multiplied"), (-1, "divided")):
                if np.allclose(factors, np.power(lengths, float(sign)), rtol=1e-4):  # type: ignore[arg-type]
                    what = f"{said} by the length of axis {axis} of {name}"
                    return f"{what}, and should not be", f"Here that is {lengths[0]}."
    return _NONE


def _of_function(pairs: Sequence[tuple[Array, Array]]) -> tuple[str, str]:
    """Return which function of the right numbers an answer is, if it is one in all cases."""
    if sum(right.size for _, right in pairs) < 2:
        return _NONE
    with np.errstate(all="ignore"):
        for name, function in _FUNCTIONS:
            if all(agree(ours, function(right), rtol=1e-5, atol=1e-9) for ours, right in pairs):
                return f"{name} too many", f"Each number of the answer is {name} where it should be the number itself."
    return _NONE


def _of_sign(one: Mismatch) -> tuple[str, str]:
    if one.at is None or not agree(one.ours, -one.reference, rtol=1e-4, atol=0):
        return _NONE
    if one.ours.ndim == 0:
        return "wrong sign", "It has the opposite sign. Which minus is missing, or one too many?"
    return "wrong sign", "Every number has the opposite sign. Which minus is missing, or one too many?"


def _of_transposition(one: Mismatch) -> tuple[str, str]:
    ours, right = one.ours, one.reference
    square = ours.ndim == 2 and ours.shape == right.shape and ours.shape[0] == ours.shape[1]
    if square and agree(ours, right.T, rtol=1e-4, atol=1e-12):
        return "transposed", "Rows and columns are swapped."
    return _NONE


def _of_shape(one: Mismatch) -> tuple[str, str]:
    ours, right = one.ours, one.reference
    if one.at is not None:
        return _NONE
    if ours.ndim == 2 and ours.shape == right.shape[::-1]:
        message = "Rows and columns are swapped: a product has its factors in the wrong order, or a .T is wrong."
        return "transposed", message
    if ours.size == right.size:
        return "wrong shape", "The number of elements is right, but the shape is not: check reshape and keepdims."
    if ours.ndim == right.ndim == 1 and ours.size < right.size:
        return "too few numbers", f"There are {ours.size} of {right.size}: one for each is returned, not only some."
    if ours.ndim == right.ndim == 1 and ours.size > right.size > 1:
        return "too many numbers", f"There are {ours.size}, and there should be {right.size}."
    if right.ndim and ours.ndim == 0:
        return "one number", f"It is a single number, and there should be {right.size}: one for each."
    if _is_broadcast(right.shape, ours.shape):
        message = "It has an extra axis, or an axis is too long: what is broadcast forward is summed backward."
        return "forgot to sum over a broadcast axis", message
    if _is_broadcast(ours.shape, right.shape):
        return "summed too much", "An axis is missing, or has length 1: did you sum over an axis that should stay?"
    return "wrong shape", ""


def _is_broadcast(small: tuple[int, ...], large: tuple[int, ...]) -> bool:
    try:
        return np.broadcast_shapes(small, large) == large
    except ValueError:
        return False


def _factor(ours: Array, right: Array) -> float | None:
    """Return the factor by which all of ours are a multiple of right; None if they are not."""
    there = right != 0
    if not there.any() or not np.isfinite(ours).all():
        return None
    factor = float(ours[there].flat[0] / right[there].flat[0])
    return factor if factor and agree(ours, factor * right, rtol=1e-4, atol=1e-12) else None


def _of_factor(pairs: Sequence[tuple[Array, Array]]) -> tuple[str, str]:
    """Return what a factor is, if there is one in each case: a number of elements, or the same in all."""
    factors = [_factor(ours, right) for ours, right in pairs]
    known = [one for one in factors if one is not None]
    if len(known) < len(factors) or not known or all(f"{one:.4g}" == "1" for one in known):
        return _NONE
    if all(right.size == 1 for _, right in pairs) and (len(pairs) == 1 or not np.allclose(known, known[0], rtol=1e-4)):
        return _NONE  # one number is always a multiple of another
    each = "It is" if pairs[0][1].size == 1 else "Every number is"
    times = f"{each} {known[0]:.4g} times what it should be."
    sizes = [[size for size in right.shape if size > 1] + [right.size] for _, right in pairs]
    if all(any(np.isclose(one, size, rtol=1e-4) for size in of) for one, of in zip(known, sizes, strict=True)):
        return "sum for mean", f"{times} That is their number: you took a sum instead of a mean."
    if all(any(np.isclose(one, 1 / size, rtol=1e-4) for size in of) for one, of in zip(known, sizes, strict=True)):
        return "mean for sum", f"{times} That is 1 divided by their number: you took a mean instead of a sum."
    if np.allclose(known, known[0], rtol=1e-4):
        return "a constant factor", times
    return _NONE
