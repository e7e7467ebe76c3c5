"""A batch of sequences of unequal length, step by step and without its padding: what a recurrence reads."""

from dataclasses import dataclass

import numpy as np

from backlight.core import NOT_A_TARGET, Array, IntArray, ShapeError


@dataclass(frozen=True, slots=True)
class Packed:
    """The places of a batch that count: all rows' first ones, then all second ones, the longest rows first.

    Attributes:
        places: (N,) places in the flattened batch (B, T).
        counts: how many rows each step has: fewer and fewer.
        shape: (B, T).
    """

    places: IntArray
    counts: list[int]
    shape: tuple[int, ...]

    @classmethod
    def up_to_targets(cls, x_BT: IntArray, y_BT: IntArray) -> "Packed":
        """Return the places up to each row's last target: what comes later changes no prediction.

        Raises:
            ShapeError: not one target for each id.
        """
        if x_BT.shape != y_BT.shape:
            raise ShapeError(
                f"a model of sequences needs a target for each id; got ids {x_BT.shape} and targets {y_BT.shape}."
            )
        T = x_BT.shape[1]
        steps = np.arange(T)
        lengths = np.max(np.where(y_BT != NOT_A_TARGET, steps + 1, 0), axis=1, initial=0)
        rows = np.argsort(-lengths, kind="stable")
        going_TB = steps[:, None] < lengths[rows]
        places = (rows * T + steps[:, None])[going_TB]
        counts = np.count_nonzero(going_TB, axis=1)
        return cls(places, counts[counts > 0].tolist(), x_BT.shape)

    def of(self, array_BT: Array) -> Array:
        """Return the numbers at these places, (N,)."""
        return array_BT.reshape(-1)[self.places]

    def spread(self, array_N: Array) -> Array:
        """Return numbers for these places as (B, T), with 0 at the others."""
        whole = np.zeros(self.shape, array_N.dtype)
        whole.reshape(-1)[self.places] = array_N
        return whole
