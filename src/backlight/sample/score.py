"""How well a model knows a text: the nats that each item and each of its characters cost."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from backlight.core import (
    NOT_A_TARGET,
    ConfigError,
    DataError,
    DomainError,
    EncodedItems,
    FloatArray,
    IntArray,
)
from backlight.models.protocol import LanguageModel
from backlight.sample._limits import check_fit, rows_at_once
from backlight.text import Sequences, Vocabulary, Windows

Order = Literal["odd", "typical", "file"]


@dataclass(frozen=True, slots=True)
class Score:
    """What an item costs under a model.

    Attributes:
        text: the item.
        nats: -log p of the whole item, the end included if ends count; inf for what an unsmoothed model never saw.
        targets: how many characters that is, the end included if ends count.
        per_character: the visible label and the nats of each target, in order; the end, if it counts, is last.
    """

    text: str
    nats: float
    targets: int
    per_character: tuple[tuple[str, float], ...]

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
        DataError: no item, or nothing to predict in any of them.
        VocabularyError: a character that the vocabulary does not have, or a vocabulary of another size.
        DomainError: a diverged model.
    """
    check_fit(model, vocabulary)
    if not items:
        raise DataError("scoring needs at least one item; got none. Give it one item a line.")
    encoded = vocabulary.encode_items(items, ends=ends)
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
