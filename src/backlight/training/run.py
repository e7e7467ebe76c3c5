"""A run: from a configuration and a text to a trained model, in a folder or in memory, and back again."""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from backlight.autograd import Tensor
from backlight.core import Array, BacklightError, ConfigError, RunError
from backlight.models import LanguageModel
from backlight.models.neural import NeuralModel
from backlight.models.ngram import NGram
from backlight.nn import BatchNorm1d, fold
from backlight.runs import RunDirectory, RunExistsError, RunStore, extra_files, new_files
from backlight.runs.store import SEEN
from backlight.text import LIST, Corpus, Dataset, Splits, Vocabulary, load_corpus, split_corpus, training_hashes
from backlight.training.config import RunConfig
from backlight.training.evaluate import SAMPLE_TARGETS, bits, dataset, mean_nll
from backlight.training.records import FirstLoss
from backlight.training.trainer import Trainer
from backlight.watch.records import SplitFacts

_INIT, _BATCHES = 0, 1
"""Random streams of a run, independent of each other."""


class Run:
    """A training run: its configuration, text, model and files. Make one with `create` or `open`.

        run = Run.create(RunConfig.of("names", model="gpt", steps=500), "runs/mine")
        run.train()
        run.result["dev_nats"]

    Text, splits, examples and model are read or made when they are first used.

    Attributes:
        config: what is trained, on what, and how.
        store: the run's files: a `RunDirectory`, or a `RunStore` in memory.
        vocabulary: the characters of the text.
    """

    def __init__(self, config: RunConfig, store: RunStore, *, corpus: Corpus | None = None, stdin: Any = None) -> None:
        self.config, self.store = config, store
        self.vocabulary = Vocabulary.from_json(store.vocabulary)
        self._stdin: BinaryIO | None = stdin
        if corpus is not None:
            self.corpus = corpus

    @classmethod
    def create(
        cls,
        config: RunConfig,
        path: str | Path | Callable[[Corpus], Path] | None = None,
        *,
        corpus: Corpus | None = None,
        stdin: BinaryIO | None = None,
    ) -> "Run":
        """Read and split the text, build model and examples, and then make the run: bad input leaves nothing behind.

        Args:
            config: what is to be done.
            path: the folder to make; or what makes a path up once the text is known, which is asked again if another
                process was faster; None keeps the run in memory.
            corpus: the text, if it is there already; otherwise `config.corpus` is read.
            stdin: where a corpus "-" comes from.

        Raises:
            ConfigError: a setting out of range, or batches of one example for a model with batch norm.
            DataError: a text that cannot be read, or that is too short to be split.
            RunError: the folder exists, or cannot be made.
        """
        if corpus is None:
            corpus = load_corpus(config.corpus, mode=config.mode, stdin=stdin)
        vocabulary = Vocabulary.of(corpus.items)
        # what can be wrong shows here, before anything is made
        splits = split_corpus(corpus, seed=config.split_seed, fractions=config.fractions, duplicates=config.duplicates)
        model = _built(config, vocabulary)
        _check_batch_size(config, model)
        data = _examples(model, vocabulary, splits, ends=corpus.mode == "items")
        whole = config.to_json(
            sizes=model.config, mode=corpus.mode, sha256=corpus.sha256,
            parameters=model.num_parameters() if isinstance(model, NeuralModel) else None,
        )  # fmt: skip
        files = new_files(config=whole, vocabulary=vocabulary.to_json())
        if path is None:
            run = cls(config, RunStore.in_memory(files), corpus=corpus)
        else:
            files |= extra_files(seen=_hashes(corpus), corpus=_own_text(corpus))
            run = cls(config, _create_folder(path, corpus, files), corpus=corpus)
        vars(run).update(splits=splits, model=model, data=data)
        return run

    @classmethod
    def open(cls, where: "str | Path | RunStore", *, stdin: BinaryIO | None = None) -> "Run":
        """Open a run to use it or to continue it. Its text is read when it is needed.

        Raises:
            RunError: there is none, or it is damaged.
        """
        store = where if isinstance(where, RunStore) else RunDirectory.open(where)
        return cls(RunConfig.from_json(store.config), store, stdin=stdin)

    # -- parts ---------------------------------------------------------------------------------------------------------

    @cached_property
    def corpus(self) -> Corpus:
        """The text. Raises DataError where it is gone, and RunError where it is not the one that the run began with."""
        items = self.store.load_corpus()
        source = self.config.corpus if items is None else items
        corpus = load_corpus(source, mode=self.config.mode, stdin=self._stdin)
        if corpus.sha256 != self.store.config["corpus"]["sha256"]:
            given = "what standard input gave" if self.config.corpus == "-" else repr(self.config.corpus)
            raise RunError(
                f"a run must continue with the text it began with; {given} is not the text that {self.store.name} was "
                "started with. Give it that text again, or start a new run."
            )
        return corpus

    @cached_property
    def splits(self) -> Splits:
        """The three parts of the text."""
        config = self.config
        return split_corpus(
            self.corpus, seed=config.split_seed, fractions=config.fractions, duplicates=config.duplicates
        )

    @cached_property
    def data(self) -> Mapping[str, Dataset]:
        """The parts "train", "dev" and "test" as the examples that the model reads."""
        return _examples(self.model, self.vocabulary, self.splits, ends=self.ends)

    @cached_property
    def model(self) -> LanguageModel:
        """The model: with its initial weights until it is trained, and with the best weights after `evaluate`."""
        return _built(self.config, self.vocabulary)

    @property
    def path(self) -> Path:
        """The run's folder. Raises RunError for a run in memory."""
        if not isinstance(self.store, RunDirectory):
            raise RunError("a run in memory has no folder. Save its model first, or create it with a path.")
        return self.store.path

    @property
    def ends(self) -> bool:
        """Whether items have an end to predict; a stream of text has not."""
        return bool(self.store.config["corpus"]["mode"] == "items")

    @property
    def result(self) -> dict[str, Any] | None:
        """What the finished training reported; None where it has not finished."""
        return self.store.load_result()

    @property
    def warnings(self) -> list[str]:
        """What is unusual about text and model, though they can be trained; one line each."""
        return [one for one in (self._one_character(), self._longer_than_items()) if one is not None]

    def _one_character(self) -> str | None:
        if len(self.vocabulary.characters) > 1:
            return None
        rest = "how long items are" if self.ends else "that it never ends"
        return f"All characters are {self.vocabulary.characters!r}: there is nothing to learn but {rest}."

    def _longer_than_items(self) -> str | None:
        if not self.ends or not isinstance(self.model, NeuralModel):
            return None
        longest = max(map(len, self.corpus.items))
        # before the end of the longest item stand its characters; a model of sequences reads a boundary before them
        enough = longest + (self.model.reads == "sequences")
        if self.model.context <= enough:
            return None
        return (
            f"The context of {self.model.context} is longer than every item: the longest has {longest} characters. "
            f"A context of {enough} sees as much."
        )

    def batch_rng(self) -> np.random.Generator:
        """Return what draws the minibatches, from its beginning."""
        return np.random.default_rng([self.config.seed, _BATCHES])

    def training_hashes(self) -> Any:
        """Return the hashes (N,) uint64 of the text's items, to tell whether a sample is new."""
        return self.store.load_training_hashes() if self.store.has(SEEN) else _hashes(self.corpus)

    def files(self) -> dict[str, bytes]:
        """Return all that makes up the run's folder, by the names of the files."""
        files = self.store.files()
        if not isinstance(self.store, RunDirectory):  # what was not needed in memory
            files |= extra_files(seen=_hashes(self.corpus), corpus=_own_text(self.corpus))
        return files

    # -- training ------------------------------------------------------------------------------------------------------

    def trainer(self) -> Trainer:
        """Return the loop for a network, restored from the run's checkpoint if it has one."""
        config = self.config
        assert config.train is not None  # noqa: S101  (for networks only)
        assert isinstance(self.model, NeuralModel)  # noqa: S101
        trainer = Trainer(
            model=self.model,
            train=self.data["train"],
            dev=self.data["dev"],
            config=config.train,
            rng=self.batch_rng(),
            run=self.store,
            watch_every=config.watch_every,
            split=self._split_facts() if config.watch_every is not None and self.ends else None,
        )
        if self.store.has_checkpoint:
            trainer.restore()
        return trainer

    def _split_facts(self) -> SplitFacts:
        """Return how many of the held-out items stand in the training part too."""
        train, dev = self.splits.train.items, self.splits.dev.items
        known = set(train)
        return SplitFacts(train=len(train), dev=len(dev), shared=sum(item in known for item in dev))

    def count(self) -> float:
        """Fit a model that counts, and save it. Returns the seconds that it took."""
        started = time.perf_counter()
        assert isinstance(self.model, NGram)  # noqa: S101  (the only model that counts)
        parts = (self.splits.train, self.splits.dev)
        self.model.fit(*(self.vocabulary.encode_items(part.items, ends=self.ends) for part in parts))
        self.store.save_weights(self.model.state_dict(), {"step": 0})
        return time.perf_counter() - started

    def train(self, setup: Callable[[Trainer], Any] | None = None) -> bool:
        """Train to the end, and evaluate. Returns whether the end was reached: False after `Trainer.request_stop`.

        Args:
            setup: given the trainer before it starts, to set its callbacks; not called for a model that counts.

        Raises:
            DivergenceError: the loss became infinite or not a number.
            RunError: another process trains this run, or the disk refused.
        """
        with self.store.lock():
            if self.config.train is None:
                self.evaluate(seconds=self.count())
                return True
            trainer = self.trainer()
            if setup is not None:
                setup(trainer)
            if not trainer.fit():
                return False
            self.evaluate(steps=trainer.step, seconds=trainer.seconds)
        return True

    def evaluate(self, *, steps: int = 0, seconds: float = 0.0) -> dict[str, Any]:
        """Evaluate the best weights on all three splits, save the result and return it.

        Args:
            steps: training steps taken; 0 for a model that counts.
            seconds: what training took.
        """
        facts = load_weights(self.store, self.model)
        with np.errstate(over="ignore", invalid="ignore"):
            nats = {
                "train_nats": mean_nll(self.model, self.data["train"], at_most=SAMPLE_TARGETS),
                "dev_nats": mean_nll(self.model, self.data["dev"]),
                "test_nats": mean_nll(self.model, self.data["test"]),
            }
        result = {
            "run": str(self.path) if isinstance(self.store, RunDirectory) else None,
            "model": self.config.model,
            "corpus": self.config.corpus,
            "parameters": self.model.num_parameters(),
            "context": self.model.context,
            "vocabulary_size": self.vocabulary.size,
            **FirstLoss.of(self.vocabulary.size, self.store.load_metrics()).to_json(),
            **nats,
            "dev_bits": bits(nats["dev_nats"]),
            "test_bits": bits(nats["test_nats"]),
            "steps": steps,
            "best_step": facts["step"],
            "seconds": seconds,
            "seed": self.config.seed,
        }
        self.store.save_result(result)
        return result

    def first_loss(self, *, batch_size: int | None = None, weights: dict[str, Array] | None = None) -> Tensor:
        """Return the loss, in nats per target and with its graph, of the minibatch that training begins with.

        With the initial weights, it is the loss that `Trainer` meets at step 0, up to rounding: the same minibatch, the
        same dropout. The model is left in training mode.

        Args:
            batch_size: examples; those of the configuration if None.
            weights: what to load into the model first; its own if None.

        Raises:
            ConfigError: a model that is counted has no loss to differentiate.
        """
        model: Any = self.model
        if not isinstance(model, NeuralModel) or self.config.train is None:
            raise ConfigError(
                f"a step needs a network; {self.config.model} is counted, and has no gradient. Choose another model."
            )
        if weights is not None:
            model.load_state_dict(weights)
        model.train()
        rng = self.batch_rng()
        model.set_rng(rng)
        size = self.config.train.batch_size if batch_size is None else batch_size
        with np.errstate(
            over="ignore", invalid="ignore"
        ):  # a loss that is not finite may be what the caller wants to see
            return model.loss(self.data["train"].sample(size, rng))


