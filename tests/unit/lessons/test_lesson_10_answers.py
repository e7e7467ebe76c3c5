"""Lesson 10's answers as learners write them: other styles pass, and typical slips are told by their names."""

# ruff: noqa: ARG005  (answers as learners write them)

import math

import numpy as np
import pytest
from tests.unit.lessons.answers import graded

from backlight import Value


def with_numpy(x):
    array = np.asarray(x, float)
    return array / np.sqrt((array**2).mean() + 1e-5)


def with_values(x):
    values = [Value(number) for number in x]
    mean = sum(value * value for value in values) / len(values)
    return [value / (mean + 1e-5) ** 0.5 for value in values]


def by_backward(query, keys, dscores):
    q = [Value(number) for number in query]
    scores = [sum(a * b for a, b in zip(q, key, strict=True)) / len(q) ** 0.5 for key in keys]
    sum(score * d for score, d in zip(scores, dscores, strict=True)).backward()
    return [value.grad for value in q]


def adam_with_math(p, grad, m, v, t, lr):
    m, v = m + 0.15 * (grad - m), v + 0.01 * (grad * grad - v)
    return p - lr * (m / (1 - 0.85**t)) / (math.sqrt(v / (1 - 0.99**t)) + 1e-8), m, v


@pytest.mark.parametrize(
    ("id", "answer"),
    [("10.1", with_numpy), ("10.1", with_values), ("10.2", by_backward), ("10.3", adam_with_math)],
)
def test_other_styles(id, answer):  # noqa: A002
    assert graded(id, answer).right


@pytest.mark.parametrize(
    ("id", "answer", "name"),
    [
        ("10.1", lambda x: with_numpy(x) / len(x) ** 0.5, None),
        ("10.1", lambda x: np.asarray(x) / (np.mean(np.square(x)) + 1e-5), "no root"),
        ("10.1", lambda x: np.asarray(x) / np.sqrt(np.sum(np.square(x)) + 1e-5), "sum for mean"),
        ("10.2", lambda query, keys, dscores: np.asarray(dscores) @ np.asarray(keys), "no scale"),
        (
            "10.2",
            lambda query, keys, dscores: np.sum(keys, 0) / len(query) ** 0.5,
            "the gradients of the scores are left out",
        ),
        ("10.3", lambda p, grad, m, v, t, lr: adam_with_math(p, grad, m, v, t + 1, lr), "the step is counted from 0"),
        ("10.3", lambda p, grad, m, v, t, lr: adam_with_math(p, grad, m, v, t, -lr), "uphill"),
    ],
)
def test_slips_have_names(id, answer, name):  # noqa: A002
    verdict = graded(id, answer)
    assert not verdict.right
    assert name is None or verdict.mistake == name
