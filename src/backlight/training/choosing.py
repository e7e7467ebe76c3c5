"""The choice of a model and its sizes for a text, by its lengths, its size, and short trainings compared on dev.

All depends on the text and the configuration, and nothing on the speed of the machine: times are estimated from the
number of operations, so that the same text and seed give the same model everywhere.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from backlight.core import ConfigError
from backlight.models import Mixture, NGram, NGramConfig, model_spec
from backlight.text import Corpus, Items, Splits, split_corpus
from backlight.text.tokenizers import TextVocabulary, vocabulary_of
from backlight.text.tokenizers.choosing import looks_like_smiles
from backlight.text.vocabulary import CHARACTERS
from backlight.training.config import RunConfig, TrainConfig
from backlight.training.evaluate import dataset, mean_nll
from backlight.training.run import Run

MINUTES: Final = 1.0
"""The time for which `backlight train` trains if nothing else is asked."""

FEW_TARGETS: Final = 3_000
"""With fewer characters to learn from, a network learns them by heart, and only n-grams are compared."""

FOLDS: Final = 5
ORDERS: Final = (2, 3, 4)

CLOSE: Final = 1.05
"""Of n-grams with nearly the same loss, the longest is taken: what it writes is easier to read."""

SPEED: Final = 60e9
"""Operations per second of training on one core, about which every network reaches (docs/log.md)."""

TRIAL: Final = 0.1
"""The share of the time that each trial takes."""

FEWEST_STEPS: Final = 100

EVALUATIONS: Final = 10
"""With so many evaluations, they take about a tenth of the time."""

LONGEST_CONTEXT: Final = 128
SHORT_ITEMS: Final = 20
"""A network of windows is tried if most items are no longer than this: it does not know where it is in a longer one."""

CHARACTERS_OF_A_STREAM: Final = 64
MANY_TARGETS: Final = 500_000


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the choice depends on.

    Attributes:
        items: number of distinct items; 1 for running text.
        ends: whether items end; False for running text.
        usual: 19 of 20 items have at most this many characters.
        longest: number of characters of the longest item.
        targets: number of targets of the training split.
        examples: number of items of the training split.
        vocabulary: V.
    """

    items: int
    ends: bool
    usual: int
    longest: int
    targets: int
    examples: int
    vocabulary: int

    @classmethod
    def of(cls, corpus: Corpus, splits: Splits, vocabulary: TextVocabulary) -> "Facts":
        """Return the facts of a text."""
        ends = corpus.mode == "items"
        lengths = Items.of(corpus.items).lengths()
        train = Items.of(splits.train.items)
        return cls(
            items=int(Items.of(corpus.items).kinds().max()) + 1 if ends else 1,
            ends=ends,
            usual=int(np.quantile(lengths, 0.95)),
            longest=int(lengths.max()),
            targets=int(train.lengths().sum()) + (len(train) if ends else 0),
            examples=len(train),
            vocabulary=vocabulary.size,
        )

    def words(self) -> str:
        """Return the facts in one line."""
        what = f"{self.items:,} different items, most of up to {self.usual} characters" if self.ends else "Running text"
        return f"{what}; {self.targets:,} characters to learn from; vocabulary {self.vocabulary}."


@dataclass(frozen=True)
class Choice:
    """A model for a text.

    Attributes:
        config: the configuration of the run.
        lines: what was chosen, why, and what it would cost to do better.
    """

    config: RunConfig
    lines: tuple[str, ...]


def choose(
    base: RunConfig, corpus: Corpus, *, minutes: float | None = None, say: Callable[[str], None] = lambda _: None
) -> Choice:
    """Compare the n-gram and short trainings of networks on dev, and return the best for the time allowed.

    Args:
        base: the configuration of an n-gram run; text, split and seed are kept.
        corpus: the text.
        minutes: the time of the trials and the training on one core, as estimated; None is `MINUTES`.
        say: called with what is being done, one line each.

    Raises:
        ConfigError: `minutes` is not above 0.
        DataError: the text is too short to be split.
    """
    minutes = MINUTES if minutes is None else minutes
    if not 0 < minutes < 1e6:
        raise ConfigError(f"minutes must be above 0; got {minutes}. Try {MINUTES:g}.")
    if base.tokens == CHARACTERS and corpus.mode == "items" and looks_like_smiles(corpus.items):
        say("The items look like SMILES: atoms such as Cl and [nH] are one token each (--tokens smiles).")
        base = replace(base, tokens="smiles")
    splits = split_corpus(corpus, seed=base.split_seed, fractions=base.fractions, duplicates=base.duplicates)
    vocabulary = vocabulary_of(base.tokens, splits.train.items, corpus.items)
    facts = Facts.of(corpus, splits, vocabulary)
    if facts.targets < FEW_TARGETS:
        return _few(base, facts, splits, vocabulary)
    seconds = 60 * minutes
    tried: dict[str, tuple[float, RunConfig]] = {}
    for config in [replace(base, settings={"order": 6}), *_networks(base, facts, TRIAL * seconds, trial=True)]:
        say(f"Trying {config.model} ...")
        run = Run.create(config, corpus=corpus)
        run.train()
        result = run.result
        assert result is not None  # noqa: S101  (the training was not stopped)
        tried[config.model] = result["dev_nats"], config
    best = min(tried, key=lambda name: tried[name][0])
    nats = ", ".join(f"{name} {dev:.4f}" for name, (dev, _) in tried.items())
    rest = seconds * (1 - TRIAL * (len(tried) - 1))
    final = next((one for one in _networks(base, facts, rest, trial=False) if one.model == best), tried[best][1])
    lines = (facts.words(), f"Dev loss after short trainings: {nats}. Chosen: {_named(final)}.", _cost(final, rest))
    return Choice(final, lines)


