"""Names of the nodes of a graph: their labels, the numbers of constants, and v1, v2, ... for the others."""

import re
from collections.abc import Callable, Sequence
from itertools import count
from typing import Protocol, TypeVar

from backlight.autograd.graph import Node
from backlight.core import GraphError
from backlight.core.arguments import is_whole, shown

_TERMS = 2
"""The most terms of a dot product that an expression shows."""

_SIMPLE = re.compile(r"\w+(\.\w+)*")


def name_nodes(nodes: Sequence[Node], called: Callable[[Node], str]) -> list[str]:
    """Return a name for each node.

    Args:
        nodes: the nodes, youngest first, as from `ancestry()`.
        called: returns the name that a node already has, or "".
    """
    own = [called(node) for node in nodes]
    taken = set(own)
    fresh = (name for name in map("v{}".format, count(1)) if name not in taken)
    return [name or next(fresh) for name in reversed(own)][::-1]


class Named(Protocol):
    """A step of an explanation."""

    @property
    def name(self) -> str:
        """The name of its node."""


Found = TypeVar("Found", bound=Named)


def step_named(steps: Sequence[Found], name: str) -> Found:
    """Return the first step with this name: of several nodes, the youngest.

    Raises:
        GraphError: no step has this name.
    """
    for step in steps:
        if isinstance(name, str) and step.name == name:
            return step
    names = list(dict.fromkeys(step.name for step in steps))
    listed = ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")
    raise GraphError(f"the name must be that of a node, one of {listed}; got {shown(name)}.")


def step_at(steps: Sequence[Found], place: int) -> Found:
    """Return the step with this index.

    Raises:
        GraphError: the index is out of range.
    """
    if not is_whole(place) or not -len(steps) <= place < len(steps):
        raise GraphError(f"the step must be in 0..{len(steps) - 1}; got {shown(place)}.")
    return steps[place]


def atom(name: str) -> str:
    """Return a name for use inside a formula: in brackets unless it is a single word or number."""
    return name if _SIMPLE.fullmatch(name) else f"({name})"


def value_expression(op: str, operands: Sequence[str]) -> str:
    """Return the expression of a Value in the names of its parents: "x1 * w1", "tanh(n)", "a**2"."""
    if len(operands) == 2 and op in {"+", "-", "*", "/", "**"}:
        left, right = map(atom, operands)
        return f"{left} {op} {right}"
    if op.startswith("**") and len(operands) == 1:
        return f"{atom(operands[0])}{op}"
    if op == "neg":
        return f"-{atom(*operands)}"
    if op == "dot":
        bias, *factors = map(atom, operands)
        half = len(factors) // 2
        terms = [f"{weight} * {x}" for weight, x in zip(factors[:half], factors[half:], strict=True)]
        return " + ".join([bias, *terms[:_TERMS], *(["..."] if half > _TERMS else [])])
    return f"{op.lower()}({', '.join(operands)})"
