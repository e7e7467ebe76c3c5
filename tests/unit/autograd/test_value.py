"""Value: the contract that micrograd's code relies on, and what it says when a number has no answer."""

import copy
import gc
import math
import sys
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from backlight.autograd import Node, Tensor, Value
from backlight.autograd.value import Value as PythonValue
from backlight.core import BacklightError, DomainError, OperandError, ShapeError

Number = float | int


@pytest.fixture
def shallow_stack() -> Iterator[None]:
    """Leave so few frames that whatever recurses along a chain cannot pass."""
    before = sys.getrecursionlimit()
    depth, frame = 0, sys._getframe()
    while frame is not None:
        depth, frame = depth + 1, frame.f_back  # type: ignore[assignment]
    sys.setrecursionlimit(depth + 60)
    yield
    sys.setrecursionlimit(before)


def test_a_new_value_is_a_leaf() -> None:
    a = Value(2.0, label="a")
    assert (a.data, a.grad, a.label, a._op, tuple(a._prev)) == (2.0, 0.0, "a", "", ())
    assert isinstance(a, Node)


def test_it_is_made_as_micrograd_makes_it() -> None:
    a, b = Value(1.0), Value(2.0)
    c = Value(3.0, (a, b), "+", label="c")
    assert set(c._prev) == {a, b}
    assert (c._op, c.label) == ("+", "c")


def test_repr_shows_number_and_gradient() -> None:
    assert repr(Value(2.5)) == "Value(data=2.5, grad=0.0)"
    assert float(Value(2.5)) == 2.5


@pytest.mark.parametrize(
    ("make", "op", "data"),
    [
        (lambda a, b: a + b, "+", 5.0),
        (lambda a, b: a - b, "-", -1.0),
        (lambda a, b: a * b, "*", 6.0),
        (lambda a, b: a / b, "/", 2 / 3),
        (lambda a, b: a**b, "**", 8.0),
        (lambda a, b: b + 0 * a.relu(), "+", 3.0),
    ],
)
def test_a_result_knows_its_parents_and_op(make: Callable[[Value, Value], Value], op: str, data: float) -> None:
    a, b = Value(2.0), Value(3.0)
    c = make(a, b)
    assert c._op == op
    assert c.data == pytest.approx(data)
    assert len(c._prev) == 2
    assert all(isinstance(parent, Value) for parent in c._prev)


def test_functions_have_one_parent_and_their_name() -> None:
    a = Value(0.5)
    for name, op in [("exp", "exp"), ("log", "log"), ("tanh", "tanh"), ("relu", "ReLU"), ("sigmoid", "sigmoid"),
                     ("sin", "sin"), ("cos", "cos"), ("__neg__", "neg")]:  # fmt: skip
        result = getattr(a, name)()
        assert (result._op, tuple(result._prev)) == (op, (a,))
    assert ((a**3)._op, tuple((a**3)._prev)) == ("**3", (a,))


def test_edges_pair_each_parent_with_its_local_derivative() -> None:
    a, b = Value(2.0), Value(3.0)
    assert (a * b).edges() == ((a, 3.0), (b, 2.0))
    assert (a - b).edges() == ((a, 1.0), (b, -1.0))
    assert (a * a).edges() == ((a, 2.0), (a, 2.0))
    assert (a**2).edges() == ((a, 4.0),)
    assert a.edges() == ()


@pytest.mark.parametrize("numbers", [(), (0.5,), (0.5, -2.0), (0.5, -2.0, 4.0)])
@pytest.mark.parametrize("kind", ["values", "numbers", "mixed", "one twice"])
def test_dot_is_the_sum_of_products_in_one_node(numbers: tuple[float, ...], kind: str) -> None:
    results = []
    for fused in (True, False):
        w, b = [Value(2.0 + i) for i in range(len(numbers))], Value(0.3)
        x: list[Value | float] = [Value(one) if kind == "values" else one for one in numbers]
        if kind == "mixed":
            x[1:] = [Value(one) for one in numbers[1:]]
        if kind == "one twice" and numbers:
            x = [w[0] * w[0]] * len(numbers)
        y = Value.dot(w, x, b) if fused else sum((one * weight for one, weight in zip(x, w, strict=True)), b)
        y.tanh().backward()
        grads = [one.grad for one in x if isinstance(one, Value)]
        results.append([y.data, b.grad, *[weight.grad for weight in w], *grads])
    assert results[0] == pytest.approx(results[1], rel=1e-14)


def test_a_dot_node_shows_its_edges() -> None:
    w, b, x = [Value(2.0), Value(3.0)], Value(0.5), Value(7.0)
    y = Value.dot(w, [x, 5.0], b)
    assert (y.data, y._op) == (29.5, "dot")
    assert y._prev[:4] == (b, *w, x)
    assert Value.dot([], [], b).edges() == ((b, 1.0),)
    assert [(parent.data, by) for parent, by in y.edges()] == [
        (0.5, 1.0),
        (2.0, 7.0),
        (3.0, 5.0),
        (7.0, 2.0),
        (5.0, 3.0),
    ]
    with pytest.raises(ShapeError, match="as many inputs as weights, 2; got 1"):
        Value.dot(w, [1.0], b)


