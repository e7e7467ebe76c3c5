"""From what was captured in a step to numbers."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from backlight.autograd import Tensor
from backlight.core import Array
from backlight.nn import BatchNorm1d
from backlight.watch import Block, LiveUnits, measure
from backlight.watch.inputs import input_record
from backlight.watch.logits import Logits
from backlight.watch.ours.capture import Call
from backlight.watch.ours.graph import LossGraph
from backlight.watch.ours.layers import Layer
from backlight.watch.records import BatchStatistics, InputRecord, LossFacts
from backlight.watch.step import LayerNumbers, Measured, Notes, OutputNumbers
from backlight.watch.units import map_of

LATER = 1 << 13
"""Logits of up to so many numbers are kept as they are until somebody wants to see the record."""

_NO_UNITS = {"softmax", "shape"}


@dataclass(frozen=True, slots=True)
class Input:
    """One input, as it was given."""

    name: str
    array: Array

    def record(self) -> InputRecord:
        """Return it as a record."""
        return input_record(self.name, self.array)


def layer_numbers(calls: Sequence[Call], units: LiveUnits, *, thorough: bool, maps: bool) -> LayerNumbers:
    """Measure what the layers gave and got.

    Args:
        calls: the calls.
        units: remembers which are alive.
        thorough: whether batch norms' statistics are compared.
        maps: whether maps of units are drawn.
    """
    graded = [at for at, call in enumerate(calls) if call.gradient is not None]
    block = Block(len(calls) + len(graded))
    for at, call in enumerate(calls):
        array, kind = call.tensor.array, call.layer.kind
        width = array.shape[-1] if array.ndim > 1 and kind.role not in _NO_UNITS else 0
        block.want(at, array.size, histogram=True, kind=kind, units=width)
    gradients = {at: len(calls) + row for row, at in enumerate(graded)}
    for at, row in gradients.items():
        block.want(row, calls[at].tensor.array.size, histogram=True)
    arrays = [call.tensor.array for call in calls] + [call.gradient for call in calls if call.gradient is not None]
    measure(block, arrays)
    by_layer: dict[Layer, list[int]] = {}
    for at, call in enumerate(calls):
        if call.layer.kind.role != "shape":
            by_layer.setdefault(call.layer, []).append(at)
    rows: list[tuple[int | None, int | None]] = [(at, gradients.get(at)) for at in range(len(calls))]
    numbers = LayerNumbers(by_layer, rows, [call.training for call in calls], block, {})
    for layer, places in by_layer.items():
        call = calls[places[0]]
        alive = numbers.alive(layer)
        if alive is not None:
            units.add(layer.name, alive)
            numbers.notes[layer] = notes = Notes(*units.dead(layer.name))
            if maps:
                array = call.tensor.array
                notes.unit_map = map_of(layer.kind, array.reshape(-1, array.shape[-1]))
        elif thorough and isinstance(layer.module, BatchNorm1d):
            numbers.notes[layer] = Notes(batch=_batch_statistics(layer.module, call))
    return numbers


def _batch_statistics(norm: BatchNorm1d, call: Call) -> BatchStatistics | None:
    """Return how a batch norm's running statistics stand to what it just read."""
    x = call.inputs[0]
    if not call.training or not isinstance(x, Tensor):
        return None
    rows = x.array.reshape(-1, norm.num_features).astype(np.float64)
    std = np.maximum(rows.std(0), 1e-12)
    apart = (norm.running_mean.array - rows.mean(0)) / std
    ratio = np.sqrt(np.maximum(norm.running_var.array, 0)) / std
    return BatchStatistics(
        rows=len(rows), mean_apart=math.sqrt(float(np.mean(apart**2))), std_ratio=float(np.median(ratio))
    )


def output_numbers(
    output: Tensor | None, graph: LossGraph | None, facts: LossFacts | None, gradient: Array | None, at: Measured | None
) -> OutputNumbers | None:
    """Return what the model's output says, and what its loss tells of the targets.

    Args:
        output: what the loss was made of.
        graph: below the loss of this step; None if it was told as a number.
        facts: how the loss was made.
        gradient: of the loss by the output; None if nobody waited for it.
        at: where the output's measurements stand; None if it is to be measured.
    """
    if output is None or not output.array.size or output.array.dtype.kind != "f":
        return None
    if at is None:
        block = Block(1)
        block.want(0, output.array.size, histogram=True)
        measure(block, [output.array])
        at = block, 0
    numbers = OutputNumbers(at, "" if facts is None else facts.kind)
    if graph is None or graph.end is None or facts is None:
        return numbers
    if facts.kind == "mse":
        targets = graph.end._prev[1].array
        numbers.target_mean, numbers.target_std = float(targets.mean()), float(targets.std())
    elif facts.kind == "cross_entropy":
        V = output.array.shape[-1]
        numbers.logits = Logits(
            logits=output.array.reshape(-1, V),
            gradient=None if gradient is None else gradient.reshape(-1, V),
            targets=graph.end._settings["targets"].reshape(-1),
        )
        if output.array.size > LATER:
            numbers.done = numbers.record()
            numbers.logits = None
    return numbers
