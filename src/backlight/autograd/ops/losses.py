"""Losses of regression and of binary classification by margin."""

from typing import Any

import numpy as np

from backlight.autograd.op import Op
from backlight.core import Array, ShapeError


class MeanSquaredError(Op):
    """loss = the mean of (a - b)²."""

    name = "mse"
    formula = "loss = Σ (a - b)² / N;  da = dloss 2 (a - b) / N;  db = -da"

    @staticmethod
    def forward(a: Array, b: Array) -> tuple[Array, Any]:
        _same_shape("mean squared error", a, b)
        difference = a - b
        return np.mean(difference * difference), difference

    @staticmethod
    def backward(dloss: Array, saved: Any) -> tuple[Array, Array]:
        da = saved * (dloss * 2 / saved.size)
        return da, -da


class Hinge(Op):
    """loss = the mean of max(0, 1 - y s): 0 where the score s has the sign of the label y = ±1 and |s| is at least 1.

    Source: the max-margin loss of micrograd's two-moons demo.
    """

    name = "hinge"
    formula = "loss = Σ max(0, 1 - y s) / N;  ds = -dloss y / N where y s < 1, else 0"

    @staticmethod
    def forward(scores: Array, labels: Array) -> tuple[Array, Any]:
        _same_shape("hinge", scores, labels)
        margin = 1 - labels * scores
        return np.mean(np.maximum(margin, 0)), (scores, labels, margin > 0)

    @staticmethod
    def backward(dloss: Array, saved: Any) -> tuple[Array, Array]:
        scores, labels, inside = saved
        share = inside * (-dloss / scores.size)
        return share * labels, share * scores


def _same_shape(name: str, a: Array, b: Array) -> None:
    """Refuse to broadcast: (N,) against (N, 1) would silently give N² differences."""
    if a.shape != b.shape:
        raise ShapeError(
            f"{name} needs two tensors of the same shape; got {a.shape} and {b.shape}. Use view() on one of them."
        )
