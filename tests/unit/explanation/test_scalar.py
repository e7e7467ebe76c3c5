"""An explanation of Values: the numbers of lecture 1, sums over paths, and words that say what happens."""

import dataclasses
import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backlight import Value, explain
from backlight.core import DomainError, GraphError
from backlight.explanation import Explanation
from backlight.explanation.expression import evaluate
from backlight.explanation.numbers import short
from backlight.explanation.scalar import check_finite
from backlight.nn.scalar import MLP

NEURON = "n = x1*w1 + x2*w2 + b; o = tanh(n)"
AT = {"x1": 2.0, "x2": 0.0, "w1": -3.0, "w2": 1.0, "b": 6.8813735870195432}


@pytest.fixture
def neuron() -> Explanation:
    return explain(evaluate(NEURON, AT))


def test_the_neuron_of_lecture_1(neuron: Explanation) -> None:
    assert neuron.end.name == "o"
    assert neuron.end.data == pytest.approx(0.7071067811865476)
    known = {"o": 1.0, "n": 0.5, "b": 0.5, "x1": -1.5, "w1": 1.0, "x2": 0.5, "w2": 0.0}
    assert {name: neuron[name].grad for name in known} == pytest.approx(known)
    assert neuron.gradients() == pytest.approx({name: known[name] for name in AT})
    (into_n,) = neuron["n"].contributions
    assert (into_n.formula, into_n.local, into_n.above) == ("1 - o²", pytest.approx(0.5), 1.0)
    (into_x1,) = neuron["x1"].contributions
    assert (into_x1.formula, into_x1.local, into_x1.product) == ("w1", -3.0, pytest.approx(-1.5))


def test_the_table_of_lecture_1(neuron: Explanation) -> None:
    lines = str(neuron).splitlines()
    assert lines[0].split() == [
        "node", "value", "formula", "used", "in", "local", "derivative", "x", "grad", "=", "gradient"
    ]  # fmt: skip
    assert [re.split(r" {2,}", line) for line in (lines[1], lines[2], lines[-1])] == [
        ["o", "0.7071", "tanh(n)", "the end", "1"],
        ["n", "0.8814", "v3 + b", "o", "1 - o² = 0.5", "1", "0.5"],
        ["x1", "2", "v1", "w1 = -3", "0.5", "-1.5"],
    ]
    assert max(map(len, lines)) <= 80
    assert len({len(line) for line in lines[1:]}) == 1, "the last column is aligned"


def test_words(neuron: Explanation) -> None:
    said = {step.name: neuron.words(place) for place, step in enumerate(neuron.steps)}
    assert said["o"] == "o is the end of the graph. Its derivative with respect to itself is 1."
    assert said["n"] == "The derivative of tanh here is 1 - o² = 0.5. The gradient of o is 1, so n gets 0.5 x 1 = 0.5."
    assert said["x1"] == (
        "The derivative of a product with respect to one factor is the other factor: w1 = -3. "
        "The gradient of v1 is 0.5, so x1 gets -3 x 0.5 = -1.5."
    )


def test_paths_add_up() -> None:
    explanation = explain(evaluate("a*a + 2*a - a", {"a": 3.0}))
    step = explanation["a"]
    assert [one.product for one in step.contributions] == [-1.0, 2.0, 3.0, 3.0]
    assert step.grad == 7.0
    assert explanation.words(len(explanation.steps) - 1).endswith(
        "The gradients of 4 paths into a add up: (-1) + 2 + 3 + 3 = 7."
    )
    assert re.search(r"the sum of 4 paths +7\n?", str(explanation))


