"""Lesson 4 in single steps."""

from typing import Any

import numpy as np


def first_moves(zero: Any) -> Any:
    first = {"C": 0, "W1": 0, "b1": 0, "W2": 0, "b2": 0}
    C = "C" not in zero  # whether C is not 0
    W1 = "W1" not in zero  # whether W1 is not 0
    b1 = "b1" not in zero  # whether b1 is not 0
    W2 = "W2" not in zero  # whether W2 is not 0
    for step in (1, 2, 3, 4, 5):
        h = b1 or (C and W1)  # whether h is not 0
        dh = W2  # whether h's gradient is not 0
        moved = {}  # what changes in a step
        moved["b2"] = True
        moved["W2"] = h  # the condition for a change of W2
        moved["b1"] = dh  # the condition for a change of b1
        moved["W1"] = dh and C  # the condition for a change of W1
        moved["C"] = dh and W1  # the condition for a change of C
        for name, changes in moved.items():
            if changes and first[name] == 0:
                first[name] = step
        C = C or moved["C"]
        W1 = W1 or moved["W1"]
        b1 = b1 or moved["b1"]
        W2 = W2 or moved["W2"]
    return first


def fold(W: Any, b: Any, gain: Any, bias: Any, running_mean: Any, running_var: Any, eps: Any) -> Any:
    std = np.sqrt(running_var + eps)  # the standard deviation
    scale = gain / std  # the scale of each unit
    folded_W = W * scale  # the folded W
    centred = b - running_mean  # b minus the running mean
    folded_b = centred * scale + bias  # the folded b
    return folded_W, folded_b


def first_weights(fan_in: Any, fan_out: Any, function: Any, rng: Any) -> Any:
    gains = {"linear": 1.0, "tanh": 5 / 3, "relu": 2**0.5}
    gain = gains[function]
    std = gain / fan_in**0.5  # the standard deviation
    return rng.normal(0, std, (fan_in, fan_out))


def batch_norm(
    x: Any, gain: Any, bias: Any, running_mean: Any, running_var: Any, training: Any, momentum: Any, eps: Any
) -> Any:
    mean = running_mean  # the mean that is subtracted
    var = running_var  # the variance that is divided by
    if training:
        mean = x.mean(0)
        var = x.var(0)
        unbiased = x.var(0, ddof=1)  # the unbiased variance
        running_mean = (1 - momentum) * running_mean + momentum * mean  # the running mean
        running_var = (1 - momentum) * running_var + momentum * unbiased  # the running variance
    centred = x - mean  # x minus the mean
    std = np.sqrt(var + eps)  # the standard deviation
    normal = centred / std  # the normalised x
    y = gain * normal + bias
    return y, running_mean, running_var


PROGRAMS = (first_moves, fold, first_weights, batch_norm)
