"""Switches of PyTorch that change speed only, and so do nothing here."""

from typing import Any

from backlight.core import ConfigError
from backlight.core.arguments import shown


def compile(model: Any = None, **_: Any) -> Any:
    """Return a model or a function as it is: in PyTorch, compiling changes speed only. Also usable as a decorator."""
    return (lambda decorated: decorated) if model is None else model


def set_float32_matmul_precision(precision: str) -> None:
    """Do nothing: products are computed in full float32.

    Args:
        precision: "highest", "high" or "medium"; on a CPU, PyTorch also computes in full.

    Raises:
        ConfigError: another name.
    """
    if precision not in {"highest", "high", "medium"}:
        raise ConfigError(f"precision must be 'highest', 'high' or 'medium'; got {shown(precision)}.")


def get_float32_matmul_precision() -> str:
    """Return "highest": products are computed in full float32."""
    return "highest"


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Do nothing: the same seed always gives the same numbers on the same machine."""
    del mode, warn_only
