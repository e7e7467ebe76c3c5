"""The choice of a model and its sizes for a text, by its lengths, its size, and short trainings compared on dev.

The time of the trials, and of the training if no time is asked for, is estimated from the number of operations: the
same text and seed give the same model on every machine. If a time is asked for, the training has as many steps as fit
into what is left of it at the pace of the trials.
"""

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from backlight.core import ConfigError
from backlight.core.threads import processors
from backlight.models import Mixture, NGram, NGramConfig, model_spec
from backlight.optim.muon import NEWTON_SCHULZ_STEPS
from backlight.text import Corpus, Items, Splits, split_corpus
from backlight.text.tokenizers import TextVocabulary, vocabulary_of
from backlight.text.tokenizers.choosing import looks_like_smiles
from backlight.text.vocabulary import CHARACTERS
from backlight.training.config import RunConfig, TrainConfig
from backlight.training.evaluate import dataset, mean_nll
from backlight.training.run import Run

AUTO: Final = "auto"

NOT_CHOSEN: Final = frozenset({"threads"})
"""Settings of training that "auto" leaves to the user."""

MINUTES: Final = 1.0
"""The time for which `backlight train` trains if nothing else is asked, as estimated for one core."""

MOST_THREADS: Final = 4
"""The products of these networks are too small for more."""

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

FOR_MANY_TARGETS: Final[dict[str, dict[str, Any]]] = {
    "gru+ngram": {"batch_size": 16, "optimiser": "muon", "lr": 6e-3},
    "gpt+ngram": {"batch_size": 32, "optimiser": "muon", "lr": 6e-3},
}
"""Settings of training by model, for a network that sees each item a few times only (docs/log.md)."""

LONGEST_CONTEXT: Final = 128
SHORT_ITEMS: Final = 20
"""A network of windows is tried if most items are no longer than this: it does not know where it is in a longer one.
For longer ones a GPT takes the place of the GRU if there is much to learn from."""

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


def named_or_default(model: str | None, settings: Collection[str], *, token_files: bool, engine: str) -> str:
    """Return the model that is named; if none is, "auto" where an n-gram and other sizes are possible, and else "mlp".

    Args:
        model: the name; None if none is given.
        settings: names of the sizes and settings of training that are given. They are of a network, so it is the MLP.
        token_files: whether the text is tokens in files, of which an n-gram is not counted, so it is the MLP as well.
        engine: the engine. "torch" trains networks only, and trials on this processor say little about a GPU.
    """
    if model is not None:
        return model
    return "mlp" if token_files or engine == "torch" or set(settings) - NOT_CHOSEN else AUTO


