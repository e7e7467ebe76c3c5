"""What cases are fed with: makers of arrays, each with a reason why its numbers are as they are."""

from collections.abc import Callable
from typing import Any

import numpy as np

from backlight.core import Array, IntArray

Make = Callable[[np.random.Generator], Array]
Shape = tuple[int, ...]


def gaussian(*shape: int) -> Make:
    """Return a maker of numbers of mean 0 and variance 1."""
    return lambda rng: rng.standard_normal(shape)


def below(count: int, *shape: int) -> Make:
    """Return a maker of ids in 0..count-1."""
    return lambda rng: rng.integers(0, count, shape)


def positive(*shape: int) -> Make:
    """Return a maker of numbers above 0.3."""
    return lambda rng: np.abs(rng.standard_normal(shape)) + 0.3


def away_from_0(*shape: int) -> Make:
    """Return a maker of numbers of both signs that are not near 0, where division and kinks are."""
    return lambda rng: np.sign(x := rng.standard_normal(shape)) * (np.abs(x) + 0.3)


def away_from_1(*shape: int) -> Make:
    """Return a maker of numbers that are not near ±1, where a hinge bends."""
    return lambda rng: rng.choice([-2.0, 0.0, 2.0], shape) + rng.uniform(-0.7, 0.7, shape)


def apart(*shape: int) -> Make:
    """Return a maker of numbers that are not near each other: after a small step the largest is still the largest."""
    size = int(np.prod(shape))
    return lambda rng: (rng.permutation(size) - size / 2 + rng.uniform(-0.3, 0.3, size)).reshape(shape) / 2


def signs(*shape: int) -> Make:
    """Return a maker of labels, ±1."""
    return lambda rng: rng.choice([-1.0, 1.0], shape)


def far_out(*shape: int) -> Make:
    """Return a maker of numbers at which whatever can saturate does."""
    return lambda rng: 30 * rng.standard_normal(shape)


def exactly(*numbers: Any) -> Make:
    """Return a maker of these numbers."""
    return lambda _: np.array(numbers, float)


def ids(*numbers: Any) -> IntArray:
    """Return ids, targets or places."""
    return np.array(numbers)


def mask(*shape: int) -> Array:
    """Return booleans, always the same for a shape."""
    return np.random.default_rng(len(shape) + sum(shape)).random(shape) < 0.5
