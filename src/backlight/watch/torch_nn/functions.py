"""Activations that a model applies by functions, which no module's hook sees: `F.relu(self.fc1(x))`."""

from typing import Any, Final

import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from backlight.watch.adapter import OnFunction
from backlight.watch.kinds import FUNCTIONS


def _spellings() -> dict[Any, str]:
    """Return every way to write a function that is watched, with its name."""
    found: dict[Any, str] = {}
    for name in FUNCTIONS:
        for place in (torch, torch.Tensor, functional):
            for spelling in (name, f"{name}_"):
                if hasattr(place, spelling):
                    found[getattr(place, spelling)] = name
    return found


SPELLINGS: Final = _spellings()


class FunctionWatch(TorchFunctionMode):
    """While this is on, every call of such a function is passed on.

    Args:
        on_function: is given the function's name, its arguments, and what it returned.
    """

    def __init__(self, on_function: OnFunction) -> None:
        super().__init__()
        self._on_function = on_function

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call the function and pass it on."""
        del types
        out = func(*args, **(kwargs or {}))
        name = SPELLINGS.get(func)
        if name is not None and isinstance(out, torch.Tensor):
            self._on_function(name, args, kwargs or {}, out)
        return out
