"""Backlight: small neural networks, written by hand in NumPy, trained on your own text, and inspected.

    model = backlight.train(["emma", "olivia", ...])     # or a file, or the name of a corpus
    model.sample(5, prefix="ma")

Start with `train`, `load` and `Model`; `backlight.model` has examples. In a notebook, `view` shows a training. `Value`
and `Tensor` are the autograd engine, and `explain` explains a gradient. `backlight.nn`, `backlight.optim` and
`backlight.models` build on them.
`backlight.torchlike` can replace `torch` in the import line of a lecture's code. The command line is `backlight`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from backlight.autograd import Tensor, Value, no_grad
from backlight.explanation import explain

if TYPE_CHECKING:
    from backlight import models, nn, optim
    from backlight.model import Model, load, train
    from backlight.studio.notebook import view

__all__ = ["Model", "Tensor", "Value", "explain", "load", "models", "nn", "no_grad", "optim", "train", "view"]

_WHERE = {"Model": "model", "load": "model", "train": "model", "view": "studio.notebook"}


def __getattr__(name: str) -> Any:
    """Import the other names when they are first used, so that `import backlight` is fast."""
    if name in _WHERE:
        return getattr(import_module(f"backlight.{_WHERE[name]}"), name)
    if name in __all__:
        return import_module(f"backlight.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
