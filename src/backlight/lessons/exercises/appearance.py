"""What the numbers of a wrong answer show by themselves, whatever the exercise: a sign, a shape, a factor, an order."""

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from backlight.core import Array
from backlight.lessons.exercises.comparing import Comparing, Mismatch
from backlight.lessons.exercises.exercise import Inputs
from backlight.lessons.exercises.outcomes import agree


def appearance(compared: Comparing, part: str) -> tuple[str, str]:
    """Return what the numbers of a part alone show, wherever it is wrong: a name and a message, empty if nothing."""
    places = [one for one in compared.mismatches if one.part == part]
    if part.startswith("the shape of "):
        return f"wrong shape of {part.removeprefix('the shape of ')}", ""
    for kind in (_of_shape, _of_sign, _of_transposition):
        found = {kind(one) for one in places}
        if len(found) == 1 and (one := found.pop())[0]:
            return one
    if any(one.at is None for one in places):
        return _NONE
    pairs = [(one.ours, one.reference) for one in _all(compared, part)]
    name, message = _of_factor(pairs)
    if (not name or name == "a constant factor") and not compared.exercise.properties:
        by_size = _of_sizes(pairs, compared.exercise.inputs())
        name, message = by_size if by_size[0] else (name, message)
    if not name and not compared.exercise.properties:
        name, message = _of_function(pairs)
        name, message = (name, message) if name else _of_order(pairs)
    return name, message


def _all(compared: Comparing, part: str) -> list[Mismatch]:
    pairs = enumerate(zip(compared.ours, compared.reference, strict=True))
    return [Mismatch(part, at, mine[part], right[part], ()) for at, (mine, right) in pairs if part in mine]


_NONE = ("", "")

_SEVERAL: Final = 4
"""So many different numbers do not agree with another function, or in another order, by chance."""

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
        for axis in range(len(_shape(value))):
            shapes = [_shape(case[name]) for case in cases[: len(pairs)]]
            lengths = [shape[axis] for shape in shapes if axis < len(shape)]
            if len(lengths) < len(pairs):
                continue
            for sign, said in ((1, "multiplied"), (-1, "divided")):
                if np.allclose(factors, np.power(lengths, float(sign)), rtol=1e-4):  # type: ignore[arg-type]
                    length = f"axis {axis} of {name}" if len(shapes[0]) > 1 else name
                    return (
                        f"it is {said} by the length of {length}, which should not be",
                        f"For the first input that is {lengths[0]}.",
                    )
    return _NONE


def _shape(value: object) -> tuple[int, ...]:
    """Return the shape of an array or of nested lists of numbers; () of anything else."""
    if isinstance(value, list) and value and isinstance(value[0], list):
        return (len(value), len(value[0]))
    return value.shape if isinstance(value, np.ndarray) else (len(value),) if isinstance(value, list) else ()


def _of_function(pairs: Sequence[tuple[Array, Array]]) -> tuple[str, str]:
    """Return which function of the right numbers an answer is, if it is one in all cases."""
    if len({float(one) for _, right in pairs for one in right.flat}) < _SEVERAL:
        return _NONE
    with np.errstate(all="ignore"):
        for name, function in _FUNCTIONS:
            if all(agree(ours, function(right), rtol=1e-5, atol=1e-9) for ours, right in pairs):
                return f"{name} too many", f"Each number of the answer is {name} where it should be the number itself."
    return _NONE


def _of_order(pairs: Sequence[tuple[Array, Array]]) -> tuple[str, str]:
    """Return in which order an answer has the right numbers, if it is the same in all cases."""
    axes = {right.ndim for _, right in pairs}
    if len(axes) > 1 or not all(_varies(right) for _, right in pairs):
        return _NONE
    for axis in range(axes.pop()):
        along = f" along axis {axis}" if pairs[0][1].ndim > 1 else ""
        turned = [(np.moveaxis(ours, axis, 0), np.moveaxis(right, axis, 0)) for ours, right in pairs]
        if all(len(right) > 1 and _alike(ours, right[::-1]) for ours, right in turned):
            return f"in reverse order{along}", ""
        if all(len(right) >= _SEVERAL for _, right in turned):
            if all(_alike(ours[1:], right[:-1]) for ours, right in turned):
                return f"shifted by one{along}", "Each number stands one place too late."
            if all(_alike(ours[:-1], right[1:]) for ours, right in turned):
                return f"shifted by one{along}", "Each number stands one place too early."
    return _NONE


def _alike(one: Array, other: Array) -> bool:
    return agree(one, other, rtol=1e-5, atol=1e-9)


def _varies(array: Array) -> bool:
    """Return whether an array has several numbers that differ, so that an order shows."""
    return array.ndim > 0 and len(np.unique(array)) >= _SEVERAL


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
