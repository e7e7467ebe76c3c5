"""Lesson 6 in single steps."""

from typing import Any

import numpy as np


def tree_everywhere(vectors: Any, edge: Any, levels: Any) -> Any:
    padding = 2 ** len(levels) - 1  # the number of edges in front
    h = np.concatenate([np.tile(edge, (padding, 1)), vectors])
    d = 1  # the dilation
    for W, b in levels:
        left, right = np.split(W, 2)
        older = h[:-d]  # the older of each pair
        newer = h[d:]  # the newer of each pair
        sums = older @ left + newer @ right + b  # the input of tanh
        h = np.tanh(sums)
        d = d * 2
    return h


def batch_norm_3d(x: Any, gain: Any, shift: Any, running_mean: Any, running_var: Any, momentum: Any) -> Any:
    mean = x.mean((0, 1))  # the batch's mean
    var = x.var((0, 1))  # the batch's variance
    unbiased = x.var((0, 1), ddof=1)  # the unbiased variance
    centred = x - mean  # x minus the mean
    std = np.sqrt(var + 1e-5)  # the standard deviation
    normal = centred / std  # the normalised x
    y = gain * normal + shift
    running_mean = (1 - momentum) * running_mean + momentum * mean  # the running mean
    running_var = (1 - momentum) * running_var + momentum * unbiased  # the running variance
    return y, running_mean, running_var


PROGRAMS = (tree_everywhere, batch_norm_3d)
