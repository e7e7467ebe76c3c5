"""A batch of sequences of unequal length without its padding, so that nothing is computed for what nobody asks."""

from dataclasses import dataclass

import numpy as np

from backlight.autograd.ops.attention import PackedIndex
from backlight.core import NOT_A_TARGET, Array, IntArray, ShapeError


@dataclass(frozen=True, slots=True)
class PackedBatch:
    """The positions of a batch up to each sequence's last target: what comes later changes no prediction.

    Attributes:
        places: (N,) where each stands in the flattened batch, b T + t, in the order in which the model reads them;
            None if they are all of the batch, as it is.
        lengths: (B,) how many each sequence has, 0 to T.
        shape: (B, T) of the whole batch.
    """

    places: IntArray | None
    lengths: IntArray
    shape: tuple[int, ...]

    @classmethod
    def by_sequence(cls, x_BT: IntArray, y_BT: IntArray) -> "PackedBatch":
        """Return them sequence after sequence, as attention reads; a batch without any target stays whole.

        Raises:
            ShapeError: not one target for each id.
        """
        lengths = _lengths(x_BT, y_BT)
        steps = np.arange(x_BT.shape[1])
        needed = steps < lengths[:, None]
        whole = needed.all() or not needed.any()
        return cls(None if whole else np.flatnonzero(needed), lengths, x_BT.shape)

    @classmethod
    def by_step(cls, x_BT: IntArray, y_BT: IntArray) -> "PackedBatch":
        """Return all sequences' first ones, then all second ones, the longest sequences first, as a recurrence reads.

        Raises:
            ShapeError: not one target for each id.
        """
        lengths = _lengths(x_BT, y_BT)
        T = x_BT.shape[1]
        steps = np.arange(T)
        rows = np.argsort(-lengths, kind="stable")
        needed_TB = steps[:, None] < lengths[rows]
        return cls((rows * T + steps[:, None])[needed_TB], lengths, x_BT.shape)

    @property
    def positions(self) -> IntArray:
        """Where each stands in its sequence, 0..T-1: (N,), or (T,) of a whole batch."""
        T = self.shape[1]
        return np.arange(T) if self.places is None else self.places % T

    @property
    def counts(self) -> list[int]:
        """How many sequences have a first position, how many a second, and so on: fewer and fewer, none of them 0."""
        longest = int(self.lengths.max(initial=0))
        counts: list[int] = np.count_nonzero(np.arange(longest)[:, None] < self.lengths, axis=1).tolist()
        return counts

    @property
    def attended(self) -> PackedIndex | None:
        """Where they stand in a batch that is as long as its longest sequence, ordered by sequence; None if whole."""
        if self.places is None:
            return None
        (B, T), longest = self.shape, int(self.lengths.max())
        return PackedIndex((B, longest), self.places // T * longest + self.places % T)

    def of(self, array_BT: Array) -> Array:
        """Return the numbers at these positions, (N,), or a whole batch as it is."""
        return array_BT if self.places is None else array_BT.reshape(-1)[self.places]

    def spread(self, array: Array) -> Array:
        """Return numbers for these positions as (B, T), with 0 at the others."""
        if self.places is None:
            return array
        spread = np.zeros(self.shape, array.dtype)
        spread.reshape(-1)[self.places] = array
        return spread


def _lengths(x_BT: IntArray, y_BT: IntArray) -> IntArray:
    if x_BT.shape != y_BT.shape:
        raise ShapeError(
            f"a model of sequences needs a target for each id; got ids {x_BT.shape} and targets {y_BT.shape}."
        )
    lengths: IntArray = np.max(np.where(y_BT != NOT_A_TARGET, np.arange(1, y_BT.shape[1] + 1), 0), axis=1, initial=0)
    return lengths
