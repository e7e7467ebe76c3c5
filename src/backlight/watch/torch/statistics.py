"""Moments, histograms and live units of many tensors at once, where the tensors are.

On a CPU that is the compiled kernel's work. Elsewhere, and where the kernel is missing, tensors of one size are stacked
and measured together: a network has dozens of small tensors, and an op on a small tensor costs its dispatch. Variances
are taken in two passes: a gain near 1 with a spread of 1e-3 has squares that float32 cannot tell apart.
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
import torch

from backlight.core import FloatArray, IntArray
from backlight.watch import Block, kernel
from backlight.watch.numbers import FAINT, MOMENTS, ONE_SIDED, range_of
from backlight.watch.records import BINS

_MOST = 1 << 22
"""Numbers that are stacked at most."""

_NARROW = {torch.float32, torch.float16, torch.bfloat16}
"""What float32 holds without loss."""


def measure(
    block: Block,
    tensors: Sequence[torch.Tensor],
    *,
    start: int = 0,
    less: Sequence[torch.Tensor] | None = None,
    copies: Sequence[torch.Tensor] | None = None,
) -> None:
    """Measure tensors of at least one number each, floating point and dense.

    Args:
        block: what is wanted.
        tensors: of any shapes and dtypes, on any device.
        start: the block's row of the first of them; the others follow.
        less: what is subtracted from each first, of its shape.
        copies: where each is copied to, of its shape and dtype.
    """
    run = kernel()
    kept = None if run is None else _addressable(tensors, as_they_are=less is not None or copies is not None)
    if run is None or kept is None:
        with torch.no_grad():
            if copies is not None and tensors:
                torch._foreach_copy_(list(copies), list(tensors))
            own = list(tensors) if less is None else [x - y for x, y in zip(tensors, less, strict=True)]
            for places in _alike(own):
                stack = torch.stack([own[at].detach().reshape(-1) for at in places])
                stack = stack if stack.dtype == torch.float64 else stack.float()
                _measure_stack(block, [start + at for at in places], stack)
        return
    block.bind()
    rows = block.rows[start : start + len(tensors)]
    rows["x"] = [tensor.data_ptr() for tensor in kept]
    if less is not None:
        rows["less"] = [tensor.data_ptr() for tensor in less]
    if copies is not None:
        rows["copy"] = [tensor.data_ptr() for tensor in copies]
    run(block.address + start * block.rows.itemsize, len(tensors))


def _addressable(tensors: Sequence[torch.Tensor], *, as_they_are: bool) -> list[torch.Tensor] | None:
    """Return the tensors as the kernel reads them, float32 on a CPU without gaps; None if they cannot be had so.

    Args:
        tensors: the tensors.
        as_they_are: whether none of them may be copied for that.
    """
    kept = []
    for tensor in tensors:
        if tensor.dtype is torch.float32 and tensor.is_cpu and tensor.is_contiguous():
            kept.append(tensor)
        elif as_they_are or tensor.dtype not in _NARROW or not tensor.is_cpu:
            return None
        else:
            kept.append(tensor.detach().float().contiguous())
    return kept


def _alike(tensors: Sequence[torch.Tensor]) -> Iterator[list[int]]:
    """Yield the places of tensors that can be stacked."""
    alike: defaultdict[tuple[int, torch.dtype, torch.device], list[int]] = defaultdict(list)
    for at, tensor in enumerate(tensors):
        alike[tensor.numel(), tensor.dtype, tensor.device].append(at)
    for (size, _, _), places in alike.items():
        most = max(1, _MOST // size)
        for first in range(0, len(places), most):
            yield places[first : first + most]


def _measure_stack(block: Block, places: list[int], x: torch.Tensor) -> None:
    rows = block.rows[places]
    moments = _moments(x)
    for row in np.flatnonzero(~np.isfinite(moments).all(axis=0) | ((moments[1] == 0) & (moments[3] < moments[4]))):
        one = x[row : row + 1].double()
        rows["nonfinite"][row] = int((~torch.isfinite(one)).sum())
        moments[:, row] = math.nan if rows["nonfinite"][row] else _moments(one)[:, 0]
    for name, found in zip(MOMENTS, moments, strict=True):
        rows[name] = found
    for row in rows:
        if not row["low"] < row["high"] and math.isfinite(row["rms"]):
            row["high"] = range_of(float(row["rms"]))
            row["low"] = -row["high"]
    binned = np.flatnonzero((block.places[places] >= 0) & np.isfinite(rows["rms"]))
    if len(binned):
        some = x if len(binned) == len(rows) else x[torch.from_numpy(binned).to(x.device)]
        block.bins[block.places[places][binned]] = _bins(some, rows["low"][binned], rows["high"][binned])
    rows["faint"] = ((x != 0) & (x.abs() < FAINT)).sum(1).cpu().numpy()
    for at, row, one in zip(places, rows, x, strict=True):
        if row["units"]:
            row["across"] = _across(one, int(row["units"]), int(row["inner"]))
        alive = block.alive[at]
        if alive is not None:
            lives = one > 0 if row["side"] == ONE_SIDED else (one - float(row["centre"])).abs() <= float(row["reach"])
            alive[:] = lives.view(-1, int(row["units"]), int(row["inner"])).any(2).any(0).cpu().numpy()
            row["beyond"] = one.numel() - int(lives.sum())
    block.rows[places] = rows


def _moments(x: torch.Tensor) -> FloatArray:
    """Return (5, g) of the rows of x (g, n), in the order of `MOMENTS`."""
    mean = x.mean(1)
    apart = torch.linalg.vector_norm(x - mean[:, None], dim=1)
    found: FloatArray = torch.stack([mean, apart, apart, x.amin(1), x.amax(1)]).cpu().numpy().astype(np.float64)
    found[1] /= math.sqrt(x.shape[1])
    found[2] = np.hypot(found[0], found[1])  # E x² = (E x)² + Var x
    return found


def _bins(x: torch.Tensor, low: FloatArray, high: FloatArray) -> IntArray:
    """Return (g, BINS) counts of the rows of x (g, n), none of which has a nan."""
    scale = BINS / (high - low)
    scale_shift = torch.from_numpy(np.stack([scale, -low * scale]))[..., None].to(x)
    # clamped before it becomes whole: what lies outside is counted at the ends
    places = (x * scale_shift[0]).add_(scale_shift[1]).clamp_(0, BINS - 1).to(torch.int32)
    size = len(x) * BINS
    places += torch.arange(0, size, BINS, dtype=torch.int32, device=x.device)[:, None]
    counts: IntArray = torch.bincount(places.view(-1), minlength=size).view(-1, BINS).cpu().numpy()
    return counts


def _across(x: torch.Tensor, units: int, inner: int) -> float:
    by_unit = x.double().view(-1, units, inner)
    return float((by_unit - by_unit.mean((0, 2), keepdim=True)).square().mean().sqrt())
