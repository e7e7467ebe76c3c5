"""Lesson 8: the most frequent pair, merging a pair, encoding in the order of the merges, and bits per byte."""

import math
from collections import Counter
from itertools import pairwise
from typing import Any

import numpy as np

from backlight.lessons.exercises.exercise import Exercise, wrong

# -- 8.1: the most frequent pair --------------------------------------------------------------------------------------


def _sequences(rng: np.random.Generator) -> list[dict[str, Any]]:
    return [
        {"ids": [5, 9, 2, 4, 7, 5, 9, 2]},  # a tie of (5, 9) and (9, 2)
        {"ids": rng.integers(0, 4, 40).tolist()},
        {"ids": [3, 4, 1, 2, 5, 1, 2]},  # the last pair decides
        {"ids": [9, 5, 2, 9, 5, 2, 7]},  # a tie in which the first pair is not the smallest
        {"ids": [8, 2, 6, 3, 3, 3, 6, 2, 9, 6, 2]},  # (3, 3) overlaps, and ties with (6, 2)
        {"ids": [1, 2, 1, 2, 3, 2, 3, 2, 2, 3, 4, 4]},
    ]


def most_frequent_pair(
    ids: list[int], *, last: bool = False, smallest: bool = False, rarest: bool = False, apart: bool = False,
    unordered: bool = False, overlapping: bool = True,
) -> tuple[int, int]:  # fmt: skip
    pairs = list(pairwise(ids))
    if apart:
        pairs = pairs[::2]
    if unordered:
        pairs = [(min(pair), max(pair)) for pair in pairs]
    counts = Counter(pairs)
    if not overlapping:
        counts = Counter()
        i = 0
        while i + 1 < len(ids):
            pair = ids[i], ids[i + 1]
            counts[pair] += 1
            i += 2 if ids[i + 2 : i + 3] == [ids[i]] and pair[0] == pair[1] else 1
    wanted = (min if rarest else max)(counts.values())
    best = [pair for pair in counts if counts[pair] == wanted]
    return min(best) if smallest else best[-1 if last else 0]


PAIR = Exercise(
    cases=_sequences,
    solution=most_frequent_pair,
    parts=("left", "right"),
    mistakes=(
        wrong("the last of the most frequent pairs", last=True,
              says="Several pairs occur equally often, and this is the last of them. Return the one that is seen "
                   "first; max() with key=counts.get does."),
        wrong("the smallest of the most frequent pairs", smallest=True,
              says="Several pairs occur equally often, and this is the smallest of them. Return the one that is seen "
                   "first in ids."),
        wrong("the rarest pair", rarest=True,
              says="This is the pair that occurs least often."),
        wrong("every other pair is left out", apart=True,
              says="Each id but the last begins a pair, so a list of n has n - 1 pairs. Here only every other one is "
                   "counted."),
        wrong("left and right are exchanged freely", unordered=True,
              says="(5, 9) and (9, 5) are different pairs; count them separately."),
        wrong("overlapping pairs are counted once", overlapping=False,
              says="In [3, 3, 3] the pair (3, 3) occurs twice: pairs may overlap when they are counted."),
    ),
    hints=(
        "Counter(pairwise(ids)) is a dictionary with the number of times that each pair occurs.",
        "max(counts, key=counts.get) returns the first of the pairs with the largest count.",
    ),
    look="the merges of the sea shells: the first one is the pair that occurs most often in the line.",
)  # fmt: skip


# -- 8.2: merge a pair ------------------------------------------------------------------------------------------------


def _merges(rng: np.random.Generator) -> list[dict[str, Any]]:
    return [
        {"ids": [1, 2, 3, 1, 2], "left": 1, "right": 2, "token": 256},
        {"ids": [7, 7, 7, 4, 7, 7, 7, 7], "left": 7, "right": 7, "token": 300},
        {"ids": rng.integers(0, 3, 30).tolist(), "left": 0, "right": 1, "token": 9},
        {"ids": [5], "left": 5, "right": 5, "token": 256},
        {"ids": [2, 1, 1, 2, 1], "left": 1, "right": 2, "token": 257},
    ]


def merge_pair(
    ids: list[int], left: int, right: int, token: int, *, step: int = 2, either: bool = False, once: bool = False,
    backwards: bool = False, last: bool = True, kept: bool = False,
) -> list[int]:  # fmt: skip
    if backwards:
        return merge_pair(ids[::-1], right, left, token)[::-1]
    merged: list[int] = []
    i, done = 0, False
    while i < len(ids):
        pair = tuple(ids[i : i + 2])
        if (pair == (left, right) or (either and pair == (right, left))) and not (once and done):
            merged += [token, right] if kept else [token]
            i, done = i + step, True
        else:
            if last or i + 1 < len(ids):
                merged.append(ids[i])
            i += 1
    return merged


