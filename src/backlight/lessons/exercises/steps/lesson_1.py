"""Lesson 1 in single steps."""

import math
from typing import Any

from backlight.autograd import Value


def gradient_by_formula(a: Any, b: Any, c: Any) -> Any:
    product_by_a = 2 * a * b  # the derivative of a² b with respect to a
    quotient_by_a = -1 / c  # the derivative of -a / c with respect to a
    product_by_b = a**2  # the derivative of a² b with respect to b
    sine_by_b = 3 * math.cos(3 * b)  # the derivative of sin(3 b) with respect to b
    quotient_by_c = a / c**2  # the derivative of -a / c with respect to c
    by_a = product_by_a + quotient_by_a  # df/da
    by_b = product_by_b + sine_by_b  # df/db
    return by_a, by_b, quotient_by_c


def forward_difference(f: Any, a: Any, b: Any, c: Any, h: Any) -> Any:
    before = f(a, b, c)  # f before the step
    by_a = (f(a + h, b, c) - before) / h  # df/da
    by_b = (f(a, b + h, c) - before) / h  # df/db
    by_c = (f(a, b, c + h) - before) / h  # df/dc
    return by_a, by_b, by_c


def symmetric_difference(f: Any, a: Any, b: Any, c: Any, h: Any) -> Any:
    by_a = (f(a + h, b, c) - f(a - h, b, c)) / (2 * h)  # df/da
    by_b = (f(a, b + h, c) - f(a, b - h, c)) / (2 * h)  # df/db
    by_c = (f(a, b, c + h) - f(a, b, c - h)) / (2 * h)  # df/dc
    return by_a, by_b, by_c


def walk_back(nodes: Any) -> Any:
    grad = {name: 0.0 for name, _ in nodes}  # the dictionary of gradients
    grad[nodes[-1][0]] = 1.0
    for name, parents in nodes[::-1]:
        for parent, local in parents:
            grad[parent] += local * grad[name]
    return grad


def descend(w: Any, xs: Any, ys: Any, rate: Any, steps: Any) -> Any:
    weight = Value(w)  # w
    for _ in range(steps):
        weight.zero_grad()
        loss = Value(0.0)
        for x, y in zip(xs, ys, strict=False):
            error = weight * x - y  # the error w * x - y
            loss = loss + error**2
        loss.backward()
        weight.data -= rate * weight.grad
    return weight.data


def softmax_nll(logits: Any, target: Any) -> Any:
    counts = [logit.exp() for logit in logits]  # the exponentials
    total = sum(counts)  # the sum of the exponentials
    probability = counts[target] / total  # the target's probability
    return -probability.log()


PROGRAMS = (gradient_by_formula, forward_difference, symmetric_difference, walk_back, descend, softmax_nll)
