"""Each op's local derivatives, in names and in words: why a Value passes on as much of its gradient as it does."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from backlight.explanation.names import atom
from backlight.explanation.numbers import short, superscript

SATURATED: Final = 0.97
"""A |tanh| above this passes less than 6 % of its gradient on: the lectures' mark of a saturated unit."""


@dataclass(frozen=True, kw_only=True)
class Edge:
    """One input of one op, with the numbers at which it was computed.

    Args:
        op: the op's symbol, as `Value._op` has it.
        place: which of the op's inputs it is, from 0.
        names: of all inputs.
        result: the name of what the op made.
        data: the number that the op made.
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
        """The first input's name, fit for a formula."""
        return atom(self.names[0])

    @property
    def b(self) -> str:
        """The second input's name, fit for a formula."""
        return atom(self.names[1])

    @property
    def y(self) -> str:
        """The result's name, fit for a formula."""
        return atom(self.result)


def formula(edge: Edge) -> str:
    """Return the local derivative in names: "1 - o²". For an op that is not one of Value's, its number."""
    if edge.op.startswith("**") and edge.op != "**":
        return _power(edge, float(edge.op[2:]))
    if edge.op == "dot":
        return _partner(edge)
    rules = _FORMULAS.get(edge.op)
    return short(edge.local) if rules is None else rules[edge.place](edge)


def reason(edge: Edge) -> str:
    """Return why the local derivative is what it is, as a sentence without its stop, which ends in the number."""
    number, names = short(edge.local), formula(edge)
    slope = number if names == number else f"{names} = {number}"
    if edge.op.startswith("**") and edge.op != "**":
        return _power_reason(float(edge.op[2:]), slope)
    if edge.op == "dot":
        what = "its bias, which is only added" if edge.place == 0 else "one factor is the other factor"
        return f"A dot product's slope by {what}: {slope}"
    rules = _REASONS.get(edge.op)
    return f"{edge.op} keeps its slope here: {slope}" if rules is None else rules[edge.place](edge, slope)


def _tanh(edge: Edge, slope: str) -> str:
    if abs(edge.data) > SATURATED:
        return f"tanh is saturated at {short(edge.data)} and hardly moves: its slope here is only {slope}"
    return f"tanh squashes: its slope here is {slope}"


def _relu(edge: Edge, slope: str) -> str:
    name = edge.names[0]
    if edge.local:
        return f"relu is open, as {name} is above 0: its slope is {slope}"
    return f"relu is shut, as {name} is not above 0: its slope is {slope}, and nothing passes"


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
    "+": (lambda _, slope: f"A sum passes the gradient on unchanged: its slope is {slope}",) * 2,
    "-": (
        lambda _, slope: f"A difference passes the gradient on unchanged to its first term: its slope is {slope}",
        lambda _, slope: f"A difference turns the sign for its second term: its slope is {slope}",
    ),
    "*": (lambda _, slope: f"A product's slope by one factor is the other factor: {slope}",) * 2,
    "/": (
        lambda _, slope: f"A quotient's slope by what is divided is 1 over the divisor: {slope}",
        lambda _, slope: f"A quotient's slope by its divisor is minus the quotient over the divisor: {slope}",
    ),
    "**": (
        lambda _, slope: f"A power's slope by its base is the exponent times the power one lower: {slope}",
        lambda _, slope: f"A power's slope by its exponent is the power times the logarithm of its base: {slope}",
    ),
    "neg": (lambda _, slope: f"A minus sign turns the sign of the gradient: its slope is {slope}",),
    "exp": (lambda _, slope: f"exp grows by what it is, so its slope is its own value: {slope}",),
    "log": (lambda _, slope: f"log grows the slower the larger its input: its slope is {slope}",),
    "tanh": (_tanh,),
    "ReLU": (_relu,),
    "sigmoid": (lambda _, slope: f"sigmoid squashes: its slope here is {slope}",),
    "sin": (lambda _, slope: f"sin's slope is the cosine: {slope}",),
    "cos": (lambda _, slope: f"cos's slope is minus the sine: {slope}",),
}


def _partner(edge: Edge) -> str:
    """Return what an input of a dot product is multiplied by: its inputs are bias, weights, and what these meet."""
    count = len(edge.names) // 2
    return "1" if edge.place == 0 else edge.names[edge.place + (count if edge.place <= count else -count)]


def _power(edge: Edge, exponent: float) -> str:
    """Return the derivative of a fixed power in names; for a root, by its result, which is how one says it."""
    if exponent == 2:
        return f"2 {edge.a}"
    if exponent == 0.5:
        return f"1 / (2 {edge.y})"
    if exponent in {0, 1}:
        return short(exponent)
    return f"{short(exponent)} {edge.a}{superscript(exponent - 1)}"


def _power_reason(exponent: float, slope: str) -> str:
    if exponent == 2:
        return f"A square's slope is twice its base: {slope}"
    if exponent == 0.5:
        return f"A square root's slope is 1 over twice the root: {slope}"
    if exponent in {0, 1}:
        what = "always 1" if exponent == 0 else "itself"
        return f"To the power {short(exponent)} a number is {what}: its slope is {slope}"
    return f"A power's slope is the exponent times the power one lower: {slope}"
