"""Moments, histograms and live units of many arrays at once: by a compiled kernel where there is one, else by NumPy.

What is wanted of each array is a row of a `Layout`, made once; what was found in a step is a row of a `Block`. The
kernel reads and writes both in place, so that dozens of small arrays cost one call.
"""

import ctypes
import math
from array import array
from collections.abc import Callable, Sequence
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

from backlight.autograd.native import library
from backlight.autograd.native.building import LIBRARY
from backlight.core import Array, BoolArray, FloatArray, IntArray
from backlight.nn.kind import Kind
from backlight.watch.records import BINS, SATURATED, Histogram, Spread

NEITHER, ONE_SIDED, BOUNDED = range(3)

REQUEST: Final = np.dtype(
    [
        ("size", "i8"), ("units", "i8"), ("inner", "i8"),  # the array is (outer, units, inner); units 0: not asked for
        ("side", "i8"),
        ("centre", "f4"), ("reach", "f4"),  # a bounded number further than `reach` from `centre` is saturated
        ("low", "f8"), ("high", "f8"),  # the histogram's range; equal where the root mean square decides
        ("bins", "i8"), ("alive", "i8"),  # which histogram, and the first of its units among all; -1 for none
    ]
)  # fmt: skip

RESULT: Final = np.dtype(
    [
        ("mean", "f8"), ("std", "f8"), ("rms", "f8"), ("least", "f8"), ("most", "f8"),  # nan if a number is not finite
        ("across", "f8"),  # root mean square over units of a unit's standard deviation over all else
        ("low", "f8"), ("high", "f8"),  # the histogram's range
        ("nonfinite", "i8"), ("beyond", "i8"), ("faint", "i8"),  # not finite; not alive; 0 < size < FAINT
    ]
)  # fmt: skip

FAINT: Final = 1e-8
"""What Adam's usual epsilon damps."""

MOMENTS: Final = ["mean", "std", "rms", "least", "most"]


class Layout:
    """What is wanted of n arrays.

    Attributes:
        rows: (n,) of `REQUEST`.
        alive: of the arrays whose units are watched, where these begin and end among all.
        units: how many units are watched in all.
    """

    def __init__(self, count: int) -> None:
        self.rows = np.zeros(count, REQUEST)
        self.rows["bins"] = self.rows["alive"] = -1
        self.alive: dict[int, tuple[int, int]] = {}
        self.units = 0
        self._histograms = 0

    def want(
        self, at: int, size: int, *, histogram: bool = False, kind: Kind | None = None, units: int = 0, inner: int = 1
    ) -> None:
        """Say what is wanted of one array.

        Args:
            at: which.
            size: how many numbers it has.
            histogram: whether one is wanted.
            kind: what kind of layer it is the output of; decides the histogram's range, and when a unit is alive.
            units: how many units the array has; 0 if they are not asked for.
            inner: how many neighbours in the array belong to one unit.
        """
        row = self.rows[at]
        row["size"], row["units"], row["inner"] = size, units, inner
        if histogram:
            row["bins"] = self._histograms
            self._histograms += 1
        if kind is not None and kind.range is not None:
            row["low"], row["high"] = kind.range
        if kind is not None and units and (kind.bounded or kind.one_sided):
            row["side"] = ONE_SIDED if kind.one_sided else BOUNDED
            row["alive"] = self.units
            self.alive[at] = self.units, self.units + units
            self.units += units
            if kind.range is not None:
                low, high = kind.range
                row["centre"], row["reach"] = (low + high) / 2, SATURATED * (high - low) / 2

    @cached_property
    def address(self) -> int:
        """Where the rows are in memory. Nothing more can be wanted afterwards."""
        self.rows.flags.writeable = False
        return int(self.rows.ctypes.data)

    @cached_property
    def ends(self) -> tuple[int, int, int]:
        """Where in a block rows, histograms and units end, in bytes. Nothing more can be wanted afterwards."""
        self.rows.flags.writeable = False
        rows = len(self.rows) * RESULT.itemsize
        bins = rows + self._histograms * BINS * 4
        return rows, bins, bins + self.units


def want_output(layout: Layout, at: int, kind: Kind, shape: Sequence[int], axis: int) -> None:
    """Say what is wanted of a layer's output, whose units are on an axis."""
    by_unit = len(shape) > 1 and kind.role not in {"softmax", "shape"}
    units, inner = (shape[axis], math.prod(shape[axis % len(shape) + 1 :])) if by_unit else (0, 1)
    layout.want(at, math.prod(shape), histogram=True, kind=kind, units=units, inner=inner)