def load_weights(store: RunStore, model: LanguageModel) -> dict[str, Any]:
    """Load the weights that a run keeps into its model, put a network into evaluation mode, and return their facts.

    Raises:
        RunError: there are no weights yet, or they are damaged or not of this model.
    """
    arrays, facts = store.load_weights()
    if not isinstance(facts.get("step"), int):
        raise RunError(f"weights must have a step; those of {store.name} have none. Train again, into a new run.")
    if isinstance(model, NeuralModel):
        for name, own in model.eval().state_dict().items():
            array = arrays.get(name, own)
            if array.dtype != own.dtype:
                raise RunError(
                    f"{name} must be {own.dtype}; that of {store.name} is {array.dtype}. "
                    "Put the right weights back, or train again."
                )
            if not np.isfinite(array).all():
                raise RunError(
                    f"weights must be finite; {name} of {store.name} is not: its training has diverged. "
                    "Train again with a lower learning rate."
                )
    model.load_state_dict(arrays)
    return facts


def load_model(where: "str | Path | RunStore") -> tuple[LanguageModel, Vocabulary]:
    """Return the best model of a run and its vocabulary, ready for use: in evaluation mode, batch norms folded.

    Raises:
        RunError: there are no weights yet, or they are damaged or not of this model.
    """
    run = Run.open(where)
    load_weights(run.store, run.model)
    return (fold(run.model) if isinstance(run.model, NeuralModel) else run.model), run.vocabulary


