"""The weights of two distributions in their weighted geometric mean, fitted to held-out targets.

    log p(w | h) = a log p₁(w | h) + b log p₂(w | h) - log Z(h),    Z(h) = Σ_w p₁(w | h)^a p₂(w | h)^b

The loss is convex in (a, b): its gradient is the mean of E[z] - z(y), z = (log p₁, log p₂), and its Hessian is the mean
covariance of z under p. So Newton's method finds the minimum in a few steps.

Source: log-linear interpolation, Klakow 1998, "Log-linear interpolation of language models".
"""

from typing import Final

import numpy as np

from backlight.autograd.ops.softmax import shifted_log_softmax
from backlight.core import FloatArray, IntArray

HALVES: Final = (0.5, 0.5)
"""The weights without any held-out target: the plain geometric mean."""

PRIOR: Final = 30.0
"""The weights of a bucket with few targets stay near those of all targets; about 10 targets weigh as much as this."""

_STEPS = 20
_CLOSE_ENOUGH = 1e-9


def mixed(weights_K2: FloatArray, bucket: IntArray, first_NV: FloatArray, second_NV: FloatArray) -> FloatArray:
    """Return the logits of the mixture, (N, V) float64.

    Args:
        weights_K2: (K, 2) a and b of each bucket.
        bucket: (N,) the bucket of each row.
        first_NV: (N, V) log p₁, or logits: a constant added to a row makes no difference.
        second_NV: (N, V) log p₂.
    """
    ab_N2 = weights_K2[bucket]
    logits: FloatArray = ab_N2[:, :1] * first_NV + ab_N2[:, 1:] * second_NV
    return logits


def fit_weights(
    first_NV: FloatArray, second_NV: FloatArray, y: IntArray, bucket: IntArray, *, buckets: int
) -> FloatArray:
    """Return a and b of each bucket, (K, 2), that minimise the loss of the targets.

    Each bucket is drawn to the weights of all targets with the strength `PRIOR`, and those to `HALVES`.

    Args:
        first_NV: (N, V) log p₁ after each context.
        second_NV: (N, V) log p₂ after each context.
        y: (N,) the targets.
        bucket: (N,) the bucket of each context.
        buckets: K.
    """
    of_all = _newton(first_NV, second_NV, y, np.array(HALVES))
    fitted = np.tile(of_all, (buckets, 1))
    for k in np.unique(bucket):
        own = bucket == k
        fitted[k] = _newton(first_NV[own], second_NV[own], y[own], of_all)
    return fitted


def _newton(first_NV: FloatArray, second_NV: FloatArray, y: IntArray, center: FloatArray) -> FloatArray:
    """Return the weights (2,) with the lowest sum of nats + PRIOR / 2 |w - center|²."""
    z_2NV = np.stack([first_NV, second_NV])
    at_y = z_2NV[:, np.arange(len(y)), y].sum(1)
    w = center.copy()
    value, gradient, hessian = _derivatives(z_2NV, at_y, w, center)
    for _ in range(_STEPS):
        step = np.linalg.solve(hessian, gradient)
        scale = 1.0
        while True:  # a full step nearly always lowers the loss, and a short enough one does if the gradient is not 0
            tried = _derivatives(z_2NV, at_y, w - scale * step, center)
            if tried[0] <= value or scale < _CLOSE_ENOUGH:
                break
            scale /= 2
        w, (value, gradient, hessian) = w - scale * step, tried
        if np.abs(scale * step).max() < _CLOSE_ENOUGH:
            break
    return w


def _derivatives(
    z_2NV: FloatArray, at_y: FloatArray, w: FloatArray, center: FloatArray
) -> tuple[float, FloatArray, FloatArray]:
    """Return the penalised sum of nats, its gradient (2,) and its Hessian (2, 2)."""
    logits_NV = w[0] * z_2NV[0] + w[1] * z_2NV[1]
    log_p_NV = shifted_log_softmax(logits_NV)
    p_NV = np.exp(log_p_NV)
    log_Z = (logits_NV[:, 0] - log_p_NV[:, 0]).sum()
    mean_2N = np.einsum("inv,nv->in", z_2NV, p_NV)
    centred = z_2NV - mean_2N[:, :, None]
    hessian = np.einsum("inv,jnv,nv->ij", centred, centred, p_NV, optimize=True)
    off = w - center
    value = float(log_Z - w @ at_y + PRIOR / 2 * off @ off)
    return value, mean_2N.sum(1) - at_y + PRIOR * off, hessian + PRIOR * np.eye(2)