def test_a_value_of_many_parents_is_made_as_micrograd_makes_it() -> None:
    parents = tuple(Value(i) for i in range(4))
    for count in range(5):
        made = Value(1.0, parents[:count], "f")
        assert made._prev == parents[:count]
        assert made.edges() == tuple((parent, 0.0) for parent in parents[:count])


def test_numbers_on_either_side() -> None:
    a = Value(4)
    results = [1 + a, a + 1, 1 - a, a - 1, 2 * a, a * 2, 8 / a, a / 8, 2**a, a**2, -a, sum([a, a])]
    assert [result.data for result in results] == [5, 5, -3, 3, 8, 8, 2, 0.5, 16, 16, -4, 8]
    assert isinstance(np.float64(2) * a, Value)


def test_gradients_are_summed_over_paths() -> None:
    a = Value(3.0)
    b = a + a
    c = b * a
    c.backward()
    assert (a.grad, b.grad, c.grad) == (12.0, 3.0, 1.0)


def test_a_second_backward_adds_to_the_leaves_only() -> None:
    a, b = Value(2.0), Value(5.0)
    inner = a * b
    end = inner.tanh() + inner * 3
    end.backward()
    once, inner_once = a.grad, inner.grad
    end.backward()
    assert a.grad == 2 * once
    assert inner.grad == inner_once
    assert end.grad == 1.0


def test_a_walk_that_was_stopped_leaves_nobody_waiting() -> None:
    """As Ctrl-C would stop it: between the paths that meet in b. The pass in C cannot be stopped."""
    a = PythonValue(2.0)
    b = a * 3.0
    c = b.tanh()
    end = c + b * c
    local, c._by_a = c._by_a, Stops()  # type: ignore[assignment]
    with pytest.raises(KeyboardInterrupt):
        end.backward()
    c._by_a = local
    a.grad = 0.0
    end.backward()
    t = math.tanh(6.0)
    assert a.grad == pytest.approx(3 * (t + 7 * (1 - t * t)), rel=1e-12)


class Stops:
    def __mul__(self, other: object) -> object:
        raise KeyboardInterrupt


def test_copies_of_a_node_may_both_be_overdue() -> None:
    a = Value(2.0)
    b = a * 3.0
    c = copy.deepcopy(b)
    aside = [b + 1, c + 1]
    (b * b + c * c).backward()
    assert a.grad == 2 * 3 * 6.0
    assert len(aside) == 2


def test_what_was_overdue_is_not_so_the_next_time() -> None:
    a = Value(2.0)
    b = a * 3.0
    end, other = b * b, b * b * b
    for _ in range(2):
        a.grad = 0.0
        end.backward()
        assert a.grad == 2 * 3 * 6.0
    a.grad = 0.0
    (end + other).backward()
    assert a.grad == 2 * 3 * 6.0 + 3 * 3 * 36.0


def test_what_is_used_outside_the_graph_too_does_not_wait_for_it() -> None:
    a, b = Value(2.0), Value(5.0)
    x = a * b
    y = x + a
    z = y * x
    aside = [z * 2, y + 1, x.exp(), x * y, (y * 3) * x]
    end = z.tanh() * 0.01 + y * y + x
    for _ in range(2):
        a.zero_grad()
        end.backward()
        slope = (1 - math.tanh(z.data) ** 2) * 0.01
        by_y = slope * x.data + 2 * y.data
        by_x = slope * y.data + 1 + by_y
        assert (y.grad, x.grad) == (pytest.approx(by_y), pytest.approx(by_x))
        assert a.grad == pytest.approx(by_x * 5 + by_y)
        assert all(one.grad == 0 for one in aside)
        aside.append(y * y)
    aside[3].backward()
    assert (x.grad, y.grad) == (pytest.approx(y.data + x.data), pytest.approx(x.data))


def test_two_ends_share_leaves() -> None:
    a = Value(2.0)
    (a * 3).backward()
    (a * a).backward()
    assert a.grad == 7.0
    a.zero_grad()
    assert a.grad == 0.0


def test_backward_from_a_leaf() -> None:
    a = Value(2.0)
    a.backward()
    a.backward()
    assert a.grad == 2.0


