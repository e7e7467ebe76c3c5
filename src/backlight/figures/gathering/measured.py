"""Pictures of the layers, from what was measured on a network: no network is needed for them."""

from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np

from backlight.core import BoolArray, FloatArray
from backlight.core.measurements import LayerRecord, Measurements, Spread, StepRecord, UnitMap
from backlight.figures import pages
from backlight.figures.gathering.source import NoPictureError
from backlight.figures.pages import Page
from backlight.figures.ridges import (
    Ridge,
    draw_activation_gradients,
    draw_activations,
    draw_preactivations,
    draw_weight_gradients,
)


class Measured(Protocol):
    """Whatever has measurements: a run, or a watched network of PyTorch."""

    @property
    def measurements(self) -> Measurements:
        """What was measured."""


def activations(source: Measured) -> Page:
    """Return the distribution of each activation layer's output."""
    found = source.measurements
    rows = [
        ridge
        for record in _activations(found, _last(found))
        if (ridge := _ridge(record.name, record.output, _saturated(record)))
    ]
    return pages.ridges(draw_activations, _some(rows, "activations"))


def preactivations(source: Measured) -> Page:
    """Return the distribution of what goes into each activation layer."""
    found = source.measurements
    step = _last(found)
    by_name = {record.name: record for record in step.layers}
    reads = {facts.name: facts.reads for facts in found.layers}
    rows = [
        ridge
        for record in _activations(found, step)
        for name in reads.get(record.name, ())[:1]
        if name in by_name and (ridge := _ridge(name, by_name[name].output))
    ]
    return pages.ridges(draw_preactivations, _some(rows, "layers that feed an activation"))


def activation_gradients(source: Measured) -> Page:
    """Return the distribution of the gradient that reaches each activation layer."""
    found = source.measurements
    rows = [
        ridge
        for record in _activations(found, _last(found))
        if record.gradient is not None and (ridge := _ridge(record.name, record.gradient))
    ]
    return pages.ridges(draw_activation_gradients, _some(rows, "gradients of activations"))


def weight_gradients(source: Measured) -> Page:
    """Return the distribution of the gradient that reaches each weight matrix."""
    found = source.measurements
    matrices = _matrices(found)
    rows = [
        ridge
        for record in _last(found).parameters
        if record.name in matrices and record.gradient is not None and (ridge := _ridge(record.name, record.gradient))
    ]
    return pages.ridges(draw_weight_gradients, _some(rows, "gradients of weight matrices"))


def saturation(source: Measured) -> Page:
    """Return for each bounded layer which unit is saturated in which example."""
    found = source.measurements
    bounded = {facts.name for facts in found.layers if facts.bounded and facts.role != "softmax"}
    maps = {
        record.name: _bits(record.unit_map)
        for record in _last_mapped(found).layers
        if record.name in bounded and record.unit_map is not None
    }
    if not maps:
        raise NoPictureError("it needs a layer of tanh or sigmoid")
    return pages.saturation(maps)


def dead_units(source: Measured) -> Page:
    """Return for each layer that can have dead units in what share of the examples each passes a gradient."""
    found = source.measurements
    rows = [
        (record.name, 1 - _bits(record.unit_map).mean(axis=0))
        for record in _last_mapped(found).layers
        if record.unit_map is not None
    ]
    if not rows:
        raise NoPictureError("it needs a layer whose units can be dead: tanh, sigmoid or ReLU")
    return pages.dead_units([name for name, _ in rows], [alive for _, alive in rows])


def gradient_to_data(source: Measured) -> Page:
    """Return the spread of each weight matrix's gradient beside that of its weights."""
    found = source.measurements
    matrices = _matrices(found)
    records = [one for one in _last(found).parameters if one.name in matrices and one.grad_to_data is not None]
    if not records:
        raise NoPictureError("it needs gradients of weight matrices")
    ratios = np.array([one.grad_to_data for one in records], np.float64)
    return pages.gradient_to_data([_short(one.name) for one in records], ratios)


def update_to_data(source: Measured) -> Page:
    """Return how far each recorded step moved each weight matrix beside the spread of its weights."""
    found = source.measurements
    ratios: dict[str, FloatArray] = {}
    for name in _matrices(found):
        row = np.array([_update(step, name) for step in found.steps], np.float64)
        if (row > 0).any():
            ratios[_short(name)] = row
    if not ratios:
        raise NoPictureError("it needs updates that were watched while the run learnt. Train with --health")
    return pages.update_to_data(np.array([step.step for step in found.steps], np.int64), ratios)


def _last(found: Measurements) -> StepRecord:
    steps = [step for step in found.steps if step.layers or step.parameters]
    if not steps:
        raise NoPictureError("it needs a recorded step; none was")
    return steps[-1]


def _last_mapped(found: Measurements) -> StepRecord:
    """Return the last step for which maps of units were drawn, or the last at all: they are not drawn every time."""
    mapped = [step for step in found.steps if any(layer.unit_map is not None for layer in step.layers)]
    return mapped[-1] if mapped else _last(found)


def _activations(found: Measurements, step: StepRecord) -> Iterable[LayerRecord]:
    """Yield the records of the layers between the matrices, or of recurrent layers where there are none."""
    roles = {facts.name: facts.role for facts in found.layers}
    for role in ("activation", "recurrent"):
        records = [record for record in step.layers if roles.get(record.name) == role]
        if records:
            return records
    return ()


def _matrices(found: Measurements) -> list[str]:
    return [facts.name for facts in found.parameters if facts.weight_matrix]


def _ridge(name: str, spread: Spread, further: str = "") -> Ridge | None:
    if spread.histogram is None:
        return None
    return Ridge(name=_short(name), histogram=spread.histogram, note=f"std {_number(spread.std)}{further}")


def _saturated(record: LayerRecord) -> str:
    return "" if record.saturated is None else f", {record.saturated:.1%} saturated"


def _some(rows: Sequence[Ridge], what: str) -> Sequence[Ridge]:
    if not rows:
        raise NoPictureError(f"it needs {what}; this network has none")
    return rows


def _bits(unit_map: UnitMap) -> BoolArray:
    """Return a map as (examples, units)."""
    packed = np.frombuffer(bytes.fromhex(unit_map.bits), np.uint8)
    bits = np.unpackbits(packed, count=unit_map.rows * unit_map.units).astype(np.bool_)
    return bits.reshape(unit_map.rows, unit_map.units)


def _update(step: StepRecord, name: str) -> float:
    ratios = (one.update_to_data for one in step.parameters if one.name == name)
    return next((ratio for ratio in ratios if ratio is not None), float("nan"))


def _short(name: str) -> str:
    """Return a parameter's name without what they all have."""
    return name.removesuffix(".weight")


def _number(value: float) -> str:
    return f"{value:.2f}" if 0.1 <= abs(value) < 100 else f"{value:.1e}"