class Block:
    """What was found in n arrays.

    Attributes:
        layout: what was wanted.
        broken: how many of the arrays hold a number that is not finite.
        address: where it is in memory: the rows, then the histograms, then the units.
    """

    __slots__ = ("_raw", "address", "broken", "layout")

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self._raw = np.zeros(layout.ends[2], np.uint8)  # in one piece, since there is a block in every recorded step
        self.address = ctypes.addressof(ctypes.c_char.from_buffer(cast("Any", self._raw))) if layout.ends[2] else 0
        self.broken = 0

    @property
    def rows(self) -> Any:
        """(n,) of `RESULT`."""
        return self._raw[: self.layout.ends[0]].view(RESULT)

    @property
    def bins(self) -> IntArray:
        """(histograms wanted, BINS) counts."""
        return self._raw[self.layout.ends[0] : self.layout.ends[1]].view(np.int32).reshape(-1, BINS)

    @property
    def alive(self) -> BoolArray:
        """(units wanted,) whether any number of each unit is alive."""
        return self._raw[self.layout.ends[1] :].view(np.bool_)

    def alive_at(self, at: int) -> BoolArray | None:
        """Return (units,) whether each unit of an array is alive; None if that was not asked for."""
        place = self.layout.alive.get(at)
        return None if place is None else self.alive[place[0] : place[1]]

    def spread(self, at: int, scale: float = 1.0) -> Spread:
        """Return what was found of one array, each number multiplied by `scale`, above 0."""
        row = self.rows[at]
        mean, std, rms, least, most = (float(row[name]) * scale for name in MOMENTS)
        return Spread(
            count=int(self.layout.rows[at]["size"]), mean=mean, std=std, rms=rms, low=least, high=most,
            nonfinite=int(row["nonfinite"]), histogram=self._histogram(at, scale),
        )  # fmt: skip

    def _histogram(self, at: int, scale: float) -> Histogram | None:
        row, place = self.rows[at], int(self.layout.rows[at]["bins"])
        if place < 0 or not math.isfinite(row["rms"]):
            return None
        counts = tuple(self.bins[place].tolist())
        return Histogram(low=float(row["low"]) * scale, high=float(row["high"]) * scale, counts=counts)


Kernel = Callable[..., int]


@lru_cache(maxsize=1)
def kernel() -> Kernel | None:
    """Return the compiled `measure` of measure.h, or None if it was not built, is of another version, or is off."""
    found = library()
    if found is None:
        return None
    loaded = ctypes.CDLL(str(LIBRARY))
    sizes, name = f"measure_sizes_{found.level}", f"measure_{found.level}"
    if not hasattr(loaded, sizes) or loaded[sizes]() != 1000 * REQUEST.itemsize + RESULT.itemsize:
        return None
    measure: Any = loaded[name]
    pointer = ctypes.c_void_p
    measure.argtypes = [pointer, ctypes.c_int64, *[pointer] * 3, ctypes.c_int64, *[pointer] * 3]
    measure.restype = ctypes.c_int64
    return measure  # type: ignore[no-any-return]


if TYPE_CHECKING:
    Addresses = array[int]
else:
    Addresses = array  # which has no parameter before Python 3.12
"""Of float32 arrays without gaps. Whoever makes them keeps the arrays alive while they are measured. 0 for none."""


class Buffers(list[Any]):
    """Arrays or tensors of one's own to copy others to. Nobody else has them, so their addresses stay good."""

    addresses: Addresses | None = None


def measure_at(
    run: Kernel, block: Block, x: Addresses, *, start: int = 0, less: Addresses | None = None,
    copies: Addresses | None = None,
) -> None:  # fmt: skip
    """Measure arrays by the kernel.

    Args:
        run: the kernel.
        block: where to.
        x: where the arrays are.
        start: the block's row of the first of them; the others follow.
        less: what is subtracted from each first.
        copies: where the first ones are copied to.
    """
    layout, begin = block.layout, block.address
    block.broken += run(
        layout.address + start * REQUEST.itemsize,
        len(x),
        x.buffer_info()[0],
        None if less is None else less.buffer_info()[0],
        None if copies is None else copies.buffer_info()[0],
        0 if copies is None else len(copies),
        begin + start * RESULT.itemsize,
        begin + layout.ends[0],
        begin + layout.ends[1],
    )


