"""Functions that chance has a hand in. The drawing is done by who calls them; an op itself draws nothing."""

from typing import Any

import numpy as np

from backlight.autograd.op import Op
from backlight.core import Array, BoolArray


class Dropout(Op):
    """y = x where it was kept, 0 elsewhere, all scaled so that y is x on average.

    `kept` has x's shape and is true with probability 1 - p. Source: Srivastava et al. 2014, section 10 for the scaling.
    """

    name = "dropout"
    formula = "y = x kept / (1 - p);  dx = dy kept / (1 - p)"

    @staticmethod
    def forward(x: Array, *, kept: BoolArray, p: float) -> tuple[Array, Any]:
        factor = kept * np.asarray(1 / (1 - p), x.dtype)
        return x * factor, factor

    @staticmethod
    def backward(dy: Array, saved: Any) -> tuple[Array]:
        return (dy * saved,)
