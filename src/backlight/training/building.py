"""A run's model with its initial weights, and the examples that it reads."""

from collections.abc import Mapping

import numpy as np

from backlight.core import BacklightError, ConfigError, RunError
from backlight.core.settings import fits
from backlight.models import LanguageModel
from backlight.nn import BatchNorm1d
from backlight.text import Dataset, Splits
from backlight.text.token_files.folder import TokenFiles
from backlight.text.token_files.sequences import Counts, TokenSequences
from backlight.text.tokenizers import TextVocabulary
from backlight.training.config import RunConfig
from backlight.training.evaluate import dataset
from backlight.training.weights import network_of

INIT, BATCHES = 0, 1
"""Independent random streams of a run: for the initial weights and for the minibatches."""


def built(config: RunConfig, vocabulary: TextVocabulary) -> LanguageModel:
    """Return the model of a configuration with its initial weights."""
    sizes = config.spec.configure({**config.settings, "vocabulary_size": vocabulary.size})
    try:
        return config.spec.build(sizes, np.random.default_rng([config.seed, INIT]))
    except BacklightError:
        raise
    except (MemoryError, ValueError) as error:  # NumPy's errors for a size that is too large
        raise ConfigError(f"a model of these sizes does not fit into memory: {sizes}. Choose smaller ones.") from error


def examples(model: LanguageModel, vocabulary: TextVocabulary, splits: Splits, *, ends: bool) -> Mapping[str, Dataset]:
    """Return the three parts of a text as the examples that a model reads, by their names; see `dataset`."""
    parts = {"train": splits.train, "dev": splits.dev, "test": splits.test}
    return {name: dataset(model, vocabulary, part.items, ends=ends) for name, part in parts.items()}


def token_examples(files: TokenFiles, config: RunConfig, context: int) -> Mapping[str, Dataset]:
    """Return the three parts of token files as examples, by their names.

    Args:
        files: the files.
        config: the configuration, with what is counted in them.
        context: the number of tokens of an example.

    Raises:
        RunError: the counts are damaged, or of other files.
    """
    counts = {part: _counts(config, part, len(stream) - 1) for part, stream in files.parts.items()}
    return {
        part: TokenSequences(stream, files.places, context, counts=counts[part], seed=config.seed)
        for part, stream in files.parts.items()
    }


def _counts(config: RunConfig, part: str, targets: int) -> Counts:
    given = (config.token_counts or {}).get(part)
    if not isinstance(given, list) or not fits(tuple(given), tuple[int, int, int]) or given[0] != targets:
        raise RunError(
            f"config.json must count the {targets:,} targets of {part} in the token files; it has {given}. Restore it, "
            "or train again."
        )
    return Counts(*given)


def check_batch_size(config: RunConfig, model: LanguageModel) -> None:
    """Raise ConfigError before a run is made if batch norm would fail at the first step."""
    network = network_of(model)
    if config.train is None or config.train.batch_size > 1 or network is None:
        return
    if any(isinstance(module, BatchNorm1d) for _, module in network.named_modules()):
        raise ConfigError(
            f"batch_size must be at least 2 for a {config.model} with batch norm, since one example has no variance; "
            f"got {config.train.batch_size}. Choose a larger one."
        )