def choose(
    base: RunConfig,
    corpus: Corpus,
    *,
    minutes: float | None = None,
    threads: int | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Choice:
    """Compare the n-gram and short trainings of networks on dev, and return the best for the time allowed.

    Args:
        base: the configuration of an n-gram run; text, split and seed are kept.
        corpus: the text.
        minutes: the time of the trials and the training, by the clock. None is `MINUTES` on one core as estimated from
            the number of operations, whatever the machine.
        threads: the number of threads; None is that of the processors, and at most `MOST_THREADS`. The compiled
            kernels give the same results for all.
        say: called with what is being done, one line each.

    Raises:
        ConfigError: `minutes` is not above 0.
        DataError: the text is too short to be split.
    """
    started = time.perf_counter()
    timed = minutes is not None
    minutes = MINUTES if minutes is None else minutes
    threads = min(processors(), MOST_THREADS) if threads is None else threads
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
    trials: dict[str, _Trial] = {}
    for config in [replace(base, settings={"order": 6}), *_networks(base, facts, TRIAL * seconds, threads, trial=True)]:
        say(f"Trying {config.model} ...")
        trials[config.model] = _tried(config, corpus)
    best = min(trials.values(), key=lambda one: one.nats)
    rest = seconds * (1 - TRIAL * (len(trials) - 1))
    whole = {one.model: one for one in _networks(base, facts, rest, threads, trial=False)}
    final = whole.get(best.config.model, best.config)
    cost = "Counting takes a moment. With --minutes 10, networks are trained for longer before they are compared."
    if (train := final.train) is not None:
        if timed:
            left = max(60 * minutes - (time.perf_counter() - started), 0.0)
            train = _with_steps(train, int(left / best.seconds_per_step), trial=False)
            final = replace(final, train=train)
        takes = max(train.steps * best.seconds_per_step, 1)
        cost = (
            f"{train.steps:,} steps, about {takes:,.0f} seconds at the pace of the trials. To do better: --minutes "
            f"{10 if minutes < 10 else 3 * minutes:g}, or your own --model and sizes."
        )
    nats = ", ".join(f"{name} {one.nats:.4f}" for name, one in trials.items())
    return Choice(final, (facts.words(), f"Dev loss after short trainings: {nats}. Chosen: {_named(final)}.", cost))


@dataclass(frozen=True)
class _Trial:
    """A short training.

    Attributes:
        config: the configuration.
        nats: the dev loss.
        seconds_per_step: seconds of the training and its evaluation, for each step; 0 for an n-gram.
    """

    config: RunConfig
    nats: float
    seconds_per_step: float


def _tried(config: RunConfig, corpus: Corpus) -> _Trial:
    run = Run.create(config, corpus=corpus)
    started = time.perf_counter()
    run.train()
    seconds = time.perf_counter() - started
    assert run.result is not None  # noqa: S101  (the training was not stopped)
    return _Trial(config, run.result["dev_nats"], 0.0 if config.train is None else seconds / config.train.steps)


def _networks(base: RunConfig, facts: Facts, seconds: float, threads: int, *, trial: bool) -> list[RunConfig]:
    """Return the networks that suit a text, each trained for this long."""
    large, short = facts.targets > MANY_TARGETS, facts.ends and facts.usual <= SHORT_ITEMS
    context = min(facts.longest + 1 if facts.ends else CHARACTERS_OF_A_STREAM, LONGEST_CONTEXT)
    gru = {"context": context, "hidden": (320 if large else 224,), "dropout": 0.0 if large else 0.2}
    gpt = {"context": context, "n_embd": 96, "n_layer": 4, "n_head": 4, "dropout": 0.0}
    networks: list[tuple[str, dict[str, Any]]] = []
    if short or not facts.ends:
        networks.append(("mlp+ngram", {} if facts.ends else {"context": 8}))
    networks.append(("gpt+ngram", gpt) if large and not short else ("gru+ngram", gru))
    return [_timed(base, facts, model, settings, seconds, threads, trial=trial) for model, settings in networks]


def _timed(
    base: RunConfig, facts: Facts, model: str, sizes: dict[str, Any], seconds: float, threads: int, *, trial: bool
) -> RunConfig:
    """Return a configuration with as many steps as the time allows, by the number of operations."""
    recipe = FOR_MANY_TARGETS.get(model, {}) if facts.targets > MANY_TARGETS else {}
    train = TrainConfig.of(model, threads=threads, **recipe)
    spec = model_spec(model)
    built = spec.build(spec.configure({**sizes, "vocabulary_size": facts.vocabulary}), np.random.default_rng(0))
    assert isinstance(built, Mixture)  # noqa: S101
    network = built.network
    positions = 1.0 if network.reads == "windows" else min(sizes["context"], facts.targets / facts.examples)
    operations = 6 * network.num_parameters() * train.batch_size * positions  # 2 forward and 4 backward, per weight
    if train.optimiser == "muon":
        operations += sum(_orthogonalised(*one.array.shape) for one in network.hidden_matrices())
    train = _with_steps(train, int(seconds * SPEED / operations), trial=trial)
    return replace(base, model=model, settings=sizes, train=train)


def _orthogonalised(rows: int, columns: int) -> float:
    """Return the number of operations in which Muon makes a matrix orthogonal."""
    short, long = sorted((rows, columns))
    return NEWTON_SCHULZ_STEPS * 2.0 * short * short * (2 * long + short)


def _with_steps(train: TrainConfig, steps: int, *, trial: bool) -> TrainConfig:
    """Return the settings for a number of steps: a shorter warm-up for few, and evaluations in proportion."""
    steps = max(FEWEST_STEPS, steps)
    interval = steps if trial else max(steps // EVALUATIONS, FEWEST_STEPS)
    return replace(train, steps=steps, warmup=min(train.warmup, steps // 10), eval_interval=interval)


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
