"""Moments, histograms and live units of many arrays at once: by a compiled kernel where there is one, else by NumPy.

What is wanted of each array, and what was found, stand in one row of a structured array, which the kernel reads and
writes in place: dozens of small arrays cost one call.
"""

import ctypes
import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Final

import numpy as np

from backlight.autograd.native import library
from backlight.autograd.native.building import LIBRARY
from backlight.core import Array, BoolArray, FloatArray
from backlight.watch.kinds import Kind
from backlight.watch.records import BINS, SATURATED, Histogram, Spread

NEITHER, ONE_SIDED, BOUNDED = range(3)

REQUEST: Final = np.dtype(
    [
        ("x", "u8"), ("less", "u8"),  # addresses of float32; measured is x, or x - less where that is not 0
        ("size", "i8"), ("units", "i8"), ("inner", "i8"),  # x is (outer, units, inner)
        ("side", "i8"),
        ("centre", "f4"), ("reach", "f4"),  # a bounded x further than `reach` from `centre` is saturated
        ("alive", "u8"),  # address of (units,) bytes: 1 for a unit that some x found alive
        ("copy", "u8"),  # address that x is copied to; 0 for nowhere
        ("bins", "u8"),  # address of the histogram's counts, int32; 0 for none
        ("low", "f8"), ("high", "f8"),  # the histogram's range; equal where the root mean square decides
        ("mean", "f8"), ("std", "f8"), ("rms", "f8"), ("least", "f8"), ("most", "f8"),  # nan if an x is not finite
        ("across", "f8"),  # root mean square over units of a unit's standard deviation over all else
        ("nonfinite", "i8"), ("beyond", "i8"), ("faint", "i8"),  # how many x are not finite; not alive; 0 < |x| < FAINT
    ]
)  # fmt: skip

FAINT: Final = 1e-8
"""What Adam's usual epsilon damps."""

MOMENTS: Final = ["mean", "std", "rms", "least", "most"]


class Block:
    """What is wanted of n arrays, and once they are measured, what was found.

    Attributes:
        rows: (n,) of `REQUEST`.
        alive: for each of the n, (units,) bools, or None where nobody asks.
        bins: (histograms wanted, BINS) counts.
        places: for each of the n, the row of its histogram in `bins`; -1 for none.
    """

    def __init__(self, count: int) -> None:
        self.rows = np.zeros(count, REQUEST)
        self.alive: list[BoolArray | None] = [None] * count
        self.bins = np.zeros((0, BINS), np.int32)
        self.places = np.full(count, -1)
        self.address = 0  # of the rows, once they have those of alive and bins

    def want(
        self, at: int, size: int, *, histogram: bool = False, kind: Kind | None = None, units: int = 0, inner: int = 1
    ) -> None:
        """Say what is wanted of one array.

        Args:
            at: which.
            size: how many numbers it has.
            histogram: whether one is wanted.
            kind: whose output it is; decides the histogram's range, and when a unit is alive.
            units: how many units the array has; 0 if nobody asks about units.
            inner: how many neighbours in the array belong to one unit.
        """
        row = self.rows[at]
        row["size"], row["units"], row["inner"] = size, units, inner
        if histogram:
            self.places[at] = len(self.bins)
            self.bins = np.zeros((len(self.bins) + 1, BINS), np.int32)
        if kind is not None and kind.range is not None:
            row["low"], row["high"] = kind.range
        if kind is not None and units and (kind.bounded or kind.one_sided):
            row["side"] = ONE_SIDED if kind.one_sided else BOUNDED
            self.alive[at] = np.zeros(units, np.bool_)
            if kind.range is not None:
                low, high = kind.range
                row["centre"], row["reach"] = (low + high) / 2, SATURATED * (high - low) / 2

    def fresh(self) -> "Block":
        """Return the same wishes again; nothing was measured by these."""
        made = Block.__new__(Block)
        made.rows = self.rows.copy()
        made.alive = [None if alive is None else np.zeros_like(alive) for alive in self.alive]
        made.bins = np.zeros(self.bins.shape, np.int32)
        made.places = self.places
        made.address = 0
        return made

    def bind(self) -> None:
        """Give the rows the addresses that the kernel writes to."""
        if self.address:
            return
        self.address = self.rows.ctypes.data
        wanted = np.flatnonzero(self.places >= 0)
        if len(wanted):
            self.rows["bins"][wanted] = self.places[wanted] * self.bins.strides[0] + self.bins.ctypes.data
        for at, alive in enumerate(self.alive):
            if alive is not None:
                self.rows["alive"][at] = alive.ctypes.data

    def wants_histogram(self, at: int) -> bool:
        """Return whether one is wanted of an array."""
        return bool(self.places[at] >= 0)

    def spread(self, at: int, scale: float = 1.0) -> Spread:
        """Return what was found of one array, each number multiplied by `scale`, above 0."""
        row = self.rows[at]
        mean, std, rms, least, most = (float(row[name]) * scale for name in MOMENTS)
        return Spread(
            count=int(row["size"]), mean=mean, std=std, rms=rms, low=least, high=most, nonfinite=int(row["nonfinite"]),
            histogram=self._histogram(at, scale),
        )  # fmt: skip

    def _histogram(self, at: int, scale: float) -> Histogram | None:
        row, place = self.rows[at], self.places[at]
        if place < 0 or not math.isfinite(row["rms"]):
            return None
        counts = tuple(self.bins[place].tolist())
        return Histogram(low=float(row["low"]) * scale, high=float(row["high"]) * scale, counts=counts)


