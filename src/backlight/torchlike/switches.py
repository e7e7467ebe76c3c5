"""Switches of PyTorch: gradients off, and settings that change speed only."""

from contextlib import ContextDecorator
from typing import Any, Self

from backlight.autograd.graph import recording
from backlight.core import ConfigError
from backlight.core.arguments import check_flag, shown


class no_grad(ContextDecorator):  # noqa: N801  (PyTorch's name)
    """Record no graph: results need no gradient. For `with`, and as a decorator with or without parentheses."""

    def __new__(cls, function: Any = None) -> Any:
        """Return the block; or the decorated function, if there are no parentheses."""
        if function is None:
            return super().__new__(cls)
        if not callable(function):
            raise ConfigError(f"no_grad takes no argument, or decorates a function; got {shown(function)}.")
        return cls()(function)

    def __init__(self) -> None:
        self._before: list[bool] = []

    def _recreate_cm(self) -> Self:
        return self  # a decorated function may call itself, so __enter__ stacks what was before

    def __enter__(self) -> None:
        self._before.append(recording.on)
        recording.on = False

    def __exit__(self, *_: object) -> None:
        recording.on = self._before.pop()


class inference_mode(no_grad):  # noqa: N801  (PyTorch's name)
    """Record no graph, as `no_grad` does. For `with`, and as a decorator with or without parentheses.

    Args:
        mode: whether gradients are off.
    """

    def __new__(cls, mode: Any = True) -> Any:
        """Return the block; or the decorated function, if there are no parentheses."""
        return super().__new__(cls, mode if callable(mode) else None)

    def __init__(self, mode: bool = True) -> None:
        check_flag(mode=mode)
        super().__init__()
        self._off = mode

    def __enter__(self) -> None:
        self._before.append(recording.on)
        if self._off:
            recording.on = False


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
