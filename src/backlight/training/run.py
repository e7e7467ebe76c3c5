"""A run: made or opened, trained, evaluated."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from backlight.autograd import Tensor
from backlight.core import Array, ConfigError
from backlight.models import LanguageModel, Mixture
from backlight.models.bigram import Bigram
from backlight.models.neural import NeuralModel
from backlight.models.ngram import NGram
from backlight.runs import RunDirectory, RunExistsError, RunStore, extra_files, new_files, start_files
from backlight.text import Corpus, normalised
from backlight.text.tokenizers import TextVocabulary
from backlight.training import result
from backlight.training.building import built, check_batch_size
from backlight.training.config import RunConfig
from backlight.training.continuing import grown_state, new_places
from backlight.training.control import Control
from backlight.training.engine import EngineConfig
from backlight.training.engines import check_engine
from backlight.training.group import ALONE, ProcessGroup
from backlight.training.line import LONGEST, WatchedLine
from backlight.training.material import material
from backlight.training.parts import RunParts
from backlight.training.trainer import Trainer
from backlight.training.weights import folded, load_weights, network_of
from backlight.watch.records import SplitFacts

MOST_COUNTED = 1_000
"""Of a larger vocabulary, pairs of tokens are not counted to be recorded beside a bigram network's weights."""


class Run(RunParts):
    """A training run: its configuration, text, model and files. Make one with `create` or `open`.

        run = Run.create(RunConfig.of("names", model="gpt", steps=500), "runs/mine")
        run.train()
        run.result["dev_nats"]

    Its arguments and attributes are those of `RunParts`.
    """

    @classmethod
    def create(
        cls,
        config: RunConfig,
        path: str | Path | Callable[[str], Path] | None = None,
        *,
        corpus: Corpus | None = None,
        stdin: BinaryIO | None = None,
        start: "Run | None" = None,
        engine: EngineConfig | None = None,
        group: ProcessGroup = ALONE,
    ) -> "Run":
        """Read and split the text, build the model and the examples, and then make the run.

        If anything fails, nothing is left behind.

        Args:
            config: the configuration.
            path: the folder to make; or a function that returns its path for the name of the text once that is read,
                and is called again if another process has taken that path; None keeps the run in memory.
            corpus: the text, if it has been read already; otherwise `config.corpus` is read.
            stdin: the stream from which a corpus "-" is read; None is standard input.
            engine: what will compute its training; None is Backlight's own. It is no part of the configuration.
            group: the processes that will train it together.
            start: a run whose model has the initial weights. The vocabulary is its own, with what the text needs more.

        Raises:
            ConfigError: a setting out of range, or batches of one example for a model with batch norm.
            DataError: the text cannot be read, or is too short to be split.
            RunError: the folder exists, or cannot be made.
        """
        read = material(config, corpus, stdin=stdin, start=start)
        config, vocabulary = read.config, read.vocabulary
        vocabulary.encode(normalised(config.line or "", config.reading.normalise))  # raises an error if it cannot
        model = built(config, vocabulary)
        network = network_of(model)
        notes = [] if start is None or network is None else _go_on(start, network, vocabulary)
        check_batch_size(config, model)
        engine = engine or EngineConfig()
        check_engine(engine, network, group, config)
        # an n-gram model is counted and evaluated without examples
        data = {} if isinstance(model, NGram) and "splits" in read.parts else read.examples(model)
        whole = config.to_json(
            sizes=model.config, mode=read.mode, sha256=read.sha256,
            parameters=None if network is None else network.num_parameters(), longest=read.longest,
        )  # fmt: skip
        files = new_files(config=whole, vocabulary=vocabulary.to_json())
        of_start: dict[str, bytes] = {}
        if start is not None and network is not None:
            seen = np.union1d(start.training_hashes(), read.seen)
            of_start = start_files(start=network.state_dict(), seen=seen)
        if path is None:
            run = cls(config, RunStore.in_memory({**files, **of_start}))
        else:
            files |= {**extra_files(seen=read.seen, corpus=read.own), **of_start}
            run = cls(config, create_folder(path, read.name, files))
        run.engine, run.group = engine, group
        run.notes = [*read.notes, *notes]
        vars(run).update(read.parts, model=model, **({"data": data} if data else {}))
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

    # -- training ------------------------------------------------------------------------------------------------------

    def trainer(self, control: Control | None = None) -> Trainer:
        """Return the trainer of a network, restored from the run's checkpoint if it has one.

        Args:
            control: what others ask of the training; None for what is asked from here on.
        """
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
            keep_checkpoints=config.keep_checkpoints,
            split=self._split_facts() if config.watch_every is not None and self.ends else None,
            engine=self.engine,
            group=self.group,
            line=self._line(self.network) if config.watch_every is not None else None,
            control=control,
        )
        if self.store.has_checkpoint:
            trainer.restore()
        return trainer

    def _line(self, network: NeuralModel) -> WatchedLine:
        """Return the line of text that is given, or the first held-out one."""
        given = self.config.line
        text = self.held_out_text()[:LONGEST] if given is None else normalised(given, self.config.reading.normalise)
        counts = None
        if isinstance(network, Bigram) and self.token_files is None and self.vocabulary.size <= MOST_COUNTED:
            counts = self.pair_counts()
        return WatchedLine(network, self.vocabulary, self.vocabulary.encode(text), self.ends, counts)

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
                self.model.count(self.encoded(self.splits.train), on_progress=on_progress)
                self.store.save_counts(self.model.ngram.state_dict())
        else:
            assert isinstance(self.model, NGram)  # noqa: S101  (the only model that is counted)
            dev = self.encoded(self.splits.dev) if self.model.config.smoothing == "add-k" else None
            self.model.fit(self.encoded(self.splits.train), dev, on_progress=on_progress)
            self.store.save_weights(self.model.state_dict(), {"step": 0})
        return time.perf_counter() - started

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
        control = Control(self.store)  # of the time before others see that the run is trained, and ask something
        with self.store.lock():
            if self.config.train is None:
                self.evaluate(seconds=self.count(on_count))
                return True
            counting = self.count(on_count) if isinstance(self.model, Mixture) else 0.0
            trainer = self.trainer(control)
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
        return result.evaluate(self, steps=steps, seconds=seconds)

    def result_targets(self, part: str) -> int | None:
        """Return the number of targets of "train", "dev" or "test" that `evaluate` reads; None for all."""
        return result.result_targets(self, part)

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
            return model.loss(self.network_data["train"].minibatch(0, size, rng))


def load_model(where: "str | Path | RunStore") -> tuple[LanguageModel, TextVocabulary]:
    """Return the best model of a run, in evaluation mode with batch norms folded, and its vocabulary.

    Raises:
        RunError: there are no weights yet, or they are damaged or not of this model.
    """
    run = Run.open(where)
    load_weights(run.store, run.model)
    return folded(run.model), run.vocabulary


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


def create_folder(path: str | Path | Callable[[str], Path], text: str, files: dict[str, bytes]) -> RunDirectory:
    """Make the folder of a run with its files.

    Args:
        path: the folder, or a function that returns it for the name of the text.
        text: the name of the text.
        files: the files.

    Raises:
        RunError: it cannot be made; nothing is left of it.
    """
    if not callable(path):
        return RunDirectory.create(path, files)
    while True:
        try:
            return RunDirectory.create(path(text), files)
        except RunExistsError:  # another process has just taken this name; the next call returns another
            continue
