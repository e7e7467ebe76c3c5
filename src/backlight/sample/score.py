"""Scoring: the negative log-likelihood of items and of their characters, in nats."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from backlight.core import (
    BOUNDARY,
    NOT_A_TARGET,
    ConfigError,
    DataError,
    DomainError,
    EncodedItems,
    FloatArray,
    IntArray,
    VocabularyError,
)
from backlight.models.protocol import LanguageModel
from backlight.sample._limits import check_fit, rows_at_once
from backlight.text import Items, Sequences, Windows
from backlight.text.tokenizers import TextVocabulary
from backlight.text.vocabulary import visible_label

Order = Literal["odd", "typical", "file"]


@dataclass(frozen=True, slots=True)
class Score:
    """The negative log-likelihood of an item.

    Attributes:
        text: the item.
        nats: -log p of the item, including its end if ends are scored; inf for an item with unknown characters, and for
            one that an unsmoothed model gives a probability of 0.
        targets: number of characters, and the end if ends are scored.
        per_character: label and nats of each target, in order: of characters, or of other tokens. In an item with
            unknown characters, these have inf and the others nan, since the model cannot read the item.
        unknown: the distinct characters that are not in the vocabulary, sorted.
    """

    text: str
    nats: float
    targets: int
    per_character: tuple[tuple[str, float], ...]
    unknown: str = ""

    @property
    def nats_per_character(self) -> float:
        """Return nats / targets; 0 for an item with nothing to predict."""
        return self.nats / self.targets if self.targets else 0.0


def score_items(
    model: LanguageModel, vocabulary: TextVocabulary, items: Sequence[str], *, ends: bool = True
) -> list[Score]:
    """Score each item, in the order given. Each target counts exactly once, as in the dev loss of a run.

    A model of windows reads the last T characters before each target. A model of sequences reads the item from its
    start; an item with more than T targets is split into chunks of T, each starting from the character before it.

    Args:
        model: any language model.
        vocabulary: the vocabulary that the model was trained with.
        items: the texts, at least one.
        ends: whether the end of each item is scored; False for running text.

    Raises:
        DataError: there is no item or no target, or an item is not a string.
        VocabularyError: the vocabulary has another size than the model's.
        DomainError: the model has diverged.
    """
    check_fit(model, vocabulary)
    if not len(items):
        raise DataError("scoring needs at least one item; got none. Pass a list of strings.")
    for place, item in enumerate(items) if not isinstance(items, Items) else ():
        if not isinstance(item, str):
            raise DataError(
                f"items must be strings; got {type(item).__name__} at index {place}. Convert it with str()."
            )
    try:
        encoded = vocabulary.encode_items(items, ends=ends)
    except VocabularyError:
        unknown = [vocabulary.unknown(item) for item in items]
        if not any(unknown):  # a lone surrogate, which no vocabulary can encode
            raise
        readable = [item for item, missing in zip(items, unknown, strict=True) if not missing]
        scores = iter(score_items(model, vocabulary, readable, ends=ends) if readable else [])
        return [
            _unreadable(vocabulary, item, missing, ends=ends) if missing else next(scores)
            for item, missing in zip(items, unknown, strict=True)
        ]
    with np.errstate(over="ignore", invalid="ignore"):  # nans raise an error below
        targets, nats = (np.concatenate(parts) for parts in zip(*_nll(model, encoded), strict=True))
    lengths = np.diff(encoded.starts) + ends
    item_of = np.repeat(np.arange(len(items)), lengths)
    totals = np.bincount(item_of, weights=nats, minlength=len(items)).tolist()  # not cumsum: inf - inf is nan
    if np.isnan(totals).any():
        raise DomainError(
            "a model's probabilities must be numbers; got nan. "
            "Its training has diverged: train again with a lower learning rate."
        )
    labels = [vocabulary.label(token) for token in range(vocabulary.size)]
    characters = list(zip(map(labels.__getitem__, targets.tolist()), nats.tolist(), strict=True))
    bounds = [0, *np.cumsum(lengths).tolist()]
    return [
        Score(text=text, nats=total, targets=len(text) + ends, per_character=tuple(characters[start:end]))
        for text, total, start, end in zip(items, totals, bounds[:-1], bounds[1:], strict=True)
    ]


def _unreadable(vocabulary: TextVocabulary, text: str, unknown: str, *, ends: bool) -> Score:
    """Return the score of an item with characters that are not in the vocabulary."""
    cost = [(visible_label(c), math.inf if c in unknown else math.nan) for c in text]
    cost += [(vocabulary.label(BOUNDARY), math.nan)] * ends
    return Score(text=text, nats=math.inf, targets=len(cost), per_character=tuple(cost), unknown=unknown)


def order(scores: Sequence[Score], by: Order = "odd") -> list[Score]:
    """Sort scores by nats per character: "odd" puts the largest first, "typical" the smallest.

    Per character, so that an item is not surprising only because it is long. Ties, and all items with "file", stay in
    the order given.

    Raises:
        ConfigError: another order.
    """
    if by not in {"odd", "typical", "file"}:
        raise ConfigError(f"order must be 'odd', 'typical' or 'file'; got {by!r}. Choose one.")
    if by == "file":
        return list(scores)
    return sorted(scores, key=lambda score: score.nats_per_character, reverse=by == "odd")


def _nll(model: LanguageModel, items: EncodedItems) -> Iterator[tuple[IntArray, FloatArray]]:
    """Yield targets and their nats, (n,) each, in batches."""
    # Windows need at least 1 id, but the unigram model has a context of 0.
    width = max(model.context, 1)
    data = Windows(items, width) if model.reads == "windows" else Sequences(items, width)
    for batch in data.chunks(rows_at_once(model)):
        x_BT = batch.x[:, width - model.context :]
        nats = np.asarray(model.nll(x_BT, batch.y), np.float64)
        counted = batch.y != NOT_A_TARGET
        yield batch.y[counted], nats[counted]
