"""Functions that draw the inputs of the cases. Each returns a function of a generator that returns an array."""

from collections.abc import Callable
from typing import Any

import numpy as np

from backlight.core import Array, IntArray

Make = Callable[[np.random.Generator], Array]
Shape = tuple[int, ...]


def gaussian(*shape: int) -> Make:
    """Draw an array of this shape with mean 0 and variance 1."""
    return lambda rng: rng.standard_normal(shape)


def below(count: int, *shape: int) -> Make:
    """Draw an array of this shape of ids in 0..count-1."""
    return lambda rng: rng.integers(0, count, shape)


def positive(*shape: int) -> Make:
    """Draw an array of this shape with elements above 0.3."""
    return lambda rng: np.abs(rng.standard_normal(shape)) + 0.3


def away_from_0(*shape: int) -> Make:
    """Draw an array of this shape with elements of both signs, away from the poles and kinks at 0."""
    return lambda rng: np.sign(x := rng.standard_normal(shape)) * (np.abs(x) + 0.3)


def away_from_1(*shape: int) -> Make:
    """Draw an array of this shape with elements away from ±1, the kinks of the hinge loss."""
    return lambda rng: rng.choice([-2.0, 0.0, 2.0], shape) + rng.uniform(-0.7, 0.7, shape)


def apart(*shape: int) -> Make:
    """Draw an array of this shape with elements far enough apart that a small step keeps the largest one."""
    size = int(np.prod(shape))
    return lambda rng: (rng.permutation(size) - size / 2 + rng.uniform(-0.3, 0.3, size)).reshape(shape) / 2


def signs(*shape: int) -> Make:
    """Draw an array of this shape of labels, ±1."""
    return lambda rng: rng.choice([-1.0, 1.0], shape)


def far_out(*shape: int) -> Make:
    """Draw an array of this shape with large elements, which saturate activations."""
    return lambda rng: 30 * rng.standard_normal(shape)


def exactly(*numbers: Any) -> Make:
    """Return an array of these numbers, whatever the generator."""
    return lambda _: np.array(numbers, float)


def ids(*numbers: Any) -> IntArray:
    """Return an integer array of ids, targets or indices."""
    return np.array(numbers)


def mask(*shape: int) -> Array:
    """Return random booleans of this shape, always the same ones."""
    return np.random.default_rng(len(shape) + sum(shape)).random(shape) < 0.5
