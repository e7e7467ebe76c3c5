"""Lesson 10 in single steps."""

from typing import Any

import numpy as np


def rmsnorm(x: Any) -> Any:
    x = np.asarray(x)
    squares = x * x  # the squares
    mean = squares.sum() / len(x)  # the mean of the squares
    root = np.sqrt(mean + 1e-5)
    return x / root


def query_gradient(query: Any, keys: Any, dscores: Any) -> Any:
    D = len(query)
    total = np.zeros(D)
    for dscore, key in zip(dscores, keys, strict=True):
        total = total + dscore * np.asarray(key)  # the sum over the keys
    return total / np.sqrt(D)


def adam_step(p: Any, grad: Any, m: Any, v: Any, t: Any, lr: Any) -> Any:
    new_m = 0.85 * m + (1 - 0.85) * grad  # the new m
    new_v = 0.99 * v + (1 - 0.99) * grad**2  # the new v
    correction_m = 1 - 0.85**t  # the correction of m
    correction_v = 1 - 0.99**t  # the correction of v
    m_hat = new_m / correction_m  # the corrected m
    v_hat = new_v / correction_v  # the corrected v
    root = np.sqrt(v_hat)  # the root of v
    change = lr * m_hat / (root + 1e-8)  # the change of p
    return p - change, new_m, new_v


PROGRAMS = (rmsnorm, query_gradient, adam_step)
