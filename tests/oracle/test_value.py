"""A Value beside PyTorch's double: the same expressions, written by hand and drawn at random."""

# ruff: noqa: ARG005  (an expression of two Values may use one)

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from backlight.autograd import Value

EXPRESSIONS: dict[str, Callable[..., Any]] = {
    "sum and product": lambda a, b: a * b + a - b,
    "numbers on the right": lambda a, b: (a + 3) * 0.5 - 7 + b / 4 + a**3,
    "numbers on the left": lambda a, b: 3 + 0.5 * a - (7 - b) + 4 / b - (-a),
    "whole numbers": lambda a, b: 2 * a**2 - 3 * b ** (-1) + 1,
    "quotient": lambda a, b: (a - b) / (a * b + 5) + b / a,
    "powers": lambda a, b: (b * b) ** 0.5 + a**-2 + (b * b + 1) ** -1.5 + a**0 + a**1,
    "powers of numbers": lambda a, b: 2**a + 2.5 ** (a * b) + (b * b + 0.5) ** a,
    "exp, log": lambda a, b: (a * 0.1).exp() * (b * b).log(),
    "hyperbolic tangent by hand": lambda a, b: ((2 * a).exp() - 1) / ((2 * a).exp() + 1) + b.tanh(),
    "relu on both sides": lambda a, b: (a * b).relu() + (-a * b).relu() * b + (a - b).relu(),
    "sigmoid": lambda a, b: a.sigmoid() * (b * 20).sigmoid() + (a * -30).sigmoid(),
    "waves": lambda a, b: a.sin() * b.cos() + (a * b).sin() ** 2,
    "one input many times": lambda a, b: a * a * a + a / a + (a + a) * b,
    "a neuron": lambda a, b: (a * -3.0 + b * 1.0 + 6.88).tanh(),
}


def _diamonds(a: Any, b: Any) -> Any:
    x = a
    for _ in range(6):
        x = (x * b).tanh() + x * 0.5 - (x + b).relu() * 0.25
    return x


def _built_up(a: Any, b: Any) -> Any:
    total = a * 1.0
    total += b
    total *= a
    total -= 2
    total /= b
    total **= 2
    return total


EXPRESSIONS |= {"diamonds": _diamonds, "built up": _built_up}


@pytest.mark.parametrize("numbers", [(0.7, 2.3), (-1.9, 0.4), (1.5, -2.5), (3, -2)], ids=str)
@pytest.mark.parametrize("name", EXPRESSIONS)
def test_expressions(name: str, numbers: tuple[float, float]) -> None:
    mine = [Value(number) for number in numbers]
    theirs = [torch.tensor(float(number), dtype=torch.float64, requires_grad=True) for number in numbers]
    y, reference = EXPRESSIONS[name](*mine), EXPRESSIONS[name](*theirs)
    y.backward()
    reference.backward()
    assert y.data == pytest.approx(reference.item(), rel=1e-10, abs=1e-12)
    for leaf, twin in zip(mine, theirs, strict=True):
        expected = 0.0 if twin.grad is None else twin.grad.item()
        assert leaf.grad == pytest.approx(expected, rel=1e-10, abs=1e-12)


FUNCTIONS = ["exp", "log", "tanh", "relu", "sigmoid", "sin", "cos"]


FAR = [-1000.0, -40.0, -1.0, -1e-200, -0.0, 0.0, 1e-200, 0.5, 1.0, 20.0, 709.0, 1000.0, 1e300]


@pytest.mark.parametrize(("name", "x"), [(name, x) for name in FUNCTIONS for x in FAR if name != "log" or x > 0])
def test_functions_far_out(name: str, x: float) -> None:
    mine, twin = Value(x), torch.tensor(x, dtype=torch.float64, requires_grad=True)
    y, reference = getattr(mine, name)(), getattr(twin, name)()
    y.backward()
    reference.backward()
    assert twin.grad is not None
    assert y.data == pytest.approx(reference.item(), rel=1e-10, abs=0)
    assert mine.grad == pytest.approx(twin.grad.item(), rel=1e-10, abs=1e-300)


