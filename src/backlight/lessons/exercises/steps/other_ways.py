"""Right answers in single steps once more, built in another way, as many people write them.

A mistake in an answer of this form may be no small change of the program in the lesson's file.
"""

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any, Final

import numpy as np

from backlight.autograd import Value
from backlight.lessons.exercises.steps.lesson_8 import merge_pair
from backlight.lessons.exercises.steps.lesson_9 import add_block


def mean_of_two_slopes(f: Any, a: Any, b: Any, c: Any, h: Any) -> Any:
    here = f(a, b, c)  # f at the point
    a_up = (f(a + h, b, c) - here) / h  # the slope by a from the step up
    b_up = (f(a, b + h, c) - here) / h  # the slope by b from the step up
    c_up = (f(a, b, c + h) - here) / h  # the slope by c from the step up
    a_down = (here - f(a - h, b, c)) / h  # the slope by a from the step down
    b_down = (here - f(a, b - h, c)) / h  # the slope by b from the step down
    c_down = (here - f(a, b, c - h)) / h  # the slope by c from the step down
    by_a = (a_up + a_down) / 2  # df/da
    by_b = (b_up + b_down) / 2  # df/db
    by_c = (c_up + c_down) / 2  # df/dc
    return by_a, by_b, by_c


def slopes_in_a_loop(f: Any, a: Any, b: Any, c: Any, h: Any) -> Any:
    slopes = []
    for i in range(3):
        step_a, step_b, step_c = h * (i == 0), h * (i == 1), h * (i == 2)
        above = f(a + step_a, b + step_b, c + step_c)  # f after the step up
        below = f(a - step_a, b - step_b, c - step_c)  # f after the step down
        slopes.append((above - below) / (2 * h))
    return tuple(slopes)


def rises_in_a_loop(f: Any, a: Any, b: Any, c: Any, h: Any) -> Any:
    slopes = []
    for i in range(3):
        step_a, step_b, step_c = h * (i == 0), h * (i == 1), h * (i == 2)
        above = f(a + step_a, b + step_b, c + step_c)  # f after the step
        here = f(a, b, c)  # f before the step
        slopes.append((above - here) / h)
    return tuple(slopes)


def descend_by_formula(w: Any, xs: Any, ys: Any, rate: Any, steps: Any) -> Any:
    for _ in range(steps):
        slope = 0.0  # the derivative of the loss
        for x, y in zip(xs, ys, strict=False):
            error = w * x - y  # the error w * x - y
            slope += 2 * error * x
        w -= rate * slope
    return w


def nll_by_logs(logits: Any, target: Any) -> Any:
    total = Value(0.0)  # the sum of the exponentials
    for logit in logits:
        total = total + logit.exp()
    return total.log() - logits[target]


def cross_entropy_by_probabilities(logits: Any, targets: Any) -> Any:
    N = len(targets)
    largest = logits.max(1, keepdims=True)  # the largest logit of each row
    counts = np.exp(logits - largest)  # the exponentials
    probs = counts / counts.sum(1, keepdims=True)  # the probabilities
    picked = probs[np.arange(N), targets]  # the probabilities of the targets
    nats = -np.log(picked)  # -log p
    return nats.sum() / N


def cross_entropy_by_log_of_sum(logits: Any, targets: Any) -> Any:
    N = len(targets)
    largest = logits.max(1)  # the largest logit of each row
    counts = np.exp(logits - largest[:, None])  # the exponentials
    logs = np.log(counts.sum(1)) + largest  # the log of the sum of the exponentials
    nats = logs - logits[np.arange(N), targets]  # -log p
    return nats.mean()


def smoothing_by_totals(train: Any, dev: Any, ks: Any) -> Any:
    losses = []
    V = train.shape[1]
    for k in ks:
        totals = train.sum(1, keepdims=True) + V * k  # the sums of the rows
        probs = (train + k) / totals  # the probabilities
        share = dev / dev.sum()  # the share of each pair of dev
        losses.append(-(share * np.log(probs)).sum())
    best = ks[int(np.argmin(losses))]  # the best k
    return losses, best


