"""The class Value in C: bit by bit what the class in Python computes, and as safe."""

# ruff: noqa: B023  (the functions are called at once)

import copy
import gc
import math
import pickle
import random
import weakref
from typing import Any

import pytest

from backlight.autograd import Value
from backlight.autograd.number import compiled
from backlight.autograd.value import Value as PythonValue

pytestmark = pytest.mark.skipif(compiled is None, reason="Value was not compiled")

NUMBERS = [0.0, -0.0, 1.0, -1.0, 0.5, 2.5, -3.25, 1e-300, 1e300, math.inf, -math.inf, math.nan, 0, 1, -2, 7, 10**20]
UNARY = ["exp", "log", "tanh", "relu", "sigmoid", "sin", "cos", "__neg__"]
BINARY = [
    "__add__",
    "__sub__",
    "__mul__",
    "__truediv__",
    "__pow__",
    "__radd__",
    "__rsub__",
    "__rmul__",
    "__rtruediv__",
    "__rpow__",
]


def outcome(make: Any) -> Any:
    """What a computation gives, exactly, or the error that it raises."""
    try:
        made = make()
    except (ArithmeticError, ValueError, TypeError) as error:
        return type(error), str(error)
    return repr(made.data), made._op, [(repr(parent.data), float(by).hex()) for parent, by in made.edges()]


@pytest.mark.parametrize("op", UNARY)
def test_functions(op: str) -> None:
    for a in NUMBERS:
        ours, reference = (outcome(lambda kind=kind: getattr(kind(a), op)()) for kind in (Value, PythonValue))
        assert ours == reference, a


@pytest.mark.parametrize("op", BINARY)
def test_arithmetic_with_numbers_and_values(op: str) -> None:
    for a in NUMBERS:
        for b in NUMBERS:
            for kind_of_b in ("number", "value"):
                if (kind_of_b == "value" and op.startswith("__r")) or ("pow" in op and 10**20 in {a, b}):
                    continue  # 10²⁰ to the power of 10²⁰ has too many digits
                ours, reference = (
                    outcome(lambda kind=kind: getattr(kind(a), op)(b if kind_of_b == "number" else kind(b)))
                    for kind in (Value, PythonValue)
                )
                assert ours == reference, (a, b, kind_of_b)


def graph(kind: Any, seed: int) -> tuple[list[Any], Any]:
    """A random graph of all ops, with nodes that are used often, never, or outside what is differentiated."""
    rng = random.Random(seed)
    leaves = [kind(rng.uniform(0.5, 1.5)) for _ in range(4)]
    nodes = list(leaves)
    for _ in range(60):
        a, b = rng.choice(nodes), rng.choice(nodes[-8:])
        op = rng.randrange(8)
        nodes.append(
            a + b if op == 0 else a * b * 0.5 if op == 1 else a - b if op == 2 else a / (b * b + 1) if op == 3
            else a.tanh() if op == 4 else (a * a + 1) ** -0.5 if op == 5 else a.sigmoid() if op == 6
            else kind.dot([a, b], [b, 0.5], a).tanh()
        )  # fmt: skip
    return leaves, nodes


@pytest.mark.parametrize("seed", range(12))
def test_gradients_of_random_graphs(seed: int) -> None:
    results = []
    for kind in (Value, PythonValue):
        leaves, nodes = graph(kind, seed)
        for end in (nodes[-1], nodes[30], nodes[-1]):
            end.backward()
        results.append([(float(node.data).hex(), float(node.grad).hex()) for node in (*leaves, *nodes)])
    assert results[0] == results[1]


def test_whole_numbers_stay_whole() -> None:
    a = Value(3)
    assert [repr(made.data) for made in (a + 2, a * a, a**2, -a, a / 2, a + 0.5, Value(2**70) + 1)] == [
        "5", "9", "9", "-3", "1.5", "3.5", str(2**70 + 1),
    ]  # fmt: skip
    a.data = 4.5
    assert repr(a.data) == "4.5"


def test_a_node_is_freed_with_its_last_reference_and_its_memory_is_used_again() -> None:
    a = Value(1.0, label="a")
    product = a * 2
    product.label = "product"
    end, seen = product.tanh(), weakref.ref(product)
    del product
    assert seen() is not None
    del end
    assert seen() is None
    again = [Value(i) * a for i in range(100)]
    assert all((node.label, node.grad, node._prev[1]) == ("", 0.0, a) for node in again)


def test_the_collector_neither_sees_nor_breaks_nodes() -> None:
    class Named(Value):
        """A subclass has attributes of its own, and may be in a cycle."""

    node = Named(2.0)
    node.itself = node  # type: ignore[attr-defined]
    seen = weakref.ref(node)
    end = node * 3.0
    assert not gc.is_tracked(end)
    del node
    gc.collect()
    assert seen() is not None
    end.backward()
    assert seen().grad == 3.0  # type: ignore[union-attr]
    del end
    gc.collect()
    assert seen() is None


@pytest.mark.parametrize("again", [copy.deepcopy, lambda node: pickle.loads(pickle.dumps(node))])  # noqa: S301
def test_copies_are_graphs_of_their_own(again: Any) -> None:
    a = Value(2.0, label="a")
    end = (a * a).tanh() + Value.dot([a, a], [1.0, a], a) ** 2
    end.backward()
    made = again(end)
    assert [
        (node.data, node.grad, node._op, node.label, [by for _, by in node.edges()]) for node in made.ancestry()
    ] == [(node.data, node.grad, node._op, node.label, [by for _, by in node.edges()]) for node in end.ancestry()]
    before = a.grad
    made.backward()
    assert a.grad == before


@pytest.mark.parametrize("wrong", ["x", None, [1.0], 1j])
def test_what_is_not_a_number_is_no_data_and_no_gradient(wrong: Any) -> None:
    a = Value(1.0)
    for name in ("data", "grad"):
        with pytest.raises(TypeError, match="must be one real number"):
            setattr(a, name, wrong)
    assert (a.data, a.grad) == (1.0, 0.0)
    with pytest.raises(TypeError, match="the parents of a Value must be Values"):
        Value(1.0, (1.0,))  # type: ignore[arg-type]
