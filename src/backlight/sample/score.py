"""How well a model knows a text: the nats that each item and each of its characters cost."""

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
from backlight.text import Items, Sequences, Vocabulary, Windows
from backlight.text.vocabulary import visible_label

Order = Literal["odd", "typical", "file"]


@dataclass(frozen=True, slots=True)
class Score:
    """What an item costs under a model.

    Attributes:
        text: the item.
        nats: -log p of the whole item, the end included if ends count; inf for what an unsmoothed model never saw, and
            for an item with a character that is not in the vocabulary.
        targets: how many characters that is, the end included if ends count.
        per_character: the visible label and the nats of each target, in order; the end, if it counts, is last. Of an
            item with unknown characters, inf for those and nan for the others, which the model cannot read.
        unknown: the characters that are not in the vocabulary, each once, sorted.
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
    model: LanguageModel, vocabulary: Vocabulary, items: Sequence[str], *, ends: bool = True
) -> list[Score]:
    """Score every item, in the order given; each target counts exactly once, as in a run's dev loss.

    Targets go through the model item by item and from left to right, in rows of a bounded number. A model of windows
    sees the last T characters before each target. A model of sequences sees the item from its start; an item of more
    than T targets goes in chunks of T, each starting from the character before it.

    Args:
        model: any language model.
        vocabulary: the one it was trained with.
        items: the texts, at least one.
        ends: whether each item's end counts; False for running text.

    Raises:
        DataError: no item, something that is not a string, or nothing to predict in any of them.
        VocabularyError: a vocabulary of another size.
        DomainError: a diverged model.
    """
    check_fit(model, vocabulary)
    if not len(items):
        raise DataError("scoring needs at least one item; got none. Give it one item a line.")
    for place, item in enumerate(items) if not isinstance(items, Items) else ():
        if not isinstance(item, str):
            raise DataError(f"what is scored must be strings; got {type(item).__name__} at index {place}. Convert it.")
    try:
        encoded = vocabulary.encode_items(items, ends=ends)
    except VocabularyError:
        known = frozenset(vocabulary.characters)
        readable = [item for item in items if known.issuperset(item)]
        scores = iter(score_items(model, vocabulary, readable, ends=ends) if readable else [])
        return [
            next(scores) if known.issuperset(item) else _unreadable(vocabulary, item, known, ends=ends)
            for item in items
        ]
    with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is refused below
        targets, nats = (np.concatenate(parts) for parts in zip(*_nll(model, encoded), strict=True))
    lengths = np.diff(encoded.starts) + ends
    item_of = np.repeat(np.arange(len(items)), lengths)
    totals = np.bincount(item_of, weights=nats, minlength=len(items)).tolist()  # not cumulative: inf - inf is no number
    if np.isnan(totals).any():
        raise DomainError(
            "a model's probabilities must be numbers; got nan. "
            "Its training has diverged: train again with a lower learning rate."
        )
    labels = [vocabulary.label(token) for token in range(vocabulary.size)]
    characters = list(zip(map(labels.__getitem__, targets.tolist()), nats.tolist(), strict=True))
    bounds = [0, *np.cumsum(lengths).tolist()]
    return [
        Score(text=text, nats=total, targets=end - start, per_character=tuple(characters[start:end]))
        for text, total, start, end in zip(items, totals, bounds[:-1], bounds[1:], strict=True)
    ]


def _unreadable(vocabulary: Vocabulary, text: str, known: frozenset[str], *, ends: bool) -> Score:
    """Return the score of an item with characters that are not in the vocabulary."""
    cost = [(visible_label(c), math.nan if c in known else math.inf) for c in text]
    cost += [(vocabulary.label(BOUNDARY), math.nan)] * ends
    unknown = "".join(sorted(set(text) - known))
    return Score(text=text, nats=math.inf, targets=len(cost), per_character=tuple(cost), unknown=unknown)


def order(scores: Sequence[Score], by: Order = "odd") -> list[Score]:
    """Return the scores with the oddest first, the most typical first, or as they are in the file.

    Odd is many nats per character: a long item is not odd for being long. Equals stay in the order of the file.

    Raises:
        ConfigError: another order.
    """
    if by not in {"odd", "typical", "file"}:
        raise ConfigError(f"order needs to be 'odd', 'typical' or 'file'; got {by!r}. Choose one.")
    if by == "file":
        return list(scores)
    return sorted(scores, key=lambda score: score.nats_per_character, reverse=by == "odd")


def _nll(model: LanguageModel, items: EncodedItems) -> Iterator[tuple[IntArray, FloatArray]]:
    """Yield targets and their nats, (n,) each, n of them at a time."""
    # A data set needs a window of at least 1; the unigram model looks back 0.
    width = max(model.context, 1)
    data = Windows(items, width) if model.reads == "windows" else Sequences(items, width)
    for batch in data.chunks(rows_at_once(model)):
        x_BT = batch.x[:, width - model.context :]
        nats = np.asarray(model.nll(x_BT, batch.y), np.float64)
        counted = batch.y != NOT_A_TARGET
        yield batch.y[counted], nats[counted]
