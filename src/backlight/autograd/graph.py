"""The one graph: nodes that remember what they were made of, and the walk that takes a gradient back through them.

A derivative travels from the end of a computation to its beginning by one rule, used over and over:

    gradient of a parent  +=  local derivative  x  gradient from above        (the chain rule, summed over paths)

A `Value` is a node that holds one number, a `Tensor` a node that holds an array. Both apply the rule to their parents,
each in its own way; the order in which nodes do so is the same for both, youngest first, and comes from here.
"""

import threading
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from operator import attrgetter
from typing import Any, Self

next_serial = count().__next__
"""Gives each node its age. A node can only be made of older ones, so age is a topological order."""

age = attrgetter("_serial")
"""Gives a node's age, to sort by."""


class Node:
    """A step of a computation: what it was made of (`_prev`), and when (`_serial`)."""

    __slots__ = ("__weakref__", "_serial", "label")

    _serial: int
    label: str

    @property
    @abstractmethod
    def _prev(self) -> tuple[Any, ...]:
        """The nodes that it was made of; none for a leaf."""

    def ancestry(self) -> list[Self]:
        """Return this node and all that it was made of, youngest first: the order of a backward pass.

        Every node stands before its parents, so by the time that a node pushes, all paths into it have been summed.
        Iterative: a chain of a million nodes is as good as a short one.
        """
        seen: set[Self] = {self}
        unread = [self]
        while unread:
            for parent in unread.pop()._prev:
                if parent not in seen:
                    seen.add(parent)
                    unread.append(parent)
        return sorted(seen, key=age, reverse=True)


class _Recording(threading.local):
    """Whether this thread's computations are remembered for a backward pass."""

    on = True


recording = _Recording()


@contextmanager
def no_grad() -> Iterator[None]:
    """Compute without remembering how: inside, results need no gradient. Works as a decorator too; per thread."""
    before = recording.on
    recording.on = False
    try:
        yield
    finally:
        recording.on = before
