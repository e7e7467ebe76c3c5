"""Initial weights, scaled so that activations neither vanish nor explode from layer to layer.

A sum of `fan_in` products of independent numbers of variance 1 has variance `fan_in`; weights with standard deviation
1/sqrt(fan_in) compensate for that. An activation function such as tanh reduces the variance; its gain compensates.
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
"""Factor on the standard deviation by the activation that follows: PyTorch's `calculate_gain`, with GELU as ReLU."""


def gain(nonlinearity: str) -> float:
    """Return the factor on the standard deviation by the activation that follows a layer.

    Raises:
        ConfigError: a name that is not in `GAINS`.
    """
    if not isinstance(nonlinearity, str) or nonlinearity not in GAINS:
        raise ConfigError(f"nonlinearity must be one of {', '.join(GAINS)}; got {shown(nonlinearity)}.")
    return GAINS[nonlinearity]


def kaiming_normal(fan_in: int, fan_out: int, *, rng: np.random.Generator, nonlinearity: str = "relu") -> FloatArray:
    """Return (fan_in, fan_out) float32, normal with standard deviation gain / sqrt(fan_in).

    Args:
        fan_in: number of inputs.
        fan_out: number of outputs.
        rng: draws the weights.
        nonlinearity: the activation that follows, a key of `GAINS`.

    Source: He et al. 2015, arXiv:1502.01852, eq. 10.
    """
    check_whole(fan_in=fan_in, fan_out=fan_out)
    return _normal(fan_in, fan_out, gain(nonlinearity) / math.sqrt(fan_in), rng)


def kaiming_uniform(fan_in: int, fan_out: int, *, rng: np.random.Generator, nonlinearity: str = "relu") -> FloatArray:
    """Return (fan_in, fan_out) float32, uniform with standard deviation gain / sqrt(fan_in).

    Args: see `kaiming_normal`.
    """
    check_whole(fan_in=fan_in, fan_out=fan_out)
    return _uniform(fan_in, fan_out, gain(nonlinearity) / math.sqrt(fan_in), rng)


def xavier_normal(fan_in: int, fan_out: int, *, rng: np.random.Generator, nonlinearity: str = "linear") -> FloatArray:
    """Return (fan_in, fan_out) float32, normal with standard deviation gain sqrt(2 / (fan_in + fan_out)).

    A compromise between constant variance of activations in the forward pass and of gradients in the backward pass.

    Args: see `kaiming_normal`.

    Source: Glorot & Bengio 2010, eq. 12.
    """
    check_whole(fan_in=fan_in, fan_out=fan_out)
    return _normal(fan_in, fan_out, gain(nonlinearity) * math.sqrt(2 / (fan_in + fan_out)), rng)


def xavier_uniform(fan_in: int, fan_out: int, *, rng: np.random.Generator, nonlinearity: str = "linear") -> FloatArray:
    """Return (fan_in, fan_out) float32, uniform with standard deviation gain sqrt(2 / (fan_in + fan_out)).

    Args: see `kaiming_normal`.

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
