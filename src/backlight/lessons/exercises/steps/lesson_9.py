"""Lesson 9 in single steps."""

import math
from typing import Any

import numpy as np


def from_gpt2(state: Any) -> Any:
    model = {}
    for name in state:
        array = state[name]
        mask = name.endswith(".attn.bias")
        value = name.endswith(".attn.masked_bias")  # masked_bias
        if mask or value:
            continue
        c_attn = name.endswith("attn.c_attn.weight")
        attn_c_proj = name.endswith("attn.c_proj.weight")  # attn.c_proj
        c_fc = name.endswith("mlp.c_fc.weight")
        mlp_c_proj = name.endswith("mlp.c_proj.weight")  # mlp.c_proj
        if c_attn or attn_c_proj or c_fc or mlp_c_proj:
            array = array.T
        model["transformer." + name] = array
    model["lm_head.weight"] = state["wte.weight"]
    return model


def gpt2_weights(shapes: Any, layers: Any, rng: Any) -> Any:
    weights: dict[str, Any] = {}
    std = 0.02  # the standard deviation
    scaled = std / np.sqrt(2 * layers)  # the standard deviation of the projections
    for name in shapes:
        shape = shapes[name]
        axes = len(shape)  # the number of axes
        bias = name.endswith("bias")
        projection = name.endswith("c_proj.weight")
        if bias:
            weights[name] = np.zeros(shape)
        elif axes == 1:
            weights[name] = np.ones(shape)
        elif projection:
            weights[name] = rng.normal(0, scaled, shape)
        else:
            weights[name] = rng.normal(0, std, shape)
    weights["lm_head.weight"] = weights["transformer.wte.weight"]
    return weights


def decay_groups(shapes: Any, tied: Any) -> Any:
    decay: list[str] = []  # the names that decay
    rest: list[str] = []  # the names that do not decay
    for name in shapes:
        axes = len(shapes[name])  # the number of axes
        if name in tied:
            continue
        if axes >= 2:
            decay.append(name)
        else:
            rest.append(name)
    return decay, rest


def accumulate(loss_and_gradient: Any, batches: Any) -> Any:
    total = 0.0  # the sum of the losses
    summed = 0.0  # the sum of the gradients
    count = 0  # the number of targets
    for x, y in batches:
        loss, gradient = loss_and_gradient(x, y)
        n = (y >= 0).sum()  # the number of targets in a micro-batch
        total += n * loss
        summed = summed + n * gradient
        count += n
    return total / count, summed / count


def rate_at(step: Any, highest: Any, lowest: Any, warmup: Any, steps: Any) -> Any:
    if step < warmup:
        return highest * (step + 1) / warmup
    if step > steps:
        return lowest
    share = (step - warmup) / (steps - warmup)  # the share of the decay that is over
    angle = np.pi * share  # the angle
    falling = 0.5 * (1 + math.cos(angle))  # the factor that falls from 1 to 0
    return lowest + falling * (highest - lowest)


def add_block(scores: Any, v: Any, largest: Any, total: Any, read: Any) -> Any:
    own = scores.max(1)  # the block's own maximum
    new = np.maximum(largest, own)  # the new maximum
    factor = np.exp(largest - new)  # the factor of the earlier sums
    counts = np.exp(scores - new[:, None])  # the exponentials of the block
    total = factor * total + counts.sum(1)
    read = factor[:, None] * read + counts @ v
    return new, total, read


def attention_in_blocks(q: Any, k: Any, v: Any, size: Any) -> Any:
    T, D = q.shape
    out = np.zeros_like(v)  # the result
    for i in range(0, T, size):
        rows = q[i : i + size]  # the queries of a block
        R = len(rows)
        largest = np.full(R, -np.inf)  # the maximum so far
        total = np.zeros(R)  # the total so far
        read = np.zeros((R, D))  # what is read so far
        for j in range(0, i + 1, size):
            keys = k[j : j + size]  # the keys of a block
            scores = rows @ keys.T / np.sqrt(D)
            seen = np.arange(j, j + len(keys)) <= np.arange(i, i + R)[:, None]  # the mask of a block
            masked = np.where(seen, scores, -np.inf)  # the masked scores
            largest, total, read = add_block(masked, v[j : j + size], largest, total, read)
        out[i : i + size] = read / total[:, None]
    return out


PROGRAMS = (from_gpt2, gpt2_weights, decay_groups, accumulate, rate_at, add_block, attention_in_blocks)
