"""Lesson 7 in single steps."""

from typing import Any

import numpy as np


def all_heads(x: Any, Wq: Any, Wk: Any, Wv: Any, heads: Any) -> Any:
    B, T, C = x.shape
    D = C // heads
    q = x @ Wq  # the queries
    k = x @ Wk  # the keys
    v = x @ Wv  # the values
    q = q.reshape(B, T, heads, D).transpose(0, 2, 1, 3)
    k = k.reshape(B, T, heads, D).transpose(0, 2, 1, 3)
    v = v.reshape(B, T, heads, D).transpose(0, 2, 1, 3)
    scores = q @ k.transpose(0, 1, 3, 2) / np.sqrt(D)
    seen = np.tril(np.ones((T, T)))  # the mask
    masked = np.where(seen == 1, scores, -np.inf)  # the masked scores
    counts = np.exp(masked - masked.max(-1, keepdims=True))  # the exponentials
    weights = counts / counts.sum(-1, keepdims=True)  # the weights
    y = weights @ v  # the heads' outputs
    return y.transpose(0, 2, 1, 3).reshape(B, T, C)


def encode_sum(a: Any, b: Any, digits: Any) -> Any:
    first = str(a).zfill(digits)  # the digits of a
    second = str(b).zfill(digits)  # the digits of b
    total = a + b  # the sum
    padded = str(total).zfill(digits + 1)  # the padded sum
    answer = padded[::-1]  # the digits of the sum
    ids = [int(one) for one in first + second + answer]
    hidden = 2 * digits - 1  # the number of positions without a target
    x = ids[:-1]
    y = ids[1:]
    for i in range(hidden):
        y[i] = -1
    return x, y


def splice(old: Any, fresh: Any, old_characters: Any, fresh_characters: Any) -> Any:
    made = {name: old[name].copy() for name in fresh}
    made["token.weight"] = fresh["token.weight"].copy()
    made["output.weight"] = fresh["output.weight"].copy()
    for i, character in enumerate(fresh_characters):
        if character in old_characters:
            j = old_characters.index(character)  # the character's old id
            made["token.weight"][i] = old["token.weight"][j]
            made["output.weight"][:, i] = old["output.weight"][:, j]
    return made


def rotate(x: Any, positions: Any, base: Any) -> Any:
    D = x.shape[1]
    i = np.arange(D // 2)  # the number of the pair
    exponent = -2 * i / D
    speed = base**exponent  # the speed of each pair
    angle = positions[:, None] * speed  # the angle
    a = x[:, 0::2]  # the first numbers of the pairs
    b = x[:, 1::2]  # the second numbers of the pairs
    y = np.empty_like(x)
    y[:, 0::2] = a * np.cos(angle) - b * np.sin(angle)
    y[:, 1::2] = a * np.sin(angle) + b * np.cos(angle)
    return y


PROGRAMS = (all_heads, encode_sum, splice, rotate)
