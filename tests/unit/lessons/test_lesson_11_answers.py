"""Lesson 11 beside PyTorch's autograd; its answers as learners write them."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from tests.unit.lessons.answers import graded
from tests.unit.lessons.mistakes import answers
from torch.nn import functional as F  # noqa: N812  (its usual name)

from backlight.lessons.exercises import EXERCISES, given
from backlight.lessons.exercises.lesson_11 import name_logits
from backlight.lessons.own_gpt import Rule, rules

TIGHT = {"rtol": 1e-9, "atol": 1e-12}


def heads_in_torch(x, Wq, Wk, Wv, heads):
    q, k, v = ((x @ W).unflatten(-1, (heads, -1)).transpose(1, 2) for W in (Wq, Wk, Wv))
    return F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(2)


@pytest.mark.parametrize("case", [1, 2])
def test_attention_has_pytorchs_gradients(case):
    inputs = given("11.1", case)
    leaves = [torch.tensor(inputs[name], requires_grad=True) for name in ("x", "Wq", "Wk", "Wv")]
    heads_in_torch(*leaves, inputs["heads"]).backward(torch.tensor(inputs["dy"]))
    for ours, leaf in zip(EXERCISES["11.1"].solution(**inputs), leaves, strict=True):
        assert_allclose(ours, leaf.grad.numpy(), **TIGHT)


def in_torch(weights, x, y, heads):
    """Return the loss of the whole network: batch norm with the variance divided by N - 1."""

    def norm(v, gain, shift):
        return gain * (v - v.mean((0, 1))) * (v.var((0, 1), correction=1) + 1e-5) ** -0.5 + shift

    w = weights
    vectors = w["token"][x] + w["position"]
    after1 = vectors + heads_in_torch(norm(vectors, w["gain1"], w["shift1"]), w["Wq"], w["Wk"], w["Wv"], heads)
    hidden = torch.tanh(norm(after1, w["gain2"], w["shift2"]) @ w["W1"] + w["b1"])
    logits = (after1 + hidden @ w["W2"] + w["b2"]) @ w["W3"] + w["b3"]
    return F.cross_entropy(logits.flatten(0, 1), y.flatten(), ignore_index=-1)


@pytest.mark.parametrize("case", [1, 2])
def test_the_gpt_has_pytorchs_gradients(case):
    inputs = given("11.2", case)
    leaves = {name: torch.tensor(array, requires_grad=True) for name, array in inputs["weights"].items()}
    in_torch(leaves, torch.tensor(inputs["x"]), torch.tensor(inputs["y"]), inputs["heads"]).backward()
    ours = EXERCISES["11.2"].solution(**inputs)
    assert set(ours) == set(leaves)
    for name, leaf in leaves.items():
        assert_allclose(ours[name], leaf.grad.numpy(), err_msg=name, **TIGHT)


def test_the_walk_of_numbers_walks_arrays():
    a, W = np.array([[1.0, 2.0]]), np.arange(6.0).reshape(2, 3)
    calls = []

    def back(d):
        calls.append(1)
        return d @ W.T, a.T @ d

    nodes = [
        ("a", []),
        ("W", []),
        ("product", rules(("a", "W"), back)),
        ("twice", [("product", Rule(lambda d: d)), ("product", Rule(lambda d: d))]),
        ("sum", [("twice", Rule(lambda d: d * np.ones((1, 3))))]),
    ]
    found = answers.walk_back(nodes)
    assert_allclose(found["a"], 2 * W.sum(1)[None])
    assert_allclose(found["W"], 2 * a.T @ np.ones((1, 3)))
    assert len(calls) == 1


def by_torch(dy, x, Wq, Wk, Wv, heads):
    leaves = [torch.tensor(one, requires_grad=True) for one in (x, Wq, Wk, Wv)]
    return torch.autograd.grad(heads_in_torch(*leaves, heads), leaves, torch.tensor(dy))


def test_other_styles():
    assert graded("11.1", by_torch).right
    assert graded("11.2", answers.gpt_gradients).right
    more = graded("11.2", lambda **case: answers.gpt_gradients(**case) | {"logits": np.zeros(3)})
    assert more.right, "the gradients of the steps may be there, too"
    assert graded("11.3", name_logits).right


def test_a_weight_that_is_missing_is_named():
    def without(**case):
        found = answers.gpt_gradients(**case)
        del found["Wk"]
        return found

    assert "missing: Wk" in graded("11.2", without).lines[0]


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (lambda x: np.zeros((*x.shape, 26)), "number of logits"),
        (lambda x: name_logits(x).reshape(-1, 27), "number of axes"),
        (lambda x: name_logits(x) * np.nan, "finite"),
        (lambda x: name_logits(x[:, ::-1])[:, ::-1], "later letters"),
        (lambda x: np.zeros((*x.shape, 27)), "Your loss on dev is 3.296 nats per character; it must be below 2.3."),
    ],
)
def test_what_a_trained_network_must_fulfil(answer, says):
    verdict = graded("11.3", answer)
    assert not verdict.right
    assert says in str(verdict)
