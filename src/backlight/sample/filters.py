"""Logits to the probabilities that are drawn from: sharper, flatter, or without the unlikely ones."""

from dataclasses import dataclass

import numpy as np

from backlight.core import DomainError, FloatArray, IntArray
from backlight.core.settings import check_settings, setting


@dataclass(frozen=True, kw_only=True)
class Filters:
    """How a model's probabilities are changed before a character is drawn.

    Args:
        temperature: below 1 is more conservative, above 1 more diverse; 0 takes the most likely character each time.
        top_k: draw from this many most likely characters only.
        top_p: draw only from the fewest characters that together have this probability.

    Raises:
        ConfigError: a setting out of range.
    """

    temperature: float = setting(
        "Below 1 is more conservative, above 1 more diverse, 0 is greedy.", default=1.0, at_least=0,
        remedy="1 draws as the model says.",
    )  # fmt: skip
    top_k: int | None = setting(
        "Draw from this many most likely characters only.", default=None, at_least=1,
        remedy="Leave it out to keep every character.",
    )  # fmt: skip
    top_p: float | None = setting(
        "Draw from the fewest characters that together have this probability.", default=None, above=0, at_most=1,
        remedy="Leave it out to keep every character.",
    )  # fmt: skip

    def __post_init__(self) -> None:
        check_settings(self)


def probabilities(
    logits_BV: FloatArray, *, temperature: float = 1.0, top_k: int | None = None, top_p: float | None = None
) -> FloatArray:
    """Return softmax(logits / temperature), of each row only its `top_k` and then its `top_p` most likely.

    What is dropped gets 0, and the rest is divided by its sum: after `top_k`, so that `top_p` is a share of what
    `top_k` left, and again after `top_p`. Of equally likely characters, the one with the lower id comes first.

    Args:
        logits_BV: a row for each distribution; -inf is a probability of 0.
        temperature: below 1 makes the likely likelier; 0 leaves only the most likely; above 1 evens out.
        top_k: how many to keep; `None`, or more than there are, is all.
        top_p: keep the fewest whose probabilities sum to at least this, and at least one; `None` or 1 is all.

    Shape: (B, V) -> (B, V) float64, rows sum to 1

    Raises:
        ConfigError: a setting outside its range.
        DomainError: a row without a largest logit that is finite: all -inf, or a nan or inf among them.

    Source: top_p is the nucleus of Holtzman, Buys, Du, Forbes & Choi 2020, arXiv:1904.09751, section 3.1.
    """
    Filters(temperature=temperature, top_k=top_k, top_p=top_p)  # checks them
    dead = rows_without_a_peak(logits_BV)
    if len(dead):
        raise DomainError(
            f"probabilities need a finite largest logit in each row; got {logits_BV[dead[0]].max()} in row {dead[0]}. "
            "Give every row a character that is possible."
        )
    if temperature == 0:
        return _only_the_first(logits_BV)
    z_BV = logits_BV.astype(np.float64)
    z_BV -= z_BV.max(-1, keepdims=True)
    with np.errstate(over="ignore"):  # a tiny temperature sends what is below the peak to -inf, as it should
        z_BV /= temperature
    p_BV = _normalised(np.exp(z_BV))
    if top_k is None and top_p is None:
        return p_BV
    # Ranked by the logits, because rounding can make equal what was not.
    ids_BV = np.argsort(-logits_BV, axis=-1, kind="stable")
    ranked_BV = np.take_along_axis(p_BV, ids_BV, -1)
    if top_k is not None:
        ranked_BV[:, top_k:] = 0
        ranked_BV = _normalised(ranked_BV)
    if top_p is not None and top_p < 1:
        reached_BV = np.cumsum(ranked_BV, axis=-1)
        ranked_BV[:, 1:][reached_BV[:, :-1] >= top_p] = 0  # not needed: those before it reach top_p
        ranked_BV = _normalised(ranked_BV)
    np.put_along_axis(p_BV, ids_BV, ranked_BV, axis=-1)
    return p_BV


def rows_without_a_peak(logits_BV: FloatArray) -> IntArray:
    """Return the numbers of the rows whose largest logit is not finite, which no softmax makes a distribution of."""
    return np.flatnonzero(~np.isfinite(logits_BV.max(-1)))


def _only_the_first(logits_BV: FloatArray) -> FloatArray:
    p_BV = np.zeros(logits_BV.shape)
    p_BV[np.arange(len(logits_BV)), logits_BV.argmax(-1)] = 1
    return p_BV


def _normalised(p_BV: FloatArray) -> FloatArray:
    return np.asarray(p_BV / p_BV.sum(-1, keepdims=True))
