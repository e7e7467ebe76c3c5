"""The error function, and the GELU that is defined by it."""

import math
from typing import Any, Final

import numpy as np

from backlight.autograd.op import Op
from backlight.core import Array

_NODES_PER_UNIT: Final = 32
_END: Final = 6  # erf is 1 in float64 beyond
_TERMS: Final = 8


def _table() -> Array:
    """Return the Taylor coefficients of erf at 0, 1/32, 2/32, ..., one row for each, (nodes, terms)."""
    rows = []
    for node in range(_END * _NODES_PER_UNIT + 1):
        x = node / _NODES_PER_UNIT
        slope = 2 / math.sqrt(math.pi) * math.exp(-x * x)
        hermite = [1.0, 2 * x]
        while len(hermite) < _TERMS:
            n = len(hermite)
            hermite.append(2 * x * hermite[-1] - 2 * (n - 1) * hermite[-2])
        # the n-th derivative of erf is (-1)ⁿ⁻¹ Hₙ₋₁(x) erf'(x), with Hermite's polynomials H
        higher = [(-1) ** (n - 1) * hermite[n - 1] * slope / math.factorial(n) for n in range(1, _TERMS + 1)]
        rows.append([math.erf(x), *higher])
    return np.array(rows)


_TABLE: Final = _table()


def erf(x: Array) -> Array:
    """Return the error function of each element, (...), exact to 1e-15: a Taylor polynomial around the nearest node."""
    size = np.minimum(np.abs(x, dtype=np.float64), _END)
    node = np.rint(np.nan_to_num(size) * _NODES_PER_UNIT)
    h = size - node / _NODES_PER_UNIT
    terms = _TABLE[node.astype(np.intp)]
    y = np.array(terms[..., -1])
    for n in range(_TERMS - 1, -1, -1):
        y = y * h + terms[..., n]
    signed: Array = np.copysign(y, x).astype(x.dtype)
    return signed


class Erf(Op):
    """y = erf a."""

    name = "erf"
    formula = "y = erf a;  da = dy 2/√π e^(-a²)"

    @staticmethod
    def forward(a: Array) -> tuple[Array, Any]:
        return erf(a), a

    @staticmethod
    def backward(dy: Array, saved: Any) -> tuple[Array]:
        return (dy * ((2 / math.sqrt(math.pi)) * np.exp(-saved * saved)),)


class ExactGELU(Op):
    """y = a Φ(a), with the normal distribution function Φ itself. Source: Hendrycks & Gimpel 2016, arXiv:1606.08415."""

    name = "exact_gelu"
    formula = "y = a Φ(a);  da = dy [Φ(a) + a φ(a)]"

    @staticmethod
    def forward(a: Array) -> tuple[Array, Any]:
        share = 0.5 * (1 + erf(a * math.sqrt(0.5)))
        return a * share, (a, share)

    @staticmethod
    def backward(dy: Array, saved: Any) -> tuple[Array]:
        a, share = saved
        return (dy * (share + a * ((1 / math.sqrt(2 * math.pi)) * np.exp(-0.5 * a * a))),)
