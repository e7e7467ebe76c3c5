"""One number that remembers where it came from: micrograd's `Value`."""

import math
from typing import Final

from backlight.autograd.graph import Node, next_serial
from backlight.core import DomainError

Number = float | int

FORMULAS: Final = {
    "+": "y = a + b      dy/da = 1            dy/db = 1",
    "-": "y = a - b      dy/da = 1            dy/db = -1",
    "*": "y = a b        dy/da = b            dy/db = a",
    "/": "y = a / b      dy/da = 1/b          dy/db = -a/b²",
    "**": "y = aᵇ         dy/da = b aᵇ⁻¹       dy/db = aᵇ ln a",
    "neg": "y = -a         dy/da = -1",
    "exp": "y = eᵃ         dy/da = y",
    "log": "y = ln a       dy/da = 1/a",
    "tanh": "y = tanh a     dy/da = 1 - y²",
    "ReLU": "y = max(0, a)  dy/da = 1 if a > 0, else 0",
    "sigmoid": "y = 1/(1+e⁻ᵃ)  dy/da = y (1 - y)",
    "sin": "y = sin a      dy/da = cos a",
    "cos": "y = cos a      dy/da = -sin a",
}
"""Each op's symbol (`Value._op`) with what it computes and its local derivatives."""


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
        _locals: the local derivative by each of `_prev`, kept as plain numbers.

    Source: after A. Karpathy's micrograd (2020), whose interface it keeps.
    """

    __slots__ = ("_locals", "_op", "data", "grad")

    def __init__(self, data: Number, _children: "tuple[Value, ...]" = (), _op: str = "", label: str = "") -> None:
        self.data = data
        self.grad: Number = 0.0
        self.label = label
        self._prev = tuple(_children)
        self._op = _op
        self._locals: tuple[Number, ...] = (0.0,) * len(self._prev)
        self._serial = next_serial()

    def __repr__(self) -> str:
        return f"Value(data={self.data}, grad={self.grad})"

    def __float__(self) -> float:
        return float(self.data)

    # -- arithmetic: the result, its parents, the symbol, and one local derivative for each parent ---------------------

    def __add__(self, other: "Value | Number") -> "Value":
        other = other if isinstance(other, Value) else Value(other)
        return _made(self.data + other.data, (self, other), "+", (1.0, 1.0))

    def __sub__(self, other: "Value | Number") -> "Value":
        other = other if isinstance(other, Value) else Value(other)
        return _made(self.data - other.data, (self, other), "-", (1.0, -1.0))

    def __mul__(self, other: "Value | Number") -> "Value":
        other = other if isinstance(other, Value) else Value(other)
        return _made(self.data * other.data, (self, other), "*", (other.data, self.data))

    def __truediv__(self, other: "Value | Number") -> "Value":
        other = other if isinstance(other, Value) else Value(other)
        a, b = self.data, other.data
        if b == 0:
            raise DomainError(f"a divisor must not be 0; got {a!r} / {b!r}. Add a small number to it, or clip it.")
        y = a / b
        return _made(y, (self, other), "/", (1 / b, -y / b))  # not a/b²: b² underflows to 0 where b does not

    def __pow__(self, other: "Value | Number") -> "Value":
        a = self.data
        if not isinstance(other, Value):  # a constant exponent: one parent, as in micrograd
            return _made(_power(a, other), (self,), f"**{other}", (_slope(a, other),))
        y = _power(a, other.data)
        if a < 0:
            raise DomainError(f"the base under a Value as exponent must not be negative; got {a!r} ** {other.data!r}.")
        return _made(y, (self, other), "**", (_slope(a, other.data), y * math.log(a) if a else 0.0))

    def __neg__(self) -> "Value":
        return _made(-self.data, (self,), "neg", (-1.0,))

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
        y = math.inf if self.data > _EXP_END else math.exp(self.data)
        return _made(y, (self,), "exp", (y,))

    def log(self) -> "Value":
        """Return the natural logarithm. Raises DomainError at and below 0."""
        if self.data <= 0:
            raise DomainError(f"log needs a number above 0; got {self.data!r}. Add a small number, or clip it.")
        return _made(math.log(self.data), (self,), "log", (1 / self.data,))

    def tanh(self) -> "Value":
        """Return the hyperbolic tangent."""
        y = math.tanh(self.data)
        return _made(y, (self,), "tanh", (1 - y * y,))

    def relu(self) -> "Value":
        """Return the number where it is positive and 0 elsewhere; the derivative at 0 is taken as 0."""
        cut = self.data <= 0  # not so for nan, which must stay in sight
        return _made(0.0 if cut else self.data, (self,), "ReLU", (0.0 if cut else 1.0,))

    def sigmoid(self) -> "Value":
        """Return 1 / (1 + exp(-x))."""
        e = math.exp(-abs(self.data))  # cannot overflow, and keeps the small end exact
        y = (1.0 if self.data >= 0 else e) / (1 + e)
        return _made(y, (self,), "sigmoid", (y * (1 - y),))

    def sin(self) -> "Value":
        """Return the sine of an angle in radians. Raises DomainError for an infinite one."""
        _check_angle(self.data)
        return _made(math.sin(self.data), (self,), "sin", (math.cos(self.data),))

    def cos(self) -> "Value":
        """Return the cosine of an angle in radians. Raises DomainError for an infinite one."""
        _check_angle(self.data)
        return _made(math.cos(self.data), (self,), "cos", (-math.sin(self.data),))

    # -- looking at it -------------------------------------------------------------------------------------------------

    def edges(self) -> "tuple[tuple[Value, Number], ...]":
        """Return (parent, local derivative) for each of `_prev`, in that order; none for a leaf.

        An input that is used twice, as in `a * a`, stands there twice: the chain rule sums over edges.
        """
        return tuple(zip(self._prev, self._locals, strict=True))

    # -- the walk back -------------------------------------------------------------------------------------------------

    def _push(self) -> None:
        grad = self.grad
        for parent, local in zip(self._prev, self._locals, strict=True):
            parent.grad += local * grad

    def backward(self) -> None:
        """Set the gradient of every Value that this one was made of: the derivative of this one by it.

        Leaves add to the gradient that they have; what lies between is computed afresh, so a second call on the same
        graph adds the same again to the leaves.
        """
        order = self.ancestry()
        for node in order:
            if node._prev:
                node.grad = 0.0
        self.grad = 1.0 if self._prev else self.grad + 1.0
        for node in order:
            node._push()

    def zero_grad(self) -> None:
        """Forget the gradient."""
        self.grad = 0.0


_EXP_END = 709.782712893384


def _check_angle(angle: Number) -> None:
    if math.isinf(angle):
        raise DomainError(f"an angle must be finite; got {angle!r}. Clip it, or look for what made it grow.")


def _made(data: Number, parents: tuple[Value, ...], op: str, local_derivatives: tuple[Number, ...]) -> Value:
    made = Value.__new__(Value)
    made.data = data
    made.grad = 0.0
    made.label = ""
    made._prev = parents
    made._op = op
    made._locals = local_derivatives
    made._serial = next_serial()
    return made


def _power(base: Number, exponent: Number) -> Number:
    """Return base ** exponent where that is one real, finite number."""
    if base == 0 and exponent < 0:
        raise DomainError(f"0 has no negative powers; got {base!r} ** {exponent!r}. Add a small number to the base.")
    if base < 0 and not float(exponent).is_integer():
        raise DomainError(f"a negative base needs a whole exponent; got {base!r} ** {exponent!r}.")
    try:
        return float(base**exponent) if isinstance(base, float) or exponent < 0 else base**exponent
    except OverflowError:
        raise DomainError(f"a power must stay below 1.8e308; got {base!r} ** {exponent!r}.") from None


def _slope(base: Number, exponent: Number) -> Number:
    """Return the derivative of base ** exponent by the base: infinite where it stands upright, as √x at 0."""
    if not exponent:  # constant, also at base 0
        return 0.0
    try:
        return exponent * _power(base, exponent - 1)
    except DomainError:
        upright = math.copysign(math.inf, exponent)
        return -upright if base < 0 and (exponent - 1) % 2 else upright
