"""Which memory was written to, and when: a backward pass must not use numbers that changed after they were saved.

Every write in place is recorded under the array that owns the memory, with the serial number that the next node would
have got. A node that is older than the last write to an array that it saved cannot be differentiated. PyTorch counts
versions for the same purpose; here the forward pass does nothing at all, and the backward pass compares one number.
"""

import weakref
from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from backlight.autograd.graph import next_serial
from backlight.core import Array

_MOST = 4096  # from this many recorded arrays on, those that are gone are dropped


class Writes:
    """The last write to each array.

    Attributes:
        latest: the serial number of the last write to any array.
    """

    def __init__(self) -> None:
        self.latest = -1
        self._last: dict[int, int] = {}
        self._owners: dict[int, weakref.ref[Array]] = {}
        self._most = _MOST

    def record(self, array: Array) -> None:
        """Record that this array, of any shape, has just been written to."""
        owner = owner_of(array)
        self.latest = self._last[id(owner)] = next_serial()
        if id(owner) not in self._owners or self._owners[id(owner)]() is None:
            self._owners[id(owner)] = weakref.ref(owner)
            if len(self._owners) > self._most:
                self._forget()

    def tick(self) -> int:
        """Return a serial number that is younger than the last write."""
        return next_serial()

    def after(self, serial: int, array: Array) -> bool:
        """Return whether this array was written to after a node with this serial number was made."""
        return self._last.get(id(owner_of(array)), -1) > serial

    def _forget(self) -> None:
        for key in [key for key, owner in self._owners.items() if owner() is None]:
            del self._owners[key], self._last[key]
        self._most = max(_MOST, 2 * len(self._owners))


WRITES: Final = Writes()


def owner_of(array: Array) -> Array:
    """Return the array that owns the memory of a view; an array that is no view, itself."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def arrays_in(saved: Any) -> Iterator[Array]:
    """Yield the arrays in what an op saved, at any depth of tuples and lists."""
    if isinstance(saved, np.ndarray):
        yield saved
    elif isinstance(saved, (tuple, list)):
        for part in saved:
            yield from arrays_in(part)
