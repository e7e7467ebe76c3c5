"""What a new run is made from: a text, or token files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO

import numpy as np

from backlight.core import ConfigError, VocabularyError
from backlight.models import LanguageModel, Mixture
from backlight.models.neural import NeuralModel
from backlight.text import Corpus, Dataset, Items, Mode, load_corpus, split_corpus
from backlight.text.records.reading import AS_IT_IS
from backlight.text.token_files.folder import TokenFiles
from backlight.text.token_files.names import are_token_files
from backlight.text.tokenizers import TextVocabulary, vocabulary_of
from backlight.text.tokenizers.formats.files import NAMES as TOKENIZERS
from backlight.text.vocabulary import CHARACTERS
from backlight.training.building import examples, token_examples
from backlight.training.config import RunConfig
from backlight.training.parts import RunParts, hashes_of, own_text


@dataclass(frozen=True, kw_only=True)
class Material:
    """What is known of a run's data before there is a run.

    Attributes:
        config: the configuration, with what the data say.
        name: the name of the text, from which that of a run is made.
        vocabulary: the vocabulary.
        mode: "items" or "text".
        sha256: a checksum of the data.
        parts: what a run would read again: its corpus and splits, or its token files.
        longest: the number of characters of the longest item; None for running text.
        seen: hashes of the items, (N,) uint64.
        own: the text of a list, which no file holds.
        notes: lines that say how the data were read.
    """

    config: RunConfig
    name: str
    vocabulary: TextVocabulary
    mode: Mode
    sha256: str
    parts: Mapping[str, Any]
    longest: int | None = None
    seen: Any = field(default_factory=lambda: np.zeros(0, np.uint64))
    own: Sequence[str] | None = None
    notes: tuple[str, ...] = ()

    def examples(self, model: LanguageModel) -> Mapping[str, Dataset]:
        """Return the three parts as the examples that a model reads.

        Raises:
            ConfigError: token files, and a model that does not read sequences of them.
        """
        if "token_files" not in self.parts:
            return examples(model, self.vocabulary, self.parts["splits"], ends=self.mode == "items")
        if not isinstance(model, NeuralModel) or model.reads != "sequences":
            mixed = isinstance(model, Mixture)
            what = "counts a text" if mixed or not isinstance(model, NeuralModel) else "reads windows"
            raise ConfigError(
                f"token files are for networks that read sequences: gpt, gru, lstm and rnn; {self.config.model} {what}."
                " Choose --model gpt."
            )
        return token_examples(self.parts["token_files"], self.config, model.context)


def material(
    config: RunConfig, corpus: Corpus | None, *, stdin: BinaryIO | None = None, start: RunParts | None = None
) -> Material:
    """Read the data of a new run.

    Args:
        config: the configuration.
        corpus: the text, if it has been read already.
        stdin: the stream from which a corpus "-" is read.
        start: a run that it goes on from, whose vocabulary is used.

    Raises:
        ConfigError, DataError, VocabularyError: see `Run.create`.
    """
    if corpus is None and are_token_files(config.corpus, told=config.reading.format):
        return _of_token_files(config, start)
    return _of_text(
        config, corpus or load_corpus(config.files, mode=config.mode, reading=config.reading, stdin=stdin), start
    )


def _of_text(config: RunConfig, corpus: Corpus, start: RunParts | None) -> Material:
    config = replace(config, reading=corpus.reading, also=corpus.also or None, token_counts=None)
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
    return Material(
        config=config, name=corpus.name, vocabulary=vocabulary, mode=corpus.mode, sha256=corpus.sha256,
        parts={"corpus": corpus, "splits": splits},
        longest=int(Items.of(corpus.items).lengths().max()) if corpus.mode == "items" else None,
        seen=hashes_of(corpus), own=own_text(corpus), notes=corpus.notes,
    )  # fmt: skip


def _of_token_files(config: RunConfig, start: RunParts | None) -> Material:
    if config.also or config.mode == "items" or config.reading != AS_IT_IS:
        raise ConfigError(
            "token files are one folder, or one file, of running text; got more files, or a setting of how a text is "
            "read. Leave it out."
        )
    named = config.tokens if config.tokens in TOKENIZERS else None
    if start is None and config.tokens not in {CHARACTERS, *TOKENIZERS}:
        raise ConfigError(f"token files have their tokens already; got --tokens {config.tokens}. Leave it out.")
    own = None if start is None else start.vocabulary
    files = TokenFiles(config.corpus, fractions=config.fractions, tokens=named, own=own)
    if start is not None and files.vocabulary.to_json() != start.vocabulary.to_json():
        raise VocabularyError(
            f"a model goes on with its own tokens; {start.store.name} has {start.vocabulary.size:,} others than "
            f"{config.corpus!r}. Encode the text with its tokenizer."
        )
    counts: dict[str, Any] = {part: [of.targets, of.characters, of.bytes] for part, of in files.counts.items()}
    return Material(
        config=replace(config, mode="text", tokens=files.tokens, token_counts=counts), name=config.corpus,
        vocabulary=files.vocabulary, mode="text", sha256=files.checksum(), parts={"token_files": files},
        notes=(files.note,),
    )  # fmt: skip