@lru_cache(maxsize=1)
def kernel() -> Callable[[int, int], None] | None:
    """Return (address of the rows, how many) -> None, or None if it was not built, is of another version, or off."""
    found = library()
    if found is None:
        return None
    loaded = ctypes.CDLL(str(LIBRARY))
    size, name = f"request_size_{found.level}", f"measure_{found.level}"
    if not hasattr(loaded, size) or loaded[size]() != REQUEST.itemsize:
        return None
    measure: Any = loaded[name]
    measure.argtypes, measure.restype = [ctypes.c_void_p, ctypes.c_int64], None
    return measure  # type: ignore[no-any-return]


def measure(block: Block, arrays: Sequence[Array], *, start: int = 0, less: Sequence[Array] | None = None) -> None:
    """Measure floating-point arrays of at least one number each.

    Args:
        block: what is wanted.
        arrays: of any shape.
        start: the block's row of the first of them; the others follow.
        less: what is subtracted from each first, of its shape.
    """
    run = kernel()
    if run is None or any(array.dtype != np.float32 for array in arrays):
        for at, array in enumerate(arrays):
            x = array if less is None else array - less[at]
            _measure_one(block, start + at, x.reshape(-1).astype(np.float64))
        return
    kept = [np.ascontiguousarray(array) for array in arrays]  # the addresses must stay good until the end
    block.bind()
    rows = block.rows[start : start + len(kept)]
    rows["x"] = [array.ctypes.data for array in kept]
    if less is not None:
        taken = [np.ascontiguousarray(one) for one in less]
        rows["less"] = [one.ctypes.data for one in taken]
    run(block.address + start * block.rows.itemsize, len(kept))


def _measure_one(block: Block, at: int, x: FloatArray) -> None:
    row = block.rows[at]
    row["nonfinite"] = x.size - np.count_nonzero(np.isfinite(x))
    row["faint"] = np.count_nonzero((np.abs(x) < np.float32(FAINT)) & (x != 0))
    if row["nonfinite"]:
        for name in (*MOMENTS, "across"):
            row[name] = math.nan
    else:
        row["mean"], row["std"], row["least"], row["most"] = x.mean(), x.std(), x.min(), x.max()
        row["rms"] = math.hypot(row["mean"], row["std"])
        if not row["low"] < row["high"]:
            row["high"] = range_of(float(row["rms"]))
            row["low"] = -row["high"]
        if block.wants_histogram(at):
            places = ((x - row["low"]) * (BINS / (row["high"] - row["low"]))).clip(0, BINS - 1)
            block.bins[block.places[at]] = np.bincount(places.astype(np.intp), minlength=BINS)
        if row["units"]:
            row["across"] = math.sqrt(x.reshape(-1, row["units"], row["inner"]).var((0, 2)).mean())
    alive = block.alive[at]
    if alive is not None:
        lives = x > 0 if row["side"] == ONE_SIDED else np.abs(x - row["centre"]) <= row["reach"]
        alive[:] = lives.reshape(-1, row["units"], row["inner"]).any((0, 2))
        row["beyond"] = x.size - np.count_nonzero(lives)


def range_of(rms: float) -> float:
    """Return 2ᵏ with the smallest k for which it holds four root mean squares, as far as float32 can scale by it."""
    k = math.ceil(math.log2(4 * rms)) if rms > 0 else 0
    return 2.0 ** min(max(k, -100), 126)
