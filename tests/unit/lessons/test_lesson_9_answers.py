"""Lesson 9 beside PyTorch; its answers as learners write them: other styles pass, and slips are told by their names."""

# ruff: noqa: ARG001, ARG005  (answers as learners write them)

import math

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from tests.unit.lessons.answers import graded
from tests.unit.lessons.mistakes import answers
from torch.nn import functional as F  # noqa: N812  (its usual name)

from backlight.lessons.exercises import EXERCISES, given
from backlight.lessons.exercises.gpt2.products import Products
from backlight.optim import WarmupCosine

TIGHT = {"rtol": 1e-9, "atol": 1e-12}

# -- the solutions beside other programs -------------------------------------------------------------------------------


@pytest.mark.parametrize("case", [1, 2, 3, 4, 5])
def test_attention_in_blocks_is_pytorchs_attention(case):
    inputs = given("9.7", case)
    q, k, v = (torch.tensor(inputs[name]) for name in "qkv")
    theirs = F.scaled_dot_product_attention(q[None], k[None], v[None], is_causal=True)[0]
    assert_allclose(EXERCISES["9.7"].solution(**inputs), theirs.numpy(), **TIGHT)


@pytest.mark.parametrize("case", [1, 2, 3, 4])
def test_accumulated_gradients_are_those_of_one_batch(case):
    inputs = given("9.4", case)
    whole = [np.concatenate(part) for part in zip(*inputs["batches"], strict=True)]
    loss, gradient = inputs["loss_and_gradient"](*whole)
    ours = EXERCISES["9.4"].solution(**inputs)
    assert_allclose(ours[0], loss, **TIGHT)
    assert_allclose(ours[1], gradient, **TIGHT)


def test_the_schedule_is_the_packages():
    settings = {"highest": 6e-4, "lowest": 6e-5, "warmup": 10, "steps": 60}
    theirs = WarmupCosine(lr=6e-4, steps=60, warmup=10, final=0.1)
    for step in range(80):
        assert EXERCISES["9.5"].solution(step=step, **settings) == pytest.approx(theirs(step), rel=1e-12)


def test_the_groups_are_those_of_the_lectures_optimiser():
    shapes = given("9.3", 3)["shapes"]
    model = {name: torch.empty(shape) for name, shape in shapes.items()}
    model["lm_head.weight"] = model["transformer.wte.weight"]
    once = {id(one): name for name, one in reversed(model.items())}  # PyTorch names a tied array once
    decay = [name for name in once.values() if model[name].dim() >= 2]
    ours = EXERCISES["9.3"].solution(**given("9.3", 3))
    assert set(ours[0]) == set(decay)
    assert set(ours[1]) == set(once.values()) - set(decay)


def test_products_of_rows_are_seen():
    products = Products(5)
    q, k = products.watched(np.ones((4, 5))), products.watched(np.ones((6, 5)))
    w = np.exp(q @ k.T)
    w @ np.ones((6, 5))
    np.dot(q, k.T)
    np.matmul(q[:2], k[1:3].T)
    assert products.sizes == [24, 24, 4]
    out = np.zeros((4, 5))
    out += q
    assert out.sum() == 20
    assert type(out) is np.ndarray


# -- 9.1 and 9.2 -------------------------------------------------------------------------------------------------------


def in_lists(state):
    ends = ("c_attn.weight", "c_proj.weight", "c_fc.weight")
    kept = [name for name in state if not name.endswith((".attn.bias", "masked_bias"))]
    pairs = [(f"transformer.{name}", torch.tensor(state[name])) for name in kept]
    model = {name: tensor.t() if name.endswith(ends) else tensor for name, tensor in pairs}
    return {"lm_head.weight": model["transformer.wte.weight"], **model}


