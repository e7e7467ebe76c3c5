"""Mistakes that show in the numbers alone, whatever the exercise."""

import numpy as np
import pytest

from backlight.lessons.exercises.checking import judge
from backlight.lessons.exercises.exercise import Exercise, Mistake

X = np.arange(12.0).reshape(3, 4) ** 2 + 1
SQUARE = X @ X.T + np.arange(9.0).reshape(3, 3)


def exercise(right):
    return Exercise(
        id="9.9", title="", answer="x", task="", cases=lambda _: [{}], solution=lambda: right, hints=(), look="",
        mistakes=(Mistake(name="known", answer=lambda: right + 7, message="By seven."),),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("right", "answer", "mistake"),
    [
        (X, -X, "wrong sign"),
        (X, X.T, "transposed"),
        (SQUARE, SQUARE.T, "transposed"),
        (X, 3 * X, "sum for mean"),
        (X, 12 * X, "sum for mean"),
        (X, X / 4, "mean for sum"),
        (X, 2.5 * X, "a constant factor"),
        (X.sum(0), X, "forgot to sum over a broadcast axis"),
        (X.sum(0, keepdims=True), X, "forgot to sum over a broadcast axis"),
        (X, X.sum(0), "summed too much"),
        (X.sum(0, keepdims=True), X.sum(0), "another shape"),
        (X, X[:2], "another shape"),
        (X, X + 7, "known"),
        (X, X + np.eye(3, 4), None),
        (X, np.full_like(X, np.nan), None),
        (X, np.zeros_like(X), None),
        (np.array(2.0), 6.0, None),
    ],
)
def test_what_it_looks_like(right, answer, mistake):
    verdict = judge(exercise(right), answer)
    assert not verdict.right
    assert verdict.mistake == mistake


def test_the_largest_difference_is_told_with_its_place():
    answer = X.copy()
    answer[1, 2] += 0.5
    assert judge(exercise(X), answer).lines[0] == (
        "the answer is wrong: largest difference 0.5 at (1, 2), which is 37.5 and should be 37."
    )


def test_a_single_number_has_no_place():
    assert judge(exercise(np.array(2.0)), 2.5).lines[0] == "the answer is wrong: 2.5, should be 2."


def test_rounding_is_close_and_not_exact():
    verdict = judge(exercise(X), X * (1 + 1e-9))
    assert (verdict.state, verdict.right) == ("close", True)
    assert "1.2e-07" in verdict.lines[0]
