"""An explanation of tensors: each op with its shapes, and gradients whose norms are those of backward."""

import numpy as np
import pytest

from backlight import Tensor, explain
from backlight.autograd import OPS, Parameter, cat, cross_entropy
from backlight.core import Batch, GraphError, ShapeError
from backlight.explanation import TensorExplanation
from backlight.models import MODELS


def net(rng: np.random.Generator) -> tuple[Tensor, dict[str, Tensor]]:
    given = {
        "W": Parameter(rng.normal(size=(3, 4))),
        "b": Parameter(rng.normal(size=4)),
        "x": Tensor(rng.normal(size=(5, 3))),
    }
    hidden = (given["x"] @ given["W"] + given["b"]).tanh()
    return cross_entropy(hidden + hidden * 2.0, np.array([0, 1, 2, 3, 0])), given


@pytest.fixture
def explained(rng: np.random.Generator) -> TensorExplanation:
    loss, given = net(rng)
    return explain(loss, names=given)


def test_every_op_with_its_shapes(explained: TensorExplanation) -> None:
    ops = [(step.name, step.op, step.shape) for step in reversed(explained.steps) if step.op]
    assert ops == [
        ("v1", "matmul", (5, 4)), ("v2", "add", (5, 4)), ("v3", "tanh", (5, 4)), ("v5", "mul", (5, 4)),
        ("v6", "add", (5, 4)), ("v7", "cross_entropy", ()),
    ]  # fmt: skip
    matmul = explained["v1"]
    assert [explained.steps[at].name for at in matmul.inputs] == ["x", "W"]
    assert matmul.input_shapes == ((5, 3), (3, 4))
    assert matmul.formula == OPS["matmul"].formula
    assert matmul.about.startswith("y = a b over the last two axes")
    assert explained.formulas() == {op: OPS[op].formula for _, op, _ in ops}


def test_kinds(explained: TensorExplanation) -> None:
    kinds = {step.name: (step.kind, step.grad_norm is None) for step in explained.steps if not step.op}
    assert kinds == {"W": ("parameter", False), "b": ("parameter", False), "x": ("given", True), "v4": ("given", True)}


def test_norms_are_those_of_backward(rng: np.random.Generator) -> None:
    loss, given = net(rng)
    hidden = loss._prev[0]
    hidden.retain_grad()  # type: ignore[attr-defined]
    found = explain(loss, names=given)
    assert all(tensor.grad is None for tensor in (*given.values(), hidden)), "explaining touches nothing"
    loss.backward()
    for name in ("W", "b"):
        assert found[name].grad_norm == pytest.approx(np.linalg.norm(given[name].grad.array))
        assert found[name].value_norm == pytest.approx(np.linalg.norm(given[name].array))
    assert found["v6"].grad_norm == pytest.approx(np.linalg.norm(hidden.grad.array))  # type: ignore[union-attr]
    assert (found.end.grad_norm, found.end.value_norm) == (1.0, pytest.approx(loss.item()))
    again = explain(loss, names=given)
    assert again == found


def test_paths_meet(explained: TensorExplanation) -> None:
    step = explained["v3"]
    through = [explained.steps[one.through].name for one in step.contributions]
    assert through == ["v6", "v5"]
    first, second = (one.norm for one in step.contributions)
    # h + 2 h: both paths point the same way, so that here even the norms add up
    assert second == pytest.approx(2 * first)
    assert step.grad_norm == pytest.approx(first + second)


def test_the_table_goes_forward(explained: TensorExplanation) -> None:
    text = str(explained)
    table, _, formulas = text.partition("\n\n")
    words = [" ".join(line.split()[:4]) for line in table.splitlines()]
    assert words[:4] == ["op shape |value| |gradient|", "v1 matmul (5, 4)", words[2], words[3]]
    assert [line.split()[0] for line in table.splitlines()[2:4]] == ["x", "W"]
    assert "x (given)" in table
    assert "add of v3, v5" in table
    assert table.splitlines()[-1].startswith("v7  cross_entropy of v6")
    assert "matmul" in formulas
    assert "da = dy bᵀ" in formulas


