"""A function of Values over a batch of arrays: the same numbers and gradients as example by example."""

# ruff: noqa: ARG005, B002, PLC3002, SIM300, FURB110  (expressions as a user may write them, with inputs to spare)

import math
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from backlight.autograd import Value, batched
from backlight.autograd.native import library
from backlight.autograd.value_native import SWITCH
from backlight.core import DomainError, GraphError, ShapeError
from backlight.nn.scalar import MLP, Neuron


@pytest.fixture(params=["kernels", "numpy"], autouse=True)
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the recorded graph by both engines."""
    if request.param == "numpy":
        monkeypatch.setattr("backlight.autograd.batching.function.library", lambda: None)
    elif library() is None:
        pytest.skip("there are no kernels")


def example_by_example(function: Callable[..., Any], columns: list[Any], weights: Any = None) -> tuple[Any, list[Any]]:
    """Return what the function gives for each example, and the gradients of the sum, weighted, by the columns.

    Gradients of other Values are added to them.
    """
    outputs, gradients = [], []
    for place in range(len(columns[0])):
        arguments = [_values(np.asarray(column, dtype=float)[place]) for column in columns]
        made = function(*arguments)
        many = made if isinstance(made, list) else [made]
        weight = np.atleast_1d(1.0 if weights is None else weights[place])
        total: Any = sum(one * float(w) for one, w in zip(many, np.broadcast_to(weight, len(many)), strict=True))
        total.backward()
        outputs.append([one.data for one in many] if isinstance(made, list) else made.data)
        gradients.append([_gradients(argument) for argument in arguments])
    return np.array(outputs), [np.array(by) for by in zip(*gradients, strict=True)]


def _values(array: Any) -> Any:
    return [_values(part) for part in array] if np.ndim(array) else Value(float(array))


def _gradients(argument: Any) -> Any:
    return [_gradients(part) for part in argument] if isinstance(argument, list) else argument.grad


def assert_same(function: Callable[..., Any], columns: list[Any], shared: list[Value], weights: Any = None) -> None:
    for value in shared:
        value.zero_grad()
    outputs, gradients = example_by_example(function, columns, weights)
    expected = [value.grad for value in shared]
    for value in shared:
        value.zero_grad()
    run = batched(function)
    assert_allclose(run(*columns), outputs, rtol=1e-12, atol=1e-12)
    ours = run.backward(1.0 if weights is None else weights)
    scale = max(1.0, *(abs(one) for one in expected), 1.0)
    assert_allclose([value.grad for value in shared], expected, rtol=1e-12, atol=1e-12 * scale)
    for mine, reference in zip(ours, gradients, strict=True):
        assert_allclose(mine, reference, rtol=1e-12, atol=1e-12)


# -- ops ---------------------------------------------------------------------------------------------------------------

OPS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "sums": lambda x, y, w: x + y + w + 2 + (1 + x),
    "differences": lambda x, y, w: x - w - (w - y) - 3 - (5 - x),
    "products": lambda x, y, w: x * w * y * 3 + 0.5 * w * (w * x),
    "quotients": lambda x, y, w: x / (y * y + 1) + w / (x * x + w * w + 1) + 2 / (w * w + 1) + x / 4,
    "constant powers": lambda x, y, w: x**2 + y**3 + (x * x + 1) ** 0.5 + (y * y + 1) ** -1.5 + w**2 + x**0 + x**1,
    "powers": lambda x, y, w: (x * x + 1) ** y + 2**x + (w * w + 1) ** w + (w * w + 1) ** x,
    "functions": lambda x, y, w: x.exp() + (y * y + 1).log() + (x * w).tanh() + y.sigmoid() + x.sin() * y.cos(),
    "relu": lambda x, y, w: x.relu() + (-x * w).relu() + (x - y).relu() * w + (w * 3).relu(),
    "negative": lambda x, y, w: -x * -(-y) + (-w),
    "functions of what is shared": lambda x, y, w: w.exp() * x + (w.tanh() + w.sin()) * (w * w + 1).log() - w.sigmoid(),
    "one input many times": lambda x, y, w: x * x * x + x / (x * x + 1) + x + x,
    "an input that is not used": lambda x, y, w: x * w,
    "what is shared alone": lambda x, y, w: w * w,
    "an input as it is": lambda x, y, w: y,
    "a parameter as it is": lambda x, y, w: w,
    "a number": lambda x, y, w: 3.5,
    "sum()": lambda x, y, w: sum([x, y, w, x * w, w * w]) * sum([w, w, w]),
    "sums in sums": lambda x, y, w: (x + y + w) * 2 + ((x + (y + (w + (x * y)))) + (w + w + w)),
    "a sum that is used twice": lambda x, y, w: (lambda s: (s + x) * (s + w))(x + y + w),
    "dot of the inputs": lambda x, y, w: Value.dot([w, w * w], [x, y], w).tanh(),
    "dot with numbers": lambda x, y, w: Value.dot([w, w], [2.0, 3.0], w) * x,
    "dot with both": lambda x, y, w: Value.dot([w, w * 2, w], [x, 3.0, w], w * w),
    "dot with inputs as weights": lambda x, y, w: Value.dot([x, y], [w, y], x),
    "dot with an input as bias": lambda x, y, w: Value.dot([w, w], [x, y], y),
    "dots on other inputs": lambda x, y, w: Value.dot([w, w * 2], [x, y], w) * Value.dot([w * 3, w], [y, x], w),
    "dots on the same inputs": lambda x, y, w: Value.dot([w, w * 2], [x, y], w) * Value.dot([w * 3, w], [x, y], w),
}


@pytest.mark.parametrize("name", OPS)
def test_ops(name: str, rng: np.random.Generator) -> None:
    x, y = rng.standard_normal((2, 5))
    w = Value(0.7)
    function = OPS[name]
    if name == "a number":
        assert_allclose(batched(lambda x, y: function(x, y, w))(x, y), 3.5)
    else:
        assert_same(lambda x, y: function(x, y, w), [x, y], [w], rng.standard_normal(5))


@pytest.mark.parametrize("engine", ["numpy"], indirect=True)
def test_ops_without_the_class_in_c() -> None:
    """Where nothing was compiled, another class records the ops."""
    test = f"{Path(__file__)}::test_ops"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-k", "numpy", test]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    done = subprocess.run(command, env={**environment, SWITCH: "0"}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert f"{len(OPS)} passed" in done.stdout


def test_lists_in_and_out(rng: np.random.Generator) -> None:
    w = [Value(one) for one in rng.standard_normal(3).tolist()]

    def function(rows: Any, x: Any) -> Any:
        return [sum(a * b for a, b in zip(row, w, strict=True)) * x for row in rows] + [w[0] * w[1], x]

    weights = rng.standard_normal((4, 4))
    assert_same(function, [rng.standard_normal((4, 2, 3)), rng.standard_normal(4)], w, weights)
    assert batched(function)(np.ones((7, 2, 3)), np.ones(7)).shape == (7, 4)
    assert batched(lambda x: [x])([1.0, 2.0]).shape == (2, 1)


def test_running_sums_are_outputs_and_terms(rng: np.random.Generator) -> None:
    w = Value(0.4)

    def running(x: Any) -> Any:
        sums = [w + x[0]]
        for one in x[1:]:
            sums.append(sums[-1] + one)
        return sums

    assert_same(running, [rng.standard_normal((3, 5))], [w], rng.standard_normal((3, 5)))


def test_gradients_are_added_and_by_the_last_call() -> None:
    w = Value(3.0)
    run = batched(lambda x: x * w)
    run([1.0, 2.0])
    run.backward()
    run([1.0, 2.0, 4.0])
    run.backward([1.0, 0.0, 10.0])
    run.backward(0.5)
    assert w.grad == 3 + 41 + 3.5


def test_parameters_are_read_at_each_call() -> None:
    w = Value(3.0)
    double = w * 2  # made before: computed anew too
    run = batched(lambda x: x * w + double)
    assert run([1.0, 2.0]).tolist() == [9.0, 12.0]
    w.data = 1.0
    assert run([1.0, 2.0]).tolist() == [3.0, 4.0]
    assert w.grad == 0
    (by_x,) = run.backward()
    assert (w.grad, by_x.tolist()) == (1 + 2 + 2 * 2, [1.0, 1.0])


def test_the_function_is_called_once_for_each_shape() -> None:
    calls = []

    def function(x: Any) -> Any:
        calls.append(1)
        return sum(x)

    run = batched(function)
    for rows, width in [(2, 3), (5, 3), (1, 3), (4, 2), (4, 2)]:
        assert_allclose(run(np.ones((rows, width))), width)
    assert len(calls) == 2 * 2  # once with unknown numbers, once to compare


def test_long_sums_and_deep_chains() -> None:
    w = Value(0.5)

    def chain(x: Any) -> Any:
        for _ in range(300):
            x = (x * w + 0.1).tanh()
        return x

    assert_same(chain, [np.linspace(-1, 1, 4)], [w])
    assert_allclose(batched(lambda x: sum([x] * 20_000))([1.0, 2.0]), [20_000, 40_000])
    assert_same(lambda x: sum(w * one for one in x) + w + sum([w * w] * 50), [np.ones((2, 40))], [w])


# -- random functions --------------------------------------------------------------------------------------------------

NODES: dict[str, Callable[[Any, Any, float], Any]] = {
    "add": lambda a, b, c: (a + b) * 0.5,
    "sum": lambda a, b, c: (a + b + c + a) * 0.25,
    "sub": lambda a, b, c: c - a * 0.5 + b * 0.5,
    "mul": lambda a, b, c: a.tanh() * b,
    "div": lambda a, b, c: a / (b * b + 1),
    "power": lambda a, b, c: (a.tanh() * a + 1) ** (0.2 * c),
    "power of two": lambda a, b, c: (a.tanh() + 1.5) ** b.tanh(),
    "tanh": lambda a, b, c: a.tanh(),
    "exp": lambda a, b, c: a.tanh().exp(),
    "log": lambda a, b, c: (a * a + 0.5).log(),
    "relu": lambda a, b, c: (a - c - 0.05).relu(),  # the place of the corner must not be hit by chance
    "sigmoid": lambda a, b, c: (c * a).sigmoid(),
    "sin": lambda a, b, c: a.sin(),
    "cos": lambda a, b, c: (a + b).cos(),
    "neg": lambda a, b, c: -a,
    "rdiv": lambda a, b, c: c / (a.sigmoid() + 1),
    "dot": lambda a, b, c: Value.dot([a, b], [b, Value(c)], a).tanh(),
}
small = st.floats(-2, 2, allow_nan=False).map(lambda x: round(x, 1))
node = st.tuples(st.sampled_from(sorted(NODES)), st.integers(0, 40), st.integers(0, 40), small)


@given(
    graph=st.lists(node, min_size=1, max_size=25),
    parameters=st.lists(small, min_size=1, max_size=3),
    inputs=st.integers(1, 3),
    examples=st.integers(1, 4),
    outputs=st.integers(1, 3),
    seed=st.integers(0, 1000),
)
def test_random_functions(
    graph: list[tuple[str, int, int, float]],
    parameters: list[float],
    inputs: int,
    examples: int,
    outputs: int,
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    shared = [Value(one) for one in parameters]

    def function(x: Any) -> Any:
        nodes = [*shared, *x]
        for name, first, second, number in graph:
            nodes.append(NODES[name](nodes[first % len(nodes)], nodes[second % len(nodes)], number))
        return nodes[-outputs:]

    weights = rng.standard_normal((examples, min(outputs, len(graph) + inputs + len(shared))))
    assert_same(function, [rng.standard_normal((examples, inputs))], shared, weights)


# -- networks ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_a_network(activation: str, rng: np.random.Generator) -> None:
    net = MLP(3, [5, 4, 2], activation=activation, rng=rng)
    assert_same(net, [rng.standard_normal((6, 3))], net.parameters(), rng.standard_normal((6, 2)))


def test_a_neuron_written_out(rng: np.random.Generator) -> None:
    neuron = Neuron(4, rng=rng)

    def written_out(x: Any) -> Any:
        return sum((w * one for w, one in zip(neuron.w, x, strict=True)), neuron.b).relu()

    X = rng.standard_normal((6, 4))
    assert_same(written_out, [X], neuron.parameters())
    assert_allclose(batched(written_out)(X), batched(neuron)(X), rtol=1e-13)


def test_two_moons_are_learned_by_the_same_steps() -> None:
    angle = np.linspace(0, np.pi, 10)
    X = np.concatenate(
        [np.stack([np.cos(angle), np.sin(angle)], 1), np.stack([1 - np.cos(angle), 0.5 - np.sin(angle)], 1)]
    )
    y = np.repeat([1.0, -1.0], 10)
    nets = [MLP(2, [6, 6, 1], rng=np.random.default_rng(4)) for _ in range(2)]

    def loss_of(net: MLP) -> Callable[..., Any]:
        return lambda x, label: (1 - label * net(x)).relu() + 1e-4 * sum(p * p for p in net.parameters())

    at_once = batched(loss_of(nets[1]))
    losses: list[list[float]] = [[], []]
    for _ in range(20):
        losses[0].append(float(np.mean(example_by_example(loss_of(nets[0]), [X, y], [1 / 20] * 20)[0])))
        losses[1].append(float(at_once(X, y).mean()))
        at_once.backward(1 / 20)
        for net in nets:
            for parameter in net.parameters():
                parameter.data -= 0.5 * parameter.grad
            net.zero_grad()
    assert losses[1][-1] < 0.8 * losses[1][0]
    assert_allclose(losses[1], losses[0], rtol=1e-10)


# -- what cannot be run on a batch -------------------------------------------------------------------------------------


def branch(x: Value) -> Value:
    return x if x > 0 else -x  # type: ignore[operator]


@pytest.mark.parametrize(
    ("function", "deed"),
    [
        (branch, "compares a Value with >"),
        (lambda x: x if x < 1 else x * 2, "compares a Value with <"),
        (lambda x: x if x >= 1 else x * 2, "compares a Value with >="),
        (lambda x: x if x <= 1 else x * 2, "compares a Value with <="),
        (lambda x: x if x == 1 else x * 2, "compares a Value with =="),
        (lambda x: x if x != 1 else x * 2, "compares a Value with =="),
        (lambda x: x if 0 < x else x * 2, "compares a Value with >"),
        (lambda x: x if Value(0.5) == x else x * 2, "compares a Value with =="),
        (lambda x: max(x, x * 2), "compares a Value with >"),
        (lambda x: x if x else x * 2, "uses a Value as a condition"),
        (lambda x: x if x.data > 0 else x * 2, "compares a Value with >"),
        (lambda x: x if (x * 2).data > 0 else x * 2, "compares a Value with >"),
        (lambda x: x * x.grad, r"reads \.grad"),
        (lambda x: x * float(x), "converts a Value to float"),
        (lambda x: x * int(x), "converts a Value to int"),
        (lambda x: [x, x][x], "uses a Value as an index"),
        (lambda x: (x * 2).backward() or x, r"calls backward\(\)"),
    ],
)
def test_looking_at_a_number_is_refused(function: Callable[..., Any], deed: str) -> None:
    with pytest.raises(GraphError, match=f"this one {deed}, which differs between examples") as error:
        batched(function)([1.0, 2.0])
    assert "\n" not in str(error.value)
    assert "Use relu()" in str(error.value)


def test_what_is_not_the_same_each_time_is_refused() -> None:
    rng = np.random.default_rng(1)
    run = batched(lambda x: x * rng.random())
    for _ in range(2):
        with pytest.raises(GraphError, match="must be deterministic; for the first example it returned"):
            run([1.0, 2.0])
    with pytest.raises(GraphError, match="needs a forward call"):
        run.backward()


@pytest.mark.parametrize("made", [None, "3", [1.0, "x"], {1: 2}])
def test_other_results_are_refused(made: Any) -> None:
    with pytest.raises(GraphError, match="must return a Value or a list of Values; got"):
        batched(lambda x: made)([1.0])


def test_ops_of_others_are_refused() -> None:
    with pytest.raises(GraphError, match="must use the ops of Value; got one computed by 'cube'"):
        batched(lambda x: Value(8.0, (Value(2.0),), "cube") * x)([1.0])


@pytest.mark.parametrize("columns", [[], [[]], [1.0], [[1.0, 2.0], [1.0]]])
def test_columns_must_fit(columns: list[Any]) -> None:
    with pytest.raises(ShapeError, match="same number of examples, at least one; got"):
        batched(lambda *x: x[0])(*columns)


def test_gradients_must_fit() -> None:
    run = batched(lambda x: [x, x * 2])
    with pytest.raises(GraphError, match="needs a forward call"):
        run.backward()
    run([1.0, 2.0, 3.0])
    with pytest.raises(ShapeError, match=r"result's shape, \(3, 2\); got \(3,\)"):
        run.backward([1.0, 2.0, 3.0])


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (lambda x: x.log(), r"example 1: log needs a number above 0; got -0\.5"),
        (lambda x: 1 / (x + 0.5), r"example 1: a divisor must not be 0; got 1\.0 / 0\.0"),
        (lambda x: (x + 0.5) ** -1, "example 1: the base of a negative power must not be 0"),
        (lambda x: x**0.5, r"example 1: a negative base needs a whole exponent; got -0\.5"),
        (lambda x: x ** (x * 0 + 2), "example 1: a base must not be negative if the exponent is a Value"),
        (lambda x: ((x - 2) * (x - 2) * 1e200) ** 2, "example 0: a power must stay below"),
        (lambda x: (x * 1e308 * 10).sin(), "example 0: an angle must be finite; got inf"),
        (lambda x: (x * 1e308 * 10).cos(), "example 0: an angle must be finite; got inf"),
        (lambda x: x + Value(-1.0).log(), "log needs a number above 0; got -1"),
    ],
)
def test_numbers_without_an_answer_are_told_with_their_example(function: Callable[..., Any], says: str) -> None:
    with pytest.raises(DomainError, match=says):
        batched(function)([1.0, -0.5, -0.5] if "example 1" in says else [1.0])


def test_what_a_value_answers_a_batch_answers() -> None:
    functions: list[Callable[[Any], Any]] = [
        lambda x: x**2 + (x * 1000).exp(),
        lambda x: (x * 1e308 * 10) ** 2,
        lambda x: (x * math.inf - x * math.inf).log() ** 0.5,
        lambda x: x.sigmoid() + (x * 1e5).tanh() + 1 / x,
    ]
    for function in functions:
        expected = [function(Value(x)).data for x in (-1.0, 2.0)]
        assert_allclose(batched(function)([-1.0, 2.0]), expected, rtol=1e-14)


def test_what_is_shared_says_so_without_an_example() -> None:
    w = Value(1.0)
    run = batched(lambda x: x * w.log())
    run([1.0])
    w.data = 0.0
    with pytest.raises(DomainError, match=r"^log needs a number above 0; got 0\.0"):
        run([1.0])
