"""Lesson 7's answers as learners write them: other styles pass, and typical slips are told by their names."""

# ruff: noqa: ARG001, ARG005, N812  (answers as learners write them)

import numpy as np
import pytest
from tests.unit.lessons.answers import graded

import backlight.torchlike as torch
import backlight.torchlike.nn.functional as F
from backlight.lessons.exercises import EXERCISES, given

# -- 7.1 ---------------------------------------------------------------------------------------------------------------


def by_tensors(x, Wq, Wk, Wv, heads):
    x, Wq, Wk, Wv = (torch.tensor(array) for array in (x, Wq, Wk, Wv))
    B, T, C = x.shape
    q, k, v = ((x @ W).view(B, T, heads, C // heads).transpose(1, 2) for W in (Wq, Wk, Wv))
    wei = (q @ k.transpose(-2, -1) * (C // heads) ** -0.5).masked_fill(torch.tril(torch.ones(T, T)) == 0, -np.inf)
    return (F.softmax(wei, dim=-1) @ v).transpose(1, 2).reshape(B, T, C)


def head_by_head(x, Wq, Wk, Wv, heads, *, scale=None, hidden=1, axis=-1, joined=np.concatenate):
    T, C = x.shape[1:]
    D = C // heads
    found = []
    for h in range(heads):
        q, k, v = (x @ np.split(W, heads, axis=1)[h] for W in (Wq, Wk, Wv))
        scores = np.einsum("btd,bsd->bts", q, k) / (scale(C, D) if scale else np.sqrt(D))
        scores[:, np.triu(np.ones((T, T), bool), hidden)] = -np.inf
        counts = np.exp(scores)
        found.append(counts / counts.sum(axis, keepdims=True) @ v)
    return joined(found, axis=-1)


def without_the_transpose(x, Wq, Wk, Wv, heads):
    B, T, C = x.shape
    q, k, v = ((x @ W).reshape(B, heads, T, -1) for W in (Wq, Wk, Wv))
    scores = np.where(np.tri(T) == 1, q @ k.swapaxes(2, 3) / (C // heads) ** 0.5, -1e9)
    counts = np.exp(scores)
    return (counts / counts.sum(-1, keepdims=True) @ v).transpose(0, 2, 1, 3).reshape(B, T, C)


@pytest.mark.parametrize("answer", [by_tensors, head_by_head])
def test_heads_in_another_style(answer):
    assert graded("7.1", answer).right


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        (without_the_transpose, "heads and channels mixed up"),
        (lambda *case: head_by_head(*case, hidden=99), "no mask"),
        (lambda *case: head_by_head(*case, hidden=0), "may not read itself"),
        (lambda *case: head_by_head(*case, scale=lambda C, D: 1), "no scale"),
        (lambda *case: head_by_head(*case, scale=lambda C, D: C**0.5), "scaled by C, not by the head size"),
        (lambda *case: head_by_head(*case, axis=-2), "softmax over the wrong axis"),
        (lambda *case: head_by_head(*case, joined=lambda found, axis: sum(found)), "heads summed, not concatenated"),
        (
            lambda x, Wq, Wk, Wv, heads: head_by_head(x[:, ::-1], Wq, Wk, Wv, heads)[:, ::-1],
            "sees the future",
        ),
    ],
)
def test_heads_gone_wrong(answer, name):
    assert graded("7.1", answer).mistake == name


# -- 7.2 ---------------------------------------------------------------------------------------------------------------


def by_arithmetic(a, b, digits):
    question = [a // 10**i % 10 for i in reversed(range(digits))] + [b // 10**i % 10 for i in reversed(range(digits))]
    total = [(a + b) // 10**i % 10 for i in range(digits + 1)]
    x = np.array(question + total)
    y = x[1:].copy()
    y[: 2 * digits - 1] = -1
    return x[:-1], y


def written(a, b, digits, *, after=lambda text: text[::-1], masked=None):
    text = str(a).zfill(digits) + str(b).zfill(digits) + after(str(a + b).zfill(digits + 1))
    ids = [int(one) for one in text]
    y = ids[1:]
    for i in range(2 * digits - 1 if masked is None else masked):
        y[i] = -1
    return torch.tensor(ids[:-1]), torch.tensor(y)


@pytest.mark.parametrize("answer", [by_arithmetic, written])
def test_sums_in_another_style(answer):
    assert graded("7.2", answer).right


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        (lambda *case: written(*case, after=str), "not reversed"),
        (lambda *case: written(*case, masked=0), "the question is not masked"),
        (lambda a, b, digits: written(a, b, digits, masked=2 * digits), "one too many is masked"),
        (
            lambda a, b, digits: written(a, b, digits, after=lambda one: str(int(one)).zfill(digits)[::-1]),
            "the digit for the carry is missing",
        ),
        (lambda *case: written(*case, after=lambda one: str(int(one))[::-1]), "the sum is not padded"),
        (
            lambda a, b, digits: written(a, b, digits, after=lambda one: str(int(one))[::-1].zfill(digits + 1)),
            "padded after reversing",
        ),
    ],
)
def test_sums_gone_wrong(answer, name):
    assert graded("7.2", answer).mistake == name


# -- 7.3 ---------------------------------------------------------------------------------------------------------------


def by_indices(old, fresh, old_characters, fresh_characters):
    places = {character: i for i, character in enumerate(old_characters)}
    pairs = [(i, places[one]) for i, one in enumerate(fresh_characters) if one in places]
    new, known = np.array(pairs).T
    made = {**old, "token.weight": np.copy(fresh["token.weight"]), "output.weight": np.copy(fresh["output.weight"])}
    made["token.weight"][new] = old["token.weight"][known]
    made["output.weight"][:, new] = old["output.weight"][:, known]
    return made


def half(old, fresh, old_characters, fresh_characters):
    made = by_indices(old, fresh, old_characters, fresh_characters)
    return {**made, "output.weight": fresh["output.weight"]}


def cut_to_size(old, fresh, old_characters, fresh_characters):
    V = len(fresh_characters)
    return {**old, "token.weight": old["token.weight"][:V], "output.weight": old["output.weight"][:, :V]}


def fresh_layers(old, fresh, old_characters, fresh_characters):
    made = by_indices(old, fresh, old_characters, fresh_characters)
    return {name: made[name] if name in ("token.weight", "output.weight") else fresh[name] for name in fresh}


def test_weights_moved_in_another_style():
    assert graded("7.3", by_indices).right
    tensors = {name: torch.tensor(array) for name, array in by_indices(**given("7.3")).items()}
    assert graded("7.3", lambda **_: tensors).state in {"wrong", "shape"}  # right for the first input only


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        (half, "the output's columns are fresh"),
        (fresh_layers, "the layers are fresh"),
        (lambda old, fresh, *_: fresh, "the characters' rows are fresh"),
        (lambda old, *_: old, "the old arrays unchanged"),
    ],
)
def test_weights_gone_wrong(answer, name):
    assert graded("7.3", answer).mistake == name


def test_weights_cut_to_size_are_by_index():
    assert graded("7.3", cut_to_size).mistake == "by index, not by character"
    assert "missing" in graded("7.3", lambda **_: {"token.weight": np.zeros((6, 4))}).lines[0]


# -- 7.4 ---------------------------------------------------------------------------------------------------------------


def by_complex_numbers(x, positions, base):
    T, D = x.shape
    speeds = float(base) ** -(np.arange(0, D, 2) / D)
    turned = x.reshape(T, D // 2, 2) @ np.array([[1, 0], [0, 1j]])
    turned = turned.sum(-1) * np.exp(1j * np.outer(positions, speeds))
    return np.stack([turned.real, turned.imag], axis=-1).reshape(T, D)


def by_loops(x, positions, base, *, sign=1, apart=None, speed=2.0, in_place=False):
    out = [list(map(float, row)) for row in x]
    D = x.shape[1]
    for row, p in zip(out, positions, strict=True):
        for i in range(D // 2):
            one, two = (2 * i, 2 * i + 1) if apart is None else (i, i + D // 2)
            angle = sign * p * base ** (-speed * i / D)
            a, b = row[one], row[two]
            row[one] = a * np.cos(angle) - b * np.sin(angle)
            row[two] = (row[one] if in_place else a) * np.sin(angle) + b * np.cos(angle)
    return out


@pytest.mark.parametrize("answer", [by_complex_numbers, by_loops])
def test_turns_in_another_style(answer):
    assert graded("7.4", answer).right


@pytest.mark.parametrize(
    ("slip", "name"),
    [
        ({"sign": -1}, "rotated in the wrong direction"),
        ({"apart": "halves"}, "halves for neighbours"),
        ({"speed": 1.0}, "i for 2 * i"),
        ({"speed": 0.0}, "all pairs rotate at the same speed"),
        ({"in_place": True}, "computed from what was overwritten"),
    ],
)
def test_turns_gone_wrong(slip, name):
    assert graded("7.4", lambda *case: by_loops(*case, **slip)).mistake == name


def test_the_right_turn_leaves_only_the_distance():
    rotate = EXERCISES["7.4"].solution
    rng = np.random.default_rng(1)
    q, k = (np.tile(rng.normal(size=8), (5, 1)) for _ in range(2))
    at = np.arange(5)
    scores, moved = (rotate(q, at + by, 100.0) @ rotate(k, at + by, 100.0).T for by in (0, 33))
    np.testing.assert_allclose(moved, scores)
    for distance in range(-4, 5):
        assert np.ptp(np.diagonal(scores, distance)) < 1e-12
