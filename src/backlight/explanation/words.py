"""The local derivatives of each op of Value, as formulas in names and as sentences."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from backlight.explanation.names import atom
from backlight.explanation.numbers import short, superscript

SATURATED: Final = 0.97
"""A unit with |tanh| above this passes on less than 6 % of its gradient: the lectures' threshold of saturation."""


@dataclass(frozen=True, kw_only=True)
class Edge:
    """An edge of the graph: one input of one op.

    Args:
        op: the symbol of the op, as in `Value._op`.
        place: the index of the input.
        names: the names of all inputs.
        result: the name of the result.
        data: the value of the result.
        local: the local derivative.
    """

    op: str
    place: int
    names: Sequence[str]
    result: str
    data: float
    local: float

    @property
    def a(self) -> str:
        """The name of the first input, for use in a formula."""
        return atom(self.names[0])

    @property
    def b(self) -> str:
        """The name of the second input, for use in a formula."""
        return atom(self.names[1])

    @property
    def y(self) -> str:
        """The name of the result, for use in a formula."""
        return atom(self.result)


def formula(edge: Edge) -> str:
    """Return the local derivative in names, such as "1 - o²". For an op that is not one of Value's, its number."""
    if edge.op.startswith("**") and edge.op != "**":
        return _power(edge, float(edge.op[2:]))
    if edge.op == "dot":
        return _partner(edge)
    rules = _FORMULAS.get(edge.op)
    return short(edge.local) if rules is None else rules[edge.place](edge)


def reason(edge: Edge) -> str:
    """Return an explanation of the local derivative: a sentence without its full stop that ends in the number."""
    number, names = short(edge.local), formula(edge)
    slope = number if names == number else f"{names} = {number}"
    if edge.op.startswith("**") and edge.op != "**":
        return _power_reason(float(edge.op[2:]), slope)
    if edge.op == "dot":
        if edge.place == 0:
            return f"A dot product passes the gradient on unchanged to its bias: its derivative is {slope}"
        return f"The derivative of a dot product with respect to one factor is the other factor: {slope}"
    rules = _REASONS.get(edge.op)
    return f"The derivative of {edge.op} here is {slope}" if rules is None else rules[edge.place](edge, slope)


def _tanh(edge: Edge, slope: str) -> str:
    if abs(edge.data) > SATURATED:
        return f"tanh is saturated at {short(edge.data)}: its derivative here is only {slope}"
    return f"The derivative of tanh here is {slope}"


def _relu(edge: Edge, slope: str) -> str:
    name = edge.names[0]
    if edge.local:
        return f"{name} is above 0, so the derivative of relu is {slope}"
    return f"{name} is not above 0, so the derivative of relu is {slope} and no gradient passes"


_FORMULAS: Final[dict[str, tuple[Callable[[Edge], str], ...]]] = {
    "+": (lambda _: "1", lambda _: "1"),
    "-": (lambda _: "1", lambda _: "-1"),
    "*": (lambda e: e.names[1], lambda e: e.names[0]),
    "/": (lambda e: f"1 / {e.b}", lambda e: f"-{e.y} / {e.b}"),
    "**": (lambda e: f"{e.b} {e.a}^({e.names[1]} - 1)", lambda e: f"{e.y} ln {e.a}"),
    "neg": (lambda _: "-1",),
    "exp": (lambda e: e.result,),
    "log": (lambda e: f"1 / {e.a}",),
    "tanh": (lambda e: f"1 - {e.y}²",),
    "ReLU": (lambda e: short(e.local),),
    "sigmoid": (lambda e: f"{e.y} (1 - {e.y})",),
    "sin": (lambda e: f"cos({e.names[0]})",),
    "cos": (lambda e: f"-sin({e.names[0]})",),
}

_REASONS: Final[dict[str, tuple[Callable[[Edge, str], str], ...]]] = {
    "+": (lambda _, slope: f"A sum passes the gradient on unchanged: its derivative is {slope}",) * 2,
    "-": (
        lambda _, slope: f"A difference passes the gradient on unchanged to its first term: its derivative is {slope}",
        lambda _, slope: f"A difference changes the sign for its second term: its derivative is {slope}",
    ),
    "*": (lambda _, slope: f"The derivative of a product with respect to one factor is the other factor: {slope}",) * 2,
    "/": (
        lambda _, slope: f"The derivative of a quotient with respect to the dividend is 1 / divisor: {slope}",
        lambda _, slope: f"The derivative of a quotient with respect to the divisor is -quotient / divisor: {slope}",
    ),
    "**": (
        lambda _, slope: f"The derivative of aᵇ with respect to a is b aᵇ⁻¹: {slope}",
        lambda _, slope: f"The derivative of aᵇ with respect to b is aᵇ ln a: {slope}",
    ),
    "neg": (lambda _, slope: f"A minus sign changes the sign of the gradient: its derivative is {slope}",),
    "exp": (lambda _, slope: f"The derivative of exp is its own value: {slope}",),
    "log": (lambda _, slope: f"The derivative of log is 1 over its input: {slope}",),
    "tanh": (_tanh,),
    "ReLU": (_relu,),
    "sigmoid": (lambda _, slope: f"The derivative of sigmoid here is {slope}",),
    "sin": (lambda _, slope: f"The derivative of sin is the cosine: {slope}",),
    "cos": (lambda _, slope: f"The derivative of cos is minus the sine: {slope}",),
}


def _partner(edge: Edge) -> str:
    """Return the factor of an input of a dot product, whose inputs are the bias, the weights, and then the x."""
    count = len(edge.names) // 2
    return "1" if edge.place == 0 else edge.names[edge.place + (count if edge.place <= count else -count)]


def _power(edge: Edge, exponent: float) -> str:
    """Return the derivative of a power with constant exponent, in names; that of a root in terms of the result."""
    if exponent == 2:
        return f"2 {edge.a}"
    if exponent == 0.5:
        return f"1 / (2 {edge.y})"
    if exponent in {0, 1}:
        return short(exponent)
    return f"{short(exponent)} {edge.a}{superscript(exponent - 1)}"


def _power_reason(exponent: float, slope: str) -> str:
    if exponent == 2:
        return f"The derivative of a square is twice the base: {slope}"
    if exponent == 0.5:
        return f"The derivative of a square root is 1 over twice the root: {slope}"
    if exponent in {0, 1}:
        what = "always 1" if exponent == 0 else "itself"
        return f"A number to the power {short(exponent)} is {what}: its derivative is {slope}"
    return f"The derivative of aⁿ is n aⁿ⁻¹: {slope}"
