"""Moments, histograms and live units of PyTorch's tensors.

On a CPU the kernel reads them where they are. Small tensors on another device come to the CPU together, in one
transfer; a large one is measured where it is.
"""

import math
from array import array
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import torch

from backlight.core import Array
from backlight.watch import numbers
from backlight.watch.numbers import FAINT, ONE_SIDED, Addresses, Block, Buffers, kernel, measure_at, range_of
from backlight.watch.records import BINS
from backlight.watch.torch_nn.plain import PLAIN, plain

AWAY = 1 << 16
"""A tensor of this many numbers on another device is measured there."""

_FLOAT32 = torch.float32


def measure(
    block: Block, tensors: Sequence[torch.Tensor | None], *, start: int = 0, less: Sequence[torch.Tensor] | None = None,
    copies: Sequence[torch.Tensor] | None = None,
) -> None:  # fmt: skip
    """Measure tensors that can be (see `why_not_measured`).

    Args:
        block: where to.
        tensors: of any shapes and dtypes, on any device; None for a row that stays as it is.
        start: the block's row of the first of them; the others follow.
        less: what is subtracted from each first, of its shape.
        copies: where the first ones are copied to, each of its shape and dtype.
    """
    run = kernel()
    if run is not None:
        x, of_less, of_copies = addresses(tensors), addresses(less), addresses(copies)
        if x is not None and (less is None or of_less) and (copies is None or of_copies):
            measure_at(run, block, x, start=start, less=of_less, copies=of_copies)
            return
    with torch.no_grad():
        own = {at: plain(one) for at, one in enumerate(tensors) if one is not None}
        if copies:
            torch._foreach_copy_(list(copies), [own[at] for at in range(len(copies))])
        if less is not None:
            own = {at: one - less[at] for at, one in own.items()}
        here = {at: one for at, one in own.items() if is_near(one)}
        for at, found in zip(here, _arrays(list(here.values())), strict=True):
            numbers.measure(block, [found], start=start + at)
        for at, one in own.items():
            if at not in here:
                _measure_there(block, start + at, one)


def addresses(tensors: Sequence[torch.Tensor | None] | None) -> Addresses | None:
    """Return where the kernel can read tensors as they are: float32 on a CPU, without gaps. None if it cannot.

    No other tensor's `data_ptr` is used: that of a wrapper around others is 0 or an error, and that of one on another
    device an address that the CPU must not read. Sparse tensors and those inside a transformation of torch.func have
    none, and say so by an error.
    """
    if tensors is None:
        return None
    own = tensors if isinstance(tensors, Buffers) else None
    if own is not None and own.addresses is not None:
        return own.addresses
    found = array("Q")
    try:
        for one in tensors:
            if one is None:
                found.append(0)
            elif one.dtype is _FLOAT32 and one.is_cpu and type(one) in PLAIN and one.is_contiguous():
                address = one.data_ptr()
                if not address:
                    return None
                found.append(address)
            else:
                return None
    except RuntimeError:
        return None
    if own is not None:
        own.addresses = found
    return found


def is_near(tensor: torch.Tensor) -> bool:
    """Return whether a tensor is measured on the CPU."""
    return tensor.is_cpu or tensor.numel() < AWAY


def _arrays(tensors: list[torch.Tensor]) -> list[Array]:
    """Return tensors as flat arrays of float32 or float64, those of other devices by one transfer."""
    found: dict[int, Array] = {}
    away: defaultdict[torch.dtype, list[int]] = defaultdict(list)
    wide = [one.reshape(-1) if one.dtype == torch.float64 else one.reshape(-1).float() for one in tensors]
    for at, one in enumerate(wide):
        if one.is_cpu:
            found[at] = one.numpy()
        else:
            away[one.dtype].append(at)
    for places in away.values():
        together = torch.cat([wide[at] for at in places]).cpu().numpy()
        ends = np.cumsum([wide[at].numel() for at in places])
        found |= dict(zip(places, np.split(together, ends[:-1]), strict=True))
    return [found[at] for at in range(len(tensors))]


def _measure_there(block: Block, at: int, x: torch.Tensor) -> None:
    """Measure one tensor on its own device."""
    row, wanted = block.rows[at], block.layout.rows[at]
    x = x.reshape(-1) if x.dtype == torch.float64 else x.reshape(-1).float()
    std, mean = torch.std_mean(x, correction=0)
    faint = ((x != 0) & (x.abs() < FAINT)).sum()
    found = torch.stack(
        [one.double() for one in (mean, std, x.amin(), x.amax(), (~x.isfinite()).sum(), faint)]
    ).tolist()
    row["nonfinite"], row["faint"] = found[4:]
    block.broken += found[4] > 0
    row["mean"], row["std"], row["least"], row["most"] = found[:4] if not found[4] else [math.nan] * 4
    row["rms"] = math.hypot(row["mean"], row["std"])
    units, inner = int(wanted["units"]), int(wanted["inner"])
    if math.isfinite(row["rms"]):
        row["low"], row["high"] = low, high = range_of(wanted, float(row["rms"]))
        if wanted["bins"] >= 0:
            places = ((x - low) * (BINS / (high - low))).clamp_(0, BINS - 1).long()
            block.bins[wanted["bins"]] = torch.bincount(places, minlength=BINS).cpu().numpy()
        if units:
            row["across"] = float(x.view(-1, units, inner).var((0, 2), correction=0).mean().sqrt())
    elif units:
        row["across"] = math.nan
    alive = block.alive_at(at)
    if alive is not None:
        one_sided, centre, reach = wanted["side"] == ONE_SIDED, float(wanted["centre"]), float(wanted["reach"])
        lives = x > 0 if one_sided else (x - centre).abs() <= reach
        alive[:] = lives.view(-1, units, inner).any(2).any(0).cpu().numpy()
        row["beyond"] = x.numel() - int(lives.sum())
