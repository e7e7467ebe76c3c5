"""Exercise 3: batch norm and its gradient in one piece.

With the variance divided by N - c (c = 1 is Bessel's correction, as in the lecture; c = 0 is the rule in networks and
what PyTorch's layer normalises with), the three paths from x to the output add up to

    dx = gain r / N (N dy - Σ dy - N/(N - c) x̂ Σ dy x̂),      r = 1 / √(variance + EPS),      x̂ = (x - mean) r

Derivation: docs/derivations/by_hand.md.
"""

from typing import NamedTuple

from backlight.core import FloatArray

EPS = 1e-5
"""Added to the variance."""


class Normalised(NamedTuple):
    """What batch norm makes of a batch, and what the way back needs.

    Attributes:
        y: (N, H), gain x̂ + shift.
        normal: (N, H), x̂.
        rstd: (H,), 1 / √(variance + EPS).
    """

    y: FloatArray
    normal: FloatArray
    rstd: FloatArray


def batch_norm(x_NH: FloatArray, gain_H: FloatArray, shift_H: FloatArray, correction: int = 1) -> Normalised:
    """Return each column brought to mean 0 and variance 1 over the batch, then scaled by gain and moved by shift.

    Args:
        x_NH: the batch, (N, H), of more rows than the correction.
        gain_H: (H,).
        shift_H: (H,).
        correction: c; the variance is divided by N - c.
    """
    mean_H, variance_H = x_NH.mean(0), x_NH.var(0, ddof=correction)
    rstd_H = (variance_H + EPS) ** -0.5
    normal_NH = (x_NH - mean_H) * rstd_H
    return Normalised(gain_H * normal_NH + shift_H, normal_NH, rstd_H)


def batch_norm_backward(
    dy_NH: FloatArray, normal_NH: FloatArray, rstd_H: FloatArray, gain_H: FloatArray, correction: int = 1
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the gradients by x (N, H), gain (H,) and shift (H,).

    Where people go wrong: the last term's N / (N - c) is lost, which at N = 32 is 3 percent of one of three terms, so
    that training goes on as if nothing were wrong. And dy of ones shows nothing: then all of dx is 0.
    """
    N = len(dy_NH)
    dgain_H = (dy_NH * normal_NH).sum(0)
    dshift_H = dy_NH.sum(0)
    # both sums that dx needs are gradients already
    dx_NH = gain_H * rstd_H / N * (N * dy_NH - dshift_H - N / (N - correction) * normal_NH * dgain_H)
    return dx_NH, dgain_H, dshift_H
