"""Causal convolution through time, and its gradient by hand: docs/derivations/convolution.md."""

from typing import Any

import numpy as np

from backlight.autograd.op import Op
from backlight.core import Array


class CausalConv1d(Op):
    """y_t = b + Σ_j x_{t - (K - 1 - j) d} W_j: a position reads itself and K - 1 earlier ones, d steps apart.

    x (B, T, I), W (K, I, O) and b (O,) give y (B, T, O), with zero padding before the first position. The K taps are
    concatenated, so that the convolution is one matrix product.
    Source: van den Oord et al. 2016, arXiv:1609.03499, section 2.1.
    """

    name = "causal_conv1d"
    formula = (
        "y_t = b + Σ_j x_{t-s_j} W_j, s_j = (K-1-j) d;  "
        "dx_t = Σ_j dy_{t+s_j} W_jᵀ;  dW_j = Σ_t x_{t-s_j}ᵀ dy_t;  db = Σ dy"
    )
    fits = "x (B, T, I), W (K, I, O) and b (O,)"

    @staticmethod
    def forward(x: Array, weight: Array, bias: Array, *, dilation: int = 1) -> tuple[Array, Any]:
        B, T, _ = x.shape
        K, I, O = weight.shape
        taps_BTKI = np.zeros((B, T, K, I), x.dtype)
        for j, s in enumerate(_shifts(K, T, dilation)):
            taps_BTKI[:, s:, j] = x[:, : T - s]
        y_NO = taps_BTKI.reshape(B * T, K * I) @ weight.reshape(K * I, O)
        y_NO += bias
        return y_NO.reshape(B, T, O), (taps_BTKI, weight, dilation)

    @staticmethod
    def backward(dy: Array, saved: Any) -> tuple[Array, Array, Array]:
        taps_BTKI, weight, dilation = saved
        B, T, K, I = taps_BTKI.shape
        dy_NO = dy.reshape(B * T, -1)
        dtaps_BTKI = (dy_NO @ weight.reshape(K * I, -1).T).reshape(B, T, K, I)
        dx = np.zeros((B, T, I), dy.dtype)
        for j, s in enumerate(_shifts(K, T, dilation)):
            dx[:, : T - s] += dtaps_BTKI[:, s:, j]
        dweight = taps_BTKI.reshape(B * T, K * I).T @ dy_NO
        return dx, dweight.reshape(weight.shape), np.add.reduce(dy_NO, axis=0)


def _shifts(K: int, T: int, dilation: int) -> list[int]:
    """Return how many positions back each tap reads, at most T: such a tap reads only padding."""
    return [min((K - 1 - j) * dilation, T) for j in range(K)]