@pytest.mark.parametrize(
    ("text", "slope", "says"),
    [
        ("a + 5", "1", "A sum passes the gradient on unchanged: its derivative is 1."),
        ("5 + a", "1", "A sum passes the gradient on unchanged: its derivative is 1."),
        ("a - 5", "1", "A difference passes the gradient on unchanged to its first term: its derivative is 1."),
        ("5 - a", "-1", "A difference changes the sign for its second term: its derivative is -1."),
        ("a * 5", "5", "The derivative of a product with respect to one factor is the other factor: 5."),
        ("b * a", "b", "The derivative of a product with respect to one factor is the other factor: b = 3."),
        (
            "a / 5", "1 / 5",
            "The derivative of a quotient with respect to the dividend is 1 / divisor: 1 / 5 = 0.2.",
        ),
        (
            "5 / a", "-y / a",
            "The derivative of a quotient with respect to the divisor is -quotient / divisor: -y / a = -1.25.",
        ),
        ("a**2", "2 a", "The derivative of a square is twice the base: 2 a = 4."),
        ("a**3", "3 a²", "The derivative of aⁿ is n aⁿ⁻¹: 3 a² = 12."),
        ("a**-1", "-1 a⁻²", "The derivative of aⁿ is n aⁿ⁻¹: -1 a⁻² = -0.25."),
        ("a**1.5", "1.5 a^0.5", "The derivative of aⁿ is n aⁿ⁻¹: 1.5 a^0.5 = 2.121."),
        ("a**1", "1", "A number to the power 1 is itself: its derivative is 1."),
        ("a**0", "0", "A number to the power 0 is always 1: its derivative is 0."),
        ("sqrt(a)", "1 / (2 y)", "The derivative of a square root is 1 over twice the root: 1 / (2 y) = 0.3536."),
        ("a**b", "b a^(b - 1)", "The derivative of aᵇ with respect to a is b aᵇ⁻¹: b a^(b - 1) = 12."),
        ("b**a", "y ln b", "The derivative of aᵇ with respect to b is aᵇ ln a: y ln b = 9.888."),
        ("-a", "-1", "A minus sign changes the sign of the gradient: its derivative is -1."),
        ("exp(a)", "y", "The derivative of exp is its own value: y = 7.389."),
        ("log(a)", "1 / a", "The derivative of log is 1 over its input: 1 / a = 0.5."),
        ("tanh(a/4)", "1 - y²", "The derivative of tanh here is 1 - y² = 0.7864."),
        ("tanh(a+b)", "1 - y²", "tanh is saturated at 0.9999: its derivative here is only 1 - y² = 1.82e-4."),
        ("relu(a)", "1", "a is above 0, so the derivative of relu is 1."),
        ("relu(a-b)", "0", "v1 is not above 0, so the derivative of relu is 0 and no gradient passes."),
        ("sigmoid(a)", "y (1 - y)", "The derivative of sigmoid here is y (1 - y) = 0.105."),
        ("sin(a)", "cos(a)", "The derivative of sin is the cosine: cos(a) = -0.4161."),
        ("cos(a)", "-sin(a)", "The derivative of cos is minus the sine: -sin(a) = -0.9093."),
    ],
)  # fmt: skip
def test_each_op_gives_its_reason(text: str, slope: str, says: str) -> None:
    names = {name: number for name, number in {"a": 2.0, "b": 3.0}.items() if re.search(rf"\b{name}\b", text)}
    end = evaluate(f"y = {text}", names)
    explanation = explain(end)
    inner = (
        "a"
        if "a" in {step.name for step in explanation.steps if 0 in [c.through for c in step.contributions]}
        else "v1"
    )
    (one,) = explanation[inner].contributions
    assert one.formula == slope
    assert f"{one.reason}." == says
    # the number in the words is the derivative, by central differences
    h = 1e-6
    if inner == "a":
        up, down = (evaluate(f"y = {text}", {**names, "a": 2.0 + step}).data for step in (h, -h))
        assert one.local == pytest.approx((up - down) / (2 * h), abs=1e-6)


