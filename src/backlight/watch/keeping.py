"""Which steps are recorded, and which records are kept: many at first, then few, never more than a file should hold.

All of it depends on the number of the step alone, so that a run that was stopped and resumed keeps what one that was
not would have kept.
"""

from array import array
from collections.abc import Iterable, Iterator
from typing import Generic, Protocol, TypeVar

from backlight.watch.records import LossPoint

DENSE = 10
"""The first steps, all of which are recorded: most of what goes wrong shows in them."""

MOST_RECORDS = 120
RECENT_RECORDS = 12
MOST_LOSSES = 2_000


class HasStep(Protocol):
    """What knows its step."""

    @property
    def step(self) -> int:
        """How many steps had been taken before it."""


Item = TypeVar("Item", bound=HasStep)


def wanted(step: int, every: int) -> bool:
    """Return whether a step is recorded: the first few, then every so many."""
    return step < DENSE or step % every == 0


class Kept(Generic[Item]):
    """The records that are kept: the first few, every n-th of the others, and the latest.

    n doubles whenever there would be too many.

    Args:
        every: from how many steps one is recorded.
        items: those of an earlier sitting, in order.
        most: how many are kept besides the latest.
    """

    def __init__(self, every: int, items: Iterable[Item] = (), *, most: int = MOST_RECORDS) -> None:
        self._stride = every
        self._most = most
        self._items: list[Item] = []
        for item in items:
            self.add(item)

    def add(self, item: Item) -> None:
        """Keep one more; its step is after all others'."""
        self._items.append(item)
        if len(self._items) >= 2 * (self._most + RECENT_RECORDS):  # rarely, since it reads all of them
            self._items = self._thinned()

    def _thinned(self) -> list[Item]:
        most = self._most + RECENT_RECORDS
        if len(self._items) <= most:
            return self._items
        old, recent = self._items[:-RECENT_RECORDS], self._items[-RECENT_RECORDS:]
        while True:
            kept = [item for item in old if item.step < DENSE or item.step % self._stride == 0]
            if len(kept) <= self._most or self._stride > recent[-1].step:
                return kept + recent
            self._stride *= 2

    def __iter__(self) -> Iterator[Item]:
        return iter(self._thinned())

    def __len__(self) -> int:
        return len(self._thinned())


class LossSeries:
    """The loss of every step: 8 bytes each."""

    def __init__(self) -> None:
        self._losses = array("d")

    def add(self, loss: float) -> None:
        """Add the next step's loss."""
        self._losses.append(loss)

    def points(self) -> tuple[LossPoint, ...]:
        """Return them; where they are more than `MOST_LOSSES`, means of a few neighbours, each at its first step."""
        group = -(-len(self._losses) // MOST_LOSSES) or 1
        return tuple(
            LossPoint(step=first, loss=sum(some) / len(some))
            for first in range(0, len(self._losses), group)
            if (some := self._losses[first : first + group])
        )
