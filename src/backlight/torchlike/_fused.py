"""Fused multiply-add: a * b + c rounded once, a CPU instruction that NumPy does not offer.

PyTorch's sampling kernels are compiled with this instruction, so it is needed for bit-identical results.
"""

import numpy as np

from backlight.core.arrays import FloatArray

# A float64 has 29 more mantissa bits than a float32: the midpoint of two float32 ends in 28 zeros (more if subnormal).
_BELOW_A_FLOAT32_TIE = np.int64((1 << 28) - 1)
_SPLITTER = float(2**27 + 1)  # Veltkamp: halves a 53-bit mantissa


def fma32(a: FloatArray, b: FloatArray | np.float32, c: FloatArray | np.float32) -> FloatArray:
    """Return `a * b + c` for float32 operands, rounded once to float32.

    The product of two float32 is exact in float64. The float64 sum may be inexact, and a second rounding to float32 is
    wrong only where that sum is exactly halfway between two float32: there it is first moved towards the true value.

    Args:
        a: (...) factor.
        b: (...) factor.
        c: (...) summand. All three are broadcast.
    """
    product = np.multiply(a, b, dtype=np.float64)
    total = product + c
    on_a_tie = (total.view(np.int64) & _BELOW_A_FLOAT32_TIE) == 0
    if on_a_tie.any():
        _, error = _two_sum(product, np.asarray(c, np.float64))
        total = np.where(on_a_tie, _moved_towards(total, error), total)
    return total.astype(np.float32)


def fma64(a: FloatArray, b: float, c: float) -> FloatArray:
    """Return `a * b + c` for float64 operands, rounded once to float64; correct without overflow and underflow.

    Args:
        a: (...) factor.
        b: factor.
        c: summand.

    Source: Boldo & Melquiond 2008, "Emulation of FMA and correctly rounded sums", IEEE Trans. Computers 57(4), fig. 3.
    """
    high, low = _two_product(a, b)
    tail, tail_error = _two_sum(np.full_like(a, c), low)
    head, head_error = _two_sum(high, tail)
    fused = head + _sum_rounded_to_odd(head_error, tail_error)
    return np.where(np.isfinite(fused), fused, a * b + c)  # Veltkamp's splitting overflows before the product


def _two_sum(a: FloatArray, b: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return (s, e) with s = round(a + b) and s + e = a + b exactly (Knuth)."""
    total = a + b
    b_seen = total - a
    return total, (a - (total - b_seen)) + (b - b_seen)


def _two_product(a: FloatArray, b: float) -> tuple[FloatArray, FloatArray]:
    """Return (p, e) with p = round(a * b) and p + e = a * b exactly (Dekker)."""
    product = a * b
    a_scaled, b_scaled = _SPLITTER * a, _SPLITTER * b
    a_high, b_high = a_scaled - (a_scaled - a), b_scaled - (b_scaled - b)
    a_low, b_low = a - a_high, b - b_high
    return product, ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low


def _sum_rounded_to_odd(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return a + b rounded to odd: if it is inexact, the neighbouring float64 whose last mantissa bit is 1."""
    total, error = _two_sum(a, b)
    last_bit_is_0 = (total.view(np.int64) & 1) == 0
    return np.where(last_bit_is_0, _moved_towards(total, error), total)


def _moved_towards(total: FloatArray, error: FloatArray) -> FloatArray:
    """Return the next float64 in the direction of `error`, or `total` itself where `error` is 0."""
    return np.where(error == 0, total, np.nextafter(total, np.copysign(np.inf, error)))
