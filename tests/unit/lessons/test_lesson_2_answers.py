"""Lesson 2's exercises: answers as learners write them, right in other styles, and wrong."""

# ruff: noqa: ARG001, N812  (wrong answers leave out what they should use; F is the field's name)

import random
from collections import Counter, defaultdict

import numpy as np
from tests.unit.lessons.answers import graded

import backlight.torchlike as torch
import backlight.torchlike.nn.functional as F
from backlight.lessons.exercises import given

# -- 2.1 ---------------------------------------------------------------------------------------------------------------


def test_trigrams_in_other_styles():
    def by_tensor(words, stoi):
        N = torch.zeros((len(stoi),) * 3, dtype=torch.int32)
        for word in words:
            chs = [".", ".", *word, "."]
            for ch1, ch2, ch3 in zip(chs, chs[1:], chs[2:], strict=False):
                N[stoi[ch1], stoi[ch2], stoi[ch3]] += 1
        return N

    def by_counter(words, stoi):
        found = Counter()
        for word in words:
            text = f"..{word}."
            found.update(text[i : i + 3] for i in range(len(text) - 2))
        counts = [[[0.0] * len(stoi) for _ in stoi] for _ in stoi]
        for (a, b, c), count in found.items():
            counts[stoi[a]][stoi[b]][stoi[c]] = count
        return counts

    assert graded("2.1", by_tensor).right
    assert graded("2.1", by_counter).right


# -- 2.2 ---------------------------------------------------------------------------------------------------------------


def test_a_split_may_be_shuffled_in_any_way():
    def other(words, seed):
        words = sorted(words)
        random.Random(seed).shuffle(words)
        n1, n2 = int(len(words) * 0.8), int(len(words) * 0.9)
        return words[:n1], words[n1:n2], words[n2:]

    def seedless(words, seed):
        order = np.random.default_rng().permutation(len(words))
        words = [words[i] for i in order]
        n1, n2 = int(len(words) * 0.8), int(len(words) * 0.9)
        return words[:n1], words[n1:n2], words[n2:]

    assert graded("2.2", other).right
    assert "the same seed" in " ".join(graded("2.2", seedless).lines)


def test_a_split_that_rounds_is_another_one():
    def rounds(words, seed):
        mixed = np.random.default_rng(seed).permutation(words).tolist()
        a, b = round(0.8 * len(words)), round(0.1 * len(words))
        return mixed[:a], mixed[a : a + b], mixed[a + b :]

    def adds(words, seed):
        mixed = np.random.default_rng(seed).permutation(words).tolist()
        a, b = int(0.8 * len(words)), int(0.1 * len(words))
        return mixed[:a], mixed[a : a + b], mixed[a + b :]

    assert not graded("2.2", rounds).right
    assert not graded("2.2", adds).right


# -- 2.3 ---------------------------------------------------------------------------------------------------------------


def test_smoothing_in_other_styles():
    def by_tensors(train, dev, ks):
        train, dev = torch.tensor(train).double(), torch.tensor(dev).double()
        losses = []
        for k in ks:
            P = train + k
            P /= P.sum(1, keepdim=True)
            losses.append(-(dev * P.log()).sum() / dev.sum())
        best = min(range(len(ks)), key=lambda i: losses[i].item())
        return losses, ks[best]

    def pair_by_pair(train, dev, ks):
        losses = []
        for k in ks:
            nats = [
                -np.log((train[i, j] + k) / (train[i].sum() + k * len(train)))
                for i in range(len(dev)) for j in range(len(dev)) for _ in range(dev[i, j])
            ]  # fmt: skip
            losses.append(np.mean(nats))
        return np.array(losses), min(zip(losses, ks, strict=True))[1]

    assert graded("2.3", by_tensors).right
    assert graded("2.3", pair_by_pair).right


# -- 2.4 ---------------------------------------------------------------------------------------------------------------


def test_a_value_can_be_handed_in_for_what_is_given():
    case = given("2.4")
    W, ids, dlogits = case["W"], case["ids"], case["dlogits"]
    onehot = np.eye(len(W))[ids]
    assert graded("2.4", (onehot @ W, onehot.T @ dlogits)).right
    assert graded("2.4", (torch.tensor(W[ids]), torch.tensor(onehot.T @ dlogits))).right
    wrong = np.zeros_like(W)
    wrong[ids] = dlogits
    assert graded("2.4", (W[ids], wrong)).mistake == "= for += where an index repeats"


def test_indexing_in_other_styles():
    def by_loop(W, ids, dlogits):
        dW = [[0.0] * W.shape[1] for _ in W]
        for i, row in zip(ids, dlogits, strict=True):
            for j in range(len(row)):
                dW[i][j] += row[j]
        return [W[i] for i in ids], dW

    def by_autograd(W, ids, dlogits):
        W = torch.tensor(W, requires_grad=True)
        logits = W[torch.tensor(ids)]
        logits.backward(torch.tensor(dlogits))
        return logits, W.grad

    assert graded("2.4", by_loop).right
    assert graded("2.4", by_autograd).right


# -- 2.5 ---------------------------------------------------------------------------------------------------------------


def test_cross_entropy_in_other_styles():
    def by_rows(logits, targets):
        losses = []
        for row, target in zip(logits, targets, strict=True):
            shifted = row - max(row)
            losses.append(np.log(sum(np.exp(shifted))) - shifted[target])
        return sum(losses) / len(losses)

    assert graded("2.5", by_rows).right
    assert graded("2.5", lambda x, y: F.cross_entropy(torch.tensor(x), torch.tensor(y))).right
    assert graded("2.5", by_rows(**given("2.5"))).right


# -- 2.6 ---------------------------------------------------------------------------------------------------------------


def test_ngrams_may_be_tuples():
    def by_tuples(words, n):
        found = {}
        for word in words:
            text = "." * (n - 1) + word + "."
            for three in zip(*(text[i:] for i in range(n)), strict=False):
                found[three] = found.get(three, 0) + 1
        return found

    assert graded("2.6", by_tuples).right


def test_ngrams_in_other_styles():
    def with_a_default(words, n):
        found = defaultdict(int)
        for word in words:
            context = "." * (n - 1)
            for letter in word + ".":
                found[context + letter] += 1
                context = (context + letter)[1:] if n > 1 else ""
        return found

    assert graded("2.6", with_a_default).right
    assert graded("2.6", lambda words, n: Counter(with_a_default(words, n))).right
