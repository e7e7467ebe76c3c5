"""Whether computations are recorded for a backward pass: `no_grad`, `enable_grad` and their kin."""

from contextlib import ContextDecorator
from typing import Any, Self

from backlight.autograd.graph import recording
from backlight.core import ConfigError
from backlight.core.arguments import check_flag, shown


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


class _GradMode(ContextDecorator):
    """A block, or a decorator with or without parentheses, in which computations are recorded or are not."""

    _records: bool

    def __new__(cls, function: Any = None) -> Any:
        """Return the block; or the decorated function, if there are no parentheses."""
        if function is None:
            return super().__new__(cls)
        if not callable(function):
            raise ConfigError(f"{cls.__name__} takes no argument, or decorates a function; got {shown(function)}.")
        return cls()(function)

    def __init__(self) -> None:
        self._before: list[bool] = []

    def _recreate_cm(self) -> Self:
        return self  # a decorated function may call itself, so __enter__ stacks what was before

    def __enter__(self) -> None:
        self._before.append(recording.on)
        recording.on = self._records

    def __exit__(self, *_: object) -> None:
        recording.on = self._before.pop()


class no_grad(_GradMode):  # noqa: N801  (PyTorch's name)
    """Record no graph: results need no gradient. For `with`, and as a decorator with or without parentheses."""

    _records = False


class enable_grad(_GradMode):  # noqa: N801  (PyTorch's name)
    """Record the graph, also inside of `no_grad`. For `with`, and as a decorator with or without parentheses."""

    _records = True


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
