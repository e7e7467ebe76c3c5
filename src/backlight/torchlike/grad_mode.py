"""Whether computations are recorded for a backward pass: `enable_grad`, `set_grad_enabled`, `is_grad_enabled`."""

from contextlib import ContextDecorator
from typing import Self

from backlight.autograd.graph import recording


def is_grad_enabled() -> bool:
    """Return whether computations of this thread are recorded."""
    return recording.on


class set_grad_enabled(ContextDecorator):  # noqa: N801  (PyTorch's name)
    """Record computations, or do not, from now on; or only inside a `with` block.

    Args:
        mode: whether to record.
    """

    def __init__(self, mode: bool) -> None:
        self._mode = bool(mode)
        self._before = [recording.on]
        recording.on = self._mode

    def __enter__(self) -> Self:
        recording.on = self._mode
        return self

    def __exit__(self, *_: object) -> None:
        recording.on = self._before[0]

    def clone(self) -> "set_grad_enabled":
        """Return another of the same mode."""
        return set_grad_enabled(self._mode)


class enable_grad(ContextDecorator):  # noqa: N801  (PyTorch's name)
    """Record computations inside a `with` block or a decorated function, also inside of no_grad."""

    def __init__(self) -> None:
        self._before: list[bool] = []

    def _recreate_cm(self) -> Self:
        return self

    def __enter__(self) -> None:
        self._before.append(recording.on)
        recording.on = True

    def __exit__(self, *_: object) -> None:
        recording.on = self._before.pop()