def batch_norm_by_squares(
    x: Any, gain: Any, bias: Any, running_mean: Any, running_var: Any, training: Any, momentum: Any, eps: Any
) -> Any:
    N = len(x)
    mean = running_mean  # the mean that is subtracted
    var = running_var  # the variance that is divided by
    if training:
        mean = x.sum(0) / N
        deviations = x - mean  # the deviations from the mean
        var = (deviations**2).sum(0) / N
        unbiased = x.var(0) * N / (N - 1)  # the unbiased variance
        running_mean = running_mean + momentum * (mean - running_mean)  # the running mean
        running_var = running_var + momentum * (unbiased - running_var)  # the running variance
    y = gain * (x - mean) / np.sqrt(var + eps) + bias
    return y, running_mean, running_var


def dlogits_in_one(logits: Any, targets: Any) -> Any:
    N = len(targets)
    counts = np.exp(logits - logits.max(1, keepdims=True))  # the exponentials
    probs = counts / counts.sum(1, keepdims=True)  # the probabilities
    onehot = np.eye(logits.shape[1])[targets]  # the one-hot targets
    return (probs - onehot) / N


def dlogits_by_logs(logits: Any, targets: Any) -> Any:
    N = len(targets)
    shifted = logits - logits.max(1, keepdims=True)  # the shifted logits
    logprobs = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))  # the logs of the probabilities
    probs = np.exp(logprobs)  # the probabilities
    onehot = np.eye(logits.shape[1])[targets]  # the one-hot targets
    return (probs - onehot) / N


def batch_norm_backward_in_one(dy: Any, normal: Any, rstd: Any, gain: Any) -> Any:
    N = len(dy)
    dshift = dy.sum(0)
    dgain = (dy * normal).sum(0)
    dx = gain * rstd / N * (N * dy - dshift - N / (N - 1) * normal * dgain)
    return dx, dgain, dshift


def tree_cut_at_the_end(vectors: Any, edge: Any, levels: Any) -> Any:
    N = len(vectors)
    window = 2 ** len(levels)  # the length of a window
    h = np.concatenate([np.tile(edge, (window - 1, 1)), vectors])
    d = 1  # the dilation
    for W, b in levels:
        pairs = np.concatenate([h[:-d], h[d:]], axis=1)  # the pairs
        h = np.tanh(pairs @ W + b)
        d = d * 2
    return h[-N:]


def batch_norm_3d_by_squares(x: Any, gain: Any, shift: Any, running_mean: Any, running_var: Any, momentum: Any) -> Any:
    B, T, C = x.shape
    N = B * T  # the number of rows
    rows = x.reshape(N, C)
    mean = rows.sum(0) / N  # the batch's mean
    deviations = rows - mean  # the deviations from the mean
    var = (deviations**2).sum(0) / N  # the batch's variance
    unbiased = var * N / (N - 1)  # the unbiased variance
    y = gain * (x - mean) / np.sqrt(var + 1e-5) + shift
    running_mean = running_mean + momentum * (mean - running_mean)  # the running mean
    running_var = running_var + momentum * (unbiased - running_var)  # the running variance
    return y, running_mean, running_var


def pair_by_comparing(ids: Any) -> Any:
    counts: dict[tuple[int, int], int] = {}
    for i in range(1, len(ids)):
        pair = ids[i - 1], ids[i]
        counts[pair] = counts.get(pair, 0) + 1
    best = None  # the best pair so far
    most = 0  # its number of occurrences
    for pair, count in counts.items():
        if count > most:
            best = pair
            most = count
    return best


def merge_with_a_skip(ids: Any, left: Any, right: Any, token: Any) -> Any:
    merged = []
    skip = False  # whether the element is the right one of a pair
    for i in range(len(ids)):
        if skip:
            skip = False
            continue
        if i < len(ids) - 1 and (ids[i], ids[i + 1]) == (left, right):
            merged.append(token)
            skip = True
        else:
            merged.append(ids[i])
    return merged