def test_gradients_can_be_set_as_lecture_code_does() -> None:
    a = Value(2.0)
    (a * 3).backward()
    a.data += -0.1 * a.grad
    a.grad = 0.0
    assert (a.data, a.grad) == (pytest.approx(1.7), 0.0)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda: Value(0.0).log(), "log needs a number above 0; got 0.0"),
        (lambda: Value(-2).log(), "got -2"),
        (lambda: Value(1.0) / 0, "divisor must not be 0; got 1.0 / 0"),
        (lambda: 1 / Value(0.0), "divisor must not be 0"),
        (lambda: Value(1.0) / Value(0), "divisor must not be 0"),
        (lambda: Value(0.0) ** -1, r"base of a negative power must not be 0; got 0.0 \*\* -1"),
        (lambda: Value(0) ** -0.5, "base of a negative power must not be 0"),
        (lambda: Value(-8.0) ** 0.5, r"a negative base needs a whole exponent; got -8.0 \*\* 0.5"),
        (lambda: Value(-8.0) ** Value(2.0), "a base must not be negative if the exponent is a Value"),
        (lambda: (-8) ** Value(0.5), "negative base"),
        (lambda: Value(1e200) ** 2, r"a power must stay below 1.8e308; got 1e\+200 \*\* 2"),
        (lambda: Value(1e-200) ** -2, "a power must stay below"),
        (lambda: Value(10.0) ** Value(400), "a power must stay below"),
        (lambda: Value(math.inf).sin(), "an angle must be finite; got inf"),
        (lambda: Value(-math.inf).cos(), "an angle must be finite; got -inf"),
    ],
)
def test_numbers_without_an_answer_are_one_line(wrong: Callable[[], Value], says: str) -> None:
    with pytest.raises(DomainError, match=says) as caught:
        wrong()
    assert isinstance(caught.value, BacklightError)
    assert "\n" not in str(caught.value)


def test_what_overflows_elsewhere_is_infinite() -> None:
    assert Value(710.0).exp().data == math.inf
    assert Value(709.0).exp().data < math.inf
    assert (Value(1e308) * 10).data == math.inf
    assert Value(1000.0).sigmoid().data == 1.0
    assert Value(-1000.0).sigmoid().data == 0.0
    assert Value(1000.0).tanh().data == 1.0


def test_nan_stays_in_sight() -> None:
    for name in ("exp", "log", "tanh", "relu", "sigmoid", "sin", "cos"):
        assert math.isnan(getattr(Value(math.nan), name)().data), name


def test_a_root_stands_upright_at_0() -> None:
    a = Value(0.0)
    (a**0.5).backward()
    assert a.grad == math.inf


@pytest.mark.parametrize(
    "other", ["x", "2", None, [1.0], 1j, np.zeros(2), np.array(1.0), Tensor(1.0), Value(1.0)], ids=repr
)
def test_what_is_not_one_real_number_is_refused_in_a_line(other: object) -> None:
    a = Value(1.5)
    uses: list[Callable[[Any], Any]] = [Value]
    if not isinstance(other, Value):
        uses += [a.__add__, a.__rmul__, a.__pow__, a.__rpow__, a.__truediv__]
    for use in uses:
        with pytest.raises(OperandError, match="a Value must be one real number; got") as error:
            use(other)
        assert isinstance(error.value, TypeError)  # as Python's own numbers raise
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("number", [2, True, np.float32(0.5), np.int64(3), np.float64(0.25)])
def test_any_real_number_will_do(number: Any) -> None:
    made = Value(number)
    assert made.data == number
    assert isinstance(made.data, (int, float))


def test_a_dot_product_takes_lists() -> None:
    with pytest.raises(OperandError, match="a list of weights and a list of inputs; got list and float"):
        Value.dot([Value(1.0)], 3.0, Value(0.0))  # type: ignore[arg-type]


# -- long chains -------------------------------------------------------------------------------------------------------

MILLION = 1_000_000


@pytest.mark.usefixtures("shallow_stack")
def test_a_million_values_in_a_chain() -> None:
    leaf, step = Value(1.0), Value(0.5)
    node = leaf
    for _ in range(MILLION):
        node = node + step
    first = weakref.ref(node)
    node.backward()
    assert (leaf.grad, step.grad) == (1.0, MILLION)
    assert node.data == 1 + 0.5 * MILLION
    del node
    gc.collect()
    assert first() is None


@pytest.mark.usefixtures("shallow_stack")
def test_a_long_chain_of_tensors() -> None:
    leaf = Tensor(1.0, requires_grad=True)
    node = leaf
    for _ in range(MILLION // 5):
        node = -node
    first = weakref.ref(node)
    node.backward()
    assert leaf.grad is not None
    assert leaf.grad.item() == 1.0
    del node
    gc.collect()
    assert first() is None


@pytest.mark.usefixtures("shallow_stack")
def test_wide_and_deep_shared_graphs_are_walked_once_a_node() -> None:
    node = leaf = Value(1.0)
    for _ in range(200):  # 2²⁰⁰ paths
        node = (node + node) * 0.5
    node.backward()
    assert leaf.grad == 1.0