def measure(
    block: Block, arrays: Sequence[Array | None], *, start: int = 0, less: Sequence[Array] | None = None,
    copies: Sequence[Array] | None = None,
) -> None:  # fmt: skip
    """Measure floating-point arrays of at least one number each.

    Args:
        block: where to.
        arrays: of any shape; None for a row that stays as it is.
        start: the block's row of the first of them; the others follow.
        less: what is subtracted from each first, of its shape.
        copies: where the first ones are copied to, each of its shape and dtype.
    """
    run = kernel()
    if run is None or any(one is not None and one.dtype != np.float32 for one in arrays):
        for at, one in enumerate(arrays):
            if one is None:
                continue
            if copies is not None and at < len(copies):
                copies[at][...] = one
            x = one if less is None else one - less[at]
            measure_one(block, start + at, x.reshape(-1).astype(np.float64))
        return
    # the addresses must stay good until the end
    whole = [None if one is None else np.ascontiguousarray(one) for one in arrays]
    taken = list(map(np.ascontiguousarray, less or ()))
    measure_at(
        run, block, _addresses(whole), start=start, less=None if less is None else _addresses(taken),
        copies=None if copies is None else _addresses(copies),
    )  # fmt: skip


def _addresses(arrays: Sequence[Array | None]) -> Addresses:
    return array("Q", [0 if one is None else one.ctypes.data for one in arrays])


def measure_one(block: Block, at: int, x: FloatArray) -> None:
    """Measure one flat array by NumPy."""
    row, wanted = block.rows[at], block.layout.rows[at]
    row["nonfinite"] = x.size - np.count_nonzero(np.isfinite(x))
    row["faint"] = np.count_nonzero((np.abs(x) < np.float32(FAINT)) & (x != 0))
    if row["nonfinite"]:
        block.broken += 1
        for name in (*MOMENTS, "across"):
            row[name] = math.nan
    else:
        row["mean"], row["std"], row["least"], row["most"] = x.mean(), x.std(), x.min(), x.max()
        row["rms"] = math.hypot(row["mean"], row["std"])
        row["low"], row["high"] = range_of(wanted, float(row["rms"]))
        if wanted["bins"] >= 0:
            places = ((x - row["low"]) * (BINS / (row["high"] - row["low"]))).clip(0, BINS - 1)
            block.bins[wanted["bins"]] = np.bincount(places.astype(np.intp), minlength=BINS)
        if wanted["units"]:
            row["across"] = math.sqrt(x.reshape(-1, wanted["units"], wanted["inner"]).var((0, 2)).mean())
    alive = block.alive_at(at)
    if alive is not None:
        lives = x > 0 if wanted["side"] == ONE_SIDED else np.abs(x - wanted["centre"]) <= wanted["reach"]
        alive[:] = lives.reshape(-1, wanted["units"], wanted["inner"]).any((0, 2))
        row["beyond"] = x.size - np.count_nonzero(lives)


def range_of(wanted: Any, rms: float) -> tuple[float, float]:
    """Return a histogram's range: as wanted, or -2ᵏ..2ᵏ with the smallest k that holds four times `rms`."""
    if wanted["low"] < wanted["high"]:
        return float(wanted["low"]), float(wanted["high"])
    k = math.ceil(math.log2(4 * rms)) if rms > 0 else 0
    high = 2.0 ** min(max(k, -100), 126)  # as far as float32 can scale by it
    return -high, high


# -- several arrays as one ---------------------------------------------------------------------------------------------


def pooled(spreads: Sequence[Spread]) -> Spread:
    """Return the spread of all numbers together.

    The variance is the mean of the variances and the variance of the means. Histograms are joined where all have one.
    """
    if len(spreads) == 1:
        return spreads[0]
    counts = np.array([one.count for one in spreads], np.float64)
    share = counts / counts.sum()
    means = np.array([one.mean for one in spreads])
    mean = float(share @ means)
    variance = float(share @ np.array([one.std**2 for one in spreads]) + share @ (means - mean) ** 2)
    return Spread(
        count=int(counts.sum()),
        mean=mean,
        std=math.sqrt(variance) if variance >= 0 else math.nan,
        rms=math.sqrt(mean**2 + variance) if variance >= 0 else math.nan,
        low=min(one.low for one in spreads) if math.isfinite(mean) else math.nan,
        high=max(one.high for one in spreads) if math.isfinite(mean) else math.nan,
        nonfinite=sum(one.nonfinite for one in spreads),
        histogram=_joined([one.histogram for one in spreads]),
    )


def _joined(histograms: Sequence[Histogram | None]) -> Histogram | None:
    """Return one histogram of the widest range.

    Ranges are the same or, around 0, powers of two apart: then each bin of the narrow one lies in one of the wide one.
    """
    known = [one for one in histograms if one is not None]
    if not known or len(known) < len(histograms):
        return None
    wide = max(known, key=lambda one: one.high)
    counts = np.zeros(BINS, np.int64)
    for one in known:
        times = (wide.high - wide.low) / (one.high - one.low)
        places = np.floor((np.arange(BINS) - BINS / 2 + 0.5) / times + BINS / 2).astype(np.intp)
        np.add.at(counts, places, one.counts)
    return Histogram(low=wide.low, high=wide.high, counts=tuple(counts.tolist()))
