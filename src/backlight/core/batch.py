"""One minibatch, the same record for models that read windows and for models that read sequences."""

from dataclasses import dataclass

from backlight.core.arrays import IntArray

NOT_A_TARGET = -1
"""The id in `Batch.y` that marks padding: no loss, no gradient, not counted."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Inputs and what should come next.

    Attributes:
        x: int64 ids, (B, T).
        y: int64 ids; (B,) for windows, the one character after each row of `x`;
            (B, T) for sequences, the character after each position, `NOT_A_TARGET` where there is none.
    """

    x: IntArray
    y: IntArray
