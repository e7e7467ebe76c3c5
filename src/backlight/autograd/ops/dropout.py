"""Functions that chance has a hand in: which numbers are dropped is given, or drawn by the op from a generator."""

from typing import Any, Protocol

import numpy as np

from backlight.autograd.op import Op
from backlight.core import Array, BoolArray


class Drawing(Protocol):
    """Who draws: a `np.random.Generator`, whose name alone would import `numpy.random`, which takes its time."""

    def random(self, size: Any, dtype: Any) -> Any:
        """Return numbers evenly from 0 to 1."""


Kept = BoolArray | Drawing
"""Which numbers stay, or who draws them."""


def kept_share(kept: Kept, shape: tuple[int, ...], p: float, dtype: np.dtype[Any]) -> Array:
    """Return what each number is multiplied by: 1 / (1 - p) where it is kept, which p of them are not, and else 0."""
    if not isinstance(kept, np.ndarray):
        # half the random bits of a float64: a share is kept to within 2⁻²⁴
        kept = kept.random(shape, np.float32) >= p
    share: Array = kept * np.asarray(1 / (1 - p), dtype)
    return share


class Dropout(Op):
    """y = x where it was kept, 0 elsewhere, all scaled so that y is x on average.

    `kept` has x's shape and is true with probability 1 - p, or is the generator that draws it anew each time.
    Source: Srivastava et al. 2014, section 10 for the scaling.
    """

    name = "dropout"
    formula = "y = x kept / (1 - p);  dx = dy kept / (1 - p)"

    @staticmethod
    def forward(x: Array, *, kept: Kept, p: float) -> tuple[Array, Any]:
        share = kept_share(kept, x.shape, p, x.dtype)
        return x * share, share

    @staticmethod
    def backward(dy: Array, saved: Any) -> tuple[Array]:
        return (dy * saved,)
