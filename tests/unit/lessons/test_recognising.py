"""Mistakes that show in the numbers alone, whatever the exercise."""

import numpy as np
import pytest

from backlight.lessons.exercises.exercise import Exercise, wrong
from backlight.lessons.exercises.grading import grade

X = np.arange(12.0).reshape(3, 4) ** 2 + 1
SQUARE = X @ X.T + np.arange(9.0).reshape(3, 3)


def exercise(right):
    return Exercise(
        id="9.9", cases=lambda _: [{}], solution=lambda more=0: right + more, hints=(), look="",
        mistakes=(wrong("known", more=7, says="By seven."),),
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
        (X.sum(0, keepdims=True), X.sum(0), "wrong shape"),
        (X, X[:2], "wrong shape"),
        (X, X + 7, "known"),
        (X, X + np.eye(3, 4), None),
        (X, np.full_like(X, np.nan), None),
        (X, np.zeros_like(X), None),
        (np.array(2.0), 6.0, None),
    ],
)
def test_what_it_looks_like(right, answer, mistake):
    verdict = grade(exercise(right), answer)
    assert not verdict.right
    assert verdict.mistake == mistake


def test_the_largest_difference_is_told_with_its_place():
    answer = X.copy()
    answer[1, 2] += 0.5
    assert grade(exercise(X), answer).lines[0] == (
        "The answer is wrong, most of all at (1, 2): 37.5, which should be 37."
    )


def test_the_place_is_the_one_furthest_beyond_its_bound():
    """A small number that is off by much of itself, beside a large one that is off by its rounding."""
    answer = X * (1 + 8e-6)
    answer[0, 0] += 3e-4
    assert X.max() * 8e-6 > 3e-4
    assert grade(exercise(X), answer).lines[0].startswith("The answer is wrong, most of all at (0, 0): 1.0003")


def test_a_single_number_has_no_place():
    assert grade(exercise(np.array(2.0)), 2.5).lines[0] == "The answer is wrong: it is 2.5 and should be 2."


def test_rounding_is_close_and_not_exact():
    verdict = grade(exercise(X), X * (1 + 1e-9))
    assert (verdict.state, verdict.right) == ("close", True)
    assert "1.2e-07" in verdict.lines[0]


def test_a_mistake_is_an_answer_or_the_solution_with_other_arguments():
    def add(a, b, *, c=0):
        return a + b + c

    def take(a, b, *, c=0):
        return a - b - c

    mistakes = (wrong("c", c=5, says=""), wrong("a", a=0, says=""), wrong("own", lambda a, b: a * b, says=""))
    given = {"id": "9.9", "cases": lambda _: [{"a": 3, "b": 4}], "solution": add, "hints": (), "look": ""}
    one = Exercise(**given, mistakes=mistakes)
    assert one.answer == "add"
    assert [mistake.answer(a=3, b=4) for mistake in one.mistakes] == [12, 4, 12]
    other = Exercise(**given, mistakes=mistakes, helper=take)
    assert [mistake.answer(a=3, b=4) for mistake in other.mistakes] == [-6, -4, 12]
    assert grade(one, 12).mistake == "c"
