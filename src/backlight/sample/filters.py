"""The probabilities to sample from: temperature, top-k and top-p."""

from dataclasses import dataclass

import numpy as np

from backlight.core import DomainError, FloatArray, IntArray
from backlight.core.settings import check_settings, setting


@dataclass(frozen=True, kw_only=True)
class Filters:
    """How a model's probabilities are changed before a character is drawn.

    Args:
        temperature: below 1 is more conservative, above 1 more diverse; 0 always takes the most likely character.
        top_k: sample from the K most likely characters only; None keeps all.
        top_p: sample from the smallest set of characters whose total probability reaches P; None keeps all.

    Raises:
        ConfigError: a setting out of range.
    """

    temperature: float = setting(
        "Below 1 is more conservative, above 1 more diverse, 0 is greedy.", default=1.0, at_least=0,
        remedy="1 uses the model's own probabilities.",
    )  # fmt: skip
    top_k: int | None = setting(
        "Sample from the K most likely characters only.", default=None, at_least=1,
        remedy="Leave it out to keep every character.",
    )  # fmt: skip
    top_p: float | None = setting(
        "Sample from the fewest characters whose total probability reaches P.", default=None, above=0, at_most=1,
        remedy="Leave it out to keep every character.",
    )  # fmt: skip

    def __post_init__(self) -> None:
        check_settings(self)


def probabilities(
    logits_BV: FloatArray, *, temperature: float = 1.0, top_k: int | None = None, top_p: float | None = None
) -> FloatArray:
    """Return softmax(logits / temperature), restricted in each row to `top_k` and then to `top_p`.

    The other probabilities become 0, and the rest is renormalised: after `top_k`, so that `top_p` is a fraction of what
    `top_k` keeps, and again after `top_p`. Of equally likely characters, the one with the lower id comes first.

    Args:
        logits_BV: a row of logits for each distribution; -inf is a probability of 0.
        temperature: below 1 sharpens the distribution, above 1 flattens it; 0 keeps only the most likely character.
        top_k: number of characters to keep; `None`, or a larger number than V, keeps all.
        top_p: keep the fewest characters, at least one, whose probabilities sum to this; `None` or 1 keeps all.

    Shape: (B, V) -> (B, V) float64, rows sum to 1

    Raises:
        ConfigError: a setting out of range.
        DomainError: the largest logit of a row is not finite: all are -inf, or one is nan or inf.

    Source: top_p is the nucleus of Holtzman, Buys, Du, Forbes & Choi 2020, arXiv:1904.09751, section 3.1.
    """
    Filters(temperature=temperature, top_k=top_k, top_p=top_p)  # checks the settings
    dead = rows_without_a_peak(logits_BV)
    if len(dead):
        raise DomainError(
            f"the largest logit of each row must be finite; got {logits_BV[dead[0]].max()} in row {dead[0]}. "
            "Give every row at least one character with a probability above 0."
        )
    if temperature == 0:
        return _only_the_first(logits_BV)
    z_BV = logits_BV.astype(np.float64)
    z_BV -= z_BV.max(-1, keepdims=True)
    with np.errstate(over="ignore"):  # with a tiny temperature, all but the largest logit become -inf, correctly
        z_BV /= temperature
    p_BV = _normalised(np.exp(z_BV))
    if top_k is None and top_p is None:
        return p_BV
    # Rank by the logits: rounding can make different probabilities equal.
    ids_BV = np.argsort(-logits_BV, axis=-1, kind="stable")
    ranked_BV = np.take_along_axis(p_BV, ids_BV, -1)
    if top_k is not None:
        ranked_BV[:, top_k:] = 0
        ranked_BV = _normalised(ranked_BV)
    if top_p is not None and top_p < 1:
        reached_BV = np.cumsum(ranked_BV, axis=-1)
        ranked_BV[:, 1:][reached_BV[:, :-1] >= top_p] = 0  # dropped: the characters before it reach top_p
        ranked_BV = _normalised(ranked_BV)
    np.put_along_axis(p_BV, ids_BV, ranked_BV, axis=-1)
    return p_BV


def rows_without_a_peak(logits_BV: FloatArray) -> IntArray:
    """Return the indices (N,) of the rows of (B, V) logits whose largest one is not finite, so softmax is undefined."""
    return np.flatnonzero(~np.isfinite(logits_BV.max(-1)))


def _only_the_first(logits_BV: FloatArray) -> FloatArray:
    p_BV = np.zeros(logits_BV.shape)
    p_BV[np.arange(len(logits_BV)), logits_BV.argmax(-1)] = 1
    return p_BV


def _normalised(p_BV: FloatArray) -> FloatArray:
    return np.asarray(p_BV / p_BV.sum(-1, keepdims=True))
