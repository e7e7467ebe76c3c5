"""What a run is made of: its configuration, its files, and what follows from them: text, splits, model, examples."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from backlight.core import DataError, EncodedItems, IntArray, RunError
from backlight.models import LanguageModel
from backlight.models.neural import NeuralModel
from backlight.models.ngram import NGram, NGramConfig
from backlight.runs import RunDirectory, RunStore, extra_files
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
from backlight.text.token_files.folder import TokenFiles
from backlight.text.tokenizers import vocabulary_from_json
from backlight.text.vocabulary import CHARACTERS
from backlight.training.building import BATCHES, built, examples, token_examples
from backlight.training.config import RunConfig
from backlight.training.engine import EngineConfig
from backlight.training.group import ALONE, ProcessGroup
from backlight.training.records import FirstLoss
from backlight.training.weights import load_weights, network_of

STREAM_LENGTH = 500
"""The number of characters of a sample of running text, by default."""

SHORTEST, UNKNOWN_LENGTH = 16, 64
"""Maximum numbers of characters of a sample: that of very short items, and that of a run of unknown lengths."""


class RunParts:
    """What `Run` is made of. The text, splits, examples and model are read or built when they are first used.

    Args:
        config: the configuration.
        store: the files of the run.
        corpus: the text, if it has been read already.
        stdin: the stream from which a corpus "-" is read; None is standard input.

    Attributes:
        config: the configuration.
        store: the files of the run: a `RunDirectory`, or a `RunStore` in memory.
        vocabulary: the characters of the text, or other tokens.
        engine: what computes its training and its result. It may be changed, since it is no part of the configuration.
        group: the processes that train it together.
        notes: lines that say how the text was read, and with which weights a new run starts.
    """

    def __init__(self, config: RunConfig, store: RunStore, *, corpus: Corpus | None = None, stdin: Any = None) -> None:
        self.config, self.store = config, store
        self.engine = EngineConfig()
        self.group: ProcessGroup = ALONE
        self.notes: list[str] = []
        self.vocabulary = vocabulary_from_json(store.vocabulary)
        self._stdin: BinaryIO | None = stdin
        if corpus is not None:
            self.corpus = corpus

    @cached_property
    def corpus(self) -> Corpus:
        """The text. Raises DataError if it cannot be read, and RunError if it has changed since the run was made."""
        if self.config.corpus == PRETRAINED:
            raise DataError(
                "the text that pretrained weights were trained on is not known, and this needs it. Give a text, or "
                "train on one first: backlight train FILE --from RUN."
            )
        if self.config.token_counts is not None:
            raise DataError(
                f"the text of token files is not kept, and this needs it; {self.store.name} was trained on "
                f"{self.config.corpus!r}. Give a text."
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

    @cached_property
    def token_files(self) -> TokenFiles | None:
        """The token files that it is trained on; None if that is a text.

        Raises:
            DataError: they cannot be read.
            RunError: they have changed since the run was made.
        """
        if self.config.token_counts is None:
            return None
        files = TokenFiles(self.config.corpus, fractions=self.config.fractions, own=self.vocabulary)
        if files.checksum() != self.store.config["corpus"]["sha256"]:
            raise RunError(
                f"a run must continue with the token files it began with; those of {self.config.corpus!r} are not what "
                f"{self.store.name} was started with. Provide them, or start a new run."
            )
        return files

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
        if self.token_files is not None:
            return token_examples(self.token_files, self.config, self.model.context)
        return examples(self.model, self.vocabulary, self.splits, ends=self.ends)

    @cached_property
    def network_data(self) -> Mapping[str, Dataset]:
        """The examples that the network reads: `data`, except for a mixture whose n-gram reads longer windows."""
        if self.network is None or self.network.context == self.model.context:
            return self.data
        return examples(self.network, self.vocabulary, self.splits, ends=self.ends)

    @cached_property
    def model(self) -> LanguageModel:
        """The model, with its initial weights before training, and with the best weights after `evaluate`."""
        model = built(self.config, self.vocabulary)
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
        if self.config.reading.normalise is None and self.config.token_counts is None:
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
        return np.random.default_rng([self.config.seed, BATCHES])

    def training_hashes(self) -> Any:
        """Return the hashes of the text's items, to check whether a sample is new. Shape: (N,) uint64."""
        return self.store.load_training_hashes() if self.store.has(SEEN) else self._hashes()

    def _hashes(self) -> Any:
        return np.zeros(0, np.uint64) if self.config.token_counts is not None else hashes_of(self.corpus)

    def files(self) -> dict[str, bytes]:
        """Return the content of all files of the run's folder, by name."""
        files = self.store.files()
        if not isinstance(self.store, RunDirectory):  # files that a run in memory does not need
            own = None if self.config.token_counts is not None else own_text(self.corpus)
            files = {**extra_files(seen=self._hashes(), corpus=own), **files}
        return files

    def held_out_text(self) -> str:
        """Return the first dev item that is not empty, or the first dev document of token files with a tokenizer."""
        if self.token_files is None:
            return next((one for one in self.splits.dev.items if one), "")
        return next(iter(self.token_files.documents("dev", STREAM_LENGTH)), "") if self.token_files.known else ""

    def encoded(self, part: Part) -> EncodedItems:
        """Return the items of a part as ids."""
        return self.vocabulary.encode_items(part.items, ends=self.ends)

    def pair_counts(self) -> IntArray:
        """Return how often each token follows each other one in the train split, (V, V)."""
        config = NGramConfig(vocabulary_size=self.vocabulary.size, order=2, smoothing="add-k", k=0)
        return NGram(config).fit(self.encoded(self.splits.train)).counts(2)

    def first_of(self, metrics: Iterable[Mapping[str, Any]]) -> FirstLoss:
        """Return the first loss in these metrics of the run, and that of a uniform guess."""
        per_character = 1.0 if self.config.tokens == CHARACTERS else targets_per_character(self.data["dev"])
        return FirstLoss.of(self.vocabulary.size, metrics, per_character=per_character)


def hashes_of(corpus: Corpus) -> Any:
    """Return the hashes of the items, (N,) uint64; none of running text."""
    return training_hashes(corpus.items if corpus.mode == "items" else [])


def own_text(corpus: Corpus) -> Sequence[str] | None:
    """Return the text of a list, which no file holds."""
    return corpus.items if corpus.name == LIST else None
