"""Lesson 8 in single steps."""

import math
from typing import Any


def most_frequent_pair(ids: Any) -> Any:
    counts: dict[tuple[int, int], int] = {}
    for i in range(len(ids) - 1):  # the places where a pair begins
        pair = ids[i], ids[i + 1]
        counts[pair] = counts.get(pair, 0) + 1
    return max(counts, key=counts.__getitem__)


def merge_pair(ids: Any, left: Any, right: Any, token: Any) -> Any:
    merged = []
    i = 0
    while i < len(ids):
        if i + 1 < len(ids) and ids[i] == left and ids[i + 1] == right:
            merged.append(token)
            i = i + 2
        else:
            merged.append(ids[i])
            i = i + 1
    return merged


def apply_merges(ids: Any, merges: Any) -> Any:
    for number, (left, right) in enumerate(merges):
        token = 256 + number  # the token of the merge
        ids = merge_pair(ids, left, right, token)
    return list(ids)


def bits_per_byte(nats: Any, lengths: Any) -> Any:
    total = sum(nats)  # the nats of the text
    bits = total / math.log(2)  # the bits of the text
    size = sum(lengths)  # the bytes of the text
    return bits / size


PROGRAMS = (most_frequent_pair, merge_pair, apply_merges, bits_per_byte)
