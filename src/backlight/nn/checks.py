"""What every layer asks of its arguments: sizes, shares, a random generator, numbers to work on."""

import math
from typing import Any

import numpy as np

from backlight.autograd import Tensor, as_array
from backlight.autograd.tensor_base import Operand
from backlight.core import ConfigError


def check_sizes(**sizes: Any) -> None:
    """Raise ConfigError for the first size that is not a whole number, 1 or more."""
    for name, size in sizes.items():
        if not isinstance(size, (int, np.integer)) or isinstance(size, bool) or size < 1:
            raise ConfigError(f"{name} must be a whole number, at least 1; got {size!r}.")


def check_share(name: str, p: Any) -> None:
    """Raise ConfigError unless p is a share that can be dropped, 0 <= p < 1."""
    if not is_number(p) or not 0 <= p < 1:
        raise ConfigError(f"{name} is the share that is dropped, at least 0 and below 1; got {p!r}. Try 0.1.")


def check_eps(eps: Any) -> None:
    """Raise ConfigError unless eps is a finite number, 0 or more."""
    if not is_number(eps) or not (math.isfinite(eps) and eps >= 0):
        raise ConfigError(f"eps must be a finite number, 0 or more; got {eps!r}. Leave it out for 1e-5.")


def is_number(given: Any) -> bool:
    """Return whether something is one real number."""
    return isinstance(given, (int, float, np.integer, np.floating)) and not isinstance(given, bool)


def check_rng(rng: np.random.Generator | None, layer: str) -> np.random.Generator:
    """Return the generator that a layer draws from. Raises ConfigError where none was given."""
    if not isinstance(rng, np.random.Generator):
        raise ConfigError(f"{layer} draws random numbers from rng; got {rng!r}. Pass rng=np.random.default_rng(0).")
    return rng


def as_input(x: Operand, weight: Tensor) -> Tensor:
    """Return what a layer was given as a tensor; an array or a list takes the dtype of the layer's weights."""
    return x if isinstance(x, Tensor) else Tensor._holding(as_array(x, weight.array.dtype))
