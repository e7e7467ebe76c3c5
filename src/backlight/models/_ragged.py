"""A batch of sequences of unequal length without its padding, so that nothing is computed for what nobody asks."""

from dataclasses import dataclass

import numpy as np

from backlight.autograd.ops.attention import Places
from backlight.core import NOT_A_TARGET, Array, IntArray


@dataclass(frozen=True, slots=True)
class Ragged:
    """Ids and where each stands in its sequence.

    Attributes:
        ids: (B, T); with `places` only (N,) of them, sequence after sequence.
        positions: 0..T-1, (T,) or (N,).
        places: where the N ids stand in the batch; None if they are all there.
        shape: (B, T) of the whole batch.
    """

    ids: IntArray
    positions: IntArray
    places: Places | None
    shape: tuple[int, ...]

    @classmethod
    def whole(cls, x_BT: IntArray) -> "Ragged":
        """Return all positions of a batch."""
        x = np.asarray(x_BT)
        return cls(x, np.arange(x.shape[-1]), None, x.shape)

    @classmethod
    def needed(cls, x_BT: IntArray, y_BT: IntArray) -> "Ragged":
        """Return the positions up to each sequence's last target: what comes later changes no prediction."""
        needed = np.logical_or.accumulate((y_BT != NOT_A_TARGET)[:, ::-1], axis=1)[:, ::-1]
        longest = int(np.count_nonzero(needed.any(0)))
        if needed.all() or not longest:
            return cls.whole(x_BT)
        needed = needed[:, :longest]
        rows = np.flatnonzero(needed)
        return cls(x_BT[:, :longest][needed], rows % longest, Places(needed.shape, rows), x_BT.shape)

    def of(self, y_BT: Array) -> Array:
        """Return of something with a number for each position of the batch those at these positions."""
        if self.places is None:
            return y_BT
        return self.places.gather(y_BT[:, : self.places.shape[1], None])[:, 0]

    def spread(self, y: Array) -> Array:
        """Return numbers for these positions as (B, T), with 0 at the others."""
        if self.places is None:
            return y
        whole = np.zeros(self.shape, y.dtype)
        whole[:, : self.places.shape[1]] = self.places.spread(y[:, None])[..., 0]
        return whole
