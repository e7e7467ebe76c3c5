"""Lesson 3 in single steps."""

from typing import Any

import numpy as np


def logits_with_direct(X: Any, C: Any, H: Any, d: Any, U: Any, W: Any, b: Any) -> Any:
    vectors = C[X]
    x = vectors.reshape(len(X), -1)
    sums = d + x @ H  # the input of tanh
    h = np.tanh(sums)  # the hidden units
    direct = x @ W  # the direct connection
    hidden = h @ U  # the hidden units' share
    return b + direct + hidden


def write_names(next_logits: Any, draw: Any, block_size: Any, count: Any) -> Any:
    names = []
    for _ in range(count):
        name: list[int] = []
        context = [0] * block_size
        while True:
            logits = next_logits(np.array([context]))[0]
            counts = np.exp(logits)  # the exponentials
            probs = counts / counts.sum()  # the probabilities
            drawn = draw(probs)  # the drawn id
            context = [*context[1:], drawn]
            if drawn == 0:
                break
            name.append(drawn)
        names.append(name)
    return names


PROGRAMS = (logits_with_direct, write_names)
