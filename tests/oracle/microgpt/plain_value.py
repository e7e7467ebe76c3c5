"""Value as CPython code writes it: children, local derivatives, and one loop that multiplies; the oracle of microgpt.

The algorithm is that of A. Karpathy's microgpt (2026), in our words. The search uses a list instead of recursion.
"""

import math


class Value:
    __slots__ = ("by", "data", "grad", "parents")

    def __init__(self, data, parents=(), by=()):
        self.data = data
        self.grad = 0
        self.parents = parents
        self.by = by

    def __add__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        return Value(self.data + other.data, (self, other), (1, 1))

    def __mul__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        return Value(self.data * other.data, (self, other), (other.data, self.data))

    def __pow__(self, exponent):
        return Value(self.data**exponent, (self,), (exponent * self.data ** (exponent - 1),))

    def exp(self):
        power = math.exp(self.data)
        return Value(power, (self,), (power,))

    def log(self):
        return Value(math.log(self.data), (self,), (1 / self.data,))

    def relu(self):
        return Value(max(0, self.data), (self,), (float(self.data > 0),))

    def __neg__(self):
        return self * -1

    def __radd__(self, other):
        return self + other

    def __rmul__(self, other):
        return self * other

    def __sub__(self, other):
        return self + (-other)

    def __rsub__(self, other):
        return other + (-self)

    def __truediv__(self, other):
        return self * other**-1

    def __rtruediv__(self, other):
        return other * self**-1

    def backward(self):
        order, seen, pending = [], {self}, [(self, iter(self.parents))]
        while pending:
            node, parents = pending[-1]
            for parent in parents:
                if parent not in seen:
                    seen.add(parent)
                    pending.append((parent, iter(parent.parents)))
                    break
            else:
                order.append(node)
                pending.pop()
        self.grad = 1
        for node in reversed(order):
            for parent, by in zip(node.parents, node.by):
                parent.grad += by * node.grad
