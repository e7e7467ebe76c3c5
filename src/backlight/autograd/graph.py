"""The graph that `Value` and `Tensor` share: nodes that record their parents, and the order of the backward pass.

Gradients propagate from the end of a computation to its beginning by one rule, applied at every node:

    gradient of a parent  +=  local derivative  x  gradient of the node        (the chain rule, summed over paths)

A `Value` is a node that holds one number, a `Tensor` a node that holds an array. Each applies the rule in its own way.
Both visit the nodes in the same order, youngest first.
"""

import threading
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from operator import attrgetter
from typing import Any, Self

next_serial = count().__next__
"""Return the next serial number. A node is made after its parents, so serial numbers are a topological order."""

age = attrgetter("_serial")
"""Return a node's serial number: a key to sort by."""


class Node:
    """A step of a computation: the nodes it was computed from (`_prev`), and its serial number (`_serial`)."""

    __slots__ = ()  # subclasses have "__weakref__", "_serial" and "label"

    _serial: int
    label: str

    @property
    @abstractmethod
    def _prev(self) -> tuple[Any, ...]:
        """The nodes that this one was computed from; empty for a leaf."""

    def ancestry(self) -> list[Self]:
        """Return this node and all nodes that it was computed from, youngest first: the order of a backward pass.

        Every node comes before its parents, so all paths into a node have been summed when it propagates its gradient.
        Iterative, since a recursion would fail on a chain of a thousand nodes.
        """
        visited: set[Self] = {self}
        pending = [self]
        while pending:
            for parent in pending.pop()._prev:
                if parent not in visited:
                    visited.add(parent)
                    pending.append(parent)
        return sorted(visited, key=age, reverse=True)


class _Recording(threading.local):
    """Whether this thread's computations are recorded for a backward pass."""

    on = True


recording = _Recording()


@contextmanager
def no_grad() -> Iterator[None]:
    """Disable the recording of the graph in this thread: results need no gradient. Also usable as a decorator."""
    before = recording.on
    recording.on = False
    try:
        yield
    finally:
        recording.on = before
