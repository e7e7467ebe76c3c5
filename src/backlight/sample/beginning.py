"""Sampling texts that begin with a prefix, if a token may span the end of the prefix."""

from collections.abc import Sequence

import numpy as np

from backlight.core import BoolArray, FloatArray, IntArray
from backlight.text.tokenizers import TextVocabulary


class Beginning:
    """Keeps what is left of a prefix for each text of a batch, and excludes tokens that contradict it.

    A token is allowed if it begins with the rest of the prefix, or if the rest begins with it. Of the texts that begin
    with the prefix, the model chooses token by token.

    Source: "token healing", S. Lundberg 2023, in guidance.

    Args:
        vocabulary: the vocabulary.
        rest: the rest of the prefix in UTF-8.
        texts: number of texts.
    """

    def __init__(self, vocabulary: TextVocabulary, rest: bytes, texts: int) -> None:
        self._tokens = [vocabulary.spelling(token) for token in range(vocabulary.size)]
        self._rests = [rest] * texts
        self._allowed: dict[bytes, BoolArray] = {b"": np.ones(vocabulary.size, np.bool_)}

    @property
    def done(self) -> bool:
        """Whether every text has the whole prefix."""
        return not any(self._rests)

    def restricted(self, logits_BV: FloatArray) -> FloatArray:
        """Return the logits of each text, (B, V), with -inf for tokens that contradict the prefix."""
        allowed_BV = np.stack([self._of(rest) for rest in self._rests])
        return np.where(allowed_BV, logits_BV, -np.inf)

    def take(self, ids: IntArray) -> None:
        """Note the token that was drawn for each text, (B,) ids."""
        drawn = map(self._tokens.__getitem__, ids.tolist())
        self._rests = [rest[len(token) :] for rest, token in zip(self._rests, drawn, strict=True)]

    def keep(self, texts: IntArray) -> None:
        """Keep these texts only, given by ascending numbers."""
        self._rests = [self._rests[text] for text in texts.tolist()]

    def _of(self, rest: bytes) -> BoolArray:
        if rest not in self._allowed:
            fits = [bool(token) and (token.startswith(rest) or rest.startswith(token)) for token in self._tokens]
            self._allowed[rest] = np.array(fits, np.bool_)
        return self._allowed[rest]


def spelled(vocabulary: TextVocabulary, ids: Sequence[int]) -> str:
    """Return the text of tokens, (N,) ids; bytes that are not UTF-8 become U+FFFD."""
    return b"".join(map(vocabulary.spelling, ids)).decode("utf-8", "replace")
