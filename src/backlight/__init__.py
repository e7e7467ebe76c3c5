"""Backlight: neural networks, lit from behind.

    model = backlight.train(["emma", "olivia", ...])     # or a file, or the name of a corpus
    model.sample(5, prefix="ma")

`train`, `load` and `Model` are the way in; see `backlight.model` for examples. `Value` and `Tensor` are the graph, and
`explain` shows how a gradient comes about; `backlight.nn`, `backlight.optim` and `backlight.models` build on it;
`backlight.torchlike` stands in for `torch` on a lecture's import line. The command is `backlight`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from backlight.autograd import Tensor, Value, no_grad
from backlight.explanation import explain

if TYPE_CHECKING:
    from backlight import models, nn, optim
    from backlight.model import Model, load, train

__all__ = ["Model", "Tensor", "Value", "explain", "load", "models", "nn", "no_grad", "optim", "train"]

_DOOR = {"Model", "load", "train"}


def __getattr__(name: str) -> Any:
    """Import the rest when it is first asked for, so that `import backlight` stays quick."""
    if name in _DOOR:
        return getattr(import_module("backlight.model"), name)
    if name in __all__:
        return import_module(f"backlight.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
