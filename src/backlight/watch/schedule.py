"""Which steps are recorded and which records are kept: many at first, then ever fewer.

All of it depends on the number of the step alone, so that a run that was stopped and resumed has the same records as
one that was not.
"""

import math
from array import array
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Final, Generic, Protocol, TypeVar

from backlight.watch.records import LossPoint

EVERY: Final = 100
"""Every how many steps one is recorded, after the early ones, unless the user says otherwise."""

DENSE: Final = 10
"""The first steps, all of which are recorded: most faults show in them."""

EARLY: Final = 400
"""The steps before this one are early: more of them are recorded, so that a short training has enough records too."""

EARLY_EVERY: Final = 20
"""Of the early steps, at least every this many is recorded."""

STATISTICS_EVERY: Final = 8
"""In every this many records, batch norms' running statistics are compared with the batch's."""

MAPS_EVERY: Final = 10
"""In every this many records, there are maps of the units that are saturated or 0."""

MOST_EVALUATIONS: Final = 32
"""What is read without gradients is measured at most this many times in a training."""

MOST_RECORDS: Final = 64
"""Records at one spacing: after this many, every other one is kept, after as many again every fourth, and so on."""

RECENT_RECORDS: Final = 12
"""Records of the latest steps, which are kept in memory besides."""

MOST_LOSSES: Final = 2_000
"""Points that the reported losses are thinned to."""

LOSS_LINES: Final = 1_000
"""Losses at one spacing in a record stream; as with records, the spacing doubles then."""


class HasStep(Protocol):
    """A record of one step."""

    @property
    def step(self) -> int:
        """How many steps had been taken before it."""


Item = TypeVar("Item", bound=HasStep)


def is_recorded(step: int, every: int) -> bool:
    """Return whether a step is recorded: the first few, then at least every 20th early on, then every `every`-th."""
    return step < DENSE or step % (every if step >= EARLY else min(every, EARLY_EVERY)) == 0


def recorded_before(step: int, every: int) -> int:
    """Return how many steps before this one are recorded."""
    if step <= DENSE:
        return step
    early = DENSE + _multiples(DENSE, min(step, EARLY), min(every, EARLY_EVERY))
    return early + _multiples(EARLY, max(step, EARLY), every)


def _multiples(first: int, end: int, of: int) -> int:
    """Return how many multiples of a number there are from `first` to `end` - 1."""
    return (end - 1) // of - (first - 1) // of


def is_kept(step: int, every: int, most: int = MOST_RECORDS) -> bool:
    """Return whether the record of a step is kept for good.

    These are the early ones, of other steps at most `most`, and then half of `most` per doubling.
    """
    stride = every
    while step >= most * stride:
        stride *= 2
    return step < DENSE or step % stride == 0 or (step < EARLY and every > EARLY_EVERY and step % EARLY_EVERY == 0)


def is_loss_kept(step: int) -> bool:
    """Return whether a step's loss is written to a record stream."""
    return is_kept(step, 1, LOSS_LINES)


class Records(Generic[Item]):
    """The records that are kept for good, and the latest.

    Args:
        every: every how many steps one is recorded.
    """

    def __init__(self, every: int) -> None:
        self._every = every
        self._kept: list[Item] = []
        self._recent: deque[Item] = deque(maxlen=RECENT_RECORDS)

    def add(self, item: Item) -> None:
        """Add the record of a later step."""
        if is_kept(item.step, self._every):
            self._kept.append(item)
        self._recent.append(item)

    def __iter__(self) -> Iterator[Item]:
        first = self._recent[0].step if self._recent else 0
        yield from (item for item in self._kept if item.step < first)
        yield from self._recent

    def __len__(self) -> int:
        return sum(1 for _ in self)


class LossSeries:
    """The reported losses: 16 bytes each."""

    def __init__(self) -> None:
        self._steps = array("q")
        self._losses = array("d")

    def add(self, step: int, loss: float) -> None:
        """Add the loss of a later step."""
        self._steps.append(step)
        self._losses.append(loss)

    def points(self) -> tuple[LossPoint, ...]:
        """Return them; where they are more than `MOST_LOSSES`, means of a few neighbours, each at its first step.

        Of some that are finite and some that are not, the mean is that of the finite ones.
        """
        group = -(-len(self._losses) // MOST_LOSSES) or 1
        return tuple(
            LossPoint(step=self._steps[first], loss=sum(some) / len(some))
            for first in range(0, len(self._losses), group)
            if (some := _finite(self._losses[first : first + group]))
        )


def _finite(losses: "array[float]") -> Sequence[float]:
    return [one for one in losses if math.isfinite(one)] or losses
