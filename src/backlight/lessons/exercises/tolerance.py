"""How far a right answer may be from the reference: the rounding of float32 in this problem, number by number."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from backlight.core import Array
from backlight.lessons.exercises.exercise import Exercise
from backlight.lessons.exercises.outcomes import Parts, parts_of

TRIALS: Final = 6
"""Evaluations in float32, whose inputs are changed by up to half of their last digit."""

TIMES: Final = 8.0
"""An answer computed in another order may be this many times as far from the reference as the largest of the trials."""

_EPS32: Final = float(np.finfo(np.float32).eps)


def float32_rounding(exercise: Exercise, reference: Sequence[Parts]) -> list[Parts]:
    """Return for each case how much a right answer that is computed in float32 may differ, by part.

    The solution is evaluated several times in float32, from inputs that are rounded to float32 in random directions.
    The largest distance from the reference shows the problem's conditioning: a sum that cancels to 0 may be off by the
    rounding of its terms, although a relative bound would allow nothing there.

    Args:
        exercise: the exercise.
        reference: the right result for each case, computed in float64.
    """
    largest = [{name: np.zeros_like(part) for name, part in parts.items()} for parts in reference]
    if exercise.properties:
        return largest  # facts and measurements, which have their own tolerance
    rng = np.random.default_rng(0)
    with np.errstate(all="ignore"):
        for _ in range(TRIALS):
            for case, right, far in zip(exercise.inputs(), reference, largest, strict=False):
                rounded = {name: _rounded(value, rng) for name, value in case.items()}
                parts = parts_of(exercise.use(exercise.solution, rounded), exercise.parts, right)
                for name, part in parts.items():
                    far[name] = np.fmax(far[name], np.abs(part - right[name]))
    return [{name: TIMES * part for name, part in parts.items()} for parts in largest]


def allowed(reference: Array, rounding: Array | float, *, rtol: float, atol: float) -> Array:
    """Return the largest difference that each number may have."""
    with np.errstate(invalid="ignore"):
        bound: Array = np.nan_to_num(atol + rtol * np.abs(reference) + rounding, nan=atol, posinf=atol)
    return bound


def _rounded(value: Any, rng: np.random.Generator) -> Any:
    """Return inputs in float32, each number rounded up or down at random; integers and other objects as they are."""
    if isinstance(value, np.ndarray):
        noise = 1 + _EPS32 * rng.uniform(-0.5, 0.5, value.shape)
        return (value * noise).astype(np.float32) if value.dtype.kind == "f" else value
    if isinstance(value, np.floating):
        return np.float32(value * (1 + _EPS32 * rng.uniform(-0.5, 0.5)))
    if isinstance(value, float):
        return float(np.float32(value * (1 + _EPS32 * rng.uniform(-0.5, 0.5))))
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return type(value)(*(_rounded(one, rng) for one in value))
    if isinstance(value, Mapping):
        return {name: _rounded(one, rng) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_rounded(one, rng) for one in value)
    return value
