"""Recognise a mistake: first one that the exercise knows; then one that can happen in any exercise."""

from collections.abc import Sequence

import numpy as np

from backlight.core import Array
from backlight.lessons.exercises.exercise import Exercise
from backlight.lessons.exercises.outcomes import InvalidAnswer, Mismatch, Parts, Unfinished, agree, parts_of


def recognised(exercise: Exercise, ours: Sequence[Parts], reference: Sequence[Parts], part: str) -> tuple[str, str]:
    """Return the name and the message of the mistake that explains a part; two empty strings if none does.

    A mistake explains a part if it gives the learner's numbers for this part in every case.

    Args:
        exercise: the exercise, with its known mistakes.
        ours: the learner's result for each case.
        reference: the right result for each case.
        part: the name of the first part that is wrong.
    """
    for mistake in exercise.mistakes:
        tried = zip(exercise.inputs(), ours, reference, strict=False)  # an answer that is not a function has one case
        if all(
            _same(exercise, mistake.answer, case, mine, right, part)
            for case, mine, right in tried
            if part in right and part in mine
        ):
            return mistake.name, mistake.message
    return "", ""


def general(mismatch: Mismatch) -> tuple[str, str]:
    """Return the name and the message of a mistake that shows in the numbers alone; two empty strings if none does."""
    ours, right = mismatch.ours, mismatch.reference
    if mismatch.comparison is None:
        return _of_shape(ours, right)
    if agree(ours, -right, rtol=1e-4, atol=0):
        return "wrong sign", "Every number has the opposite sign. Which minus is missing, or one too many?"
    if ours.ndim == 2 and ours.shape[0] == ours.shape[1] and agree(ours, right.T, rtol=1e-4, atol=1e-12):
        return "transposed", "Rows and columns are swapped."
    factor = _factor(ours, right)
    if factor is not None:
        return _of_factor(factor, right)
    return "", ""


def _same(exercise: Exercise, answer: object, case: object, ours: Parts, right: Parts, part: str) -> bool:
    with np.errstate(all="ignore"):
        outcome = exercise.use(answer, case)  # type: ignore[arg-type]
    try:
        theirs = parts_of(outcome, exercise.parts, right)
    except (InvalidAnswer, Unfinished):
        return False
    return agree(ours[part], theirs[part], rtol=exercise.rtol, atol=exercise.atol)


def _of_shape(ours: Array, right: Array) -> tuple[str, str]:
    if ours.ndim == 2 and ours.shape == right.shape[::-1]:
        message = "Rows and columns are swapped: a product has its factors in the wrong order, or a .T is wrong."
        return "transposed", message
    if ours.size == right.size:
        return "wrong shape", "The number of elements is right, but the shape is not: check reshape and keepdims."
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


def _of_factor(factor: float, right: Array) -> tuple[str, str]:
    if right.size == 1:
        return "", ""  # one number is always a multiple of another
    times = f"Every number is {factor:.4g} times what it should be."
    sizes = [size for size in right.shape if size > 1] + [right.size]
    if any(np.isclose(factor, size, rtol=1e-4) for size in sizes):
        return "sum for mean", f"{times} That is their number: you took a sum instead of a mean."
    if any(np.isclose(factor, 1 / size, rtol=1e-4) for size in sizes):
        return "mean for sum", f"{times} That is 1 divided by their number: you took a mean instead of a sum."
    return "a constant factor", times