def test_what_is_used_twice_is_listed_once(rng: np.random.Generator) -> None:
    W = Parameter(rng.normal(size=(3, 3)))
    explanation = explain(((W @ W) @ W).sum(), names={"W": W})
    rows = [row for row in explanation.table().rows if row[1].strip() == "W"]
    assert len(rows) == 1
    assert ("v2", "matmul of v1, W") in [row[:2] for row in explanation.table().rows]
    assert len(explanation["W"].contributions) == 3


def test_words(explained: TensorExplanation) -> None:
    said = {step.name: explained.words(place) for place, step in enumerate(explained.steps)}
    assert said["v1"].splitlines()[0] == "matmul computes (5, 4) from x (5, 3), W (3, 4)."
    assert "da = dy bᵀ" in said["v1"].splitlines()
    assert said["v7"].endswith("v7 is the end of the graph, where the backward pass begins.")
    assert said["x"] == "x is an input of shape (5, 3).\nIt needs no gradient."
    assert said["b"].startswith("b is a parameter of shape (4).\nIt gets a gradient of norm ")
    assert " from v6, " in said["v3"]
    assert "the norm of their sum is" in said["v3"]


def test_a_tensor_of_several_numbers_needs_a_gradient(rng: np.random.Generator) -> None:
    W = Parameter(rng.normal(size=(2, 3)))
    with pytest.raises(GraphError, match=r"needs a single number; got a tensor of shape \(2, 3\)"):
        explain(W * 2.0)
    above = rng.normal(size=(2, 3))
    assert explain(W * 2.0, names={"W": W}, gradient=above)["W"].grad_norm == pytest.approx(2 * np.linalg.norm(above))
    with pytest.raises(ShapeError, match="a gradient must have its tensor's shape"):
        explain(W * 2.0, gradient=np.ones((3, 2)))


def test_a_graph_with_no_gradient_is_listed_all_the_same() -> None:
    explanation = explain(Tensor(3.0))
    assert [(step.kind, step.value_norm) for step in explanation.steps] == [("given", 3.0)]
    assert str(explanation).splitlines()[1].split() == ["v1", "()", "3", "1"]


def test_what_was_written_to_by_index_is_explained_too() -> None:
    a = Tensor(np.ones(3), requires_grad=True, label="a")
    b = Tensor(np.zeros(3))
    b[0] = (a * 2.0)[0]
    assert explain(b.sum())["a"].grad_norm == pytest.approx(2)


def test_gradients_of_another_dtype_come_back_in_their_own() -> None:
    a = Tensor(np.ones(3, np.float32), requires_grad=True, label="a")
    explanation = explain(cat([a.double(), a.double() * 2.0]).sum())
    assert explanation["a"].grad_norm == pytest.approx(3 * np.sqrt(3))
    assert explanation["a"].dtype == "float32"


@pytest.mark.parametrize("name", [name for name, rung in MODELS.items() if not rung.counted])
def test_every_model_can_be_explained(name: str) -> None:
    rung = MODELS[name]
    model = rung.build(rung.configure({"vocabulary_size": 7}), np.random.default_rng(1))
    rng = np.random.default_rng(0)
    model.set_rng(rng)
    x = rng.integers(0, 7, (4, model.context))
    y = x[:, 0] if model.reads == "windows" else np.roll(x, -1, axis=1)
    loss = model.loss(Batch(x, y))
    found = explain(loss, names=model.named_parameters())
    loss.backward()
    for parameter, tensor in model.named_parameters():
        assert found[parameter].grad_norm == pytest.approx(np.linalg.norm(tensor.grad.array.astype(np.float64)))
        assert found[parameter].kind == "parameter"
    assert {step.op for step in found.steps if step.op} == found.formulas().keys()