MERGE = Exercise(
    cases=_merges,
    solution=merge_pair,
    mistakes=(
        wrong("the right half stays", step=1,
              says="The right half of the pair is still there after the token. Go on two places after a merge."),
        wrong("the pair in either order", either=True,
              says="right followed by left is another pair; only left followed by right is merged."),
        wrong("only the first occurrence", once=True,
              says="Each occurrence is merged, not only the first."),
        wrong("from right to left", backwards=True,
              says="Overlapping pairs are merged from left to right: [7, 7, 7] becomes [token, 7]."),
        wrong("the last id is lost", last=False,
              says="The last id begins no pair, but it belongs to the result unless it ended one."),
        wrong("the token is inserted beside the right half", kept=True,
              says="The token replaces both ids."),
    ),
    hints=(
        "Go through ids with a while loop, so that you can go on by one or by two places.",
        "If i + 1 < len(ids) and the two ids there are left and right, append token and add 2 to i; else add 1.",
    ),
    look="the ids of the sea shells, which are shorter by one for each merge.",
)  # fmt: skip


# -- 8.3: encode ------------------------------------------------------------------------------------------------------


def _texts(rng: np.random.Generator) -> list[dict[str, Any]]:
    a, b, c = b"abc"
    return [
        {"ids": list(b"abc"), "merges": [(b, c), (a, b)]},
        {"ids": list(b"aabcbcab"), "merges": [(a, b), (256, c), (b, c), (a, 257)]},
        {"ids": list(b"aaaaaaa"), "merges": [(a, a), (256, 256), (257, a)]},
        {"ids": rng.choice([a, b, c], 30).tolist(), "merges": [(c, a), (a, b), (256, b), (b, c), (257, 258)]},
        {"ids": list(b"c"), "merges": [(a, b)]},
    ]


def apply_merges(
    ids: list[int], merges: list[tuple[int, int]], *, reverse: bool = False, first: int = 256, only: int | None = None,
    in_text: bool = False,
) -> list[int]:  # fmt: skip
    if in_text:
        return _in_text_order(ids, merges)
    numbered = [(first + number, pair) for number, pair in enumerate(merges)]
    for token, (left, right) in (numbered[::-1] if reverse else numbered)[:only]:
        ids = merge_pair(ids, left, right, token)
    return list(ids)


def _in_text_order(ids: list[int], merges: list[tuple[int, int]]) -> list[int]:
    ids, i = list(ids), 0
    while i + 1 < len(ids):
        pair = ids[i], ids[i + 1]
        if pair in merges:
            ids[i : i + 2] = [256 + merges.index(pair)]
            i = 0
        else:
            i += 1
    return ids


ENCODE = Exercise(
    cases=_texts,
    solution=apply_merges,
    mistakes=(
        wrong("in the order of the text", in_text=True,
              says="The first pair of the text is merged, not the pair that was learnt first. abc with the merges bc, "
                   "ab is [a, bc]."),
        wrong("the last merge first", reverse=True,
              says="The merges are applied from the last to the first. Later merges are built from what earlier ones "
                   "made, so the earliest comes first."),
        wrong("tokens are counted from 0", first=0,
              says="The ids 0 to 255 are the bytes; the first merge makes 256."),
        wrong("tokens are counted from 1", first=257,
              says="The first merge makes 256, not 257."),
        wrong("only the first merge", only=1,
              says="Only one merge is applied. Repeat until no pair of the text has a merge."),
    ),
    hints=(
        "What the first merge makes can be part of the second. Apply them in the order of the list.",
        "for number, (left, right) in enumerate(merges): ids = merge_pair(ids, left, right, 256 + number)",
    ),
    look="the text abc above, with the merges bc and ab.",
)  # fmt: skip


# -- 8.4: bits per byte -----------------------------------------------------------------------------------------------


def _losses(rng: np.random.Generator) -> list[dict[str, Any]]:
    return [
        {"nats": [2.0, 5.0, 1.0], "lengths": [1, 6, 2]},
        {"nats": rng.exponential(3, 12).round(3).tolist(), "lengths": rng.integers(1, 8, 12).tolist()},
        {"nats": [0.7], "lengths": [4]},
    ]


def bits_per_byte(
    nats: list[float], lengths: list[int], *, base: float = math.log(2), per_token: bool = False, ratios: bool = False,
    total: bool = False, times: bool = False,
) -> float:  # fmt: skip
    if ratios:
        return sum(one / length for one, length in zip(nats, lengths, strict=True)) / len(nats) / base
    if times:
        return sum(nats) * base / sum(lengths)
    return sum(nats) / base / (1 if total else len(nats) if per_token else sum(lengths))


BITS = Exercise(
    cases=_losses,
    solution=bits_per_byte,
    mistakes=(
        wrong("nats instead of bits", base=1.0,
              says="These are nats per byte. One nat is 1 / ln 2 bits: divide by math.log(2)."),
        wrong("multiplied by ln 2", times=True,
              says="Bits are smaller than nats, so there are more of them: divide by ln 2, do not multiply."),
        wrong("per token", per_token=True,
              says="These are bits per token, which depend on how the text is cut. Divide by the number of bytes."),
        wrong("the mean over tokens of bits per byte", ratios=True,
              says="A mean of ratios gives a short token as much weight as a long one. Divide the sum of the nats by "
                   "the sum of the lengths."),
        wrong("the whole text", total=True,
              says="These are the bits of the whole text. Divide by its number of bytes."),
    ),
    hints=(
        "The loss of the text is sum(nats), and its length sum(lengths).",
        "sum(nats) / math.log(2) / sum(lengths)",
    ),
    look="the last table: nats a token and bits per byte rank the tokenizers in opposite orders.",
)  # fmt: skip

EXERCISES = (PAIR, MERGE, ENCODE, BITS)
