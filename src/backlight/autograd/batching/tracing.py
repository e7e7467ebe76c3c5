"""Trace a function of Values: call it with Values whose numbers are unknown, and keep the graph that it builds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, NoReturn, cast

from backlight.autograd.graph import next_serial
from backlight.autograd.number import Value
from backlight.autograd.value import Number
from backlight.core import GraphError

Example = Any
"""One example of a column: a Value, a list of Values, or nested lists of them."""


@dataclass(frozen=True, kw_only=True)
class Trace:
    """The graph of a function.

    Attributes:
        inputs: the unknown Values that it was called with, in the order of the columns.
        outputs: the Values that it returned.
        single: whether it returned one Value rather than a sequence.
    """

    inputs: list[Value]
    outputs: list[Value]
    single: bool


def trace(function: Callable[..., Any], shapes: Sequence[tuple[int, ...]]) -> Trace:
    """Call a function with unknown Values and return the graph that it builds.

    Args:
        function: takes one example, made of Values, and returns a Value or a sequence of Values.
        shapes: the shape of each argument: () is one Value, (n,) a list of n, (n, m) a list of n lists.

    Raises:
        GraphError: the function uses the data of an argument, or returns something other than Values.
    """
    inputs: list[Value] = []
    arguments = [_unknown(shape, inputs) for shape in shapes]
    result = function(*arguments)
    outputs = [result] if isinstance(result, (Value, Real)) else result
    if not isinstance(outputs, Sequence) or not all(isinstance(output, (Value, Real)) for output in outputs):
        raise GraphError(f"a batched function must return a Value or a list of Values; got {type(result).__name__}.")
    values = [output if isinstance(output, Value) else Value(cast("Number", output)) for output in outputs]
    return Trace(inputs=inputs, outputs=values, single=outputs is not result)


def _unknown(shape: tuple[int, ...], inputs: list[Value]) -> Example:
    if shape:
        return [_unknown(shape[1:], inputs) for _ in range(shape[0])]
    inputs.append(_traced(""))
    return inputs[-1]


class Traced(Value):
    """A Value whose number is unknown: each op on it only records its parents."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"Traced({self._op or 'input'})"

    def __getattr__(self, name: str) -> NoReturn:
        if name in {"data", "grad"}:  # slots that are never set
            _refuse(f"reads .{name}")
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    # -- arithmetic ----------------------------------------------------------------------------------------------------

    def __add__(self, other: Value | Number) -> Value:
        return _binary("+", self, other)

    def __sub__(self, other: Value | Number) -> Value:
        return _binary("-", self, other)

    def __mul__(self, other: Value | Number) -> Value:
        return _binary("*", self, other)

    def __truediv__(self, other: Value | Number) -> Value:
        return _binary("/", self, other)

    def __pow__(self, other: Value | Number) -> Value:
        return _traced(f"**{float(other)}", self) if isinstance(other, Real) else _binary("**", self, other)

    def __neg__(self) -> Value:
        return _traced("neg", self)

    def __radd__(self, other: Value | Number) -> Value:
        return _binary("+", other, self)

    def __rsub__(self, other: Value | Number) -> Value:
        return _binary("-", other, self)

    def __rmul__(self, other: Value | Number) -> Value:
        return _binary("*", other, self)

    def __rtruediv__(self, other: Value | Number) -> Value:
        return _binary("/", other, self)

    def __rpow__(self, other: Value | Number) -> Value:
        return _binary("**", other, self)

    @classmethod
    def _dot(cls, weights: Sequence[Value], inputs: Sequence[Value], bias: Value) -> Value:
        return _traced("dot", bias, *weights, *inputs)

    # -- functions -----------------------------------------------------------------------------------------------------

    def exp(self) -> Value:
        """Return e to this power."""
        return _traced("exp", self)

    def log(self) -> Value:
        """Return the natural logarithm."""
        return _traced("log", self)

    def tanh(self) -> Value:
        """Return the hyperbolic tangent."""
        return _traced("tanh", self)

    def relu(self) -> Value:
        """Return max(0, x)."""
        return _traced("ReLU", self)

    def sigmoid(self) -> Value:
        """Return 1 / (1 + exp(-x))."""
        return _traced("sigmoid", self)

    def sin(self) -> Value:
        """Return the sine of an angle in radians."""
        return _traced("sin", self)

    def cos(self) -> Value:
        """Return the cosine of an angle in radians."""
        return _traced("cos", self)

    # -- operations that need the number -------------------------------------------------------------------------------

    def __bool__(self) -> bool:
        return _refuse("uses a Value as a condition")

    def __float__(self) -> float:
        return _refuse("converts a Value to float")

    def __int__(self) -> int:
        return _refuse("converts a Value to int")

    def __index__(self) -> int:
        return _refuse("uses a Value as an index")

    def __lt__(self, other: object) -> bool:
        return _refuse("compares a Value with <")

    def __le__(self, other: object) -> bool:
        return _refuse("compares a Value with <=")

    def __gt__(self, other: object) -> bool:
        return _refuse("compares a Value with >")

    def __ge__(self, other: object) -> bool:
        return _refuse("compares a Value with >=")

    def __eq__(self, other: object) -> bool:
        return self is other or _refuse("compares a Value with ==")

    __hash__ = Value.__hash__

    def backward(self) -> None:
        """Raise GraphError: without numbers there are no derivatives."""
        _refuse("calls backward()")


def _traced(op: str, *parents: Value) -> Traced:
    made = Traced.__new__(Traced)
    made.label = ""
    made._op = op
    made._a = made._b = made._more = None
    if parents:
        made._a, *others = parents
        if len(others) == 1:
            made._b = others[0]
        elif others:
            made._more = tuple(others), ()
    made._serial = next_serial()
    return made


def _binary(op: str, left: Any, right: Any) -> Value:
    parents = []
    for side in (left, right):
        if not isinstance(side, (Value, Real)):
            raise TypeError(f"unsupported operand for {op}: {type(side).__name__}")
        parents.append(side if isinstance(side, Value) else Value(cast("Number", side)))
    return _traced(op, *parents)


def _refuse(action: str) -> NoReturn:
    raise GraphError(
        f"a batched function must do the same for every example; this one {action}, which differs between examples. "
        "Use relu() instead of an if, or call the function for each example."
    )
