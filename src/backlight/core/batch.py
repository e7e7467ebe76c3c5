"""A minibatch, for models that read windows and for models that read sequences."""

from dataclasses import dataclass

from backlight.core.arrays import IntArray

NOT_A_TARGET = -1
"""The id in `Batch.y` that marks padding: it has no loss and no gradient, and is not counted."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Inputs and targets.

    Attributes:
        x: (B, T) int64 ids.
        y: int64 ids. For windows (B,), the character after each row of `x`; for sequences (B, T), the character after
            each position, or `NOT_A_TARGET`.
    """

    x: IntArray
    y: IntArray
