"""What is to be known of a layer's call besides the moments of its output."""

import math
from typing import Any, Final

import numpy as np

from backlight.core import FloatArray
from backlight.watch.adapter import Adapter
from backlight.watch.calls import Call, Notes, Wanted
from backlight.watch.records import SATURATED, BatchStatistics
from backlight.watch.units import MAP_ROWS, MAP_UNITS, map_of

MOST_NUMBERS: Final = 1 << 20
"""Of a larger tensor, evenly spaced rows are taken."""


def notes_of(adapter: Adapter, call: Call, values: Any, x: Any, wanted: Wanted) -> Notes | None:
    """Return the notes on a call; None if there is nothing to note.

    Args:
        adapter: the network and its framework.
        call: the call, whose layer is known.
        values: what it gave, for `measure`.
        x: the first thing that it read.
        wanted: which notes are to be made.
    """
    kind = call.kind
    if kind.role == "softmax":
        if not kind.bounded:
            return None
        p = adapter.rows(values, call.axis, MOST_NUMBERS)
        return Notes(softmax_saturated=float((p.max(-1) > SATURATED).mean()))
    if kind.role == "batch_norm":
        found = _batch_statistics(adapter, call, values, x) if wanted.statistics else None
        return None if found is None else Notes(batch=found)
    if wanted.maps and (kind.one_sided or kind.bounded) and len(values.shape) > 1:
        return Notes(unit_map=map_of(kind, adapter.rows(values, call.axis, MAP_ROWS, spaced=False)[:, :MAP_UNITS]))
    return None


def _batch_statistics(adapter: Adapter, call: Call, values: Any, x: Any) -> BatchStatistics | None:
    """Return how a batch norm's running statistics stand to what it just read."""
    module = None if call.layer is None else call.layer.module
    mean, variance = getattr(module, "running_mean", None), getattr(module, "running_var", None)
    if not call.training or mean is None or len(getattr(x, "shape", ())) < 2 or adapter.why_not_measured(x) is not None:
        return None
    channels = math.prod(mean.shape)
    axis = call.axis if len(x.shape) == len(values.shape) else 1
    rows = adapter.rows(x, axis, MOST_NUMBERS).astype(np.float64)
    if rows.shape[-1] != channels:
        return None
    centre = rows.mean(0)
    centred = rows - centre
    std = np.maximum(np.sqrt(np.einsum("nc,nc->c", centred, centred) / len(rows)), 1e-12)
    apart = (adapter.array(mean) - centre) / std
    ratio = np.sqrt(np.maximum(adapter.array(variance), 0)) / std
    return BatchStatistics(
        rows=math.prod(x.shape) // channels,
        mean_apart=math.sqrt(float(apart @ apart) / channels),
        std_ratio=_median(ratio),
    )


def _median(x: FloatArray) -> float:
    """Return the median: `np.median` takes ten times as long for a few dozen numbers."""
    ordered, half = np.sort(x), len(x) // 2
    if not math.isfinite(ordered[-1]):  # nan is sorted to the end
        return float(np.median(x))
    return float(ordered[half] if len(x) % 2 else (ordered[half - 1] + ordered[half]) / 2)
