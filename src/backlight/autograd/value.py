"""A number that records how it was computed: micrograd's `Value`, for graphs of a million nodes.

`plain_value.py` is the same idea on one page. The differences are for speed: slots instead of tuples of parents, and a
backward pass that does not sort (`value_backward.py`).
"""

import math
from collections.abc import Sequence
from operator import mul
from typing import Any, Final, cast

import numpy as np

from backlight.autograd.graph import Node, next_serial
from backlight.autograd.value_backward import backward_from
from backlight.core import DomainError, OperandError, ShapeError
from backlight.core.arguments import shown

Number = float | int

EXP_END: Final = 709.782712893384
"""The largest x for which exp(x) is a finite float."""


class Value(Node):
    """A number in a graph, with the derivative of the end of the graph with respect to it.

    Args:
        data: a real number.
        _children: the Values that it was computed from; empty for a leaf.
        _op: the symbol of the op that computed it.
        label: a name for drawings.

    Attributes:
        data: the number.
        grad: the derivative of y with respect to this Value, after `y.backward()`.
            Leaves accumulate over calls, as parameters do in PyTorch, until `zero_grad()`.

    Raises:
        OperandError: data that is not one real number: a string, a complex number, an array.
    Source: after A. Karpathy's micrograd (2020), whose interface it keeps.
    """

    # A node's first two parents and their local derivatives have slots of their own. Without tuples to create and to
    # scan for garbage, building a graph takes a third less time, and the backward pass a quarter less. A node with more
    # parents has the first in `_a` and the others in `_more`. `_users` counts the edges that lead to this node;
    # `_waits_for` belongs to the backward pass.
    __slots__ = (
        "__weakref__", "_a", "_b", "_by_a", "_by_b", "_more", "_op", "_serial", "_users", "_waits_for", "data", "grad",
        "label",
    )  # fmt: skip

    data: Number
    grad: Number
    _op: str
    _a: "Value | None"
    _by_a: Number
    _b: "Value | None"
    _by_b: Number
    _more: "tuple[tuple[Value, ...], tuple[Number, ...]] | None"
    _users: int
    _waits_for: int

    def __init__(self, data: Number, _children: "Sequence[Value]" = (), _op: str = "", label: str = "") -> None:
        self.data = data if type(data) is float else real_number(data)
        self.grad = 0.0
        self.label = label
        self._op = _op
        self._a = self._b = self._more = None
        self._by_a = self._by_b = 0.0
        self._users = self._waits_for = 0
        self._serial = next_serial()
        if _children:
            self._a, *others = _children
            for child in _children:
                child._users += 1
            if len(others) == 1:
                self._b = others[0]
            elif others:
                self._more = tuple(others), (0.0,) * len(others)

    def __repr__(self) -> str:
        return f"Value(data={self.data}, grad={self.grad})"

    def __float__(self) -> float:
        return float(self.data)

    # -- arithmetic: each result with its symbol, its parents and their local derivatives ------------------------------

    def __add__(self, other: "Value | Number") -> "Value":
        other = _value(other)
        return _made(self.data + other.data, "+", self, 1.0, other, 1.0)

    def __sub__(self, other: "Value | Number") -> "Value":
        other = _value(other)
        return _made(self.data - other.data, "-", self, 1.0, other, -1.0)

    def __mul__(self, other: "Value | Number") -> "Value":
        other = _value(other)
        a, b = self.data, other.data
        return _made(a * b, "*", self, b, other, a)

    def __truediv__(self, other: "Value | Number") -> "Value":
        other = _value(other)
        a, b = self.data, other.data
        if b == 0:
            raise DomainError(f"a divisor must not be 0; got {a!r} / {b!r}. Add a small number to it, or clip it.")
        y = a / b
        return _made(y, "/", self, 1 / b, other, -y / b)  # not a/b²: b² underflows to 0 where b does not

    def __pow__(self, other: "Value | Number") -> "Value":
        a = self.data
        if not isinstance(other, Value):  # a constant exponent: one parent, as in micrograd
            exponent = real_number(other)
            return _made(_power(a, exponent), f"**{exponent}", self, _slope(a, exponent))
        y = _power(a, other.data)
        if a < 0:
            raise DomainError(f"a base must not be negative if the exponent is a Value; got {a!r} ** {other.data!r}.")
        return _made(y, "**", self, _slope(a, other.data), other, y * math.log(a) if a else 0.0)

    def __neg__(self) -> "Value":
        return _made(-self.data, "neg", self, -1.0)

    def __radd__(self, other: Number) -> "Value":
        return Value(other) + self

    def __rsub__(self, other: Number) -> "Value":
        return Value(other) - self

    def __rmul__(self, other: Number) -> "Value":
        return Value(other) * self

    def __rtruediv__(self, other: Number) -> "Value":
        return Value(other) / self

    def __rpow__(self, other: Number) -> "Value":
        return Value(other) ** self

    # -- functions -----------------------------------------------------------------------------------------------------

    def exp(self) -> "Value":
        """Return e to this power; infinity above 709.78, where a float overflows."""
        y = math.inf if self.data > EXP_END else math.exp(self.data)
        return _made(y, "exp", self, y)

    def log(self) -> "Value":
        """Return the natural logarithm.

        Raises:
            DomainError: the number is not above 0.
        """
        if self.data <= 0:
            raise DomainError(f"log needs a number above 0; got {self.data!r}. Add a small number, or clip it.")
        return _made(math.log(self.data), "log", self, 1 / self.data)

    def tanh(self) -> "Value":
        """Return the hyperbolic tangent."""
        y = math.tanh(self.data)
        return _made(y, "tanh", self, 1 - y * y)

    def relu(self) -> "Value":
        """Return max(0, x); the derivative at 0 is defined as 0."""
        cut = self.data <= 0  # false for nan, which propagates
        return _made(0.0 if cut else self.data, "ReLU", self, 0.0 if cut else 1.0)

    def sigmoid(self) -> "Value":
        """Return 1 / (1 + exp(-x))."""
        e = math.exp(-abs(self.data))  # cannot overflow, and keeps the small end exact
        y = (1.0 if self.data >= 0 else e) / (1 + e)
        return _made(y, "sigmoid", self, y * (1 - y))

    def sin(self) -> "Value":
        """Return the sine of an angle in radians.

        Raises:
            DomainError: the angle is infinite.
        """
        _check_angle(self.data)
        return _made(math.sin(self.data), "sin", self, math.cos(self.data))

    def cos(self) -> "Value":
        """Return the cosine of an angle in radians.

        Raises:
            DomainError: the angle is infinite.
        """
        _check_angle(self.data)
        return _made(math.cos(self.data), "cos", self, -math.sin(self.data))

    @staticmethod
    def dot(weights: "Sequence[Value]", inputs: "Sequence[Value | Number]", bias: "Value") -> "Value":
        """Return bias + Σ weights · inputs as one node: a neuron before its activation.

        Args:
            weights: n Values.
            inputs: n Values or numbers; numbers become leaves, as in every op.
            bias: a Value. The parents of the result are the bias, the weights and the inputs, in this order.

        Raises:
            ShapeError: the numbers of inputs and weights differ.
            OperandError: weights or inputs that are not sequences.
        """
        try:
            matched = len(inputs) == len(weights)
        except TypeError:
            names = f"{type(weights).__name__} and {type(inputs).__name__}"
            raise OperandError(f"a dot product takes a list of weights and a list of inputs; got {names}.") from None
        if not matched:
            raise ShapeError(f"a dot product needs as many inputs as weights, {len(weights)}; got {len(inputs)}.")
        if {type(bias), *map(type, weights), *map(type, inputs)} == _VALUE:
            return Value._dot(weights, cast("Sequence[Value]", inputs), bias)
        values = [_value(number) for number in inputs]
        classes: list[type[Value]] = [type(value) for value in (bias, *weights, *values)]
        kind = max(classes, key=lambda kind: len(kind.mro()))  # a subclass may override `_dot`
        return kind._dot(weights, values, bias)

    @classmethod
    def _dot(cls, weights: "Sequence[Value]", inputs: "Sequence[Value]", bias: "Value") -> "Value":
        w, x = [weight.data for weight in weights], [value.data for value in inputs]
        made = _made(sum(map(mul, w, x), bias.data), "dot", bias, 1.0)
        made._more = (*weights, *inputs), (*x, *w)
        for value in inputs:
            value._users += 1
        for weight in weights:
            weight._users += 1
        return made

    # -- the graph -----------------------------------------------------------------------------------------------------

    @property
    def _prev(self) -> "tuple[Value, ...]":
        """The Values that it was computed from, in the order of the formula; empty for a leaf."""
        if self._a is None:
            return ()
        if self._b is not None:
            return (self._a, self._b)
        return (self._a, *self._more[0]) if self._more else (self._a,)

    def edges(self) -> "tuple[tuple[Value, Number], ...]":
        """Return (parent, local derivative) for each of `_prev`, in that order; empty for a leaf.

        An input that is used twice, as in `a * a`, occurs twice: the chain rule sums over edges.
        """
        by_others = (self._by_b,) if self._b is not None else self._more[1] if self._more else ()
        return tuple(zip(self._prev, (self._by_a, *by_others), strict=False))  # a leaf has no parent for `_by_a`

    # -- the backward pass ---------------------------------------------------------------------------------------------

    def backward(self) -> None:
        """Set `grad` of every Value that this one was computed from: the derivative of this one with respect to it.

        The gradients of leaves accumulate over calls; those of other nodes are replaced.
        """
        if self._a is None:
            self.grad += 1.0
        else:
            self.grad = 1.0
            backward_from(self)

    def zero_grad(self) -> None:
        """Set the gradient to 0."""
        self.grad = 0.0