def _networks(base: RunConfig, facts: Facts, seconds: float, *, trial: bool) -> list[RunConfig]:
    """Return the networks that suit a text, each trained for this long."""
    large = facts.targets > MANY_TARGETS
    whole = facts.longest + 1 if facts.ends else CHARACTERS_OF_A_STREAM
    units = 320 if large else 224
    networks: list[tuple[str, dict[str, Any]]] = [
        ("gru+ngram", {"context": min(whole, LONGEST_CONTEXT), "hidden": (units,), "dropout": 0.0 if large else 0.2})
    ]
    if facts.usual <= SHORT_ITEMS or not facts.ends:
        networks.insert(0, ("mlp+ngram", {} if facts.ends else {"context": 8}))
    return [_timed(base, facts, model, settings, seconds, trial=trial) for model, settings in networks]


def _timed(
    base: RunConfig, facts: Facts, model: str, sizes: dict[str, Any], seconds: float, *, trial: bool
) -> RunConfig:
    """Return a configuration with as many steps as the time allows, by the number of operations."""
    default = TrainConfig.of(model)
    spec = model_spec(model)
    built = spec.build(spec.configure({**sizes, "vocabulary_size": facts.vocabulary}), np.random.default_rng(0))
    assert isinstance(built, Mixture)  # noqa: S101
    network = built.network
    positions = 1.0 if network.reads == "windows" else min(sizes["context"], facts.targets / facts.examples)
    operations = 6 * network.num_parameters() * default.batch_size * positions  # 2 forward and 4 backward, per weight
    steps = max(FEWEST_STEPS, int(seconds * SPEED / operations))
    interval = steps if trial else max(steps // EVALUATIONS, FEWEST_STEPS)
    train = replace(default, steps=steps, warmup=min(default.warmup, steps // 10), eval_interval=interval)
    return replace(base, model=model, settings=sizes, train=train)


def _few(base: RunConfig, facts: Facts, splits: Splits, vocabulary: TextVocabulary) -> Choice:
    """Choose the order of an n-gram by folds of train and dev: a dev split of a few items decides nothing."""
    items = [*splits.train.items, *splits.dev.items]
    losses = {order: _folded_nats(items, order, vocabulary, ends=facts.ends) for order in ORDERS}
    order = max(n for n, loss in losses.items() if loss <= CLOSE * min(losses.values()))
    nats = ", ".join(f"{n}: {loss:.3f}" for n, loss in losses.items())
    why = f"the longest within {CLOSE - 1:.0%} of the best loss in {FOLDS} folds ({nats})"
    lines = (
        facts.words(),
        f"These are few; a network would learn them by heart. Chosen: ngram of order {order}, {why}.",
        "To do better, add items: with some 500, networks are compared too.",
    )
    return Choice(replace(base, settings={"order": order}), lines)


def _folded_nats(items: Sequence[str], order: int, vocabulary: TextVocabulary, *, ends: bool) -> float:
    """Return the mean loss of each part of the items under the n-grams of the others."""
    if not ends:  # two blocks of running text are no folds: the second is judged by the first
        parts = [([items[0]], [items[1]])]
    else:
        parts = [
            ([one for i, one in enumerate(items) if i % FOLDS != fold], list(items[fold::FOLDS]))
            for fold in range(min(FOLDS, len(items)))
        ]
    total, count = 0.0, 0
    for train, dev in parts:
        config = NGramConfig(vocabulary_size=vocabulary.size, order=order)
        model = NGram(config).fit(vocabulary.encode_items(train, ends=ends))
        data = dataset(model, vocabulary, dev, ends=ends)
        total += mean_nll(model, data) * data.targets
        count += data.targets
    return total / count


def _named(config: RunConfig) -> str:
    sizes = ", ".join(
        f"{name} {value[0] if isinstance(value, tuple) else value}" for name, value in config.settings.items()
    )
    return f"{config.model} ({sizes})" if sizes else config.model


def _cost(config: RunConfig, seconds: float) -> str:
    if config.train is None:
        return "Counting takes a moment. With --minutes 10, networks are trained for longer before they are compared."
    return (
        f"{config.train.steps:,} steps, about {max(seconds, 1):.0f} seconds on one core. To do better: --minutes 10, "
        "or your own --model and sizes."
    )
