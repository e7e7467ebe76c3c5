"""Whether targets can be told from inputs at all, by what simple models learn from the examples that were seen."""

import math
from dataclasses import replace
from typing import Final

import numpy as np

from backlight.core import Array, FloatArray
from backlight.watch.records import Relation

MOST_EXAMPLES: Final = 1_024
"""So many examples are kept."""

MOST_FEATURES: Final = 256
"""Of longer examples, so many evenly spaced features are kept."""

_LEAST: Final = 128
"""Fewer different examples show nothing."""

_MOST_COLUMNS: Final = 512
_RIDGE: Final = 0.1

_SAME: Final = 1 - 1e-6
"""A correlation beyond this is rounding away from 1."""


class Examples:
    """Inputs and targets of the first recorded steps."""

    def __init__(self) -> None:
        self._pairs: list[tuple[Array, Array]] = []
        self._count = 0

    @property
    def is_full(self) -> bool:
        """Whether there are enough."""
        return self._count >= MOST_EXAMPLES

    def add(self, x: Array, y: Array) -> None:
        """Take in examples.

        Args:
            x: (B, ...) ids or numbers.
            y: (B,) classes or (B, K) numbers.
        """
        if len(x) != len(y) or not len(x):
            return
        x, y = x.reshape(len(x), -1), y.reshape(len(y), -1)
        if self._pairs and (self._pairs[0][0].shape[1:], self._pairs[0][1].shape[1:]) != (x.shape[1:], y.shape[1:]):
            return
        self._pairs.append((x, y))
        self._count += len(x)

    def relation(self) -> Relation | None:
        """Return what can be told; None if there are too few different examples."""
        if self._count < _LEAST:
            return None
        x, y = (np.concatenate([pair[at] for pair in self._pairs])[:MOST_EXAMPLES] for at in range(2))
        _, first = np.unique(x, axis=0, return_index=True)  # what is known by heart shows nothing
        usable = first[np.isfinite(x[first]).all(1) & np.isfinite(y[first]).all(1)]
        if len(usable) < _LEAST:
            return None
        chosen = np.random.default_rng(0).permutation(np.sort(usable))
        compared = _compared(columns(x[chosen]), y[chosen])
        return replace(compared, same_as=target_among(x[chosen], y[chosen]))


def target_among(x: Array, y: Array) -> int | None:
    """Return which column or channel of the inputs is the target, but for scale and level; None if none is.

    Args:
        x: (N, F) numbers; of a sequence, F = K C, with the channels in the last place or the first.
        y: (N, K) targets.
    """
    K = y.shape[1]
    C, rest = divmod(x.shape[1], K)
    if x.dtype.kind != "f" or C < 2 or rest:
        return None  # of ids the target is often one; and an autoencoder is asked for all that it reads
    channels = x.reshape(len(x), K, C), x.reshape(len(x), C, K).swapaxes(1, 2)
    for each in channels[: 1 if K == 1 else 2]:
        same = _correlation(each.astype(np.float64), y.astype(np.float64)[..., None]).min(0) > _SAME
        if same.any():
            return int(same.argmax())
    return None


def _correlation(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return the size of the correlation over the first axis; 0 for what does not vary."""
    a, b = a - a.mean(0), b - b.mean(0)
    size = np.sqrt((a**2).sum(0) * (b**2).sum(0))
    found: FloatArray = np.abs((a * b).sum(0)) / np.where(size > 0, size, np.inf)
    return found


def columns(x: Array) -> FloatArray:
    """Return ids (N, T) as a column for each id at each place, or how often each id occurs; numbers standardised."""
    if x.dtype.kind in "iu":
        known, counts = np.unique(x, return_counts=True)
        frequent = known[np.argsort(-counts)[:_MOST_COLUMNS]]
        if len(frequent) * x.shape[1] <= _MOST_COLUMNS:
            places: FloatArray = (x[..., None] == frequent).reshape(len(x), -1).astype(np.float64)
            return places
        return np.stack([(x == one).mean(1) for one in frequent], axis=1)
    numbers = x.astype(np.float64)
    centred: FloatArray = (numbers - numbers.mean(0)) / np.maximum(numbers.std(0), 1e-9)
    return centred


def _compared(x: FloatArray, y: Array) -> Relation:
    """Fit half of the examples and return how much better than guessing the other half is predicted."""
    half = len(x) // 2
    classes = y.dtype.kind in "iu"
    known = np.unique(y) if classes else None
    wanted = (y == known).astype(np.float64) if known is not None else y.astype(np.float64)
    found = list(simple_predictions(x, wanted))
    pairs = with_products(x, most=half // 2)
    if pairs is not None:
        found.append(simple_predictions(pairs, wanted)[0])
    return Relation(
        examples=len(x), beyond_chance=max(beyond_chance(one, wanted[half:], classes) for one in found),
        products=pairs is not None,
    )  # fmt: skip


def with_products(x: FloatArray, *, most: int) -> FloatArray | None:
    """Return columns (N, D) with the products of two of them beside, standardised; None if that is more than `most`."""
    first, second = np.triu_indices(x.shape[1])
    if x.shape[1] + len(first) > most:
        return None
    return columns(np.concatenate([x, x[:, first] * x[:, second]], axis=1))


def simple_predictions(x: FloatArray, wanted: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return what a ridge regression and the nearest neighbour predict for the second half of the examples.

    Args:
        x: (N, D) columns; the first half is learnt from.
        wanted: (N, K) what is to be predicted.
    """
    half = len(x) // 2
    a, b = x[:half], wanted[:half]
    level = b.mean(0)
    weights = np.linalg.solve(a.T @ a / half + _RIDGE * np.eye(a.shape[1]), a.T @ (b - level) / half)
    apart = (x[half:] ** 2).sum(1)[:, None] - 2 * x[half:] @ a.T + (a**2).sum(1)
    return x[half:] @ weights + level, b[apart.argmin(1)]


def beyond_chance(found: FloatArray, wanted: FloatArray, classes: bool) -> float:
    """Return by how many standard errors predictions (N, K) are better than guessing."""
    count = len(found)
    if classes:
        hits = float((found.argmax(1) == wanted.argmax(1)).sum())
        guess = float(wanted.mean(0).max())
        return (hits - count * guess) / max(math.sqrt(count * guess * (1 - guess)), 1e-9)
    a, b = found - found.mean(0), wanted - wanted.mean(0)
    size = float(np.sqrt((a**2).sum() * (b**2).sum()))
    return float((a * b).sum()) / size * math.sqrt(count) if size > 0 else 0.0
