"""Convert pairs of uniform numbers to pairs of normal numbers, rounded as in PyTorch's CPU kernels.

Box & Muller 1958: from u1 in (0, 1] and u2 in [0, 1), r = sqrt(-2 ln u1) and t = 2 pi u2 give the independent normal
numbers r cos t and r sin t.

PyTorch has three implementations, and so has this file:

- `blocks_float32`: float32, 16 numbers or more. On x86 CPUs with AVX2 or AVX-512, logarithm, sine and cosine are the
  single-precision polynomials of the Cephes library with fused multiply-adds. The same float32 operations are done here
  with NumPy, so the result is bit-identical on every CPU. Without AVX2 (ARM, old x86), PyTorch calls the C library
  instead, and differs in the last bits.
- `blocks_float64`: float64, 16 numbers or more, with `log`, `sin` and `cos` of the C library, as in Python's `math`.
- `one_by_one`: fewer than 16 numbers of either type, in float64, with `log1p` of the other uniform number.
"""

import math
from collections.abc import Callable

import numpy as np

from backlight.core.arrays import Array, FloatArray
from backlight.torchlike._fused import fma32

_F32 = np.float32

# Cephes logf: ln(1 + x) = x - x^2 / 2 + x^3 P(x) for sqrt(1/2) <= 1 + x < sqrt(2); highest power first
_LOG_POLYNOMIAL = (
    7.0376836292e-2,
    -1.1514610310e-1,
    1.1676998740e-1,
    -1.2420140846e-1,
    1.4249322787e-1,
    -1.6668057665e-1,
    2.0000714765e-1,
    -2.4999993993e-1,
    3.3333331174e-1,
)
_SQRT_HALF = _F32(0.707106781186547524)
_LN2_HIGH, _LN2_LOW = (
    _F32(0.693359375),
    _F32(-2.12194440e-4),
)  # ln 2 in two parts; the product of the first with a small integer is exact

# Cephes sinf and cosf: sin x = x + x^3 S(x^2), cos x = 1 - x^2 / 2 + x^4 C(x^2) for |x| <= pi/4; highest power first
_SIN_POLYNOMIAL = (-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1)
_COS_POLYNOMIAL = (2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2)
_FOUR_OVER_PI = _F32(1.27323954473516)
_QUARTER_PI_PARTS = (_F32(0.78515625), _F32(2.4187564849853515625e-4), _F32(3.77489497744594108e-8))  # pi/4 = their sum

_PAIRS_AT_A_TIME = 8192  # temporary arrays of this size stay in the cache


def blocks_float32(uniform: FloatArray) -> FloatArray:
    """Return float32 normal numbers from float32 uniform ones, in blocks of 16: 8 times u1, then 8 times u2.

    Shape: (16 n,) -> (16 n,)
    Source: `normal_fill` in PyTorch 2.13, ATen/native/cpu/DistributionTemplates.h and avx_mathfun.h.
    """
    blocks = uniform.reshape(-1, 2, 8)
    normal = np.empty_like(blocks)
    step = _PAIRS_AT_A_TIME // 8
    for start in range(0, len(blocks), step):
        part = blocks[start : start + step]
        radius = np.sqrt(_F32(-2) * _log(_F32(1) - part[:, 0]))
        sine, cosine = _sin_and_cos(_F32(2 * math.pi) * part[:, 1])
        normal[start : start + step, 0] = radius * cosine
        normal[start : start + step, 1] = radius * sine
    return normal.reshape(-1)


def blocks_float64(uniform: FloatArray) -> FloatArray:
    """Return float64 normal numbers from float64 uniform ones, in blocks of 16: 8 times u1, then 8 times u2.

    Shape: (16 n,) -> (16 n,)
    Source: `normal_fill` in PyTorch 2.13, ATen/native/cpu/DistributionTemplates.h.
    """
    blocks = uniform.reshape(-1, 2, 8)
    radius = np.sqrt(-2.0 * c_library(math.log, 1.0 - blocks[:, 0]))
    angle = 2.0 * math.pi * blocks[:, 1]
    return np.stack((radius * c_library(math.cos, angle), radius * c_library(math.sin, angle)), axis=1).reshape(-1)


def one_by_one(uniform: FloatArray) -> FloatArray:
    """Return float64 normal numbers from pairs of float64 uniform ones; the first of a pair gives the angle.

    Shape: (2 n,) -> (2 n,)
    Source: `normal_distribution` in PyTorch 2.13, ATen/core/DistributionsHelper.h.
    """
    pairs = uniform.reshape(-1, 2)
    radius = np.sqrt(-2.0 * c_library(math.log1p, -pairs[:, 1]))
    angle = 2.0 * math.pi * pairs[:, 0]
    return np.stack((radius * c_library(math.cos, angle), radius * c_library(math.sin, angle)), axis=1).reshape(-1)


def c_library(function: Callable[[float], float], values: FloatArray) -> FloatArray:
    """Return `function` of every element, in float64 and in the shape of `values`.

    NumPy's vectorised `log1p`, `sin` and others may differ from the C library's in the last bit.
    """
    return np.fromiter(map(function, values.ravel().tolist()), np.float64, values.size).reshape(values.shape)


def _log(u: FloatArray) -> FloatArray:
    """Natural logarithm of float32 numbers in (0, 1]."""
    mantissa, exponent = np.frexp(u)
    small = mantissa < _SQRT_HALF
    x = np.where(small, mantissa + mantissa, mantissa) - _F32(1)
    e = (exponent - small).astype(_F32)
    square = x * x
    y = fma32(_polynomial(_LOG_POLYNOMIAL, x) * x, square, e * _LN2_LOW) - _F32(0.5) * square
    return (x + y) + e * _LN2_HIGH


def _sin_and_cos(angle: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Sine and cosine of float32 angles in [0, 2 pi], in radians."""
    octant = (angle * _FOUR_OVER_PI).astype(np.int32)
    octant = (octant + 1) & ~1  # the nearest multiple of pi/2, counted in pi/4
    count = octant.astype(_F32)
    high, middle, low = _QUARTER_PI_PARTS
    x = fma32(-count, low, (angle - count * high) - count * middle)
    square = x * x
    cosine = fma32(_polynomial(_COS_POLYNOMIAL, square) * square, square, _F32(-0.5) * square) + _F32(1)
    sine = fma32(_polynomial(_SIN_POLYNOMIAL, square) * square, x, x)
    # a rotation by pi/2 exchanges sine and cosine; the signs depend on the quadrant
    turned = (octant & 2) != 0
    sine_sign = np.where((octant & 4) != 0, _F32(-1), _F32(1))
    cosine_sign = np.where(((octant + 2) & 4) != 0, _F32(-1), _F32(1))
    return sine_sign * np.where(turned, cosine, sine), cosine_sign * np.where(turned, sine, cosine)


def _polynomial(coefficients: tuple[float, ...], x: Array) -> FloatArray:
    """Horner's rule in float32 with fused multiply-adds; coefficients from the highest power to the constant."""
    value: FloatArray = np.full_like(x, coefficients[0])
    for coefficient in coefficients[1:]:
        value = fma32(value, x, _F32(coefficient))
    return value