def _built(config: RunConfig, vocabulary: Vocabulary) -> LanguageModel:
    """Return the model of a configuration with its initial weights."""
    sizes = config.spec.configure({**config.settings, "vocabulary_size": vocabulary.size})
    try:
        return config.spec.build(sizes, np.random.default_rng([config.seed, _INIT]))
    except BacklightError:
        raise
    except (MemoryError, ValueError) as error:  # NumPy's own refusals of a size
        raise ConfigError(f"a model of these sizes does not fit into memory: {sizes}. Choose smaller ones.") from error


def _examples(model: LanguageModel, vocabulary: Vocabulary, splits: Splits, *, ends: bool) -> Mapping[str, Dataset]:
    parts = {"train": splits.train, "dev": splits.dev, "test": splits.test}
    return {name: dataset(model, vocabulary, part.items, ends=ends) for name, part in parts.items()}


def _create_folder(
    path: str | Path | Callable[[Corpus], Path], corpus: Corpus, files: dict[str, bytes]
) -> RunDirectory:
    if not callable(path):
        return RunDirectory.create(path, files)
    while True:
        try:
            return RunDirectory.create(path(corpus), files)
        except RunExistsError:  # another process has just taken the name that was made up: the next one is free
            continue


def _hashes(corpus: Corpus) -> Any:
    return training_hashes(corpus.items if corpus.mode == "items" else [])


def _own_text(corpus: Corpus) -> Sequence[str] | None:
    """Return the text where nothing else keeps it."""
    return corpus.items if corpus.name == LIST else None


def _check_batch_size(config: RunConfig, model: LanguageModel) -> None:
    """Refuse now what batch norm would refuse at the first step, when there is a run already."""
    if config.train is None or config.train.batch_size > 1 or not isinstance(model, NeuralModel):
        return
    if any(isinstance(module, BatchNorm1d) for _, module in model.named_modules()):
        raise ConfigError(
            f"batch_size must be at least 2 for a {config.model} with batch norm, since one example has no variance; "
            f"got {config.train.batch_size}. Choose a larger one."
        )