def test_a_dot_product_gives_its_reasons() -> None:
    w, x = [Value(2.0, label="w0"), Value(-1.0, label="w1")], [Value(5.0, label="x0"), Value(7.0, label="x1")]
    explanation = explain(Value.dot(w, x, Value(0.5, label="b")))
    assert explanation.end.expression == "b + w0 * x0 + w1 * x1"
    formulas = {step.name: step.contributions[0].formula for step in explanation.steps[1:]}
    assert formulas == {"b": "1", "w0": "x0", "w1": "x1", "x0": "w0", "x1": "w1"}
    assert explanation["b"].contributions[0].reason.endswith("unchanged to its bias: its derivative is 1")
    assert explanation["w1"].contributions[0].reason.endswith("one factor is the other factor: x1 = 7")
    long = explain(Value.dot([Value(1.0)] * 9, [Value(2.0)] * 9, Value(0.0)))
    assert long.end.expression == "0 + 1 * 2 + 1 * 2 + ..."


def test_an_op_of_somebody_elses_is_shown_with_its_number() -> None:
    a, b = Value(2.0, label="a"), Value(3.0, label="b")
    explanation = explain(Value(5.0, (a, b), "mix", label="m"))
    assert explanation.end.expression == "mix(a, b)"
    assert explanation["a"].contributions[0].reason == "The derivative of mix here is 0"


@given(st.integers(0, 2**32 - 1))
def test_gradients_are_those_of_backward(seed: int) -> None:
    rng = np.random.default_rng(seed)
    leaves = [Value(float(number), label=f"x{i}") for i, number in enumerate(rng.normal(size=4))]
    nodes = list(leaves)
    for _ in range(12):
        a, b = (nodes[i] for i in rng.integers(0, len(nodes), 2))
        nodes.append([lambda a, b: a * b, lambda a, b: a + b, lambda a, b: a - b, lambda a, _: a.tanh(),
                      lambda a, b: a / (b * b + 1), lambda a, _: a.relu() * 2][rng.integers(6)](a, b))  # fmt: skip
    end = nodes[-1]
    explanation = explain(end)
    assert all(node.grad == 0 for node in nodes), "explaining touches nothing"
    end.backward()
    for step, node in zip(explanation.steps, end.ancestry(), strict=True):
        assert step.data == node.data
        assert step.grad == pytest.approx(node.grad, rel=1e-12, abs=1e-14)  # paths are summed in another order
        assert step.inputs == tuple(end.ancestry().index(parent) for parent in node._prev)
        if step.contributions:
            assert step.grad == math.fsum(one.product for one in step.contributions) or step.grad == pytest.approx(
                sum(one.product for one in step.contributions)
            )
        for one in step.contributions:
            assert one.product == one.local * one.above
            assert one.above == explanation.steps[one.through].grad


def test_names() -> None:
    a, v1 = Value(2.0, label="a"), Value(3.0, label="v1")
    end = (a * v1 + 10) * -3
    names = [step.name for step in explain(end).steps]
    assert names == ["v4", "-3", "v3", "10", "v2", "v1", "a"], "v1 is taken; constants go by their numbers"
    assert [step.expression for step in explain(end).steps if step.op] == ["v3 * (-3)", "v2 + 10", "a * v1"]
    spaced = Value(1.0, label="x1 w1") ** 2
    assert explain(spaced).end.expression == "(x1 w1)**2"
    assert explain(spaced, names={"w": spaced._prev[0]}).end.expression == "w**2"
    weights = MLP(2, [2, 1], rng=np.random.default_rng(0)).parameters()
    assert explain(weights[0] * 2, names=[("w0", weights[0])]).gradients() == {"w0": 2.0}


def test_of_equal_names_the_youngest_is_found() -> None:
    a = Value(2.0, label="a")
    b = a * 3
    b.label = "a"
    assert explain(b)["a"].data == 6.0
    with pytest.raises(GraphError, match="one of a, 3; got 'c'"):
        explain(b)["c"]


