"""One number that remembers where it came from: micrograd's `Value`."""

import math
from collections.abc import Sequence
from operator import mul
from typing import cast

from backlight.autograd.graph import Node, next_serial
from backlight.autograd.value_math import EXP_END, Number, check_angle, power, slope
from backlight.autograd.value_walk import hand_back
from backlight.core import DomainError, ShapeError


class Value(Node):
    """A number in a graph, with the derivative of the graph's end by it.

    Args:
        data: the number.
        _children: the Values that it was computed from; empty for a leaf.
        _op: the symbol of the op that made it.
        label: a name for drawings.

    Attributes:
        data: the number.
        grad: after `backward()` on a Value made from this one, the derivative of that one by this one.
            Leaves accumulate over calls, as parameters do in PyTorch, until `zero_grad()`.

    Source: after A. Karpathy's micrograd (2020), whose interface it keeps.
    """

    # A node's first two parents and the derivatives by them have slots of their own: no tuple has to be made, kept and
    # looked through by the garbage collector, which takes a third off building a graph and a quarter off the way back.
    # What has more parents keeps the first in `_a` and the others in `_more`. `_users` counts the edges that lead here,
    # `_waits_for` is a note of the walk back.
    __slots__ = ("_a", "_b", "_by_a", "_by_b", "_more", "_op", "_users", "_waits_for", "data", "grad")

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
        self.data = data
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

    # -- arithmetic: the result, its parents, the symbol, and one local derivative for each parent ---------------------

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
            return _made(power(a, other), f"**{other}", self, slope(a, other))
        y = power(a, other.data)
        if a < 0:
            raise DomainError(f"the base under a Value as exponent must not be negative; got {a!r} ** {other.data!r}.")
        return _made(y, "**", self, slope(a, other.data), other, y * math.log(a) if a else 0.0)

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
        """Return e to this power; infinity above 709.78, where a float ends."""
        y = math.inf if self.data > EXP_END else math.exp(self.data)
        return _made(y, "exp", self, y)

    def log(self) -> "Value":
        """Return the natural logarithm. Raises DomainError at and below 0."""
        if self.data <= 0:
            raise DomainError(f"log needs a number above 0; got {self.data!r}. Add a small number, or clip it.")
        return _made(math.log(self.data), "log", self, 1 / self.data)

    def tanh(self) -> "Value":
        """Return the hyperbolic tangent."""
        y = math.tanh(self.data)
        return _made(y, "tanh", self, 1 - y * y)

    def relu(self) -> "Value":
        """Return the number where it is positive and 0 elsewhere; the derivative at 0 is taken as 0."""
        cut = self.data <= 0  # not so for nan, which must stay in sight
        return _made(0.0 if cut else self.data, "ReLU", self, 0.0 if cut else 1.0)

    def sigmoid(self) -> "Value":
        """Return 1 / (1 + exp(-x))."""
        e = math.exp(-abs(self.data))  # cannot overflow, and keeps the small end exact
        y = (1.0 if self.data >= 0 else e) / (1 + e)
        return _made(y, "sigmoid", self, y * (1 - y))

    def sin(self) -> "Value":
        """Return the sine of an angle in radians. Raises DomainError for an infinite one."""
        check_angle(self.data)
        return _made(math.sin(self.data), "sin", self, math.cos(self.data))

    def cos(self) -> "Value":
        """Return the cosine of an angle in radians. Raises DomainError for an infinite one."""
        check_angle(self.data)
        return _made(math.cos(self.data), "cos", self, -math.sin(self.data))

    @staticmethod
    def dot(weights: "Sequence[Value]", inputs: "Sequence[Value | Number]", bias: "Value") -> "Value":
        """Return bias + Σ weights · inputs as one node: a neuron before its activation.

        Its parents are the bias, the weights and the inputs, in this order. Plain numbers among the inputs become
        leaves, as they do in every op.

        Raises:
            ShapeError: not as many inputs as weights.
        """
        if len(inputs) != len(weights):
            raise ShapeError(f"a dot product needs as many inputs as weights, {len(weights)}; got {len(inputs)}.")
        if {type(bias), *map(type, weights), *map(type, inputs)} == _VALUE:
            return Value._dot(weights, cast("Sequence[Value]", inputs), bias)
        values = [_value(one) for one in inputs]
        classes: list[type[Value]] = [type(value) for value in (bias, *weights, *values)]
        kind = max(classes, key=lambda kind: len(kind.mro()))  # a subclass may have a way of its own
        return kind._dot(weights, values, bias)

    @classmethod
    def _dot(cls, weights: "Sequence[Value]", inputs: "Sequence[Value]", bias: "Value") -> "Value":
        w, x = [weight.data for weight in weights], [one.data for one in inputs]
        made = _made(sum(map(mul, w, x), bias.data), "dot", bias, 1.0)
        made._more = (*weights, *inputs), (*x, *w)
        for one in inputs:
            one._users += 1
        for weight in weights:
            weight._users += 1
        return made

    # -- looking at it -------------------------------------------------------------------------------------------------

    @property
    def _prev(self) -> "tuple[Value, ...]":
        """The Values that it was computed from, in the order of the formula; none for a leaf."""
        if self._a is None:
            return ()
        if self._b is not None:
            return (self._a, self._b)
        return (self._a, *self._more[0]) if self._more else (self._a,)

    def edges(self) -> "tuple[tuple[Value, Number], ...]":
        """Return (parent, local derivative) for each of `_prev`, in that order; none for a leaf.

        An input that is used twice, as in `a * a`, stands there twice: the chain rule sums over edges.
        """
        by_others = (self._by_b,) if self._b is not None else self._more[1] if self._more else ()
        return tuple(zip(self._prev, (self._by_a, *by_others), strict=False))  # a leaf has no parent for `_by_a`

    # -- the walk back -------------------------------------------------------------------------------------------------

    def backward(self) -> None:
        """Set the gradient of every Value that this one was made of: the derivative of this one by it.

        Leaves add to the gradient that they have; what lies between is computed afresh, so a second call on the same
        graph adds the same again to the leaves.
        """
        if self._a is None:
            self.grad += 1.0
        else:
            self.grad = 1.0
            hand_back(self)

    def zero_grad(self) -> None:
        """Forget the gradient."""
        self.grad = 0.0


_new = Value.__new__


def _made(data: Number, op: str, a: Value, by_a: Number, b: Value | None = None, by_b: Number = 0.0) -> Value:
    """Return y, made by `op` from a and perhaps b, with dy/da and dy/db."""
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
