"""A batch of sequences of unequal length without its padding, so that nothing is computed for padding."""

from dataclasses import dataclass

import numpy as np

from backlight.autograd.ops.attention import PackedIndex
from backlight.core import NOT_A_TARGET, Array, IntArray, ShapeError


@dataclass(frozen=True, slots=True)
class PackedBatch:
    """The positions of a batch up to the last target of each sequence; later ones do not affect the loss.

    Attributes:
        places: (N,) index b T + t of each position in the flattened batch, in the order in which the model reads them;
            None if the batch has no padding.
        lengths: (B,) number of positions of each sequence, 0 to T.
        shape: (B, T), the shape of the whole batch.
    """

    places: IntArray | None
    lengths: IntArray
    shape: tuple[int, ...]

    @classmethod
    def by_sequence(cls, x_BT: IntArray, y_BT: IntArray) -> "PackedBatch":
        """Pack ids and targets, (B, T) each, sequence by sequence. A batch without any target is not packed.

        Raises:
            ShapeError: the shapes of ids and targets differ.
        """
        lengths = _lengths(x_BT, y_BT)
        steps = np.arange(x_BT.shape[1])
        needed = steps < lengths[:, None]
        whole = needed.all() or not needed.any()
        return cls(None if whole else np.flatnonzero(needed), lengths, x_BT.shape)

    @classmethod
    def by_step(cls, x_BT: IntArray, y_BT: IntArray) -> "PackedBatch":
        """Pack ids and targets, (B, T) each, step by step, the longest sequences first, as a recurrence reads them.

        Raises:
            ShapeError: the shapes of ids and targets differ.
        """
        lengths = _lengths(x_BT, y_BT)
        T = x_BT.shape[1]
        steps = np.arange(T)
        rows = np.argsort(-lengths, kind="stable")
        needed_TB = steps[:, None] < lengths[rows]
        return cls((rows * T + steps[:, None])[needed_TB], lengths, x_BT.shape)

    @property
    def positions(self) -> IntArray:
        """The index of each position in its sequence, 0..T-1: (N,), or (T,) of a batch without padding."""
        T = self.shape[1]
        return np.arange(T) if self.places is None else self.places % T

    @property
    def counts(self) -> list[int]:
        """The batch size of each step: the number of sequences with a first position, with a second, and so on."""
        longest = int(self.lengths.max(initial=0))
        counts: list[int] = np.count_nonzero(np.arange(longest)[:, None] < self.lengths, axis=1).tolist()
        return counts

    @property
    def attended(self) -> PackedIndex | None:
        """The index of the positions in a batch that is as long as its longest sequence; None without padding."""
        if self.places is None:
            return None
        (B, T), longest = self.shape, int(self.lengths.max())
        return PackedIndex((B, longest), self.places // T * longest + self.places % T)

    def of(self, array_BT: Array) -> Array:
        """Return the elements of a (B, T) array at these positions, (N,); without padding, the array itself."""
        return array_BT if self.places is None else array_BT.reshape(-1)[self.places]

    def spread(self, array: Array) -> Array:
        """Return (N,) elements at these positions as (B, T), with 0 elsewhere; without padding, the array itself."""
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
