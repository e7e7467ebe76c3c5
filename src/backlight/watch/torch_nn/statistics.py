"""Moments, histograms and live units of many tensors at once, where the tensors are.

On a CPU that is the compiled kernel's work. Elsewhere, and where the kernel is missing, tensors of one size are stacked
and measured together: a network has dozens of small tensors, and an op on a small tensor costs its dispatch. Variances
are taken in two passes: a gain near 1 with a spread of 1e-3 has squares that float32 cannot tell apart.
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch

from backlight.core import FloatArray, IntArray
from backlight.watch.numbers import FAINT, MOMENTS, ONE_SIDED, Block, Buffers, kernel, measure_at, range_of
from backlight.watch.records import BINS
from backlight.watch.torch_nn.tensors import PLAIN, plain

_MOST = 1 << 22
"""Numbers that are stacked at most."""

_FLOAT32 = torch.float32
_NARROW = {torch.float32, torch.float16, torch.bfloat16}
"""What float32 holds without loss."""


def measure(
    block: Block, tensors: Sequence[torch.Tensor], *, start: int = 0, less: Sequence[torch.Tensor] | None = None,
    copies: Sequence[torch.Tensor] | None = None,
) -> None:  # fmt: skip
    """Measure tensors that can be (see `why_not_measured`).

    Args:
        block: where to.
        tensors: of any shapes and dtypes, on any device.
        start: the block's row of the first of them; the others follow.
        less: what is subtracted from each first, of its shape.
        copies: where each is copied to, of its shape and dtype.
    """
    run = kernel()
    if run is not None:
        x, of_less, of_copies = addresses(tensors), addresses(less), addresses(copies)
        if x is not None and (less is None or of_less) and (copies is None or of_copies):
            measure_at(run, block, x, start=start, less=of_less, copies=of_copies)
            return
        narrow = _as_float32(tensors) if less is None and copies is None else None
        if narrow is not None:
            measure_at(run, block, [one.data_ptr() for one in narrow], start=start)
            return
    with torch.no_grad():
        _measure_by_ops(block, list(map(plain, tensors)), start, less, copies)


def addresses(tensors: Sequence[torch.Tensor] | None) -> Sequence[int] | None:
    """Return where the kernel can read tensors as they are: float32 on a CPU, without gaps. None if it cannot.

    No other tensor's `data_ptr` is used: that of a wrapper around others is 0 or an error, and that of one on another
    device an address that the CPU must not read. Sparse tensors and those inside a transformation of torch.func have
    none, and say so by an error.
    """
    if tensors is None:
        return None
    buffers: Any = tensors if isinstance(tensors, Buffers) else None
    if buffers is not None and buffers.addresses is not None:
        return buffers.addresses
    found = []
    try:
        for one in tensors:
            if not (one.dtype is _FLOAT32 and one.is_cpu and one.__class__ in PLAIN and one.is_contiguous()):
                return None
            found.append(one.data_ptr())
    except RuntimeError:
        return None
    if not all(found):
        return None
    if buffers is not None:
        buffers.addresses = found
    return found


def _as_float32(tensors: Sequence[torch.Tensor]) -> list[torch.Tensor] | None:
    """Return tensors on a CPU as the kernel reads them; None if that would lose digits."""
    if not all(one.dtype in _NARROW and one.is_cpu for one in tensors):
        return None
    return [plain(one).float().contiguous() for one in tensors]


def _measure_by_ops(
    block: Block, tensors: list[torch.Tensor], start: int, less: Sequence[torch.Tensor] | None,
    copies: Sequence[torch.Tensor] | None,
) -> None:  # fmt: skip
    if copies is not None and tensors:
        torch._foreach_copy_(list(copies), tensors)
    own = tensors if less is None else [x - y for x, y in zip(tensors, less, strict=True)]
    for places in _alike(own):
        stack = torch.stack([own[at].reshape(-1) for at in places])
        stack = stack if stack.dtype == torch.float64 else stack.float()
        _measure_stack(block, [start + at for at in places], stack)


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
    rows, wanted = block.rows[places], block.layout.rows[places]
    moments = _moments(x)
    for row in np.flatnonzero(~np.isfinite(moments).all(axis=0) | ((moments[1] == 0) & (moments[3] < moments[4]))):
        one = x[row : row + 1].double()
        rows["nonfinite"][row] = int((~torch.isfinite(one)).sum())
        moments[:, row] = math.nan if rows["nonfinite"][row] else _moments(one)[:, 0]
    block.broken += int(np.count_nonzero(rows["nonfinite"]))
    for name, found in zip(MOMENTS, moments, strict=True):
        rows[name] = found
    for row, want in zip(rows, wanted, strict=True):
        if math.isfinite(row["rms"]):
            row["low"], row["high"] = range_of(want, float(row["rms"]))
    binned = np.flatnonzero((wanted["bins"] >= 0) & np.isfinite(rows["rms"]))
    if len(binned):
        some = x if len(binned) == len(rows) else x[torch.from_numpy(binned).to(x.device)]
        block.bins[wanted["bins"][binned]] = _bins(some, rows["low"][binned], rows["high"][binned])
    rows["faint"] = ((x != 0) & (x.abs() < FAINT)).sum(1).cpu().numpy()
    for at, row, want, one in zip(places, rows, wanted, x, strict=True):
        units, inner = int(want["units"]), int(want["inner"])
        if units:
            row["across"] = _across(one, units, inner)
        alive = block.alive_at(at)
        if alive is not None:
            lives = (
                one > 0 if want["side"] == ONE_SIDED else (one - float(want["centre"])).abs() <= float(want["reach"])
            )
            alive[:] = lives.view(-1, units, inner).any(2).any(0).cpu().numpy()
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