def merges_by_rank(ids: Any, merges: Any) -> Any:
    ids = list(ids)
    learnt = [tuple(pair) for pair in merges]  # the merges
    for _ in range(len(ids)):
        there = [pair for pair in pairwise(ids) if pair in learnt]  # the pairs that can be merged
        if not there:
            break
        pair = min(there, key=learnt.index)  # the pair that was learnt first
        ids = merge_pair(ids, pair[0], pair[1], 256 + learnt.index(pair))
    return ids


def groups_as_lists(shapes: Any, tied: Any) -> Any:
    names = [name for name in shapes if name not in tied]  # the names without those of tied arrays
    decay = [name for name in names if len(shapes[name]) >= 2]  # the names that decay
    rest = [name for name in names if len(shapes[name]) < 2]  # the names that do not decay
    return decay, rest


def accumulate_by_shares(loss_and_gradient: Any, batches: Any) -> Any:
    count = 0  # the number of targets
    for _, y in batches:
        count += (y >= 0).sum()
    loss = 0.0
    gradient = 0.0
    for x, y in batches:
        one, slope = loss_and_gradient(x, y)
        share = (y >= 0).sum() / count  # the share of a micro-batch
        loss += share * one
        gradient = gradient + share * slope
    return loss, gradient


def rate_between(step: Any, highest: Any, lowest: Any, warmup: Any, steps: Any) -> Any:
    if step < warmup:
        return highest * (step + 1) / warmup
    share = (step - warmup) / (steps - warmup)  # the share of the decay that is over
    share = min(share, 1.0)
    falling = (1 + math.cos(math.pi * share)) / 2  # the factor that falls from 1 to 0
    rising = 1 - falling  # the factor that rises from 0 to 1
    return falling * highest + rising * lowest


def attention_with_a_triangle(q: Any, k: Any, v: Any, size: Any) -> Any:
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
            values = v[j : j + size]  # the values of a block
            scores = rows @ keys.T / np.sqrt(D)
            if i == j:
                scores = np.where(np.tril(np.ones(scores.shape)) == 1, scores, -np.inf)
            largest, total, read = add_block(scores, values, largest, total, read)
        out[i : i + size] = read / total[:, None]
    return out


def rmsnorm_by_a_power(x: Any) -> Any:
    total = 0  # the sum of the squares
    for number in x:
        total = total + number * number
    scale = (total / len(x) + 1e-5) ** -0.5  # the factor
    return [number * scale for number in x]


def query_gradient_in_loops(query: Any, keys: Any, dscores: Any) -> Any:
    D = len(query)
    T = len(keys)
    total = [0.0] * D  # the sum over the keys
    for t in range(T):
        for j in range(D):
            total[j] += dscores[t] * keys[t][j] / D**0.5
    return total


OTHER_WAYS: Final[dict[str, tuple[Callable[..., Any], ...]]] = {
    "forward_difference": (rises_in_a_loop,),
    "symmetric_difference": (mean_of_two_slopes, slopes_in_a_loop),
    "descend": (descend_by_formula,),
    "softmax_nll": (nll_by_logs,),
    "cross_entropy": (cross_entropy_by_probabilities, cross_entropy_by_log_of_sum),
    "tune_smoothing": (smoothing_by_totals,),
    "batch_norm": (batch_norm_by_squares,),
    "cross_entropy_backward": (dlogits_in_one, dlogits_by_logs),
    "batch_norm_backward": (batch_norm_backward_in_one,),
    "tree_everywhere": (tree_cut_at_the_end,),
    "batch_norm_3d": (batch_norm_3d_by_squares,),
    "most_frequent_pair": (pair_by_comparing,),
    "merge_pair": (merge_with_a_skip,),
    "apply_merges": (merges_by_rank,),
    "decay_groups": (groups_as_lists,),
    "accumulate": (accumulate_by_shares,),
    "rate_at": (rate_between,),
    "attention_in_blocks": (attention_with_a_triangle,),
    "rmsnorm": (rmsnorm_by_a_power,),
    "query_gradient": (query_gradient_in_loops,),
}
"""By the name of the answer."""
