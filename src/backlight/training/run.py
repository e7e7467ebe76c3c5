"""A run: a configuration, a text, a model, and the files that keep them, in a folder or in memory."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from backlight.autograd import Tensor
from backlight.core import Array, BacklightError, ConfigError, DataError, EncodedItems, RunError
from backlight.core.threads import limit_threads
from backlight.models import LanguageModel, Mixture
from backlight.models.mixture import COUNTS, FITTED_CELLS, WEIGHTS
from backlight.models.neural import NeuralModel
from backlight.models.ngram import NGram
from backlight.nn import BatchNorm1d, fold
from backlight.runs import RunDirectory, RunExistsError, RunStore, extra_files, new_files, start_files
from backlight.runs.store import PRETRAINED, SEEN
from backlight.text import (
    LIST,
    Corpus,
    Dataset,
    Items,
    Part,
    Reading,
    Source,
    Splits,
    load_corpus,
    normalised,
    spelling_notes,
    split_corpus,
    targets_per_character,
    training_hashes,
)
from backlight.text.labels import mark_of, spelled, split
from backlight.text.records.reading import AS_IT_IS
from backlight.text.tokenizers import TextVocabulary, vocabulary_from_json, vocabulary_of
from backlight.text.vocabulary import CHARACTERS
from backlight.training.config import RunConfig
from backlight.training.continuing import grown_state, new_places
from backlight.training.evaluate import (
    FEWEST_HELD_OUT,
    FEWEST_IN_RESULT,
    SAMPLE_TARGETS,
    SHARE_OF_RESULT,
    bits,
    dataset,
    evenly,
    mean_nll,
)
from backlight.training.records import FirstLoss
from backlight.training.trainer import LARGE, Trainer
from backlight.watch.records import SplitFacts

STREAM_LENGTH = 500
"""The number of characters of a sample of running text, by default."""

SHORTEST, UNKNOWN_LENGTH = 16, 64
"""Maximum numbers of characters of a sample: that of very short items, and that of a run of unknown lengths."""

_INIT, _BATCHES = 0, 1
"""Independent random streams of a run: for the initial weights and for the minibatches."""


class Run:
    """A training run: its configuration, text, model and files. Make one with `create` or `open`.

        run = Run.create(RunConfig.of("names", model="gpt", steps=500), "runs/mine")
        run.train()
        run.result["dev_nats"]

    The text, splits, examples and model are read or built when they are first used.

    Args:
        config: the configuration.
        store: the files of the run.
        corpus: the text, if it has been read already.
        stdin: the stream from which a corpus "-" is read; None is standard input.

    Attributes:
        config: the configuration.
        store: the files of the run: a `RunDirectory`, or a `RunStore` in memory.
        vocabulary: the characters of the text, or other tokens.
        notes: lines that say how the text was read, and with which weights a new run starts.
    """

    def __init__(self, config: RunConfig, store: RunStore, *, corpus: Corpus | None = None, stdin: Any = None) -> None:
        self.config, self.store = config, store
        self.notes: list[str] = []
        self.vocabulary = vocabulary_from_json(store.vocabulary)
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
        start: "Run | None" = None,
    ) -> "Run":
        """Read and split the text, build the model and the examples, and then make the run.

        If anything fails, nothing is left behind.

        Args:
            config: the configuration.
            path: the folder to make; or a function that returns its path once the text is read, and is called again if
                another process has taken that path; None keeps the run in memory.
            corpus: the text, if it has been read already; otherwise `config.corpus` is read.
            stdin: the stream from which a corpus "-" is read; None is standard input.
            start: a run whose model has the initial weights. The vocabulary is its own, with what the text needs more.

        Raises:
            ConfigError: a setting out of range, or batches of one example for a model with batch norm.
            DataError: the text cannot be read, or is too short to be split.
            RunError: the folder exists, or cannot be made.
        """
        if corpus is None:
            corpus = load_corpus(config.files, mode=config.mode, reading=config.reading, stdin=stdin)
        config = replace(config, reading=corpus.reading, also=corpus.also or None)
        if corpus.reading.labels is not None and config.tokens != CHARACTERS:
            raise ConfigError(
                f"labels are for models of characters; got tokens {config.tokens}. Leave out label, or tokens."
            )
        # errors in text and settings show here, before anything is written
        splits = split_corpus(corpus, seed=config.split_seed, fractions=config.fractions, duplicates=config.duplicates)
        if start is None:
            vocabulary = vocabulary_of(config.tokens, splits.train.items, corpus.items)
        else:
            vocabulary = start.vocabulary.grown(corpus.items)
        model = _built(config, vocabulary)
        network = network_of(model)
        notes = [] if start is None or network is None else _go_on(start, network, vocabulary)
        _check_batch_size(config, model)
        # an n-gram model is counted and evaluated without examples
        data = {} if isinstance(model, NGram) else _examples(model, vocabulary, splits, ends=corpus.mode == "items")
        whole = config.to_json(
            sizes=model.config, mode=corpus.mode, sha256=corpus.sha256,
            parameters=None if network is None else network.num_parameters(),
            longest=int(Items.of(corpus.items).lengths().max()) if corpus.mode == "items" else None,
        )  # fmt: skip
        files = new_files(config=whole, vocabulary=vocabulary.to_json())
        of_start: dict[str, bytes] = {}
        if start is not None and network is not None:
            seen = np.union1d(start.training_hashes(), _hashes(corpus))
            of_start = start_files(start=network.state_dict(), seen=seen)
        if path is None:
            run = cls(config, RunStore.in_memory({**files, **of_start}), corpus=corpus)
        else:
            files |= {**extra_files(seen=_hashes(corpus), corpus=_own_text(corpus)), **of_start}
            run = cls(config, _create_folder(path, corpus, files), corpus=corpus)
        run.notes = [*corpus.notes, *notes]
        vars(run).update(splits=splits, model=model, **({"data": data} if data else {}))
        return run

    @classmethod
    def open(cls, where: "str | Path | RunStore", *, stdin: BinaryIO | None = None) -> "Run":
        """Open a run, to use or resume it. Its text is read when it is needed.

        Raises:
            RunError: there is no run, or it is damaged.
        """
        store = where if isinstance(where, RunStore) else RunDirectory.open(where)
        return cls(RunConfig.from_json(store.config), store, stdin=stdin)

    # -- parts ---------------------------------------------------------------------------------------------------------

    @cached_property
    def corpus(self) -> Corpus:
        """The text. Raises DataError if it cannot be read, and RunError if it has changed since the run was made."""
        if self.config.corpus == PRETRAINED:
            raise DataError(
                "the text that pretrained weights were trained on is not known, and this needs it. Give a text, or "
                "train on one first: backlight train FILE --from RUN."
            )
        items = self.store.load_corpus()
        source, reading = self.config.files, self.config.reading
        if items is not None:  # they were normalised before they were kept
            source, reading = items, reading.only_form
        corpus = load_corpus(source, mode=self.config.mode, reading=reading, stdin=self._stdin)
        if corpus.sha256 != self.store.config["corpus"]["sha256"]:
            given = "standard input" if self.config.corpus == "-" else repr(self.config.corpus)
            raise RunError(
                f"a run must continue with the text it began with; {given} is not the text that {self.store.name} was "
                "started with. Provide that text, or start a new run."
            )
        return corpus

    def read_alike(self, source: Source | Corpus, given: Reading = AS_IT_IS) -> Corpus:
        """Return another text, read as the run's own text was, for settings that are not given.

        The column, field or delimiter of the run are used if the text has the same format, by its name and content.

        Args:
            source: the text.
            given: settings that take precedence.

        Raises:
            DataError, ConfigError: see `load_corpus`.
        """
        own = self.config.reading
        return load_corpus(
            source, mode="items" if self.ends else "text", like=own,
            reading=replace(given, normalise=given.normalise or own.normalise),
        )  # fmt: skip

    @cached_property
    def splits(self) -> Splits:
        """The three parts of the text."""
        config = self.config
        return split_corpus(
            self.corpus, seed=config.split_seed, fractions=config.fractions, duplicates=config.duplicates
        )

    @cached_property
    def data(self) -> Mapping[str, Dataset]:
        """The examples that the model reads, for "train", "dev" and "test"."""
        return _examples(self.model, self.vocabulary, self.splits, ends=self.ends)

    @cached_property
    def network_data(self) -> Mapping[str, Dataset]:
        """The examples that the network reads: `data`, except for a mixture whose n-gram reads longer windows."""
        if self.network is None or self.network.context == self.model.context:
            return self.data
        return _examples(self.network, self.vocabulary, self.splits, ends=self.ends)

    @cached_property
    def model(self) -> LanguageModel:
        """The model, with its initial weights before training, and with the best weights after `evaluate`."""
        model = _built(self.config, self.vocabulary)
        start, network = self.store.load_start(), network_of(model)
        if start is not None and network is not None:
            network.load_state_dict(start)
        return model

    @property
    def network(self) -> NeuralModel | None:
        """The network that is trained: the model, or the network of a mixture; None for an n-gram model."""
        return network_of(self.model)

    @property
    def path(self) -> Path:
        """The folder of the run. Raises RunError for a run in memory."""
        if not isinstance(self.store, RunDirectory):
            raise RunError("a run in memory has no folder. Save its model, or create the run with a path.")
        return self.store.path

    @property
    def ends(self) -> bool:
        """Whether the ends of items are targets: True for a list of items, False for a stream of text."""
        return bool(self.store.config["corpus"]["mode"] == "items")

    @property
    def sample_length(self) -> int:
        """The maximum number of characters of a sample by default: half as many again as the longest item has.

        For a stream of text it is 500.
        """
        if not self.ends:
            return STREAM_LENGTH
        longest = self.store.config.get("longest")
        if not isinstance(longest, int):  # a run of an earlier version
            return UNKNOWN_LENGTH
        return max(longest + longest // 2, SHORTEST)

    @property
    def result(self) -> dict[str, Any] | None:
        """The result that `evaluate` returned; None before the training is complete."""
        return self.store.load_result()

    @property
    def warnings(self) -> list[str]:
        """Warnings about an unusual text or model, one line each."""
        found = [one for one in (self._one_character(), self._longer_than_items()) if one is not None]
        if self.config.reading.normalise is None:
            found += spelling_notes(Items.of(self.corpus.items), self.config.source)
        return found

    def _one_character(self) -> str | None:
        if self.vocabulary.size > 2:
            return None
        rest = " but the lengths of the items" if self.ends else ""
        return f"All characters are {self.vocabulary.decode([1])!r}: there is nothing to learn{rest}."

    def _longer_than_items(self) -> str | None:
        network = self.network
        if not self.ends or network is None or self.config.tokens != CHARACTERS:
            return None
        longest = max(map(len, self.corpus.items))
        # the last target is the end of the longest item; a model of sequences reads a boundary before its characters
        enough = longest + (network.reads == "sequences")
        if network.context <= enough:
            return None
        return (
            f"The context of {network.context} is longer than every item: the longest has {longest} characters. "
            f"A context of {enough} is enough."
        )

    def composed(self, text: str, *, label: str | None = None) -> str:
        """Return a sampled text as it is shown: letters and accents that the run has decomposed (NFD) are composed.

        A label is shown before its text, as in "IT: Milano", unless it is the one that was asked for.
        """
        labels = self.config.reading.labels
        text = split(text, labels)[1] if label is not None else spelled(text, labels)
        return normalised(text, "nfc") if self.config.reading.normalise == "nfd" else text

    def load_weights(self) -> dict[str, Any]:
        """Give the model its best weights, in evaluation mode, and return their metadata.

        Raises:
            RunError: there are no weights yet, or they are damaged or not of this model.
        """
        return load_weights(self.store, self.model)

    @property
    def labels(self) -> int:
        """The number of labels of the items; 0 if they have none."""
        return len(self.config.reading.labels or ())

    def mark(self, label: str | None) -> str:
        """Return the character that precedes items with this label; nothing for None.

        Raises:
            ConfigError: the run has no such label.
        """
        return "" if label is None else mark_of(label, self.config.reading.labels)

    def batch_rng(self) -> np.random.Generator:
        """Return the random generator of the minibatches, in its initial state."""
        return np.random.default_rng([self.config.seed, _BATCHES])

    def training_hashes(self) -> Any:
        """Return the hashes of the text's items, to check whether a sample is new. Shape: (N,) uint64."""
        return self.store.load_training_hashes() if self.store.has(SEEN) else _hashes(self.corpus)

    def files(self) -> dict[str, bytes]:
        """Return the content of all files of the run's folder, by name."""
        files = self.store.files()
        if not isinstance(self.store, RunDirectory):  # files that a run in memory does not need
            files = {**extra_files(seen=_hashes(self.corpus), corpus=_own_text(self.corpus)), **files}
        return files

    # -- training ------------------------------------------------------------------------------------------------------

    def trainer(self) -> Trainer:
        """Return the trainer of a network, restored from the run's checkpoint if it has one."""
        config = self.config
        assert config.train is not None  # noqa: S101  (networks only)
        assert self.network is not None  # noqa: S101
        trainer = Trainer(
            model=self.network,
            train=self.network_data["train"],
            dev=self.network_data["dev"],
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
        """Return the sizes of train and dev, and how many dev items are also in train."""
        train, dev = self.splits.train.items, self.splits.dev.items
        known = set(train)
        return SplitFacts(train=len(train), dev=len(dev), shared=sum(item in known for item in dev))

    def count(self, on_progress: Callable[[float], None] = lambda _: None) -> float:
        """Fit an n-gram model, or that of a mixture, by counting, and save it. Returns the time in seconds.

        Args:
            on_progress: called with the share of the text that is counted, while a long one is counted.
        """
        started = time.perf_counter()
        if isinstance(self.model, Mixture):
            if not self.store.has_counts:
                self.model.count(self._encoded(self.splits.train), on_progress=on_progress)
                self.store.save_counts(self.model.ngram.state_dict())
        else:
            assert isinstance(self.model, NGram)  # noqa: S101  (the only model that is counted)
            dev = self._encoded(self.splits.dev) if self.model.config.smoothing == "add-k" else None
            self.model.fit(self._encoded(self.splits.train), dev, on_progress=on_progress)
            self.store.save_weights(self.model.state_dict(), {"step": 0})
        return time.perf_counter() - started

    def _encoded(self, part: Part) -> EncodedItems:
        return self.vocabulary.encode_items(part.items, ends=self.ends)

    def train(
        self, setup: Callable[[Trainer], Any] | None = None, *, on_count: Callable[[float], None] = lambda _: None
    ) -> bool:
        """Train to the end and evaluate. Returns True, or False if `Trainer.request_stop` was called.

        Args:
            setup: called with the trainer before it starts, to set its callbacks; not called for an n-gram model.
            on_count: called with the share of the text whose n-grams are counted, if it is long.

        Raises:
            DivergenceError: the loss became infinite or nan.
            RunError: another process is training this run, or a file cannot be written.
        """
        with self.store.lock():
            if self.config.train is None:
                self.evaluate(seconds=self.count(on_count))
                return True
            counting = self.count(on_count) if isinstance(self.model, Mixture) else 0.0
            trainer = self.trainer()
            if setup is not None:
                setup(trainer)
            if not trainer.fit():
                return False
            self.evaluate(steps=trainer.step, seconds=trainer.seconds + counting)
        return True

    def evaluate(self, *, steps: int = 0, seconds: float = 0.0) -> dict[str, Any]:
        """Evaluate the best weights on all three splits, save the result and return it.

        Args:
            steps: number of training steps taken; 0 for an n-gram model.
            seconds: training time.

        Raises:
            RunError: there are no weights yet, or they are damaged.
        """
        facts = load_weights(self.store, self.model)
        parts: dict[str, float] = {}
        # on as many threads as the training: more cost processor time, and time on a busy machine, for small products
        with limit_threads(None if self.config.train is None else self.config.train.threads):
            if isinstance(self.model, Mixture):
                began = time.perf_counter()
                parts = self._mix(self.model, facts)
                seconds += time.perf_counter() - began
            with np.errstate(over="ignore", invalid="ignore"):
                nats = self._counted_nats(self.model) if isinstance(self.model, NGram) else self._nats()
        result = {
            "run": str(self.path) if isinstance(self.store, RunDirectory) else None,
            "model": self.config.model,
            "corpus": self.config.corpus,
            "parameters": self.model.num_parameters(),
            "context": self.model.context,
            "vocabulary_size": self.vocabulary.size,
            **self.first_of(self.store.load_metrics()).to_json(),
            **nats,
            **parts,
            "dev_bits": bits(nats["dev_nats"]),
            "test_bits": bits(nats["test_nats"]),
            "steps": steps,
            "best_step": facts["step"],
            "seconds": seconds,
            "seed": self.config.seed,
        }
        self.store.save_result(result)
        return result

    def first_of(self, metrics: Iterable[Mapping[str, Any]]) -> FirstLoss:
        """Return the first loss in these metrics of the run, and that of a uniform guess."""
        per_character = 1.0 if self.config.tokens == CHARACTERS else targets_per_character(self.data["dev"])
        return FirstLoss.of(self.vocabulary.size, metrics, per_character=per_character)

    def _nats(self) -> dict[str, float]:
        """Return the losses of the three parts: of a large one, that of a sample."""
        return {
            f"{part}_nats": mean_nll(self.model, self.data[part], at_most=self.result_targets(part))
            for part in ("train", "dev", "test")
        }

    def result_targets(self, part: str) -> int | None:
        """Return the number of targets of "train", "dev" or "test" that are evaluated at the end; None for all.

        Of a large text, all would take longer than the training. An n-gram model is always evaluated on all.
        """
        if self.config.train is None:
            return None
        large, fewest = (SAMPLE_TARGETS, FEWEST_IN_RESULT) if part == "train" else (LARGE, FEWEST_HELD_OUT)
        most = max(fewest, int(SHARE_OF_RESULT * self.config.train.trained_on(self.data["train"])))
        return most if self.data[part].targets > max(large, most) else None

    def _counted_nats(self, model: NGram) -> dict[str, float]:
        """Return the losses of the three parts, each n-gram looked up once."""
        train = Items.of(self.splits.train.items)
        characters = int(train.lengths().sum()) + (len(train) if self.ends else 0)
        nats = {"train_nats": model.mean_nats() * model.targets / characters}
        for name, part in (("dev_nats", self.splits.dev), ("test_nats", self.splits.test)):
            encoded = self._encoded(part)
            nats[name] = model.mean_nats(encoded) * encoded.targets / encoded.characters
        return nats

    def _mix(self, mixture: Mixture, facts: dict[str, Any]) -> dict[str, float]:
        """Fit and save the weights of a mixture. Returns the dev loss of its network."""
        dev = evenly(self.data["dev"], FITTED_CELLS // self.vocabulary.size)
        mixture.fit_weights(dev)
        self.store.save_weights(without_counts(mixture.state_dict()), facts)
        at_most = self.result_targets("dev")
        return {"network_dev_nats": mean_nll(mixture.network, self.network_data["dev"], at_most=at_most)}

    def first_loss(self, *, batch_size: int | None = None, weights: dict[str, Array] | None = None) -> Tensor:
        """Return the loss of the first minibatch with its graph: a scalar, in nats per target.

        With the initial weights, it is the loss of `Trainer` at step 0 up to rounding, with the same minibatch and the
        same dropout. The model is left in training mode.

        Args:
            batch_size: number of examples; None for that of the configuration.
            weights: a state dict to load into the model first; None keeps its weights.

        Raises:
            ConfigError: an n-gram model, which has no gradient.
        """
        model = self.network
        if model is None or self.config.train is None:
            raise ConfigError(f"a training step needs a network; {self.config.model} counts n-grams. Choose another.")
        if weights is not None:
            model.load_state_dict(weights)
        model.train()
        rng = self.batch_rng()
        model.set_rng(rng)
        size = self.config.train.batch_size if batch_size is None else batch_size
        with np.errstate(over="ignore", invalid="ignore"):  # the caller may want to examine a non-finite loss
            return model.loss(self.network_data["train"].sample(size, rng))


def load_weights(store: RunStore, model: LanguageModel) -> dict[str, Any]:
    """Load a run's best weights into its model, set a network to evaluation mode, and return the weights' metadata.

    Raises:
        RunError: there are no weights yet, or they are damaged or not of this model.
    """
    arrays, facts = store.load_weights()
    if not isinstance(facts.get("step"), int):
        raise RunError(f"weights must have a step; those of {store.name} have none. Train again, into a new run.")
    if isinstance(model, Mixture):
        arrays |= {COUNTS + name: array for name, array in store.load_counts().items()}
    else:
        arrays.pop(WEIGHTS, None)  # the network of a mixture is loaded alone
    network = network_of(model)
    if network is not None:
        for name, own in network.eval().state_dict().items():
            array = arrays.get(name, own)
            if array.dtype != own.dtype:
                raise RunError(
                    f"{name} must be {own.dtype}; that of {store.name} is {array.dtype}. "
                    "Restore the right weights, or train again."
                )
            if not np.isfinite(array).all():
                raise RunError(
                    f"weights must be finite; {name} of {store.name} is not: its training has diverged. "
                    "Train again with a lower learning rate."
                )
    model.load_state_dict(arrays)
    return facts


def load_model(where: "str | Path | RunStore") -> tuple[LanguageModel, TextVocabulary]:
    """Return the best model of a run, in evaluation mode with batch norms folded, and its vocabulary.

    Raises:
        RunError: there are no weights yet, or they are damaged or not of this model.
    """
    run = Run.open(where)
    load_weights(run.store, run.model)
    return folded(run.model), run.vocabulary


def folded(model: LanguageModel) -> LanguageModel:
    """Return the model with its batch norms folded into its layers, for evaluation; without any, the model itself."""
    network = network_of(model)
    if network is None or not any(True for _ in network.named_buffers()):
        return model
    return model.folded() if isinstance(model, Mixture) else fold(network)


def network_of(model: LanguageModel) -> NeuralModel | None:
    """Return the network of a model: the model, or the network of a mixture; None for an n-gram model."""
    if isinstance(model, Mixture):
        return model.network
    return model if isinstance(model, NeuralModel) else None


def without_counts(arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Return the arrays of a model except those of a mixture's counts, which have a file of their own."""
    return {name: array for name, array in arrays.items() if not name.startswith(COUNTS)}


def _built(config: RunConfig, vocabulary: TextVocabulary) -> LanguageModel:
    """Return the model of a configuration with its initial weights."""
    sizes = config.spec.configure({**config.settings, "vocabulary_size": vocabulary.size})
    try:
        return config.spec.build(sizes, np.random.default_rng([config.seed, _INIT]))
    except BacklightError:
        raise
    except (MemoryError, ValueError) as error:  # NumPy's errors for a size that is too large
        raise ConfigError(f"a model of these sizes does not fit into memory: {sizes}. Choose smaller ones.") from error


def _go_on(start: Run, network: NeuralModel, vocabulary: TextVocabulary) -> list[str]:
    """Give a network the weights of a run's network, and return what is said about it."""
    places = new_places(start.vocabulary, vocabulary)
    assert start.network is not None  # noqa: S101  (only a network is gone on from)
    state, larger = grown_state(start.network.state_dict(), network.state_dict(), places)
    network.load_state_dict(state)
    result = start.result
    loss = "" if result is None or result["dev_nats"] is None else f", dev {result['dev_nats']:.4f}"
    notes = [f"Starts with the weights of {start.store.name}{loss}."]
    new = sorted(set(range(vocabulary.size)) - set(places.tolist()))
    if new:
        shown = " ".join(vocabulary.label(token) for token in new[:10]) + (" ..." if len(new) > 10 else "")
        notes.append(
            f"{len(new)} new character{'s' * (len(new) != 1)} ({shown}), with new rows in {', '.join(larger)}."
        )
    return notes


def _examples(model: LanguageModel, vocabulary: TextVocabulary, splits: Splits, *, ends: bool) -> Mapping[str, Dataset]:
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
        except RunExistsError:  # another process has just taken this name; the next call returns another
            continue


def _hashes(corpus: Corpus) -> Any:
    return training_hashes(corpus.items if corpus.mode == "items" else [])


def _own_text(corpus: Corpus) -> Sequence[str] | None:
    """Return the text of a list, which no file holds."""
    return corpus.items if corpus.name == LIST else None


def _check_batch_size(config: RunConfig, model: LanguageModel) -> None:
    """Raise ConfigError before a run is made if batch norm would fail at the first step."""
    network = network_of(model)
    if config.train is None or config.train.batch_size > 1 or network is None:
        return
    if any(isinstance(module, BatchNorm1d) for _, module in network.named_modules()):
        raise ConfigError(
            f"batch_size must be at least 2 for a {config.model} with batch norm, since one example has no variance; "
            f"got {config.train.batch_size}. Choose a larger one."
        )