_new = Value.__new__


def _made(data: Number, op: str, a: Value, by_a: Number, b: Value | None = None, by_b: Number = 0.0) -> Value:
    """Return a node with value `data`, computed by `op` from a and perhaps b, with its derivatives `by_a`, `by_b`."""
    made = _new(Value)
    made.data = data
    made.grad = 0.0
    made.label = ""
    made._op = op
    made._a = a
    made._by_a = by_a
    made._b = b
    made._by_b = by_b
    made._more = None
    made._users = 0
    made._waits_for = 0
    made._serial = next_serial()
    a._users += 1
    if b is not None:
        b._users += 1
    return made


_VALUE = {Value}


def _value(number: Value | Number) -> Value:
    return number if isinstance(number, Value) else Value(number)


def real_number(given: Any) -> Number:
    """Return a real number as a Python number. Raises OperandError for anything else."""
    if isinstance(given, (int, float)):
        return given
    if isinstance(given, (np.integer, np.floating)):
        number: Number = given.item()
        return number
    advice = " Use Tensor for arrays." if hasattr(given, "shape") else ""
    raise OperandError(f"a Value must be one real number; got {type(given).__name__} {shown(given)}.{advice}")


def _check_angle(angle: Number) -> None:
    """Raise DomainError for an infinite angle, which has no sine."""
    if math.isinf(angle):
        raise DomainError(f"an angle must be finite; got {angle!r}. Clip it.")


def _power(base: Number, exponent: Number) -> Number:
    """Return base ** exponent. Raises DomainError where that is not a finite real number."""
    if base == 0 and exponent < 0:
        raise DomainError(
            f"the base of a negative power must not be 0; got {base!r} ** {exponent!r}. Add a small number to the base."
        )
    if base < 0 and not float(exponent).is_integer():
        raise DomainError(f"a negative base needs a whole exponent; got {base!r} ** {exponent!r}.")
    try:
        return float(base**exponent) if isinstance(base, float) or exponent < 0 else base**exponent
    except OverflowError:
        raise DomainError(f"a power must stay below 1.8e308; got {base!r} ** {exponent!r}.") from None


def _slope(base: Number, exponent: Number) -> Number:
    """Return the derivative of base ** exponent with respect to the base: infinite for √x at 0."""
    if not exponent:  # constant, also at base 0
        return 0.0
    try:
        return exponent * _power(base, exponent - 1)
    except DomainError:
        infinite = math.copysign(math.inf, exponent)
        return -infinite if base < 0 and (exponent - 1) % 2 else infinite
