"""Which units are dead, over many batches: a unit that is inactive in one batch may be active in the next."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Final

import numpy as np

from backlight.core import Array, BoolArray, FloatArray, IntArray
from backlight.nn.kind import Kind
from backlight.watch.records import DEAD_WINDOW, SATURATED, UnitMap

MAP_ROWS: Final = 64
MAP_UNITS: Final = 512

Layers = tuple[tuple[str, int], ...]
"""Names of layers, and how many units each has."""


class DeadUnits:
    """For how many recorded batches each unit of each layer has been inactive."""

    def __init__(self) -> None:
        self._absent: dict[str, Array] = {}  # layers that the last batches had no part in; as in `state_dict`
        self._layers: Layers = ()
        self._batches = 0  # since these are the layers
        self._before: tuple[int, ...] = ()  # batches that each of them was in before, at most DEAD_WINDOW
        self._last = np.zeros(0, np.int64)  # in which batch each unit was last active; negative before these

    def add(self, layers: Layers, alive: BoolArray) -> Callable[[], dict[str, tuple[float, int]]]:
        """Take in which units of each layer were active in one more recorded batch.

        A layer whose number of units has changed is begun anew.

        Args:
            layers: their names and numbers of units.
            alive: (units of all of them,) whether each was active.

        Returns:
            What returns, for each layer, the share of its units that were active in none of the last batches, and how
            many batches those are.
        """
        if layers != self._layers:
            self._arrange(layers)
        self._batches += 1
        np.putmask(self._last, alive, self._batches)
        return partial(_dead, layers, self._last.copy(), self._batches, self._before)

    def _arrange(self, layers: Layers) -> None:
        known = self.state_dict()
        found = []
        for name, units in layers:
            fresh = np.append(np.full(units, DEAD_WINDOW, np.uint8), np.uint8(0))
            state = known.pop(name, fresh)
            found.append(state if len(state) == len(fresh) else fresh)
        self._absent = known
        self._layers = layers
        self._batches = 0
        self._before = tuple(int(state[-1]) for state in found)
        self._last = np.concatenate([np.zeros(0, np.int64), *(-state[:-1].astype(np.int64) for state in found)])

    def state_dict(self) -> dict[str, Array]:
        """Return what the next batches depend on.

        For each layer (U + 1,): for how many batches each unit has been inactive, and, last, how many batches there
        were; all at most DEAD_WINDOW.
        """
        found = dict(self._absent)
        for name, inactive, over in _by_layer(self._layers, self._last, self._batches, self._before):
            found[name] = np.append(np.minimum(inactive, DEAD_WINDOW), over).astype(np.uint8)
        return found

    def load_state_dict(self, state: Mapping[str, Array]) -> None:
        """Go on from what `state_dict` gave."""
        self._absent = {}
        self._arrange(())
        self._absent = {name: array.astype(np.uint8) for name, array in state.items()}


def _by_layer(
    layers: Layers, last: IntArray, batches: int, before: Sequence[int]
) -> Iterator[tuple[str, IntArray, int]]:
    """Yield for each layer for how many batches each unit has been inactive, and over how many at most."""
    begin = 0
    for (name, units), more in zip(layers, before, strict=True):
        yield name, batches - last[begin : begin + units], min(batches + more, DEAD_WINDOW)
        begin += units


def _dead(layers: Layers, last: IntArray, batches: int, before: Sequence[int]) -> dict[str, tuple[float, int]]:
    found = _by_layer(layers, last, batches, before)
    return {name: (float(np.mean(inactive >= over)), over) for name, inactive, over in found}


def map_of(kind: Kind, x_RU: FloatArray) -> UnitMap:
    """Return where a layer's units are saturated, or 0, in the first rows of its output."""
    x = x_RU[:MAP_ROWS, :MAP_UNITS]
    if kind.one_sided:
        bits = x <= 0
    else:
        low, high = kind.range or (-1.0, 1.0)
        bits = np.abs(x - (low + high) / 2) > SATURATED * (high - low) / 2
    return UnitMap(rows=x.shape[0], units=x.shape[1], bits=np.packbits(bits).tobytes().hex())