POWERS = [
    (base, exponent)
    for base in (0.0, 1e-200, 1e-150, -1e-150, 0.3, -0.3, 1.0, 2.0, 1e100)
    for exponent in (-3, -2, -1.0, 0, 0.0, 0.5, 1, 2, 2.0, 3.5)
    if (base or exponent >= 0) and (base >= 0 or exponent == int(exponent))
    if not base or exponent * math.log10(abs(base)) < 308
]


@pytest.mark.parametrize(("base", "exponent"), POWERS)
def test_powers_far_out(base: float, exponent: float) -> None:
    mine, twin = Value(base), torch.tensor(base, dtype=torch.float64, requires_grad=True)
    y, reference = mine**exponent, twin**exponent
    y.backward()
    reference.backward()
    assert twin.grad is not None
    assert y.data == pytest.approx(reference.item(), rel=1e-10, abs=0)
    assert mine.grad == pytest.approx(twin.grad.item(), rel=1e-10, abs=0)


@pytest.mark.parametrize(("a", "b"), [(1.0, 1e-200), (1e-200, 1e-200), (1e200, -1e200), (0.0, 1e-300), (-3.0, 7.0)])
def test_quotients_far_out(a: float, b: float) -> None:
    mine = [Value(a), Value(b)]
    twins = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in (a, b)]
    (mine[0] / mine[1]).backward()
    (twins[0] / twins[1]).backward()
    for leaf, twin in zip(mine, twins, strict=True):
        assert twin.grad is not None
        assert leaf.grad == pytest.approx(twin.grad.item(), rel=1e-10, abs=0)


# -- graphs drawn at random --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Step:
    """One more node of a random graph: a function of nodes that are there already, by their places counted back."""

    function: str
    first: int
    second: int
    number: float


# each keeps the numbers small, so that no path runs away
STEPS: dict[str, Callable[[Any, Any, float], Any]] = {
    "add": lambda a, b, c: (a + b) * 0.5,
    "sub": lambda a, b, c: c - a * 0.5 + b * 0.5,
    "mul": lambda a, b, c: a.tanh() * b,
    "div": lambda a, b, c: a / (b * b + 1),
    "power": lambda a, b, c: (a.tanh() * a + 1) ** (0.2 * c),
    "power of two": lambda a, b, c: (a.tanh() + 1.5) ** b.tanh(),
    "tanh": lambda a, b, c: a.tanh(),
    "exp": lambda a, b, c: a.tanh().exp(),
    "log": lambda a, b, c: (a * a + 0.5).log(),
    "relu": lambda a, b, c: (a - c).relu(),
    "sigmoid": lambda a, b, c: (c * a).sigmoid(),
    "sin": lambda a, b, c: a.sin(),
    "cos": lambda a, b, c: (a + b).cos(),
    "neg": lambda a, b, c: -a,
    "rdiv": lambda a, b, c: c / (a.sigmoid() + 1),
}
small = st.floats(-2, 2, allow_nan=False).map(lambda x: round(x, 3))
steps = st.builds(
    Step, st.sampled_from(sorted(STEPS)), st.integers(min_value=1, max_value=40), st.integers(1, 40), small
)


@given(leaves=st.lists(small, min_size=1, max_size=4), graph=st.lists(steps, min_size=1, max_size=40))
def test_random_graphs(leaves: list[float], graph: list[Step]) -> None:
    mine: list[Any] = [Value(x) for x in leaves]
    theirs: list[Any] = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in leaves]
    for nodes in (mine, theirs):
        for step in graph:
            a, b = nodes[-1 - step.first % len(nodes)], nodes[-1 - step.second % len(nodes)]
            nodes.append(STEPS[step.function](a, b, step.number))
    for node in theirs[len(leaves) :]:
        node.retain_grad()
    mine[-1].backward()
    theirs[-1].backward()
    for place, (node, twin) in enumerate(zip(mine, theirs, strict=True)):
        assert node.data == pytest.approx(twin.item(), rel=1e-10, abs=1e-12), place
        # a node that the end was not made of has no gradient there and 0 here
        assert node.grad == pytest.approx(0.0 if twin.grad is None else twin.grad.item(), rel=1e-10, abs=1e-12), place
