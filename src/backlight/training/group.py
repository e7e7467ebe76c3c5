"""The processes that train a model together: what they add up, and which of them writes."""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol, TypeVar

T = TypeVar("T")


def process_count() -> int:
    """Return the number of processes in the group that `torchrun` has started this one in; 1 without it."""
    return int(os.environ.get("WORLD_SIZE", "1"))


class ProcessGroup(Protocol):
    """The processes of a training. The one of rank 0 writes the run folder, and prints.

    Attributes:
        rank: the number of this process, from 0.
        size: the number of processes.
    """

    rank: int
    size: int

    def sum(self, *numbers: float) -> tuple[float, ...]:
        """Return the sum of each number over all processes; of a single process, the numbers themselves.

        Raises:
            ProcessEndedError: another process of the group has ended.
        """

    def from_first(self, make: Callable[[], T]) -> T:
        """Return what `make` returns in the process of rank 0, the only one that calls it. An error of it ends all.

        Raises:
            ProcessEndedError: another process of the group has ended.
        """

    def together(self) -> AbstractContextManager[None]:
        """Return a context manager in which the end of another process raises a ProcessEndedError."""


class Alone:
    """A training in one process."""

    rank, size = 0, 1

    def sum(self, *numbers: float) -> tuple[float, ...]:
        """Return the numbers."""
        return numbers

    def from_first(self, make: Callable[[], T]) -> T:
        """Return `make()`."""
        return make()

    def together(self) -> AbstractContextManager[None]:
        """Return a context manager that does nothing."""
        return nullcontext()


ALONE = Alone()
