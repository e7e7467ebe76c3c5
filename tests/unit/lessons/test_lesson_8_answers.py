"""Lesson 8's answers as learners write them: other styles pass, and typical slips are told by their names."""

# ruff: noqa: ARG005  (answers as learners write them)

import math
from itertools import pairwise

import numpy as np
import pytest
from tests.unit.lessons.answers import graded


def counted_in_a_dictionary(ids):
    counts = {}
    for pair in pairwise(ids):
        counts[pair] = counts.get(pair, 0) + 1
    best = None
    for pair, count in counts.items():
        if best is None or count > counts[best]:
            best = pair
    return list(best)


def counted_with_ties_to_the_last(ids):
    counts = {}
    for pair in pairwise(ids):
        counts[pair] = counts.get(pair, 0) + 1
    best = None
    for pair, count in counts.items():
        if best is None or count >= counts[best]:
            best = pair
    return best


def merged_with_an_iterator(ids, left, right, token):
    made, rest = [], list(ids)
    while rest:
        first = rest.pop(0)
        if first == left and rest[:1] == [right]:
            rest.pop(0)
            first = token
        made.append(first)
    return np.array(made)


def merged_without_the_end(ids, left, right, token):
    made, i = [], 0
    while i < len(ids) - 1:
        if (ids[i], ids[i + 1]) == (left, right):
            made.append(token)
            i += 2
        else:
            made.append(ids[i])
            i += 1
    return made


def merged_from_the_end(ids, left, right, token):
    return merged_with_an_iterator(ids[::-1], right, left, token)[::-1]


def mean_of_ratios(nats, lengths):
    return np.mean(np.divide(nats, lengths)) / math.log(2)


def encoded_by_the_earliest_pair(ids, merges):
    ids = list(ids)
    while len(ids) > 1:
        known = [pair for pair in pairwise(ids) if pair in merges]
        if not known:
            break
        pair = min(known, key=merges.index)
        ids = merged_with_an_iterator(ids, *pair, 256 + merges.index(pair)).tolist()
    return ids


def encoded_in_text_order(ids, merges):
    ids = list(ids)
    changed = True
    while changed:
        changed = False
        for i in range(len(ids) - 1):
            if (ids[i], ids[i + 1]) in merges:
                ids[i : i + 2] = [256 + merges.index((ids[i], ids[i + 1]))]
                changed = True
                break
    return ids


@pytest.mark.parametrize(
    ("id", "answer"),
    [
        ("8.1", counted_in_a_dictionary),
        ("8.2", merged_with_an_iterator),
        ("8.3", encoded_by_the_earliest_pair),
        ("8.4", lambda nats, lengths: np.log2(np.exp(1)) * np.mean(nats) / np.mean(lengths)),
    ],
)
def test_other_styles(id, answer):  # noqa: A002
    assert graded(id, answer).right


@pytest.mark.parametrize(
    ("id", "answer", "name"),
    [
        ("8.1", counted_with_ties_to_the_last, "the last of the most frequent pairs"),
        ("8.1", lambda ids: min(pairwise(ids), key=[*pairwise(ids)].count), "the rarest pair"),
        ("8.1", lambda ids: counted_in_a_dictionary(ids[:-1]), None),
        ("8.2", merged_without_the_end, None),
        ("8.2", merged_from_the_end, "from right to left"),
        ("8.3", encoded_in_text_order, "in the order of the text"),
        ("8.3", lambda ids, merges: encoded_by_the_earliest_pair(ids, merges[:1]), "only the first merge"),
        ("8.4", lambda nats, lengths: sum(nats) / sum(lengths), "nats instead of bits"),
        ("8.4", lambda nats, lengths: np.mean(nats) / math.log(2), "per token"),
        ("8.4", mean_of_ratios, "the mean over tokens of bits per byte"),
    ],
)  # fmt: skip
def test_slips_have_names(id, answer, name):  # noqa: A002
    verdict = graded(id, answer)
    assert not verdict.right
    assert name is None or verdict.mistake == name
