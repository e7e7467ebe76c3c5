"""Every exercise: the right answer passes, and each known mistake is told by its name."""

# ruff: noqa: ARG001, ARG005  (wrong answers leave out what they should use)

import math

import numpy as np
import pytest

import backlight.torchlike as torch
from backlight import Value
from backlight.core import ConfigError
from backlight.lessons.exercises import EXERCISES, find, given, grade

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
    return [{name: value for name, value in case.items() if not callable(value)} for case in cases]


def test_there_is_no_such_exercise():
    with pytest.raises(ConfigError, match=r"1\.1, 1\.2.*got '9\.9'"):
        find(EXERCISES, "9.9")
    with pytest.raises(ConfigError):
        given("9.9")


# -- answers as learners write them ------------------------------------------------------------------------------------


def graded(id_, answer):
    return grade(EXERCISES[id_], answer)


def test_a_gradient_by_formula_as_learners_write_it():
    def no_inner(a, b, c):
        return [2 * a * b - 1 / c, a * a + math.cos(3 * b), a / (c * c)]

    def nearly(a, b, c):
        return 2 * a * b - c**-1, a**2 + 3 * np.cos(3 * b), a * c**-2.0 * (1 + 1e-9)

    assert graded("1.1", no_inner).mistake == "forgot the inner derivative"
    assert graded("1.1", nearly).state == "close"
    assert "it gives 2" in graded("1.1", lambda a, b, c: (a, b)).lines[0]
    assert "it gives one float" in graded("1.1", lambda a, b, c: a * b * c).lines[0]
    assert "should be numbers" in graded("1.1", lambda a, b, c: ("a", "b", "c")).lines[0]


def test_where_it_first_goes_wrong():
    verdict = graded("1.1", lambda a, b, c: (2 * a * b - 1 / c, 0.0, 0.0))
    assert verdict.lines[0] == "Right so far: df/da."
    assert verdict.lines[1].startswith("df/db is wrong: 0, should be ")
    assert verdict.lines[2] == "That is for a = 2.0, b = 3.0, c = 4.0."


def test_an_error_is_told_with_its_line():
    def broken(a, b, c):
        return a / (b - b)

    verdict = graded("1.1", broken)
    line = broken.__code__.co_firstlineno + 1
    assert verdict.state == "error"
    assert verdict.lines[0] == f"ZeroDivisionError in line {line}, in broken: float division by zero"


def test_paths_that_overwrite_each_other():
    def overwrites(nodes):
        grad = dict.fromkeys((name for name, _ in nodes), 0.0)
        grad[nodes[-1][0]] = 1.0
        for name, parents in reversed(nodes):
            for parent, local in parents:
                grad[parent] = grad[name] * local
        return grad

    verdict = graded("1.4", overwrites)
    assert verdict.mistake == "= for += where paths meet"
    assert "missing: c, b, a." in graded("1.4", lambda nodes: {"d": 1.0}).lines[0]


def test_a_gradient_that_is_never_forgotten():
    def descend(w, xs, ys, rate, steps):
        w = Value(w)
        for _ in range(steps):
            loss = sum((w * x - y) ** 2 for x, y in zip(xs, ys, strict=True))
            loss.backward()
            w.data -= rate * w.grad
        return w

    assert graded("1.5", descend).mistake == "forgot to zero the gradient"


def test_a_graph_that_is_cut():
    def cut(logits, target):
        counts = [math.exp(logit.data) for logit in logits]
        return Value(-math.log(counts[target] / sum(counts)))

    assert graded("1.6", cut).mistake == "the graph is cut"
    assert "hand in the function softmax_nll itself" in graded("1.6", Value(1.0)).lines[0].lower()


def test_a_value_can_be_handed_in_for_what_is_given():
    case = given("2.4")
    W, ids, dlogits = case["W"], case["ids"], case["dlogits"]
    onehot = np.eye(len(W))[ids]
    assert graded("2.4", (onehot @ W, onehot.T @ dlogits)).right
    assert graded("2.4", (torch.tensor(W[ids]), torch.tensor(onehot.T @ dlogits))).right
    wrong = np.zeros_like(W)
    wrong[ids] = dlogits
    assert graded("2.4", (W[ids], wrong)).mistake == "= for += where an index repeats"


def test_shapes_are_explained():
    case = given("2.4")
    W, ids = case["W"], case["ids"]
    verdict = graded("2.4", (W[ids][:, :2], W))
    assert (verdict.state, verdict.mistake) == ("shape", "another shape")
    assert verdict.lines[0] == f"the logits has shape ({len(ids)}, 2); it should have ({len(ids)}, {len(W)})."


def test_a_split_may_be_shuffled_in_any_way():
    def other(words, seed):
        import random

        words = sorted(words)
        random.Random(seed).shuffle(words)
        n1, n2 = int(len(words) * 0.8), int(len(words) * 0.9)
        return words[:n1], words[n1:n2], words[n2:]

    def seedless(words, seed):
        order = np.random.default_rng().permutation(len(words))
        words = [words[i] for i in order]
        n1, n2 = int(len(words) * 0.8), int(len(words) * 0.9)
        return words[:n1], words[n1:n2], words[n2:]

    assert graded("2.2", other).right
    assert "the same seed" in " ".join(graded("2.2", seedless).lines)


def test_ngrams_may_be_tuples():
    def by_tuples(words, n):
        found = {}
        for word in words:
            text = "." * (n - 1) + word + "."
            for three in zip(*(text[i:] for i in range(n)), strict=False):
                found[three] = found.get(three, 0) + 1
        return found

    assert graded("2.6", by_tuples).right


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
    assert counter.lines[0] == "It should give numbers in one array; it gives a dict."
    alone = graded("2.3", lambda train, dev, ks: np.ones(len(ks)))
    assert "it gives one array of shape (6,)" in alone.lines[0]
    assert graded("2.3", lambda train, dev, ks: (np.ones(len(ks)), np.ones(len(ks)))).state == "wrong"
    assert "yes; it should be no" not in " ".join(graded("2.2", lambda words, seed: (words, [], [])).lines)


def test_a_split_that_rounds_is_another_one():
    def rounds(words, seed):
        mixed = np.random.default_rng(seed).permutation(words).tolist()
        a, b = round(0.8 * len(words)), round(0.1 * len(words))
        return mixed[:a], mixed[a : a + b], mixed[a + b :]

    def adds(words, seed):
        mixed = np.random.default_rng(seed).permutation(words).tolist()
        a, b = int(0.8 * len(words)), int(0.1 * len(words))
        return mixed[:a], mixed[a : a + b], mixed[a + b :]

    assert not graded("2.2", rounds).right
    assert not graded("2.2", adds).right
