"""What the figures of layers share: which records of what was measured on a network they show, and how many."""

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from backlight.core import BoolArray, FloatArray
from backlight.figures.run_data import NoFigureError
from backlight.watch.records import LayerRecord, Measurements, StepRecord, UnitMap

MOST_ROWS: Final = 24
"""Of layers or matrices in a figure. A net has hundreds, and one could not see the few that matter among them."""


def chosen_rows(sizes: Sequence[float] | FloatArray) -> tuple[list[int], str]:
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


def last_step(measured: Measurements) -> StepRecord:
    """Return the last recorded step.

    Raises:
        NoFigureError: there is none.
    """
    steps = [step for step in measured.steps if step.layers or step.parameters]
    if not steps:
        raise NoFigureError("it needs a recorded step; none was")
    return steps[-1]


def last_with_maps(measured: Measurements) -> StepRecord:
    """Return the last step for which maps of units were drawn, or the last at all: they are not drawn every time."""
    mapped = [step for step in measured.steps if any(layer.unit_map is not None for layer in step.layers)]
    return mapped[-1] if mapped else last_step(measured)


def activation_records(measured: Measurements, step: StepRecord) -> Iterable[LayerRecord]:
    """Yield the records of the layers between the matrices, or of recurrent layers where there are none."""
    roles = {facts.name: facts.role for facts in measured.layers}
    for role in ("activation", "recurrent"):
        records = [record for record in step.layers if roles.get(record.name) == role]
        if records:
            return records
    return ()


def weight_matrices(measured: Measurements) -> list[str]:
    """Return the names of the parameters that are weight matrices."""
    return [facts.name for facts in measured.parameters if facts.weight_matrix]


def unit_bits(unit_map: UnitMap) -> BoolArray:
    """Return a map as (examples, units)."""
    packed = np.frombuffer(bytes.fromhex(unit_map.bits), np.uint8)
    bits = np.unpackbits(packed, count=unit_map.rows * unit_map.units).astype(np.bool_)
    return bits.reshape(unit_map.rows, unit_map.units)


def short_name(name: str) -> str:
    """Return a parameter's name without what they all have."""
    return name.removesuffix(".weight")
