"""Lesson 1's exercises: answers as learners write them, right in other styles, and wrong."""

# ruff: noqa: ARG005  (wrong answers leave out what they should use)

import math

import numpy as np
import pytest
from tests.unit.lessons.answers import graded

import backlight.torchlike as torch
from backlight import Value

# -- 1.1, 1.2, 1.3 -----------------------------------------------------------------------------------------------------


def test_a_gradient_by_formula_as_learners_write_it():
    def no_inner(a, b, c):
        return [2 * a * b - 1 / c, a * a + math.cos(3 * b), a / (c * c)]

    def nearly(a, b, c):
        return 2 * a * b - c**-1, a**2 + 3 * np.cos(3 * b), a * c**-2.0 * (1 + 1e-9)

    assert graded("1.1", no_inner).mistake == "forgot the inner derivative"
    assert graded("1.1", nearly).state == "close"
    assert "it has 2" in graded("1.1", lambda a, b, c: (a, b)).lines[0]
    assert "it is a float" in graded("1.1", lambda a, b, c: a * b * c).lines[0]
    assert "should be numbers" in graded("1.1", lambda a, b, c: ("a", "b", "c")).lines[0]


def test_a_gradient_in_other_styles():
    def by_values(a, b, c):
        leaves = [Value(a), Value(b), Value(c)]
        a, b, c = leaves
        (a**2 * b + (3 * b).sin() - a / c).backward()
        return [leaf.grad for leaf in leaves]

    def as_array(*point):
        a, b, c = map(np.float32, point)
        return np.array([2 * a * b - 1 / c, a**2 + 3 * np.cos(3 * b), a / c**2])

    assert graded("1.1", by_values).right
    assert graded("1.1", as_array).right


def by_copies(f, a, b, c, h, *, sides=(1, 0)):
    up, down = sides
    point = np.array([a, b, c])
    rows = h * np.eye(3)
    return [(f(*(point + up * row)) - f(*(point - down * row))) / (sum(sides) * h) for row in rows]


@pytest.mark.parametrize(("id_", "sides"), [("1.2", (1, 0)), ("1.3", (1, 1))])
def test_differences_in_other_styles(id_, sides):
    def one_by_one(f, a, b, c, h):
        up, down = (h * side for side in sides)
        dfda = (f(a + up, b, c) - f(a - down, b, c)) / (up + down)
        dfdb = (f(a, b + up, c) - f(a, b - down, c)) / (up + down)
        dfdc = (f(a, b, c + up) - f(a, b, c - down)) / (up + down)
        return dfda, dfdb, dfdc

    assert graded(id_, one_by_one).right
    assert graded(id_, lambda *case: by_copies(*case, sides=sides)).right


def test_differences_that_never_put_a_letter_back():
    def in_place(f, a, b, c, h):
        before = f(a, b, c)
        a += h
        first = f(a, b, c)
        b += h
        second = f(a, b, c)
        c += h
        return [(one - before) / h for one in (first, second, f(a, b, c))]

    assert graded("1.2", in_place).mistake == "the last variable was not restored"
    assert graded("1.2", lambda *case: by_copies(*case, sides=(1, 1))).mistake == "symmetric difference"
    assert graded("1.3", lambda *case: by_copies(*case, sides=(1, 0))).mistake == "forward difference"


# -- 1.4 ---------------------------------------------------------------------------------------------------------------


def test_the_walk_back_in_other_styles():
    def by_recursion(nodes):
        children = {name: [] for name, _ in nodes}
        for name, parents in nodes:
            for parent, local in parents:
                children[parent].append((name, local))

        def gradient(name):
            if name == nodes[-1][0]:
                return 1
            return sum(local * gradient(child) for child, local in children[name])

        return {name: gradient(name) for name, _ in nodes}

    def in_another_order(nodes):
        grads = {nodes[-1][0]: 1.0}
        for name, parents in reversed(nodes):
            for parent, local in parents:
                grads[parent] = grads.get(parent, 0.0) + local * grads[name]
        return grads

    assert graded("1.4", by_recursion).right
    assert graded("1.4", in_another_order).right


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


# -- 1.5 ---------------------------------------------------------------------------------------------------------------


def test_gradient_descent_in_other_styles():
    def by_formula(w, xs, ys, rate, steps):
        for _ in range(steps):
            w -= rate * sum(2 * (w * x - y) * x for x, y in zip(xs, ys, strict=True))
        return w

    def by_tensors(w, xs, ys, rate, steps):
        w, xs, ys = torch.tensor(w, requires_grad=True), torch.tensor(xs), torch.tensor(ys)
        for _ in range(steps):
            w.grad = None
            ((w * xs - ys) ** 2).sum().backward()
            w.data -= rate * w.grad
        return w

    def anew_each_time(w, xs, ys, rate, steps):
        for _ in range(steps):
            weight = Value(w)
            loss = Value(0.0)
            for x, y in zip(xs, ys, strict=True):
                loss = loss + (weight * x - y) ** 2
            loss.backward()
            w = w - rate * weight.grad
        return w

    assert graded("1.5", by_formula).right
    assert graded("1.5", by_tensors).right
    assert graded("1.5", anew_each_time).right


def test_a_gradient_that_is_never_forgotten():
    def descend(w, xs, ys, rate, steps):
        w = Value(w)
        for _ in range(steps):
            loss = sum((w * x - y) ** 2 for x, y in zip(xs, ys, strict=True))
            loss.backward()
            w.data -= rate * w.grad
        return w

    assert graded("1.5", descend).mistake == "forgot to zero the gradient"


# -- 1.6 ---------------------------------------------------------------------------------------------------------------


def test_softmax_in_other_styles():
    def by_logs(logits, target):
        return sum(logit.exp() for logit in logits).log() - logits[target]

    def in_a_loop(logits, target):
        total = 0
        for logit in logits:
            total += math.e**logit
        return -((math.e ** logits[target]) / total).log()

    assert graded("1.6", by_logs).right
    assert graded("1.6", in_a_loop).right


def test_a_graph_that_is_cut():
    def cut(logits, target):
        counts = [math.exp(logit.data) for logit in logits]
        return Value(-math.log(counts[target] / sum(counts)))

    assert graded("1.6", cut).mistake == "the graph is broken"
    assert "pass the function softmax_nll itself" in graded("1.6", Value(1.0)).lines[0].lower()
