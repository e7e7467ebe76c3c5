"""Reverse-mode differentiation of single numbers, on one page: read this before `value.py`.

`Value` is a longer and faster version. Tests compare the two.

    a, b = PlainValue(2.0), PlainValue(-3.0)
    y = (a * b + 10).tanh()
    y.backward()
    a.grad                      # dy/da
"""

import math

Number = float | int


class PlainValue:
    """A number that records its parents, and its derivative with respect to each of them.

    Args:
        data: a real number.
        parents: the numbers that it was computed from; empty for a leaf.
        derivatives: its derivative with respect to each parent.

    Source: after A. Karpathy's micrograd (2020).
    """

    def __init__(
        self, data: Number, parents: "tuple[PlainValue, ...]" = (), derivatives: tuple[Number, ...] = ()
    ) -> None:
        self.data = data
        self.grad: Number = 0.0  # d end / d self, after end.backward()
        self.parents = parents
        self.derivatives = derivatives  # d self / d parent, for each parent

    def backward(self) -> None:
        """Set `grad` of every number that this one was computed from."""
        order: list[PlainValue] = []  # parents before children
        seen: set[PlainValue] = set()

        def visit(node: PlainValue) -> None:
            if node not in seen:
                seen.add(node)
                for parent in node.parents:
                    visit(parent)
                order.append(node)

        visit(self)
        for node in order:
            if node.parents:  # the gradients of leaves accumulate over calls, as in PyTorch
                node.grad = 0.0
        self.grad += 1.0
        for node in reversed(order):  # all paths from the end to this node have been summed by now
            for parent, derivative in zip(node.parents, node.derivatives, strict=True):
                parent.grad += derivative * node.grad  # the chain rule

    # -- arithmetic: each result with its parents and its derivatives --------------------------------------------------

    def __add__(self, other: "PlainValue | Number") -> "PlainValue":
        other = _value(other)
        return PlainValue(self.data + other.data, (self, other), (1.0, 1.0))

    def __mul__(self, other: "PlainValue | Number") -> "PlainValue":
        other = _value(other)
        return PlainValue(self.data * other.data, (self, other), (other.data, self.data))

    def __pow__(self, exponent: Number) -> "PlainValue":
        return PlainValue(self.data**exponent, (self,), (exponent * self.data ** (exponent - 1),))

    def exp(self) -> "PlainValue":
        """Return e to this power."""
        y = math.exp(self.data)
        return PlainValue(y, (self,), (y,))

    def log(self) -> "PlainValue":
        """Return the natural logarithm."""
        return PlainValue(math.log(self.data), (self,), (1 / self.data,))

    def tanh(self) -> "PlainValue":
        """Return the hyperbolic tangent."""
        y = math.tanh(self.data)
        return PlainValue(y, (self,), (1 - y * y,))

    def relu(self) -> "PlainValue":
        """Return max(0, x)."""
        return PlainValue(max(0.0, self.data), (self,), (1.0 if self.data > 0 else 0.0,))

    def __neg__(self) -> "PlainValue":
        return self * -1

    def __sub__(self, other: "PlainValue | Number") -> "PlainValue":
        return self + -_value(other)

    def __truediv__(self, other: "PlainValue | Number") -> "PlainValue":
        return self * _value(other) ** -1

    def __radd__(self, other: Number) -> "PlainValue":
        return self + other

    def __rmul__(self, other: Number) -> "PlainValue":
        return self * other

    def __rsub__(self, other: Number) -> "PlainValue":
        return _value(other) - self

    def __rtruediv__(self, other: Number) -> "PlainValue":
        return _value(other) / self

    def __repr__(self) -> str:
        return f"PlainValue(data={self.data}, grad={self.grad})"


def _value(number: PlainValue | Number) -> PlainValue:
    return number if isinstance(number, PlainValue) else PlainValue(number)
