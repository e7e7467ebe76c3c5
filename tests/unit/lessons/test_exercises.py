"""Every exercise: the right answer passes, and each known mistake is told by its name."""

# ruff: noqa: ARG001, ARG005  (wrong answers leave out what they should use)

import math
from types import SimpleNamespace

import numpy as np
import pytest
from tests.unit.lessons.answers import graded

from backlight.core import ConfigError
from backlight.lessons.exercises import EXERCISES, find, given, grade
from backlight.lessons.exercises.comparing import Comparing

ALL = list(EXERCISES.values())
KNOWN = [(exercise, mistake) for exercise in ALL for mistake in exercise.mistakes]


@pytest.mark.parametrize("exercise", ALL, ids=lambda one: one.id)
def test_the_solution_is_right(exercise):
    assert grade(exercise, exercise.solution).state == "exact"


@pytest.mark.parametrize("exercise", ALL, ids=lambda one: one.id)
def test_nothing_is_not_yet(exercise):
    for answer in (None, ..., lambda **_: None):
        verdict = grade(exercise, answer)
        assert (verdict.state, verdict.right) == ("unfinished", False)
        assert verdict.headline.startswith(f"{exercise.id}: not yet")


@pytest.mark.parametrize(("exercise", "mistake"), KNOWN, ids=lambda one: getattr(one, "id", "") or one.name)
def test_each_mistake_is_told_by_its_name(exercise, mistake):
    verdict = grade(exercise, mistake.answer)
    assert verdict.mistake == mistake.name
    assert not verdict.right
    assert any(mistake.message in line for line in verdict.lines)
    assert any(exercise.look in line for line in verdict.lines)


@pytest.mark.parametrize("exercise", ALL, ids=lambda one: one.id)
def test_an_exercise_is_whole(exercise):
    assert len(exercise.mistakes) >= 3
    assert len({mistake.name for mistake in exercise.mistakes}) == len(exercise.mistakes)
    assert len(exercise.hints) >= 2
    assert exercise.answer.isidentifier()
    assert exercise.answer in exercise.task
    assert all(argument in exercise.task for argument in exercise.inputs()[0])


def test_no_two_exercises_share_an_answer():
    assert len({exercise.answer for exercise in ALL}) == len(ALL)
    assert list(EXERCISES) == sorted(EXERCISES, key=lambda id_: tuple(map(int, id_.split("."))))


@pytest.mark.parametrize("exercise", ALL, ids=lambda one: one.id)
def test_inputs_are_the_same_every_time_and_nobody_elses(exercise):
    before, after = exercise.inputs(), exercise.inputs()
    np.testing.assert_equal(_plain(before), _plain(after))
    assert before[0] is not after[0]


def _plain(cases):
    return [
        {name: vars(value) if isinstance(value, SimpleNamespace) else value
         for name, value in case.items() if not _has_a_state(value)}
        for case in cases
    ]  # fmt: skip


def _has_a_state(value):
    return callable(value) or isinstance(value, np.random.Generator)


def test_there_is_no_such_exercise():
    with pytest.raises(ConfigError, match=r"1\.1, 1\.2.*got '9\.9'"):
        find(EXERCISES, "9.9")
    with pytest.raises(ConfigError):
        given("9.9")


# -- answers as learners write them ------------------------------------------------------------------------------------


def test_where_it_first_goes_wrong():
    verdict = graded("1.1", lambda a, b, c: (2 * a * b - 1 / c, 0.0, 0.0))
    assert verdict.lines[0] == "Right so far: df/da."
    assert verdict.lines[1].startswith("df/db is wrong: it is 0 and should be ")
    assert verdict.lines[2] == "The inputs are a = 2.0, b = 3.0, c = 4.0."


def test_an_error_is_told_with_its_line():
    def broken(a, b, c):
        return a / (b - b)

    verdict = graded("1.1", broken)
    line = broken.__code__.co_firstlineno + 1
    assert verdict.state == "error"
    assert verdict.lines[0] == f"ZeroDivisionError in line {line}, in broken: float division by zero"


def test_shapes_are_explained():
    case = given("2.4")
    W, ids = case["W"], case["ids"]
    verdict = graded("2.4", (W[ids][:, :2], W))
    assert (verdict.state, verdict.mistake) == ("shape", "wrong shape")
    assert verdict.lines[0] == f"The logits have shape ({len(ids)}, 2); it should be ({len(ids)}, {len(W)})."


def test_arguments_may_have_other_names():
    assert graded("1.1", lambda x, y, z: (2 * x * y - 1 / z, x**2 + 3 * math.cos(3 * y), x / z**2)).right
    assert graded("1.1", lambda x, y: x).state == "error"


def test_an_error_in_the_package_is_told_with_the_learners_line():
    def log_of_nothing(logits, target):
        return (logits[target] * 0).log()

    line = log_of_nothing.__code__.co_firstlineno + 1
    said = graded("1.6", log_of_nothing).lines[0]
    assert said.startswith(f"DomainError in line {line}, in log_of_nothing: log needs a number above 0")


def test_what_cannot_be_compared_is_told_in_its_own_terms():
    counter = graded("2.1", lambda words, stoi: {"abc": 1})
    assert counter.lines[0] == "The result should be a number or an array; it is a dict."
    alone = graded("2.3", lambda train, dev, ks: np.ones(len(ks)))
    assert "it is one array of shape (6,)" in alone.lines[0]
    assert graded("2.3", lambda train, dev, ks: (np.ones(len(ks)), np.ones(len(ks)))).state == "wrong"
    assert "yes; it should be no" not in " ".join(graded("2.2", lambda words, seed: (words, [], [])).lines)


def test_the_place_shown_is_the_one_furthest_beyond_its_bound():
    """Of 1000.5 for 1000 and 1.2 for 1, the second is worse, though its difference is smaller."""
    reference, ours = {"y": np.array([1000.0, 1.0, 5.0])}, {"y": np.array([1000.5, 1.2, 5.0])}
    comparing = Comparing(SimpleNamespace(rtol=1e-6, atol=1e-9), [ours], [reference])
    comparing.rounding = [{"y": np.zeros(3)}]
    (found,) = comparing.mismatches
    assert found.at == (1,)
