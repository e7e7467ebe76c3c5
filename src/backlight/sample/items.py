"""Sampling items that are new or distinct: drawing until there are enough, up to a limit."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backlight.core import BacklightError
from backlight.core.settings import check_whole
from backlight.models.protocol import LanguageModel
from backlight.sample._limits import check_fit, texts_at_once
from backlight.sample.sampler import MOST, Sample, SampleConfig, sample_batch
from backlight.text import in_training_set
from backlight.text.tokenizers import TextVocabulary

FEWEST_DRAWS = 1000
_SMALLEST_ROUND = 64


class NotEnoughError(BacklightError):
    """The model did not produce as many new or distinct items as were asked for.

    Args:
        message: one line.
        found: see the attribute.
        draws: see the attribute.

    Attributes:
        found: the new or distinct items, in the order drawn.
        draws: the number of draws.
    """

    def __init__(self, message: str, found: list[Sample], draws: int) -> None:
        super().__init__(message)
        self.found = found
        self.draws = draws


def sample_items(
    model: LanguageModel,
    vocabulary: TextVocabulary,
    count: int,
    *,
    config: SampleConfig,
    rng: np.random.Generator,
    novel_to: NDArray[np.uint64] | None = None,
    unique: bool = False,
    patience: int = 50,
    ends: bool = True,
) -> list[Sample]:
    """Draw `count` items, and leave out those that are not new or not distinct.

    Draws in rounds until there are enough, up to `patience` draws for each item asked for or 1000 draws if that is
    more. Items are compared as they would be read from a file, without white space around them; an empty item is not
    new. The result depends on the model's weights, the vocabulary, all arguments and the state of `rng`, as in
    `sample_batch`; without `novel_to` and `unique` it is that of `sample_batch`.

    Args:
        model: any language model.
        vocabulary: the vocabulary that the model was trained with.
        count: number of items, from 1 to a million.
        config: how to sample.
        rng: the random generator.
        novel_to: (N,) hashes from `training_hashes` of the items that are not new; `None` accepts all items.
        unique: whether all items must be distinct.
        patience: number of draws for each item asked for, at least 1.
        ends: False for a model of running text, as for `sample_batch`.

    Raises:
        NotEnoughError: too few items within the limit; it holds those found.
        ConfigError: `count` or `patience` out of range.
        VocabularyError, DomainError: as for `sample_batch`.
    """
    check_whole("count", count, at_least=1, at_most=MOST)
    check_whole("patience", patience, at_least=1)
    if novel_to is None and not unique:
        return sample_batch(model, vocabulary, count, config=config, rng=rng, ends=ends)
    check_fit(model, vocabulary)
    sieve = _Sieve(novel_to, set() if unique else None)
    limit, most = max(FEWEST_DRAWS, patience * count), texts_at_once(model)
    found: list[Sample] = []
    draws = 0
    while len(found) < count and draws < limit:
        hit_rate = max(len(found), 1) / draws if draws else 1.0
        wanted = max(_SMALLEST_ROUND, math.ceil((count - len(found)) / hit_rate))
        size = min(wanted, most, limit - draws)
        found += sieve.keep(sample_batch(model, vocabulary, size, config=config, rng=rng, ends=ends))
        draws += size
    if len(found) < count:
        raise NotEnoughError(_too_few(count, len(found), draws, config, novel_to is not None, unique), found, draws)
    return found[:count]


@dataclass(frozen=True, slots=True)
class _Sieve:
    """Keeps samples whose hash is not in `novel_to` (sorted) and, if `seen` is a set, that were not kept before."""

    novel_to: NDArray[np.uint64] | None
    seen: set[str] | None

    def keep(self, samples: list[Sample]) -> list[Sample]:
        texts = [sample.text.strip() for sample in samples]
        known = [False] * len(texts) if self.novel_to is None else in_training_set(texts, self.novel_to).tolist()
        kept: list[Sample] = []
        for sample, text, is_known in zip(samples, texts, known, strict=True):
            if is_known or (self.novel_to is not None and not text):
                continue
            if self.seen is not None:
                if text in self.seen:
                    continue
                self.seen.add(text)
            kept.append(sample)
        return kept


def _too_few(count: int, found: int, draws: int, config: SampleConfig, novel: bool, unique: bool) -> str:
    kind = " and ".join([*(["new"] if novel else []), *(["distinct"] if unique else [])])
    ways = ["Ask for fewer", "raise the temperature"]
    if config.top_k is not None or config.top_p is not None:
        ways.append("widen top_k or top_p")
    if config.prefix:
        ways.append("shorten the prefix")
    return f"{count} {kind} items were asked for; got {found} in {draws} draws. {', '.join(ways[:-1])} or {ways[-1]}."
