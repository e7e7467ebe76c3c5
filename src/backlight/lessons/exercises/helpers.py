"""Shared by the exercises of several lessons: softmax and losses in NumPy, and the names as examples."""

from functools import cache
from typing import Any

import numpy as np

from backlight.core import FloatArray, IntArray
from backlight.lessons.exercises.outcomes import plain
from backlight.models import NGram, NGramConfig
from backlight.text import Vocabulary, Windows, load_corpus, split_corpus


def as_array(answer: Any) -> FloatArray:
    """Return a tensor of any kind, or a list, as a float64 array of the same shape."""
    return np.asarray(plain(answer), np.float64)


def softmax(logits: FloatArray, axis: int = -1) -> FloatArray:
    """Return softmax of the logits along an axis, in the shape of the logits."""
    counts = np.exp(logits - logits.max(axis, keepdims=True))
    probs: FloatArray = counts / counts.sum(axis, keepdims=True)
    return probs


def mean_nats(logits: FloatArray, y: IntArray) -> float:
    """Return the mean of -log p of the targets (N,), in nats, where p is softmax of a row of logits (N, V)."""
    shifted = logits - logits.max(1, keepdims=True)
    return float((np.log(np.exp(shifted).sum(1)) - shifted[np.arange(len(y)), y]).mean())


def last_only(table: FloatArray, ids: IntArray, rows: FloatArray) -> FloatArray:
    """Return the gradient of a table (V, C) as `d[ids] += rows` computes it, where only an id's last row counts.

    Args:
        table: the table.
        ids: (...) of the rows that were selected.
        rows: their gradients, (..., C).
    """
    gradient = np.zeros_like(table)
    gradient[ids] += rows
    return gradient


@cache
def encoded_names() -> dict[str, Any]:
    """Return the parts of the names as ids, by name, as the course splits them; also "train and dev" as one part."""
    corpus = load_corpus("names")
    split = split_corpus(corpus, seed=42)
    parts = {"train": split.train.items, "dev": split.dev.items, "test": split.test.items}
    parts["train and dev"] = [*split.train.items, *split.dev.items]
    vocabulary = Vocabulary.of(corpus.items)
    return {part: vocabulary.encode_items(items) for part, items in parts.items()}


@cache
def windows_of(part: str, length: int) -> tuple[IntArray, IntArray]:
    """Return the contexts (N, length) and the targets (N,) of a part of the names, in the order of the text."""
    windows = Windows(encoded_names()[part], length)
    batch = windows.batch(np.arange(len(windows)))
    return batch.x, batch.y


@cache
def counted_names(parts: tuple[str, ...], **settings: Any) -> NGram:
    """Return an n-gram model that is fitted to parts of the names.

    Args:
        parts: the names of the parts; if there are two, the second tunes the smoothing.
        **settings: settings of `NGramConfig`.
    """
    names = encoded_names()
    return NGram(NGramConfig(vocabulary_size=27, **settings)).fit(*(names[part] for part in parts))
