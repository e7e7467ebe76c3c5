"""Small real tasks that a healthy net learns in a second: names, pictures of digits, a curve."""

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from backlight.core import Array
from backlight.text import Sequences, Vocabulary, Windows, load_corpus

NAMES = 1_500
DEV_NAMES = 400
PICTURES = 6_000
DEV_PICTURES = 500
POINTS = 1_500
DEV_POINTS = 400

SIDE = 12
"""Pixels of a picture's edge."""


@dataclass(frozen=True, kw_only=True)
class Data:
    """Examples to learn from and to be judged by.

    Attributes:
        x, y: inputs and targets, a row each.
        dev_x, dev_y: held out.
        classes: how many there are; None where the targets are numbers.
        items: what the training examples were cut from, and the held-out ones, if they were: two windows of different
            names may well be equal.
    """

    x: Array
    y: Array
    dev_x: Array
    dev_y: Array
    classes: int | None
    items: tuple[list[str], list[str]] | None = None

    @property
    def wholes(self) -> tuple[Any, Any]:
        """Training examples and held-out ones, such as should not be on both sides."""
        return self.items or (_rows(self.x, self.y), _rows(self.dev_x, self.dev_y))

    def draw(self, size: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """Return `size` examples, drawn with replacement."""
        rows = rng.integers(len(self.x), size=size)
        return self.x[rows], self.y[rows]

    def first(self, size: int) -> "Data":
        """Return the same task with few examples to learn from."""
        return replace(self, x=self.x[:size], y=self.y[:size])

    def changed(self, **parts: Any) -> "Data":
        """Return the same task with other inputs or targets."""
        return replace(self, **parts)


def _rows(x: Array, y: Array) -> Array:
    """Return inputs and targets side by side."""
    return np.concatenate([x.reshape(len(x), -1), y.reshape(len(y), -1)], axis=1)


@cache
def _names() -> tuple[str, ...]:
    return tuple(dict.fromkeys(load_corpus("names").items))


def _examples(rng: np.random.Generator, kind: type[Windows] | type[Sequences], context: int) -> Data:
    """Return some names to learn from, and others to be judged by."""
    vocabulary = Vocabulary.of(list(_names()))
    chosen = [_names()[i] for i in rng.choice(len(_names()), NAMES + DEV_NAMES, replace=False)]
    items = chosen[:NAMES], chosen[NAMES:]
    made = [kind(vocabulary.encode_items(part, ends=True), context) for part in items]
    train, dev = (data.batch(np.arange(len(data))) for data in made)
    return Data(x=train.x, y=train.y, dev_x=dev.x, dev_y=dev.y, classes=vocabulary.size, items=items)


def windows(rng: np.random.Generator, context: int = 4) -> Data:
    """Return names as windows: `context` characters and the one that comes next."""
    return _examples(rng, Windows, context)


def sequences(rng: np.random.Generator, context: int = 12) -> Data:
    """Return names as sequences with a target at every position, -1 where a name has ended."""
    return _examples(rng, Sequences, context)


# the segments of a digit on a calculator: top, upper left, upper right, middle, lower left, lower right, bottom
_SEGMENTS = ("abcefg", "cf", "acdeg", "acdfg", "bcdf", "abdfg", "abdefg", "acf", "abcdefg", "abcdfg")
_STROKES = {
    "a": (slice(0, 1), slice(0, 5)), "b": (slice(0, 4), slice(0, 1)), "c": (slice(0, 4), slice(4, 5)),
    "d": (slice(4, 5), slice(0, 5)), "e": (slice(4, 8), slice(0, 1)), "f": (slice(4, 8), slice(4, 5)),
    "g": (slice(8, 9), slice(0, 5)),
}  # fmt: skip


def digits(rng: np.random.Generator) -> Data:
    """Return pictures of digits, (N, 1, SIDE, SIDE) of mean 0 and variance 1: shifted, of varying ink, with noise."""
    shapes = np.zeros((10, 9, 5))
    for digit, segments in enumerate(_SEGMENTS):
        for segment in segments:
            shapes[(digit, *_STROKES[segment])] = 1
    count = PICTURES + DEV_PICTURES
    y = rng.integers(10, size=count)
    x = rng.normal(0, 0.35, (count, SIDE, SIDE))
    down, right = rng.integers(SIDE - 9 + 1, size=count), rng.integers(SIDE - 5 + 1, size=count)
    ink = rng.uniform(0.6, 1.2, count)
    for i in range(count):
        x[i, down[i] : down[i] + 9, right[i] : right[i] + 5] += ink[i] * shapes[y[i]]
    x = ((x - x.mean()) / x.std()).astype(np.float32)[:, None]
    return Data(x=x[:PICTURES], y=y[:PICTURES], dev_x=x[PICTURES:], dev_y=y[PICTURES:], classes=10)


def curve(rng: np.random.Generator) -> Data:
    """Return eight features and one number that bends with them, (N, 1), all of mean 0 and variance about 1."""
    x = rng.standard_normal((POINTS + DEV_POINTS, 8))
    y = np.tanh(x @ rng.standard_normal((8, 3))).sum(1) + 0.3 * x[:, 0] * x[:, 1] + rng.normal(0, 0.1, len(x))
    y = ((y - y.mean()) / y.std())[:, None].astype(np.float32)
    x = x.astype(np.float32)
    return Data(x=x[:POINTS], y=y[:POINTS], dev_x=x[POINTS:], dev_y=y[POINTS:], classes=None)