def test_a_leaf_is_its_own_end() -> None:
    explanation = explain(Value(2.0, label="x"))
    assert [(step.name, step.grad, step.contributions) for step in explanation.steps] == [("x", 1.0, ())]
    assert explanation.gradients() == {"x": 1.0}


def test_records_are_frozen_and_fit_for_json(neuron: Explanation) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        neuron.steps[0].grad = 2.0  # type: ignore[misc]
    found = neuron.to_json()
    assert found["end"] == "o"
    assert found["gradients"]["w1"] == pytest.approx(1.0)
    n = next(step for step in found["steps"] if step["name"] == "n")
    assert n["contributions"][0]["formula"] == "1 - o²"
    assert found["steps"][n["contributions"][0]["through"]]["name"] == "o"
    assert [found["steps"][at]["name"] for at in n["inputs"]] == ["v3", "b"]


def test_long_tables_are_cut() -> None:
    explanation = explain(evaluate("+".join(["x"] * 1_000), {"x": 1.0}))
    assert len(explanation.steps) == 1_000
    table = explanation.table(5)
    assert (len(table.rows), table.note) == (5, "... and 995 more nodes")
    assert str(explanation).endswith("... and 800 more nodes")
    few = explain(sum([Value(2.0, label="a")] * 9, Value(0.0, label="zero"))).table(None)
    assert sum("the sum of 9 paths" in row for row in few.rows) == 1
    wide = explain(Value.dot([a := Value(2.0, label="a")] * 9, [a] * 9, Value(0.0))).table(3)
    assert any("... 15 more paths" in row for row in wide.rows)
    assert any("the sum of 18 paths" in row for row in wide.rows)


def test_a_million_terms_are_no_deeper_than_one() -> None:
    x = node = Value(1.0, label="x")
    for _ in range(20_000):
        node = node + x
    explanation = explain(node)
    assert explanation["x"].grad == 20_001
    assert explanation.words(len(explanation.steps) - 1).endswith(" + ... = 20001.")


@pytest.mark.parametrize(
    ("text", "at", "says"),
    [
        ("exp(exp(x))", {"x": 10.0}, r"every value must be finite; v2 = exp\(v1\) is inf"),
        ("1e308 * 10 - 1e308 * x", {"x": 10.0}, r"v1 = 1e308 \* 10 is inf"),
        ("sqrt(x)", {"x": 0.0}, "every gradient must be finite; that of x, which is 0, is inf"),
        ("sqrt(x * 0)", {"x": 2.0}, r"that of v1 = x \* 0, which is 0, is inf"),
    ],
)
def test_what_leaves_the_range_of_floats_is_named(text: str, at: dict[str, float], says: str) -> None:
    with pytest.raises(DomainError, match=says) as caught:
        check_finite(explain(evaluate(text, at)))
    assert "\n" not in str(caught.value)


def test_only_nodes_can_be_explained() -> None:
    with pytest.raises(GraphError, match=r"explain needs a Value or a Tensor; got float"):
        explain(2.0)  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"), (-0.0, "0"), (1, "1"), (-1.5, "-1.5"), (0.70710678, "0.7071"), (6.88137, "6.881"),
        (12345.678, "12346"),
        (999999.4, "999999"), (1e6, "1e6"), (123456789, "1.23e8"), (0.001, "0.001"), (0.00123456, "0.001235"),
        (0.0009, "9e-4"), (-1.5e-120, "-1.5e-120"), (math.inf, "inf"), (-math.inf, "-inf"), (math.nan, "nan"),
        (100, "100"), (0.1, "0.1"), (2e-5, "2e-5"),
    ],
)  # fmt: skip
def test_numbers_are_short(number: float, text: str) -> None:
    assert short(number) == text


@given(st.floats(-1.7e308, 1.7e308))
def test_short_numbers_are_near(number: float) -> None:
    assert float(short(number)) == pytest.approx(number, rel=6e-3)
    assert len(short(number)) <= 10
