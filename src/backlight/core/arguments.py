"""Checks of arguments. Each raises an error of one line that states the rule and what was given."""

import math
from typing import Any

import numpy as np

from backlight.core.errors import ConfigError

LARGEST = 1 << 40
"""The largest size or count that is accepted; a larger one is a typing error, and would not fit into memory."""


def shown(given: Any, longest: int = 60) -> str:
    """Return a value as text for a message: on one line, and cut after `longest` characters."""
    try:
        text = " ".join(repr(given).split())
    except ValueError:  # a whole number with more digits than Python prints
        text = f"a number of {given.bit_length():,} bits"
    return text if len(text) <= longest else text[: longest - 3] + "..."


def is_number(given: Any) -> bool:
    """Return whether something is a real number of Python or NumPy, and not a bool."""
    return isinstance(given, (int, float, np.integer, np.floating)) and not isinstance(given, bool)


def is_finite(number: Any) -> bool:
    """Return whether a number is finite and fits a float."""
    try:
        return math.isfinite(number)
    except OverflowError:
        return False


def is_whole(given: Any) -> bool:
    """Return whether something is a whole number of Python or NumPy, and not a bool."""
    return isinstance(given, (int, np.integer)) and not isinstance(given, bool)


def check_whole(least: int = 1, **numbers: Any) -> None:
    """Raise ConfigError for the first argument that is not a whole number from `least` to `LARGEST`."""
    for name, given in numbers.items():
        if not is_whole(given) or given < least:
            raise ConfigError(f"{name} must be a whole number, at least {least}; got {shown(given)}.")
        if given > LARGEST:
            raise ConfigError(f"{name} must be at most {LARGEST:,}; got {shown(given)}.")


def check_number(least: float = -math.inf, **numbers: Any) -> None:
    """Raise ConfigError for the first argument that is not a finite real number of at least `least`."""
    for name, given in numbers.items():
        if not is_number(given) or not is_finite(given) or given < least:
            rule = "a finite number" if least == -math.inf else f"a finite number, {least:g} or more"
            raise ConfigError(f"{name} must be {rule}; got {shown(given)}.")


def check_flag(**flags: Any) -> None:
    """Raise ConfigError for the first argument that is neither True nor False."""
    for name, given in flags.items():
        if not isinstance(given, (bool, np.bool_)):
            raise ConfigError(f"{name} must be True or False; got {shown(given)}.")


def check_share(**shares: Any) -> None:
    """Raise ConfigError for the first argument that is not a dropout probability, 0 <= p < 1."""
    for name, given in shares.items():
        if not is_number(given) or not 0 <= given < 1:
            raise ConfigError(f"{name} is a dropout probability, at least 0 and below 1; got {shown(given)}. Try 0.1.")


def check_rng(rng: Any, what: str) -> np.random.Generator:
    """Return the generator that was passed. Raises ConfigError if it is not a `numpy.random.Generator`."""
    if not isinstance(rng, np.random.Generator):
        raise ConfigError(f"{what} draws random numbers from rng; got {shown(rng)}. Pass rng=np.random.default_rng(0).")
    return rng
