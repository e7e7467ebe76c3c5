"""Selecting the records that the figures of layers show."""

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from backlight.core import BoolArray, FloatArray
from backlight.figures.run_data import NoFigureError
from backlight.watch.records import LayerRecord, Measurements, StepRecord, UnitMap

MOST_ROWS: Final = 24
"""The maximum number of rows in a figure. A network may have hundreds of layers, too many to see the important ones."""


def chosen_rows(sizes: Sequence[float] | FloatArray) -> tuple[list[int], str]:
    """Return the indices of the rows to show, in order, and a note about the choice.

    Half of them are spread evenly from the first to the last; the others have the smallest and the largest sizes.

    Args:
        sizes: (rows,) a number for each row.
    """
    count, quarter = len(sizes), MOST_ROWS // 4
    if count <= MOST_ROWS:
        return list(range(count)), ""
    by_size = np.argsort(sizes, kind="stable")  # nan comes last, as if it were the largest
    spread = np.linspace(0, count - 1, MOST_ROWS - 2 * quarter).round().astype(np.int64)
    chosen = sorted({*spread.tolist(), *by_size[:quarter].tolist(), *by_size[-quarter:].tolist()})
    return chosen, f"{len(chosen)} of {count}: spread evenly, with the {quarter} smallest and the {quarter} largest"


def last_step(measured: Measurements) -> StepRecord:
    """Return the last recorded step.

    Raises:
        NoFigureError: no step was recorded.
    """
    steps = [step for step in measured.steps if step.layers or step.parameters]
    if not steps:
        raise NoFigureError("it needs a recorded step; there is none")
    return steps[-1]


def last_with_maps(measured: Measurements) -> StepRecord:
    """Return the last step with maps of units, which not every step has; without any, the last recorded step.

    Raises:
        NoFigureError: no step was recorded.
    """
    mapped = [step for step in measured.steps if any(layer.unit_map is not None for layer in step.layers)]
    return mapped[-1] if mapped else last_step(measured)


def activation_records(measured: Measurements, step: StepRecord) -> Iterable[LayerRecord]:
    """Return the records of the activation layers, or of the recurrent layers if there are none."""
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
    """Return a map of units as an array (examples, units)."""
    packed = np.frombuffer(bytes.fromhex(unit_map.bits), np.uint8)
    bits = np.unpackbits(packed, count=unit_map.rows * unit_map.units).astype(np.bool_)
    return bits.reshape(unit_map.rows, unit_map.units)


def short_name(name: str) -> str:
    """Return the name of a weight matrix without ".weight"."""
    return name.removesuffix(".weight")
