"""Which units are dead, over many batches: a unit that is inactive in one batch may be active in the next."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

import numpy as np

from backlight.core import Array, BoolArray, FloatArray
from backlight.nn.kind import Kind
from backlight.watch.records import DEAD_WINDOW, SATURATED, UnitMap

MAP_ROWS: Final = 64
MAP_UNITS: Final = 512

_ONE, _WINDOW = np.uint8(1), np.uint8(DEAD_WINDOW)


class DeadUnits:
    """For how many recorded batches each unit of each layer has been inactive."""

    _layers: tuple[tuple[str, int], ...] = ()

    def __init__(self) -> None:
        self._absent: dict[str, Array] = {}  # layers that the last batches had no part in; as in `state_dict`
        self._inactive = self._over = np.zeros(0, np.uint8)

    def add(self, alive: Mapping[str, BoolArray]) -> Callable[[], dict[str, tuple[float, int]]]:
        """Take in which units (U,) of each layer were active in one more recorded batch.

        A layer whose number of units has changed is begun anew.

        Returns:
            What returns, for each layer, the share of its units that were active in none of the last batches, and how
            many batches those are.
        """
        layers = tuple((name, len(one)) for name, one in alive.items())
        if layers != self._layers:
            self._arrange(layers)
        np.minimum(self._inactive + _ONE, _WINDOW, out=self._inactive)
        np.minimum(self._over + _ONE, _WINDOW, out=self._over)
        self._inactive[np.concatenate(list(alive.values()))] = 0
        return partial(_dead, layers, self._inactive.copy(), self._over.copy())

    def _arrange(self, layers: tuple[tuple[str, int], ...]) -> None:
        known = self.state_dict()
        found = {}
        for name, units in layers:
            fresh = np.append(np.full(units, _WINDOW), np.uint8(0))
            found[name] = known.pop(name, fresh)
            if len(found[name]) != units + 1:
                found[name] = fresh
        self._absent = known
        self._layers = layers  # names and numbers of units, as they stand in the arrays below
        # for each unit, the batches without it and those that its layer was seen in, at most DEAD_WINDOW
        self._inactive = _joined([array[:-1] for array in found.values()])
        self._over = _joined([np.full(len(array) - 1, array[-1]) for array in found.values()])

    def state_dict(self) -> dict[str, Array]:
        """Return what the next batches depend on: for each layer its units (U,) and, last, the number of batches."""
        found, begin = dict(self._absent), 0
        for name, units in self._layers:
            found[name] = np.append(self._inactive[begin : begin + units], self._over[begin])
            begin += units
        return found

    def load_state_dict(self, state: Mapping[str, Array]) -> None:
        """Go on from what `state_dict` gave."""
        self._absent = {}
        self._arrange(())
        self._absent = {name: array.astype(np.uint8) for name, array in state.items()}


def _dead(layers: tuple[tuple[str, int], ...], inactive: Array, over: Array) -> dict[str, tuple[float, int]]:
    found: dict[str, tuple[float, int]] = {}
    begin = 0
    for name, units in layers:
        batches = int(over[begin])
        found[name] = float(np.mean(inactive[begin : begin + units] >= batches)), batches
        begin += units
    return found


def _joined(parts: list[Array]) -> Array:
    return np.concatenate([np.zeros(0, np.uint8), *parts])


def map_of(kind: Kind, x_RU: FloatArray) -> UnitMap:
    """Return where a layer's units are saturated, or 0, in the first rows of its output."""
    x = x_RU[:MAP_ROWS, :MAP_UNITS]
    if kind.one_sided:
        bits = x <= 0
    else:
        low, high = kind.range or (-1.0, 1.0)
        bits = np.abs(x - (low + high) / 2) > SATURATED * (high - low) / 2
    return UnitMap(rows=x.shape[0], units=x.shape[1], bits=np.packbits(bits).tobytes().hex())