def by_torch(shapes, layers, rng):
    torch.manual_seed(5)
    model = {}
    for name, shape in shapes.items():
        std = 0.02 * (2 * layers) ** -0.5 if name.endswith("c_proj.weight") else 0.02
        model[name] = torch.nn.init.normal_(torch.empty(shape), std=std)
        if name.endswith("bias"):
            torch.nn.init.zeros_(model[name])
        elif len(shape) == 1:
            torch.nn.init.ones_(model[name])
    model["lm_head.weight"] = model["transformer.wte.weight"]
    return model


def loaded(state, *, transposed, masks=(".attn.bias", ".attn.masked_bias"), head=True):
    model = {}
    for name, array in state.items():
        if not any(name.endswith(mask) for mask in masks):
            model["transformer." + name] = array.T if transposed(name, array) else array
    if head:
        model["lm_head.weight"] = state["wte.weight"]
    return model


def conv1d(name, array):
    return any(part in name for part in ("c_attn.weight", "c_proj.weight", "c_fc.weight"))


# -- 9.4 to 9.7 --------------------------------------------------------------------------------------------------------


def accumulated(loss_and_gradient, batches, *, each=lambda y, batches: 1.0, end=lambda batches: 1.0, fresh=False):
    loss, grad = 0.0, 0.0
    for x, y in batches:
        one, d = loss_and_gradient(x, y)
        if fresh:
            loss, grad = 0.0, 0.0
        loss += one * each(y, batches)
        grad = grad + d * each(y, batches)
    return loss / end(batches), grad / end(batches)


def row_by_row(q, k, v, size):
    T, D = q.shape
    out = np.zeros((T, D))
    for t in range(T):
        m, l, acc = -math.inf, 0.0, np.zeros(D)
        for j in range(0, t + 1, size):
            s = k[j : min(j + size, t + 1)] @ q[t] / math.sqrt(D)
            new = max(m, s.max())
            p = np.exp(s - new)
            old = math.exp(m - new)
            m, l, acc = new, old * l + p.sum(), old * acc + p @ v[j : min(j + size, t + 1)]
        out[t] = acc / l
    return out


def by_tensors(q, k, v, size):
    q, k, v = (torch.tensor(np.asarray(one)) for one in (q, k, v))
    outs = []
    for i in range(0, len(q), size):
        keys = min(i + size, len(q))
        rows = torch.arange(i, min(i + size, len(q)))[:, None]
        scores = (q[i : i + size] @ k[:keys].T / q.shape[1] ** 0.5).masked_fill(torch.arange(keys) > rows, -math.inf)
        outs.append(torch.softmax(scores, -1) @ v[:keys])
    return torch.cat(outs)


def all_at_once(q, k, v, size):
    scores = np.where(np.tri(len(q)) == 1, q @ k.T / np.sqrt(q.shape[1]), -np.inf)
    weights = np.exp(scores - scores.max(1, keepdims=True))
    return weights / weights.sum(1, keepdims=True) @ v


def attention_of_lesson_7(q, k, v):
    counts = np.exp(np.where(np.tri(len(q)) == 1, q @ k.T / np.sqrt(q.shape[1]), -np.inf))
    return counts / counts.sum(-1, keepdims=True) @ v


@pytest.mark.parametrize(
    ("id", "answer"),
    [
        ("9.1", in_lists),
        ("9.2", by_torch),
        ("9.3", lambda shapes, tied: {"decay": [name for name in shapes if len(shapes[name]) > 1 and name not in tied],
                                      "rest": {name for name in shapes if len(shapes[name]) <= 1}}),
        ("9.3", lambda shapes, tied: ([n for n in shapes if len(shapes[n]) > 1 and n not in tied.values()],
                                      [n for n in shapes if len(shapes[n]) < 2])),
        ("9.4", lambda f, batches: f(*(np.concatenate(part) for part in zip(*batches, strict=True)))),
        ("9.5", lambda it, high, low, warm, end: np.float32(answers.rate_at(it, high, low, warm, end))),
        ("9.7", row_by_row),
        ("9.7", by_tensors),  # what is turned into tensors is not watched
    ],
)  # fmt: skip
def test_other_styles(id, answer):  # noqa: A002
    verdict = graded(id, answer)
    assert verdict.right, str(verdict)


