"""The page-long PlainValue and the fast Value compute the same numbers and the same gradients."""

# ruff: noqa: ARG005  (an expression of two Values and a number may use fewer)

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backlight.autograd import Value
from backlight.autograd.plain_value import PlainValue

# each keeps the numbers small, so that no path runs away
STEPS: list[Callable[[Any, Any, float], Any]] = [
    lambda a, b, c: a + b * 0.5,
    lambda a, b, c: c - a * 0.5,
    lambda a, b, c: a.tanh() * b - c,
    lambda a, b, c: a / (b * b + 1) + 1 / (a * a + 2),
    lambda a, b, c: (a.tanh() + 1.5) ** c,
    lambda a, b, c: a.tanh().exp() + -b,
    lambda a, b, c: (a * a + 0.5).log(),
    lambda a, b, c: (a - b).relu() + 3 * a,
    lambda a, b, c: (a * a).tanh(),
]
numbers = st.floats(-2, 2).map(lambda x: round(x, 3))
steps = st.tuples(st.sampled_from(STEPS), st.integers(1, 40), st.integers(1, 40), numbers)


@given(leaves=st.lists(numbers, min_size=1, max_size=4), graph=st.lists(steps, min_size=1, max_size=40))
def test_numbers_and_gradients_are_the_same(leaves: list[float], graph: list[Any]) -> None:
    fast: list[Any] = [Value(x) for x in leaves]
    plain: list[Any] = [PlainValue(x) for x in leaves]
    for nodes in (fast, plain):
        for step, i, j, c in graph:
            nodes.append(step(nodes[-1 - i % len(nodes)], nodes[-1 - j % len(nodes)], c))
    for _ in range(2):  # the second pass adds to the leaves and renews the others
        fast[-1].backward()
        plain[-1].backward()
        for mine, reference in zip(fast, plain, strict=True):
            assert mine.data == pytest.approx(reference.data, rel=1e-12, abs=1e-12)
            assert mine.grad == pytest.approx(reference.grad, rel=1e-9, abs=1e-12)


def test_it_is_the_chain_rule() -> None:
    a, b = PlainValue(2.0), PlainValue(-3.0)
    y = a * b + a * a  # dy/da = b + 2a, dy/db = a
    y.backward()
    assert (y.data, a.grad, b.grad) == (-2.0, 1.0, 2.0)
    assert repr(a) == "PlainValue(data=2.0, grad=1.0)"
