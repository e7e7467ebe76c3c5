"""The weights of a bigram network beside the counts that they converge to, as a record."""

from typing import Final

import numpy as np

from backlight.autograd.ops.softmax import shifted_log_softmax
from backlight.core import FloatArray, IntArray
from backlight.models.bigram import Bigram
from backlight.text.tokenizers import TextVocabulary
from backlight.watch.records import PairsRecord

MOST: Final = 64
"""Tokens that are recorded at most, the first of the vocabulary: a record has 8 hexadecimal digits for each pair."""

_STEPS: Final = 65_534
_NEVER: Final = 65_535


def pairs_of(network: Bigram, vocabulary: TextVocabulary, counts: IntArray) -> PairsRecord:
    """Return the log probabilities of pairs that a network has, and those of the counts.

    At the minimum of the loss they are equal: the softmax of a row is the relative frequency of what follows.

    Args:
        network: the network.
        vocabulary: its vocabulary.
        counts: (V, V) how often each token follows each other one in the training text.
    """
    ids = np.arange(min(MOST, vocabulary.size))
    learned = shifted_log_softmax(network.table.weight.array.astype(np.float64))[ids][:, ids]
    rows = counts.sum(axis=1, keepdims=True)
    with np.errstate(divide="ignore"):
        counted = np.log(counts / np.maximum(rows, 1))[ids][:, ids]
    known = np.concatenate([learned.ravel(), counted[np.isfinite(counted)]])
    lowest = float(known[np.isfinite(known)].min(initial=-1.0))
    return PairsRecord(
        tokens=tuple(map(vocabulary.label, ids.tolist())), counts=tuple(rows[ids, 0].tolist()), lowest=lowest,
        learned=_coded(learned, lowest), counted=_coded(counted, lowest),
    )  # fmt: skip


def _coded(values: FloatArray, lowest: float) -> str:
    steps = np.round(np.where(np.isfinite(values), values, 0.0) / lowest * _STEPS)
    return np.where(np.isfinite(values), steps, _NEVER).astype(">u2").tobytes().hex()
