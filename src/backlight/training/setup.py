"""A plan made real: its text read and split, its model built, and nothing written yet."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from backlight.core import ConfigError
from backlight.models import LanguageModel, rung
from backlight.models.neural import NeuralModel
from backlight.nn import BatchNorm1d
from backlight.text import Corpus, Dataset, Splits, Vocabulary, load_corpus, split_corpus
from backlight.training.evaluate import dataset
from backlight.training.plan import Plan

_INIT, _BATCHES = 0, 1
"""What a run draws by chance, each from a stream of its own, so that one does not depend on how much another took."""


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What there is before the first step.

    Attributes:
        plan: what is to be done.
        corpus: the text.
        splits: its three parts.
        vocabulary: its characters.
        model: the model, with its first weights, or with nothing counted yet.
        data: the parts "train", "dev" and "test" as examples.
    """

    plan: Plan
    corpus: Corpus
    splits: Splits
    vocabulary: Vocabulary
    model: LanguageModel
    data: Mapping[str, Dataset]

    @staticmethod
    def of(plan: Plan, corpus: Corpus) -> "Setup":
        """Split this text as a plan says, and build the plan's model.

        Raises:
            ConfigError: a setting outside its range, or batches of one example for a model with batch norm.
            DataError: a text too short to be split.
        """
        splits = split_corpus(corpus, seed=plan.split_seed, fractions=plan.fractions, duplicates=plan.duplicates)
        vocabulary = Vocabulary.of(corpus.items)
        model = build_model(plan, vocabulary)
        _check_batch_size(plan, model)
        parts = {"train": splits.train, "dev": splits.dev, "test": splits.test}
        ends = corpus.mode == "items"
        data = {name: dataset(model, vocabulary, part.items, ends=ends) for name, part in parts.items()}
        return Setup(plan=plan, corpus=corpus, splits=splits, vocabulary=vocabulary, model=model, data=data)

    @property
    def ends(self) -> bool:
        """Whether items have an end to predict; a stream of text has not."""
        return self.corpus.mode == "items"

    @property
    def remarks(self) -> list[str]:
        """What is odd about text and network together, though it can be trained; one line each."""
        return [told for told in (self._one_character(), self._longer_than_items()) if told is not None]

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
            f"A --context of {enough} sees as much."
        )

    def batches(self) -> np.random.Generator:
        """Return what draws the minibatches, from its beginning."""
        return np.random.default_rng([self.plan.seed, _BATCHES])


def set_up(plan: Plan, *, stdin: BinaryIO | None = None) -> Setup:
    """Read a plan's text and build its model. For the errors see `Setup.of`.

    Args:
        plan: what is to be done.
        stdin: where a corpus "-" comes from.
    """
    return Setup.of(plan, load_corpus(plan.corpus, mode=plan.mode, stdin=stdin))


def build_model(plan: Plan, vocabulary: Vocabulary) -> LanguageModel:
    """Return a plan's model with its first weights."""
    kind = rung(plan.model)
    config = kind.configure({**plan.settings, "vocabulary_size": vocabulary.size})
    return kind.build(config, np.random.default_rng([plan.seed, _INIT]))


def _check_batch_size(plan: Plan, model: LanguageModel) -> None:
    """Refuse now what batch norm would refuse at the first step, when there is a run already."""
    if plan.recipe is None or plan.recipe.batch_size > 1 or not isinstance(model, NeuralModel):
        return
    if any(isinstance(module, BatchNorm1d) for _, module in model.named_modules()):
        raise ConfigError(
            f"batch_size must be at least 2 for a {plan.model} with batch norm, since one example has no variance; "
            f"got {plan.recipe.batch_size}. Take a larger one."
        )
