"""Normalisation to mean 0 and variance 1, and its gradient by hand: docs/derivations/batch_norm.md, layer_norm.md."""

from typing import Any, NamedTuple

import numpy as np

from backlight.autograd.op import Op, ones
from backlight.core import Array

FITS = "x (..., C), gain (C,) and bias (C,)"


class Running(NamedTuple):
    """Running statistics of each channel, updated in place.

    Attributes:
        mean: (C,).
        variance: (C,).
        momentum: the weight of the new batch, from 0 (no update) to 1 (replace).
    """

    mean: Array
    variance: Array
    momentum: float

    def move(self, mean_C: Array, variance_C: Array, N: int) -> None:
        """Update the statistics with those of a batch.

        Args:
            mean_C: the batch's mean.
            variance_C: the batch's biased variance; multiplied by N / (N - 1) it is unbiased.
            N: the number of rows.
        """
        mean, variance = self.mean, self.variance
        mean *= 1 - self.momentum
        mean += self.momentum * mean_C
        variance *= 1 - self.momentum
        variance += self.momentum * N / (N - 1) * variance_C


class BatchNorm(Op):
    """y = gain x̂ + bias, where x̂ is x minus the mean of its channel, divided by the channel's standard deviation.

    x (..., C), gain (C,) and bias (C,) give y (..., C). The statistics are over all axes but the last, N rows in all,
    with the biased variance. `running` statistics are updated; y does not depend on them.
    Source: Ioffe & Szegedy 2015, arXiv:1502.03167, algorithm 1.
    """

    name = "batch_norm"
    formula = (
        "y = gain x̂ + bias, x̂ = (x - μ) r, r = 1/√(σ² + ε);  "
        "dx = gain r (dy - Σ dy / N - x̂ Σ dy x̂ / N);  dgain = Σ dy x̂;  dbias = Σ dy"
    )
    fits = FITS

    @staticmethod
    def forward(
        x: Array, gain: Array, bias: Array, *, eps: float = 1e-5, running: Running | None = None
    ) -> tuple[Array, Any]:
        x_NC = x.reshape(-1, x.shape[-1])
        N = len(x_NC)
        mean_C = ones(N, x_NC.dtype) @ x_NC / N
        centred_NC = x_NC - mean_C
        variance_C = np.einsum("nc,nc->c", centred_NC, centred_NC) / N
        if running is not None:
            running.move(mean_C, variance_C, N)
        rstd_C = 1 / np.sqrt(variance_C + eps)
        y_NC = centred_NC * (rstd_C * gain)  # x̂ = centred r is never needed by itself
        y_NC += bias
        return y_NC.reshape(x.shape), (centred_NC, rstd_C, gain)

    @staticmethod
    def backward(dy: Array, saved: Any) -> tuple[Array, Array, Array]:
        centred_NC, rstd_C, gain = saved
        N = len(centred_NC)
        dy_NC = dy.reshape(centred_NC.shape)
        dgain = np.einsum("nc,nc->c", dy_NC, centred_NC) * rstd_C
        dbias = ones(N, dy_NC.dtype) @ dy_NC
        dx_NC = centred_NC * (rstd_C * dgain / -N)  # minus the component along x̂: y is invariant to the scale of x
        dx_NC += dy_NC
        dx_NC -= dbias / N  # minus the mean: y is invariant to a shift of x
        dx_NC *= gain * rstd_C
        return dx_NC.reshape(dy.shape), dgain, dbias


class LayerNorm(Op):
    """y = gain x̂ + bias, where x̂ is x minus the mean of its row, divided by the row's standard deviation.

    x (..., C), gain (C,) and bias (C,) give y (..., C). The statistics are over the last axis: each row is normalised
    independently of the others.
    Source: Ba, Kiros & Hinton 2016, arXiv:1607.06450, eq. 4.
    """

    name = "layer_norm"
    formula = (
        "y = gain x̂ + bias, x̂ = (x - μ) r, r = 1/√(σ² + ε);  "
        "dx = r (g - mean g - x̂ mean g x̂), g = dy gain;  dgain = Σ dy x̂;  dbias = Σ dy"
    )
    fits = FITS

    @staticmethod
    def forward(x: Array, gain: Array, bias: Array, *, eps: float = 1e-5) -> tuple[Array, Any]:
        C = x.shape[-1]
        x_NC = x.reshape(-1, C)
        xhat_NC = x_NC - np.add.reduce(x_NC, axis=1, keepdims=True) / C
        variance_N1 = np.einsum("nc,nc->n", xhat_NC, xhat_NC)[:, None] / C
        rstd_N1 = 1 / np.sqrt(variance_N1 + eps)
        xhat_NC *= rstd_N1
        y_NC = xhat_NC * gain
        y_NC += bias
        return y_NC.reshape(x.shape), (xhat_NC, rstd_N1, gain)

    @staticmethod
    def backward(dy: Array, saved: Any) -> tuple[Array, Array, Array]:
        xhat_NC, rstd_N1, gain = saved
        C = xhat_NC.shape[1]
        dy_NC = dy.reshape(xhat_NC.shape)
        dx_NC = dy_NC * gain
        along_N1 = np.einsum("nc,nc->n", dx_NC, xhat_NC)[:, None] / C
        dx_NC -= np.add.reduce(dx_NC, axis=1, keepdims=True) / C  # x̂ is invariant to a shift of the row
        dx_NC -= xhat_NC * along_N1  # and to its scale
        dx_NC *= rstd_N1
        dgain = np.einsum("nc,nc->c", dy_NC, xhat_NC)
        return dx_NC.reshape(dy.shape), dgain, ones(len(dy_NC), dy_NC.dtype) @ dy_NC
