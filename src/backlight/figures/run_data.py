"""The data of a run that its figures need: each part is read or computed once, when it is first used."""

from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np

from backlight.core import BOUNDARY, BacklightError, Batch, FloatArray, IntArray
from backlight.models import LanguageModel
from backlight.models.neural import NeuralModel
from backlight.runs import RunDirectory
from backlight.text.tokenizers import TextVocabulary, vocabulary_from_json
from backlight.training import Run, RunConfig, load_model
from backlight.training.run_watcher import load_measurements
from backlight.training.weights import load_weights
from backlight.watch.api import watch
from backlight.watch.records import Measurements

BATCH: Final = 256
"""Examples in the batch for which gradients are computed."""

_LINE: Final = 48
"""The maximum number of characters of an example text."""


class NoFigureError(BacklightError):
    """A figure cannot be made from a run or from measurements; the message says why."""


class RunData:
    """The data of a run that its figures need. A property raises `NoFigureError` if the run does not have the data.

    Args:
        run: the run, or its folder.
        text: the text for figures of a text; None uses an item of the dev split.

    Raises:
        RunError: there is no run in the folder, or it is damaged.
    """

    def __init__(self, run: RunDirectory | Path | str, *, text: str | None = None) -> None:
        self.run = run if isinstance(run, RunDirectory) else RunDirectory.open(Path(run))
        self.given = text

    @cached_property
    def config(self) -> RunConfig:
        """The configuration of the run."""
        return RunConfig.from_json(self.run.config)

    @cached_property
    def vocabulary(self) -> TextVocabulary:
        """The run's characters."""
        return vocabulary_from_json(self.run.vocabulary)

    @cached_property
    def labels(self) -> list[str]:
        """The visible form of each id's character."""
        return [self.vocabulary.label(token) for token in range(self.vocabulary.size)]

    @property
    def ends(self) -> bool:
        """Whether items have an end to predict."""
        return bool(self.run.config["corpus"]["mode"] == "items")

    @cached_property
    def model(self) -> LanguageModel:
        """The run's model for inference: batch norms are folded into the layers before them."""
        self._check_weights()
        return load_model(self.run)[0]

    @cached_property
    def network(self) -> NeuralModel:
        """The run's network with all its layers, in evaluation mode."""
        return self._built().eval()

    @cached_property
    def trained(self) -> Run:
        """The run with its text."""
        if self.config.corpus == "-":
            raise NoFigureError("it needs the run's text, which was read from standard input and was not saved")
        opened = Run.open(self.run)
        try:
            len(opened.corpus.items)
        except BacklightError as error:
            raise NoFigureError(f"it needs the run's text: {error}") from error
        return opened

    @cached_property
    def batch(self) -> Batch:
        """The first examples that were drawn in training."""
        return self.trained.network_data["train"].sample(BATCH, self.trained.batch_rng())

    @cached_property
    def counts(self) -> IntArray:
        """(V, V) how often each character follows each other one in the train split."""
        return self.trained.pair_counts()

    @cached_property
    def measurements(self) -> Measurements:
        """Measurements of the run's network for one batch, made now."""
        network = self._built().train()
        network.set_rng(self.trained.batch_rng())
        with watch(network, every=1) as watcher:
            loss = network.loss(self.batch)
            loss.backward()
            watcher.step(loss)
            return watcher.measurements()

    @cached_property
    def recorded(self) -> Measurements:
        """Measurements that were recorded during training."""
        recorded = load_measurements(self.run)
        if recorded is None:
            raise NoFigureError("it needs updates recorded during training. Train with --health")
        return recorded

    @cached_property
    def text(self) -> str:
        """The text for figures of a text: the given one, or an item of the dev split."""
        if self.given:
            return self.given
        try:
            items = self.trained.splits.dev.items
        except NoFigureError:
            items = (self.run.load_samples() or "").split("\n")
        texts = [item.strip("\n") for item in items] if self.ends else items[0].split("\n")
        # neither too short to show anything nor longer than a line
        good = (text for text in texts if 5 <= len(text) <= _LINE)
        text = next(good, "") or max(texts, key=len, default="")[:_LINE]
        if not text:
            raise NoFigureError("it needs a text. Give one: --text TEXT")
        return text

    def context_of(self, text: str) -> IntArray:
        """Return the context of the model after a text, as ids (1, T)."""
        ids = np.concatenate([np.full(max(self.model.context, 1), BOUNDARY), self.vocabulary.encode(text)])
        if self.model.reads == "sequences":
            ids = ids[self.model.context - 1 :]
        return ids[len(ids) - min(self.model.context, len(ids)) :][None]

    def probabilities(self, x_BT: IntArray) -> FloatArray:
        """Return the probabilities of the next character (B, V) after each row of ids (B, T).

        Raises:
            NoFigureError: the model gives no probabilities, since it has never seen this context.
        """
        logits = np.asarray(self.model.next_logits(x_BT), np.float64)
        with np.errstate(invalid="ignore"):
            p = np.exp(logits - logits.max(axis=-1, keepdims=True))
        shares: FloatArray = p / p.sum(axis=-1, keepdims=True)
        if not np.isfinite(shares).all():
            raise NoFigureError("it needs probabilities; the model has never seen this context and gives none")
        return shares

    def _built(self) -> NeuralModel:
        if self.config.train is None:
            raise NoFigureError(f"it needs a network; this run's model is {self.config.model}")
        self._check_weights()
        network = Run.open(self.run).network
        assert network is not None  # noqa: S101  (it has settings of training)
        load_weights(self.run, network)
        return network

    def _check_weights(self) -> None:
        if not self.run.has_weights:
            raise NoFigureError("it needs weights; the training stopped before any were saved")
