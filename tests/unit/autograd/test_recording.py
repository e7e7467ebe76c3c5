"""Functions that choose items of lists, and look at numbers: recorded once, right for every example."""

# ruff: noqa: PLC3002  (expressions as a user may write them)

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from backlight.autograd import Value, batched, replayed
from backlight.autograd.native import library
from backlight.core import GraphError, IndexingError, OperandError


@pytest.fixture(params=["kernels", "numpy"], autouse=True)
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the recorded graph by both engines."""
    if request.param == "numpy":
        monkeypatch.setattr("backlight.autograd.batching.function.library", lambda: None)
    elif library() is None:
        pytest.skip("there are no kernels")


class Tables:
    """Lists to choose from, as attributes."""

    def __init__(self) -> None:
        self.rows = [[Value(0.1 * i + j) for j in range(2)] for i in range(5)]
        self.pair = (Value(2.0), Value(-3.0))
        self.named = {"rows": self.rows, "flat": [Value(float(i)) for i in range(5)]}


T = Tables()


def softmax(logits: list[Any]) -> list[Any]:
    largest = max(logit.data for logit in logits)
    powers = [(logit - largest).exp() for logit in logits]
    total = sum(powers)
    return [power / total for power in powers]


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "a row of an attribute": lambda i, j: T.rows[i][0] * T.rows[j][1],
    "a value in a dictionary": lambda i, j: T.named["flat"][i] * T.named["flat"][j] + T.named["rows"][j][0],
    "a list of its own": lambda i, j: (lambda made: made[i] * made[j].tanh())([x * x for x in T.named["flat"]]),
    "softmax": lambda i, j: (lambda p: -p[i].log())(softmax([x * T.pair[0] for x in T.named["flat"]])) + T.rows[j][0],
    "a number and an index": lambda i, j: i * T.named["flat"][i] + j,
    "min and data": lambda i, j: T.rows[i][0] * min(T.rows[i][1].data, T.rows[j][0].data) + T.rows[j][1].data,
    "max of numbers": lambda i, j: T.rows[i][0] * max(2, 3) + T.rows[j][0] * max([1.5, 0.5]),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_pair_of_indices(name: str) -> None:
    function = FUNCTIONS[name]
    leaves = [*(value for row in T.rows for value in row), *T.pair, *T.named["flat"]]
    pairs = [(i, j) for i in range(5) for j in range(5)]
    expected, gradients = [], np.zeros(len(leaves))
    for i, j in pairs:
        end = function(i, j)
        end.backward()
        expected.append(end.data)
    for place, leaf in enumerate(leaves):
        gradients[place] = leaf.grad
        leaf.zero_grad()
    run, once = batched(function), replayed(function)
    first, second = np.array(pairs).T
    assert_allclose(run(first, second), expected, rtol=1e-12)
    run.backward()
    assert_allclose([leaf.grad for leaf in leaves], gradients, rtol=1e-11, atol=1e-12)
    for leaf in leaves:
        leaf.zero_grad()
    for pair, result in zip(pairs, expected, strict=True):
        replay = once(*pair)
        assert float(replay) == pytest.approx(result, rel=1e-12)
        replay.backward()
    assert_allclose([leaf.grad for leaf in leaves], gradients, rtol=1e-11, atol=1e-12)
    for leaf in leaves:
        leaf.zero_grad()


def test_a_gradient_does_not_flow_through_data() -> None:
    a = Value(3.0)
    run = batched(lambda x: a * x.data + a.data * x + max(x.data, 0.0) * x)
    out = run([2.0, -1.0])
    assert out.tolist() == [6 + 6 + 4, -3 - 3]
    (by_x,) = run.backward()
    assert (a.grad, by_x.tolist()) == (2 - 1, [3 + 2, 3])


def test_the_data_of_a_parameter_is_read_at_each_call() -> None:
    a = Value(3.0)
    run = batched(lambda x: x * a.data + max(a.data, 1.0))
    assert run([2.0]).tolist() == [9.0]
    a.data = 5.0
    assert run([2.0]).tolist() == [15.0]
    run.backward()
    assert a.grad == 0


def test_values_that_the_first_call_makes_and_keeps_are_parameters() -> None:
    kept: list[Value] = []

    def function(i: Any) -> Value:
        if not kept:
            kept.extend(Value(float(n)) for n in range(3))
        return kept[i] * 2

    run = batched(function)
    assert run([0, 1, 2]).tolist() == [0.0, 2.0, 4.0]
    kept[1].data = 10.0
    assert run([1]).tolist() == [20.0]
    run.backward()
    assert [value.grad for value in kept] == [0.0, 2.0, 0.0]


def shares(i: Any) -> Value:
    first, second = [T.pair[0], T.pair[1]], [T.pair[0], T.pair[1], T.rows[0][0]]
    return first[i] + second[i]


def hidden(i: Any) -> Value:
    return list(T.named["flat"])[i]


def computes_with_an_index(i: Any) -> Value:
    return T.named["flat"][range(5)[i]]


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (shares, "indexes two lists that have some items in common"),
        (hidden, "index of a list only, as in table\\[token\\]; this one uses it with"),
        (computes_with_an_index, "index of a list only"),
        (lambda i: sum(T.named["flat"][: i + 1]), "uses a Value as an index"),
        (lambda i: T.named["flat"][i] if i > 2 else T.pair[0], "compares a Value with >"),
        (lambda i: [T.named["flat"], T.pair][i.__index__() % 2][0], "index of a list only"),
        (lambda i: T.named["flat"][i] * float(T.pair[0]), "converts a Value to float"),
    ],
)
def test_other_uses_of_an_index_are_refused_in_a_line(function: Callable[..., Any], says: str) -> None:
    with pytest.raises((GraphError, TypeError), match=says) as error:
        batched(function)([0, 1, 1])
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("wrong", [5, -1, 99])
def test_an_index_out_of_range_is_told_with_its_example(wrong: int) -> None:
    run = batched(FUNCTIONS["a row of an attribute"])
    run([0], [1])
    with pytest.raises(IndexingError, match=rf"example 1: an index must be in 0..4; got {wrong}"):
        run([0, wrong], [1, 1])
    assert isinstance(IndexingError("x"), IndexError)


def test_a_replay_is_differentiated_before_the_next_one() -> None:
    once = replayed(lambda i: T.named["flat"][i] * 2)
    first, second = once(1), once(2)
    with pytest.raises(GraphError, match="before the replayed function is called again"):
        first.backward()
    second.backward()
    assert (first.data, second.data, repr(second)) == (2.0, 4.0, "Replay(data=4.0)")
    with pytest.raises(OperandError, match="must be one real number"):
        Value(1.0) + second  # type: ignore[operator]
    with pytest.raises(GraphError, match="must return one Value; got a list of 2"):
        replayed(lambda i: [T.named["flat"][i], T.pair[0]])(1)
    T.named["flat"][2].zero_grad()
