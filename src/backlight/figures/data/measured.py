"""Pictures of the layers, from what was measured on a network: no network is needed for them."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final, Protocol

import numpy as np
from matplotlib.axes import Axes

from backlight.core import BoolArray, FloatArray
from backlight.figures import pages
from backlight.figures.data.source import NoPictureError
from backlight.figures.pages import Page
from backlight.figures.ridges import (
    Ridge,
    draw_activation_gradients,
    draw_activations,
    draw_preactivations,
    draw_weight_gradients,
)
from backlight.watch.records import LayerRecord, Measurements, Spread, StepRecord, UnitMap

MOST_ROWS: Final = 24
"""Of layers or matrices in a picture. A net has hundreds, and one could not see the sick for the many."""


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
    return _ridges(draw_activations, rows, "activations")


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
    return _ridges(draw_preactivations, rows, "layers that feed an activation")


def activation_gradients(source: Measured) -> Page:
    """Return the distribution of the gradient that reaches each activation layer."""
    found = source.measurements
    rows = [
        ridge
        for record in _activations(found, _last(found))
        if record.gradient is not None and (ridge := _ridge(record.name, record.gradient))
    ]
    return _ridges(draw_activation_gradients, rows, "gradients of activations")


def weight_gradients(source: Measured) -> Page:
    """Return the distribution of the gradient that reaches each weight matrix."""
    found = source.measurements
    matrices = _matrices(found)
    rows = [
        ridge
        for record in _last(found).parameters
        if record.name in matrices and record.gradient is not None and (ridge := _ridge(record.name, record.gradient))
    ]
    return _ridges(draw_weight_gradients, rows, "gradients of weight matrices")


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
    names = list(maps)
    chosen, note = _chosen([maps[name].mean() for name in names])
    return pages.noted(pages.saturation({names[i]: maps[names[i]] for i in chosen}), note)


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
    chosen, note = _chosen([(alive == 0).mean() for _, alive in rows])
    return pages.noted(pages.dead_units([rows[i][0] for i in chosen], [rows[i][1] for i in chosen]), note)


def gradient_to_data(source: Measured) -> Page:
    """Return the spread of each weight matrix's gradient beside that of its weights."""
    found = source.measurements
    matrices = _matrices(found)
    records = [one for one in _last(found).parameters if one.name in matrices and one.grad_to_data is not None]
    if not records:
        raise NoPictureError("it needs gradients of weight matrices")
    ratios = np.array([one.grad_to_data for one in records], np.float64)
    chosen, note = _chosen(ratios)
    return pages.noted(pages.gradient_to_data([_short(records[i].name) for i in chosen], ratios[chosen]), note)


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
    names = list(ratios)
    chosen, note = _chosen([np.exp(np.log(row[row > 0]).mean()) for row in ratios.values()])
    steps = np.array([step.step for step in found.steps], np.int64)
    return pages.noted(pages.update_to_data(steps, {names[i]: ratios[names[i]] for i in chosen}), note)


def _ridges(draw: Callable[[Axes, Sequence[Ridge]], None], rows: Sequence[Ridge], what: str) -> Page:
    if not rows:
        raise NoPictureError(f"it needs {what}; this network has none")
    chosen, note = _chosen([row.spread for row in rows])
    return pages.noted(pages.ridges(draw, [rows[i] for i in chosen]), note)


def _chosen(sizes: Sequence[float] | FloatArray) -> tuple[list[int], str]:
    """Return which of many rows to show, in order, and what to say of those that are not.

    Half of them are spread evenly from the first to the last; the others are those of the smallest and largest size.
    """
    count, quarter = len(sizes), MOST_ROWS // 4
    if count <= MOST_ROWS:
        return list(range(count)), ""
    by_size = np.argsort(sizes, kind="stable")  # what is not a number comes last, as if it were the largest
    spread = np.linspace(0, count - 1, MOST_ROWS - 2 * quarter).round().astype(np.int64)
    chosen = sorted({*spread.tolist(), *by_size[:quarter].tolist(), *by_size[-quarter:].tolist()})
    return chosen, f"{len(chosen)} of {count}: spread evenly, with the {quarter} smallest and the {quarter} largest"


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
    return Ridge(
        name=_short(name), histogram=spread.histogram, spread=spread.std, note=f"std {_number(spread.std)}{further}"
    )


def _saturated(record: LayerRecord) -> str:
    return "" if record.saturated is None else f", {record.saturated:.1%} saturated"


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
