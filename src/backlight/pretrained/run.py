"""A GPT-2 that was trained elsewhere, as a run in memory.

GPT-2 was trained on documents with `<|endoftext|>` between them, so this token is our boundary: the model reads one
before each text, as OpenAI's own code does for samples without a prompt. `transformers` reads only what it is given, so
its logits of a text are ours if the text begins with that token.

A text of a user is not a whole document: its lines are no items, and its end predicts nothing. So the model is one of
running text (`mode="text"`), which draws no boundary and scores none. The characters `<|endoftext|>` in a text are
refused, as tiktoken does; they never become the token.

"""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from backlight.core import DataError, VocabularyError
from backlight.models import settings_of
from backlight.models.gpt import GPT
from backlight.pretrained.config import CONFIG, Sizes, read_config
from backlight.pretrained.weight_files import INDEX, ONE, PICKLED, WeightFiles, pickle_refused
from backlight.pretrained.weights import gpt_with_weights
from backlight.runs import RunStore, extra_files, new_files
from backlight.runs.failures import shown
from backlight.runs.store import PRETRAINED, VOCABULARY
from backlight.text.tokenizers import BPETokenizer, TokenVocabulary
from backlight.text.tokenizers.vocabulary import END_OF_TEXT
from backlight.training import Run, RunConfig

_FINE_TUNING: Final = {
    "steps": 200, "batch_size": 4, "lr": 1e-4, "warmup": 20, "weight_decay": 0.1, "grad_clip": 1.0,
}  # fmt: skip
"""The settings of a training that goes on from the weights: a low rate, and batches that fit into memory."""


class PretrainedRun(Run):
    """A model without a training of its own. It has no text, and no result.

    Args:
        folder: where it is from.
        config: its configuration.
        network: the network, with its weights.
        vocabulary: the vocabulary.
        notes: lines that say how the files were read.
    """

    def __init__(
        self, folder: Path, config: RunConfig, network: GPT, vocabulary: TokenVocabulary, notes: list[str]
    ) -> None:
        whole = config.to_json(
            sizes=network.config, mode="text", sha256="", parameters=network.num_parameters(), longest=None
        )
        self.config = config
        self.store = RunStore(whole, {})
        self.vocabulary = vocabulary
        self.notes = notes
        self._folder = folder
        self._stdin = None
        vars(self)["model"] = network

    @property
    def path(self) -> Path:
        """The folder that was read."""
        return self._folder

    def load_weights(self) -> dict[str, Any]:
        """Return the metadata of the weights, which the network has already."""
        return {"step": 0}

    def training_hashes(self) -> Any:
        """Return no hashes, since the text is not known. Shape: (0,) uint64."""
        return np.zeros(0, np.uint64)

    def files(self) -> dict[str, bytes]:
        """Return the content of the files of a run, but of its weights, by name."""
        files = new_files(config=self.store.config, vocabulary=self.vocabulary.to_json())
        return {**files, **extra_files(seen=self.training_hashes(), corpus=None)}


def is_pretrained(path: str | Path) -> bool:
    """Return whether a path is a model of another program, or a file of one: not a run, and nothing unreadable."""
    place = Path(path)
    if os.path.isfile(place):  # noqa: PTH113  unlike Path.is_file, False for names that are too long or forbidden
        return place.suffix in {*PICKLED, ".safetensors"}
    try:
        names = set(os.listdir(place))  # noqa: PTH208  names, not paths
    except OSError:
        return False
    if VOCABULARY in names:
        return False
    return bool({ONE, INDEX} & names) or any(Path(name).suffix in PICKLED for name in names)


def read_pretrained(path: str | Path) -> PretrainedRun:
    """Read a folder of a GPT-2: `config.json`, the weights as safetensors, and a tokenizer.

    It may be a folder that `transformers` saved, or a checkpoint of nanoGPT with its `model_args` as `config.json`.

    Raises:
        DataError: a file is missing, damaged, or of something else; or only pickle can read it.
        VocabularyError: tokenizer and weights have different sizes.
    """
    folder = Path(path)
    if folder.is_file():
        if folder.suffix in PICKLED:
            raise pickle_refused(folder)
        raise DataError(
            f"a model is a folder with {CONFIG} and a tokenizer; {shown(folder)} is a file. Give its folder."
        )
    if not folder.is_dir():
        raise DataError(
            f"a model is a folder with {CONFIG} and a tokenizer; there is no {shown(folder)}. Check the path."
        )
    sizes = read_config(folder)
    files = WeightFiles.of(folder)
    vocabulary = _vocabulary(folder)
    unused = _unused(sizes, vocabulary)
    config = replace(sizes.model, vocabulary_size=vocabulary.size)
    network = gpt_with_weights(files, config, vocabulary.order, unused=unused)
    notes = []
    if unused:
        notes.append(f"{unused} ids that no token has are left out: the vocabulary has {vocabulary.size:,} tokens.")
    if sizes.nanogpt:
        notes.append("nanoGPT computes GELU exactly, and this model its tanh approximation: logits differ slightly.")
    settings = {name: value for name, value in settings_of(config).items() if name != "vocabulary_size"}
    about = RunConfig.of(
        PRETRAINED, model="gpt", mode="text", tokens=f"bpe:{vocabulary.size}", **settings, **_FINE_TUNING
    )
    return PretrainedRun(folder, about, network, vocabulary, notes)


def _vocabulary(folder: Path) -> TokenVocabulary:
    try:
        return TokenVocabulary(BPETokenizer.load(folder))
    except DataError as error:
        raise DataError(
            f"a model's folder must have GPT-2's kind of tokenizer: {error} GPT-2's own is vocab.json and merges.txt."
        ) from error


def _unused(sizes: Sizes, vocabulary: TokenVocabulary) -> int:
    """Return how many ids of the weights have no token: nanoGPT rounds the size of the vocabulary up."""
    unused = sizes.tokens - vocabulary.size
    if unused == 0 or (sizes.nanogpt and 0 < unused < 128):
        return unused
    ends = END_OF_TEXT in vocabulary.tokenizer.special_tokens
    counted = "" if ends else f" with the boundary, since it has no {END_OF_TEXT}"
    raise VocabularyError(
        f"tokenizer and weights must have the same tokens; {CONFIG} has {sizes.tokens:,}, and the tokenizer "
        f"{vocabulary.size:,}{counted}. Use the files of one model."
    )
