"""Which units are alive, over many batches: a unit that sleeps through one batch may wake in the next."""

from typing import Final

import numpy as np

from backlight.core import BoolArray, FloatArray, IntArray
from backlight.watch.kinds import Kind
from backlight.watch.records import DEAD_WINDOW, SATURATED, UnitMap

MAP_ROWS: Final = 64
MAP_UNITS: Final = 512


class LiveUnits:
    """The recorded batch in which each unit of each layer was last found alive."""

    def __init__(self) -> None:
        self._last: dict[str, IntArray] = {}
        self._seen: dict[str, int] = {}

    def add(self, layer: str, alive: BoolArray) -> None:
        """Note which units (U,) of a layer were alive in one more recorded batch.

        A layer whose number of units has changed is begun anew.
        """
        last = self._last.get(layer)
        if last is None or len(last) != len(alive):
            last = self._last[layer] = np.full(len(alive), -1)
            self._seen[layer] = 0
        last[alive] = self._seen[layer]
        self._seen[layer] += 1

    def dead(self, layer: str) -> tuple[float, int]:
        """Return the share of a layer's units that were alive in none of the last batches, and how many those are."""
        over = min(self._seen[layer], DEAD_WINDOW)
        last = self._last[layer]
        return np.count_nonzero(last < self._seen[layer] - over) / len(last), over


def map_of(kind: Kind, x_RU: FloatArray) -> UnitMap:
    """Return where a layer's units are saturated, or 0, in the first rows of its output."""
    x = x_RU[:MAP_ROWS, :MAP_UNITS]
    if kind.one_sided:
        bits = x <= 0
    else:
        low, high = kind.range or (-1.0, 1.0)
        bits = np.abs(x - (low + high) / 2) > SATURATED * (high - low) / 2
    return UnitMap(rows=x.shape[0], units=x.shape[1], bits=np.packbits(bits).tobytes().hex())
