"""What is looked at on single layers and inputs besides their moments."""

from dataclasses import dataclass
from typing import Any

import torch

from backlight.watch.inputs import input_record
from backlight.watch.records import SATURATED, BatchStatistics, InputRecord, UnitMap
from backlight.watch.step import Measured
from backlight.watch.torch.capture import Call
from backlight.watch.torch.layers import Layer
from backlight.watch.units import MAP_ROWS, MAP_UNITS, map_of


@dataclass(slots=True)
class InputNumbers:
    """What was measured on one input: a small one as it is, of a large one some features and the distribution."""

    name: str
    shape: tuple[int, ...]
    some: torch.Tensor
    values: Measured | None

    def record(self) -> InputRecord:
        """Return it as a record."""
        spread = None if self.values is None else self.values[0].spread(self.values[1])
        some = self.some.float() if self.some.dtype == torch.bfloat16 else self.some
        return input_record(self.name, some.cpu().numpy(), spread, self.shape)


def softmax_saturated(call: Call) -> float | None:
    """Return the share of a softmax's rows whose largest probability is beyond `SATURATED`."""
    if call.kept is None:
        return None
    return float((call.kept.detach().amax(call.axis) > SATURATED).float().mean())


def unit_map(layer: Layer, call: Call) -> UnitMap | None:
    """Return which units are saturated, or 0, for which examples."""
    if call.kept is None or call.kept.ndim < 2:
        return None
    x = call.kept.detach().movedim(call.axis, -1).flatten(0, -2)[:MAP_ROWS, :MAP_UNITS]
    return map_of(layer.kind, x.float().cpu().numpy())


def batch_statistics(call: Call) -> BatchStatistics | None:
    """Return how a batch norm's running statistics stand to what it just read."""
    norm: Any = call.layer.module if call.layer is not None else None
    x = call.args[0] if call.args else None
    running = getattr(norm, "running_mean", None)
    if not call.training or running is None or not isinstance(x, torch.Tensor) or x.ndim < 2:
        return None
    with torch.no_grad():
        axis = call.axis if x.ndim == (2 if call.kept is None else call.kept.ndim) else 1
        by_channel = x.detach().movedim(axis, 0).flatten(1).double()
        if by_channel.shape[0] != running.numel():
            return None
        std, mean = torch.std_mean(by_channel, dim=1, correction=0)
        std = std.clamp_min(1e-12)
        apart = ((running - mean) / std).square().mean().sqrt()
        ratio = (norm.running_var.clamp_min(0).sqrt() / std).median()
    return BatchStatistics(rows=by_channel.shape[1], mean_apart=float(apart), std_ratio=float(ratio))
