"""`Value`, in C if that was compiled at installation, in Python otherwise: the same class to its users.

`value.py` is the class in Python. The C (`value_native`) asks it for whatever is rare: results of whole numbers, and
the errors of numbers that an op is undefined for.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from backlight.autograd.graph import Node
from backlight.autograd.value import Number, real_number
from backlight.autograd.value import Value as PythonValue
from backlight.autograd.value_native import compiled
from backlight.core import FloatArray, OperandError, ShapeError

_METHODS = {"ReLU": "relu", "neg": "__neg__", "+": "__add__", "-": "__sub__", "*": "__mul__", "/": "__truediv__"}


def _by_rule(op: str, a: Number, b: Number | None = None, constant: bool = False) -> tuple[Number, float, float]:
    """Return the result of an op and its derivatives with respect to a and b, from the class in Python.

    Args:
        op: the symbol of the op.
        a: the first operand.
        b: the second; None if there is none.
        constant: whether b is a constant exponent rather than a parent.
    """
    left = PythonValue(a)
    if b is None:
        made = getattr(left, _METHODS.get(op, op))()
    elif op == "**":
        made = left ** (b if constant else PythonValue(b))
    else:
        made = getattr(left, _METHODS[op])(PythonValue(b))
    return made.data, float(made._by_a), float(made._by_b)


def _dot(weights: Sequence["Value"], inputs: Sequence["Value | Number"], bias: "Value") -> "Value":
    try:
        matched = len(inputs) == len(weights)
    except TypeError:
        names = f"{type(weights).__name__} and {type(inputs).__name__}"
        raise OperandError(f"a dot product takes a list of weights and a list of inputs; got {names}.") from None
    if not matched:
        raise ShapeError(f"a dot product needs as many inputs as weights, {len(weights)}; got {len(inputs)}.")
    values = tuple(number if isinstance(number, Value) else Value(number) for number in inputs)
    made: Value = compiled.dot(tuple(weights), values, bias)
    return made


def _reduce(self: "Value") -> tuple[Any, ...]:
    """How `copy` and `pickle` make a Value again."""
    return _made_again, (type(self), self.data, self.grad, self.label, self._op, self.edges())


def _made_again(kind: Any, data: Number, grad: float, label: str, op: str, edges: Any) -> Any:
    return compiled.made_again(
        kind(data, tuple(parent for parent, _ in edges), op, label), grad, tuple(by for _, by in edges)
    )


def _compiled_value() -> type[PythonValue]:
    """Return the class in C, with the documentation of the one in Python."""
    made: Any = compiled.make_value(Node, _by_rule, real_number)
    made.__doc__ = PythonValue.__doc__
    made.dot = staticmethod(_dot)
    _dot.__doc__ = PythonValue.dot.__doc__
    made.__reduce__ = _reduce
    kind: type[PythonValue] = made
    return kind


if TYPE_CHECKING:
    Value = PythonValue
else:
    Value = PythonValue if compiled is None else _compiled_value()


def read_numbers(values: list[Value]) -> FloatArray:
    """Return the numbers of many Values, (values,) float64."""
    if compiled is None:
        return np.array([value.data for value in values], np.float64)
    numbers = np.empty(len(values))
    compiled.read(values, numbers)
    return numbers


def add_gradients(values: list[Value], gradients: FloatArray) -> None:
    """Add gradients, (values,) float64, to those of many Values."""
    if compiled is None:
        for value, gradient in zip(values, gradients.tolist(), strict=True):
            value.grad += gradient
    else:
        compiled.add_grads(values, np.ascontiguousarray(gradients))


def write_numbers(values: list[Value], numbers: FloatArray) -> None:
    """Set the numbers of many Values from (values,) float64."""
    if compiled is None:
        for value, number in zip(values, numbers.tolist(), strict=True):
            value.data = number
    else:
        compiled.write(values, numbers)


def take_gradients(values: list[Value]) -> FloatArray:
    """Return the gradients of many Values, (values,) float64, and set them to 0."""
    if compiled is not None:
        gradients = np.empty(len(values))
        compiled.take_grads(values, gradients)
        return gradients
    gradients = np.array([value.grad for value in values], np.float64)
    for value in values:
        value.grad = 0.0
    return gradients
