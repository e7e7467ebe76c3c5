"""Lesson 11 in single steps."""

from typing import Any

import numpy as np


def all_heads_backward(dy: Any, x: Any, Wq: Any, Wk: Any, Wv: Any, heads: Any) -> Any:
    B, T, C = x.shape
    D = C // heads
    q = (x @ Wq).reshape(B, T, heads, D).transpose(0, 2, 1, 3)
    k = (x @ Wk).reshape(B, T, heads, D).transpose(0, 2, 1, 3)
    v = (x @ Wv).reshape(B, T, heads, D).transpose(0, 2, 1, 3)
    scores = q @ k.transpose(0, 1, 3, 2) / np.sqrt(D)
    seen = np.tril(np.ones((T, T)))  # the mask
    masked = np.where(seen == 1, scores, -np.inf)  # the masked scores
    counts = np.exp(masked)  # the exponentials
    weights = counts / counts.sum(-1, keepdims=True)  # the weights
    dread = dy.reshape(B, T, heads, D).transpose(0, 2, 1, 3)  # the gradient of the heads' outputs
    dv = weights.transpose(0, 1, 3, 2) @ dread  # the gradient of the values
    dweights = dread @ v.transpose(0, 1, 3, 2)  # the gradient of the weights
    shared = (weights * dweights).sum(-1, keepdims=True)  # softmax's sum over a row
    dmasked = weights * (dweights - shared)  # the gradient of the masked scores
    dscores = dmasked / np.sqrt(D)  # the gradient of the scores
    dq = dscores @ k  # the gradient of the queries
    dk = dscores.transpose(0, 1, 3, 2) @ q  # the gradient of the keys
    dq = dq.transpose(0, 2, 1, 3).reshape(B, T, C)
    dk = dk.transpose(0, 2, 1, 3).reshape(B, T, C)
    dv = dv.transpose(0, 2, 1, 3).reshape(B, T, C)
    dx = dq @ Wq.T + dk @ Wk.T + dv @ Wv.T
    rows = x.reshape(B * T, C)
    dWq = rows.T @ dq.reshape(B * T, C)
    dWk = rows.T @ dk.reshape(B * T, C)
    dWv = rows.T @ dv.reshape(B * T, C)
    return dx, dWq, dWk, dWv


PROGRAMS = (all_heads_backward,)
