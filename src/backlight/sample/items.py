"""Sampling items that are new or distinct: drawing until there are enough, up to a limit."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backlight.core import BacklightError
from backlight.core.settings import check_whole
from backlight.models.protocol import LanguageModel
from backlight.sample._limits import check_fit, texts_at_once
from backlight.sample.checks import SampleCheck
from backlight.sample.sampler import MOST, Sample, SampleConfig, guide_of, sample_batch
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
    checks: Sequence[SampleCheck] = (),
    patience: int = 50,
    ends: bool = True,
    tally: Counter[str] | None = None,
) -> list[Sample]:
    """Draw `count` items, and leave out those that are not new, not distinct, or do not pass a check.

    Draws in rounds until there are enough, up to `patience` draws for each item asked for or 1000 draws if that is
    more. Items are compared as they would be read from a file, without white space around them; an empty item is not
    new. The result depends on the model's weights, the vocabulary, all arguments and the state of `rng`, as in
    `sample_batch`; without `novel_to`, `unique` and `checks` it is that of `sample_batch`.

    Args:
        model: any language model.
        vocabulary: the vocabulary that the model was trained with.
        count: number of items, from 1 to a million.
        config: how to sample.
        rng: the random generator.
        novel_to: (N,) hashes from `training_hashes` of the items that are not new; `None` accepts all items.
        unique: whether all items must be distinct.
        checks: what each item must pass.
        patience: number of draws for each item asked for, at least 1.
        ends: False for a model of running text, as for `sample_batch`.
        tally: counts the draws, as "drawn", and those left out, by their reason.

    Raises:
        NotEnoughError: too few items within the limit; it holds those found.
        ConfigError: `count` or `patience` out of range.
        VocabularyError, ConfigError, DomainError: as for `sample_batch`.
    """
    check_whole("count", count, at_least=1, at_most=MOST)
    check_whole("patience", patience, at_least=1)
    tally = Counter() if tally is None else tally
    if novel_to is None and not unique and not checks:
        tally["drawn"] += count
        return sample_batch(model, vocabulary, count, config=config, rng=rng, ends=ends)
    check_fit(model, vocabulary)
    sieve = _Sieve(novel_to, set() if unique else None, checks, tally)
    guided = guide_of(model, vocabulary, config=config, rng=rng, ends=ends)
    limit, most = max(FEWEST_DRAWS, patience * count), texts_at_once(model)
    found: list[Sample] = []
    draws = 0
    while len(found) < count and draws < limit:
        hit_rate = max(len(found), 1) / draws if draws else 1.0
        wanted = max(_SMALLEST_ROUND, math.ceil((count - len(found)) / hit_rate))
        size = min(wanted, most, limit - draws)
        found += sieve.keep(sample_batch(model, vocabulary, size, config=config, rng=rng, ends=ends, guided=guided))
        draws += size
    if len(found) < count:
        kinds = [*(["new"] if novel_to is not None else []), *(["distinct"] if unique else [])]
        kinds += ["valid"] if checks else []
        raise NotEnoughError(_too_few(count, len(found), draws, config, kinds), found, draws)
    return found[:count]


@dataclass(frozen=True, slots=True)
class _Sieve:
    """Keeps samples that are not in `novel_to` (sorted hashes), pass the checks and, with `seen`, are distinct."""

    novel_to: NDArray[np.uint64] | None
    seen: set[str] | None
    checks: Sequence[SampleCheck]
    tally: Counter[str]

    def keep(self, samples: list[Sample]) -> list[Sample]:
        self.tally["drawn"] += len(samples)
        texts = [sample.text.strip() for sample in samples]
        known = [False] * len(texts) if self.novel_to is None else in_training_set(texts, self.novel_to).tolist()
        kept: list[tuple[Sample, str]] = []
        for sample, text, is_known in zip(samples, texts, known, strict=True):
            if is_known or (self.novel_to is not None and not text):
                self.tally["are in the training data"] += 1
            elif self.seen is not None and text in self.seen:
                self.tally["occurred before"] += 1
            else:
                if self.seen is not None:
                    self.seen.add(text)
                kept.append((sample, text))
        for check in self.checks:
            passes = check.passes([text for _, text in kept])
            self.tally[check.reason] += passes.count(False)
            kept = [one for one, passed in zip(kept, passes, strict=True) if passed]
        return [sample for sample, _ in kept]


def _too_few(count: int, found: int, draws: int, config: SampleConfig, kinds: list[str]) -> str:
    kind = " and ".join(kinds)
    ways = ["Ask for fewer", "raise the temperature"]
    if config.top_k is not None or config.top_p is not None:
        ways.append("widen top_k or top_p")
    if config.prefix:
        ways.append("shorten the prefix")
    if config.asks:
        ways.append("drop a condition")
    return f"{count} {kind} items were asked for; got {found} in {draws} draws. {', '.join(ways[:-1])} or {ways[-1]}."
