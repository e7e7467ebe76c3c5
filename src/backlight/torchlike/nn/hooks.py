"""Functions that are called before or after a module's forward pass."""

from collections.abc import Callable
from typing import Any, NamedTuple, Self

from backlight.core import OperandError
from backlight.core.arguments import shown


class _Hook(NamedTuple):
    function: Callable[..., Any]
    with_kwargs: bool


class RemovableHandle:
    """What registering a hook returns: `remove()`, a call, or the end of a `with` block removes the hook."""

    def __init__(self, hooks: dict[Any, _Hook]) -> None:
        self._hooks = hooks

    def remove(self) -> None:
        """Remove the hook; if it has been removed, do nothing."""
        self._hooks.pop(self, None)

    __call__ = remove

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()


def register(hooks: dict[Any, _Hook], hook: Callable[..., Any], *, prepend: bool, with_kwargs: bool) -> RemovableHandle:
    """Add a hook to a module's hooks, at the end or at the beginning.

    Raises:
        OperandError: not a function.
    """
    if not callable(hook):
        raise OperandError(f"a hook must be a function; got {shown(hook)}.")
    handle = RemovableHandle(hooks)
    later = dict(hooks) if prepend else {}
    if prepend:
        hooks.clear()
    hooks[handle] = _Hook(hook, with_kwargs)
    hooks.update(later)
    return handle


def call(module: Any, inputs: tuple[Any, ...], settings: dict[str, Any]) -> Any:
    """Return the module's output for these arguments, which its hooks may replace."""
    for hook in list(module._pre_hooks.values()):
        if hook.with_kwargs:
            replaced = hook.function(module, inputs, settings)
            if replaced is not None:
                inputs, settings = replaced
        else:
            replaced = hook.function(module, inputs)
            if replaced is not None:
                inputs = replaced if isinstance(replaced, tuple) else (replaced,)
    out = module.forward(*inputs, **settings)
    for hook in list(module._hooks.values()):
        given = (inputs, settings, out) if hook.with_kwargs else (inputs, out)
        replaced = hook.function(module, *given)
        if replaced is not None:
            out = replaced
    return out
