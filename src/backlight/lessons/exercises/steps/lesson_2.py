"""Lesson 2 in single steps."""

from typing import Any

import numpy as np


def trigram_counts(words: Any, stoi: Any) -> Any:
    counts = np.zeros((len(stoi), len(stoi), len(stoi)))
    for word in words:
        text = ".." + word + "."  # the word with its dots
        ids = [stoi[letter] for letter in text]
        for i in range(len(ids) - 2):
            counts[ids[i], ids[i + 1], ids[i + 2]] += 1
    return counts


def split(words: Any, seed: Any) -> Any:
    order = np.random.default_rng(seed).permutation(len(words))  # the shuffled order
    mixed = [words[i] for i in order]  # the shuffled words
    n1 = int(0.8 * len(words))  # the end of train
    n2 = int(0.9 * len(words))  # the end of dev
    train = mixed[:n1]
    dev = mixed[n1:n2]
    test = mixed[n2:]
    return train, dev, test


def tune_smoothing(train: Any, dev: Any, ks: Any) -> Any:
    losses = []
    for k in ks:
        smoothed = train + k  # the smoothed counts
        totals = smoothed.sum(1, keepdims=True)  # the sums of the rows
        probs = smoothed / totals  # the probabilities
        nats = -np.log(probs)  # -log p
        losses.append((dev * nats).sum() / dev.sum())
    lowest = int(np.argmin(losses))  # the index of the lowest loss
    best = ks[lowest]  # the best k
    return losses, best


def layer_by_index(W: Any, ids: Any, dlogits: Any) -> Any:
    logits = W[ids]  # the logits
    dW = np.zeros_like(W)  # W's gradient
    for n in range(len(ids)):
        dW[ids[n]] += dlogits[n]
    return logits, dW


def cross_entropy(logits: Any, targets: Any) -> Any:
    N = len(targets)
    largest = logits.max(1, keepdims=True)  # the largest logit of each row
    shifted = logits - largest  # the shifted logits
    counts = np.exp(shifted)  # the exponentials
    totals = counts.sum(1, keepdims=True)  # the sums of the exponentials
    logprobs = shifted - np.log(totals)  # the logs of the probabilities
    picked = logprobs[np.arange(N), targets]  # log p at the targets
    return -picked.mean()


def ngram_counts(words: Any, n: Any) -> Any:
    counts: dict[str, int] = {}
    for word in words:
        text = "." * (n - 1) + word + "."  # the word with its dots
        for i in range(len(text) - n + 1):
            piece = text[i : i + n]  # the n-gram
            counts[piece] = counts.get(piece, 0) + 1
    return counts


PROGRAMS = (trigram_counts, split, tune_smoothing, layer_by_index, cross_entropy, ngram_counts)
