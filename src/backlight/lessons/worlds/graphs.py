"""The graphs of the world of single numbers, with every step of their forward and backward passes."""

from collections.abc import Callable
from typing import Any, Final

from backlight.autograd import Value
from backlight.explanation import explain
from backlight.lessons.stepping.walk import Walk


def _product() -> Value:
    a, b, c, k = (_named(name, value) for name, value in (("a", 2.0), ("b", -3.0), ("c", 10.0), ("k", -2.0)))
    return _named("L", _named("d", _named("e", a * b) + c) * k)


def _paths() -> Value:
    x = _named("x", 3.0)
    return _named("end", _named("u", x * 2) + _named("v", x * x))


def _neuron() -> Value:
    x, w, b = _named("x", 0.5), _named("w", -3.0), _named("b", 1.0)
    return _named("out", _named("s", _named("p", x * w) + b).tanh())


def _loss() -> Value:
    x, w, y = _named("x", 2.0), _named("w", 0.5), _named("y", 3.0)
    miss = _named("miss", _named("guess", x * w) - y)
    return _named("loss", miss * miss)


def _named(label: str, value: Value | float) -> Value:
    made = value if isinstance(value, Value) else Value(value)
    made.label = label
    return made


_GRAPHS: Final[dict[str, Callable[[], Value]]] = {
    "a product of a sum": _product,
    "where paths meet": _paths,
    "a neuron with tanh": _neuron,
    "a squared error": _loss,
}


def graphs() -> list[dict[str, Any]]:
    """Return each graph as plain values: its name, its drawing as SVG, and the steps of `Walk`."""
    walks = ((name, Walk(explain(make()), name.capitalize(), forward=True)) for name, make in _GRAPHS.items())
    return [{"name": name, "drawing": walk.drawing, "steps": walk.steps} for name, walk in walks]
