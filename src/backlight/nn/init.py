"""How large the first weights are: so that signals neither fade nor burst on their way through the layers.

A sum of `fan_in` products of independent numbers of variance 1 has variance `fan_in`; weights of standard deviation
1/sqrt(fan_in) undo that. A squashing function takes some of the spread away again; its gain gives it back.
"""

import math
from typing import Final, Literal

import numpy as np

from backlight.core import ConfigError, FloatArray
from backlight.core.arguments import check_rng, check_whole, shown

Nonlinearity = Literal["linear", "sigmoid", "tanh", "relu", "gelu"]

GAINS: Final[dict[str, float]] = {
    "linear": 1.0,
    "sigmoid": 1.0,
    "tanh": 5 / 3,
    "relu": math.sqrt(2),
    "gelu": math.sqrt(2),
}
"""Factor on the standard deviation for the function that follows (PyTorch's `calculate_gain`; GELU taken as ReLU)."""


def gain(nonlinearity: str) -> float:
    """Return the factor for the function that follows a layer.

    Raises:
        ConfigError: a function that is not in `GAINS`.
    """
    if not isinstance(nonlinearity, str) or nonlinearity not in GAINS:
        raise ConfigError(f"the non-linearity must be one of {', '.join(GAINS)}; got {shown(nonlinearity)}.")
    return GAINS[nonlinearity]


def kaiming_normal(fan_in: int, fan_out: int, *, rng: np.random.Generator, nonlinearity: str = "relu") -> FloatArray:
    """Return (fan_in, fan_out) float32 of standard deviation gain / sqrt(fan_in).

    Source: He et al. 2015, arXiv:1502.01852, eq. 10.
    """
    check_whole(fan_in=fan_in, fan_out=fan_out)
    return _normal(fan_in, fan_out, gain(nonlinearity) / math.sqrt(fan_in), rng)


def kaiming_uniform(fan_in: int, fan_out: int, *, rng: np.random.Generator, nonlinearity: str = "relu") -> FloatArray:
    """Return (fan_in, fan_out) float32, uniform, of standard deviation gain / sqrt(fan_in)."""
    check_whole(fan_in=fan_in, fan_out=fan_out)
    return _uniform(fan_in, fan_out, gain(nonlinearity) / math.sqrt(fan_in), rng)


def xavier_normal(fan_in: int, fan_out: int, *, rng: np.random.Generator, nonlinearity: str = "linear") -> FloatArray:
    """Return (fan_in, fan_out) float32 of standard deviation gain sqrt(2 / (fan_in + fan_out)).

    A compromise between the spread of signals in the forward pass and of gradients in the backward pass.
    Source: Glorot & Bengio 2010, eq. 12.
    """
    check_whole(fan_in=fan_in, fan_out=fan_out)
    return _normal(fan_in, fan_out, gain(nonlinearity) * math.sqrt(2 / (fan_in + fan_out)), rng)


def xavier_uniform(fan_in: int, fan_out: int, *, rng: np.random.Generator, nonlinearity: str = "linear") -> FloatArray:
    """Return (fan_in, fan_out) float32, uniform, of standard deviation gain sqrt(2 / (fan_in + fan_out)).

    Source: Glorot & Bengio 2010, eq. 16.
    """
    check_whole(fan_in=fan_in, fan_out=fan_out)
    return _uniform(fan_in, fan_out, gain(nonlinearity) * math.sqrt(2 / (fan_in + fan_out)), rng)


def _normal(fan_in: int, fan_out: int, std: float, rng: np.random.Generator) -> FloatArray:
    check_rng(rng, "an initialisation")
    return (rng.standard_normal((fan_in, fan_out)) * std).astype(np.float32)


def _uniform(fan_in: int, fan_out: int, std: float, rng: np.random.Generator) -> FloatArray:
    check_rng(rng, "an initialisation")
    bound = math.sqrt(3) * std  # a uniform distribution on ±bound has standard deviation bound / sqrt(3)
    return rng.uniform(-bound, bound, (fan_in, fan_out)).astype(np.float32)