@pytest.mark.parametrize(
    ("id", "answer", "name"),
    [
        ("9.1", lambda state: loaded(state, transposed=lambda name, one: False), "nothing is transposed"),
        ("9.1", lambda state: loaded(state, transposed=lambda name, one: one.ndim == 2), "every matrix is transposed"),
        ("9.1", lambda state: loaded(state, transposed=lambda name, one: conv1d(name, one) and len(set(one.shape)) > 1),
         "only what the shapes show is transposed"),
        ("9.1", lambda state: loaded(state, transposed=conv1d, masks=()), "the masks are loaded"),
        ("9.1", lambda state: loaded(state, transposed=conv1d, masks=("attn.bias", "masked_bias")),
         "the biases of c_attn are left out with the masks"),
        ("9.1", lambda state: loaded(state, transposed=conv1d, head=False), "the tied head is missing"),
        ("9.2", lambda shapes, layers, rng: by_torch(shapes, 0.5, rng), "all are drawn with 0.02"),
        ("9.2", lambda shapes, layers, rng: by_torch(shapes, layers / 2, rng), "√layers for √(2 layers)"),
        ("9.2", lambda shapes, layers, rng: {**by_torch(shapes, layers, rng),
                                             "lm_head.weight": rng.normal(0, 0.02, shapes["lm_head.weight"])},
         "the tied matrix is drawn twice"),
        ("9.3", lambda shapes, tied: (list(shapes), []), "everything decays"),
        ("9.3", lambda shapes, tied: ([n for n in shapes if len(shapes[n]) > 1],
                                      [n for n in shapes if len(shapes[n]) < 2]),
         "the tied matrix is there twice"),
        ("9.4", accumulated, "not divided by the number of micro-batches"),
        ("9.4", lambda *case: accumulated(*case, each=lambda y, batches: 1 / len(batches)), "the mean of the means"),
        ("9.4", lambda *case: accumulated(*case, each=lambda y, batches: 1 / len(batches), end=len), "divided twice"),
        ("9.4", lambda *case: accumulated(*case, fresh=True), "only the last micro-batch"),
        ("9.4", lambda *case: accumulated(*case, each=lambda y, batches: y.size,
                                          end=lambda batches: sum(y.size for _, y in batches)),
         "weighted by places, not by targets"),
        ("9.5", lambda step, highest, lowest, warmup, steps:
         highest * step / warmup if step < warmup else answers.rate_at(step, highest, lowest, warmup, steps),
         "the warm-up begins at 0"),
        ("9.6", lambda scores, v, largest, total, read:
         (np.maximum(largest, scores.max(1)),
          total + np.exp(scores - np.maximum(largest, scores.max(1))[:, None]).sum(1),
          read + np.exp(scores - np.maximum(largest, scores.max(1))[:, None]) @ v),
         "the earlier sums are not rescaled"),
        ("9.7", all_at_once, "not in blocks"),
        ("9.7", lambda q, k, v, size: attention_of_lesson_7(q, k, v), "not in blocks, and no maximum is subtracted"),
    ],
)  # fmt: skip
def test_slips_have_names(id, answer, name):  # noqa: A002
    verdict = graded(id, answer)
    assert verdict.mistake == name, str(verdict)


def test_what_is_missing_is_counted():
    verdict = graded("9.1", lambda state: loaded(state, transposed=conv1d, head=False))
    assert verdict.lines[0] == "Of the names that the model has, 1 are missing."
    assert "whole text" not in str(graded("9.7", all_at_once))
    assert "a product has 64 scores; a block has at most 16." in str(graded("9.7", all_at_once))


def test_groups_must_be_two_lists():
    verdict = graded("9.3", lambda shapes, tied: list(shapes))
    assert (verdict.state, "a tuple of two lists of names" in verdict.lines[0]) == ("invalid", True)
