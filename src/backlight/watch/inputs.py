"""What is recorded of what a model is given."""

import math

import numpy as np

from backlight.core import Array
from backlight.watch.numbers import Block, measure
from backlight.watch.records import InputRecord, Spread

MOST = 1 << 18
"""Features are compared on so many numbers at most."""


def input_record(
    name: str, x: Array, values: Spread | None = None, shape: tuple[int, ...] | None = None
) -> InputRecord:
    """Return a record of one input.

    Args:
        name: its place or keyword.
        x: its numbers or ids, or evenly spaced features of them, (examples, ...).
        values: the distribution of all of them; None lets it be computed from x.
        shape: of all of them; None for x's own.
    """
    ids = x.dtype.kind != "f"
    if values is None:
        block = Block(1)
        block.want(0, x.size, histogram=not ids)
        measure(block, [x if not ids else x.astype(np.float64)])
        values = block.spread(0)
    constant, widest = (None, None) if ids or x.ndim < 2 or len(x) < 2 else _features(x)
    return InputRecord(
        name=name, shape=shape or x.shape, ids=ids, values=values, constant_share=constant, widest=widest
    )


def _features(x: Array) -> tuple[float | None, float | None]:
    flat = x.reshape(len(x), -1)
    step = max(1, math.ceil(flat.size / MOST))
    std = flat[:, ::step].astype(np.float64).std(0)
    if not np.isfinite(std).all():
        return None, None
    vary = std > 0
    return float(1 - vary.mean()), float(std[vary].max() / std[vary].min()) if vary.any() else None
