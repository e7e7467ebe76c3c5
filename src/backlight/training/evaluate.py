"""Evaluation: the mean loss over a split, and the weights that are evaluated."""

import math
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

import numpy as np

from backlight.autograd.flat import FlatParameters
from backlight.autograd.native import Program, UnsuitableError
from backlight.core import NOT_A_TARGET, Batch, FloatArray
from backlight.models import LanguageModel
from backlight.models.neural import NeuralModel
from backlight.nn import fold, update_bn
from backlight.text import Dataset, Sequences, Windows, targets_per_character
from backlight.text.tokenizers import TextVocabulary
from backlight.training.group import ALONE, ProcessGroup

CHUNK_TARGETS = 8_192
"""The number of targets in a sample that represents a whole split."""

BATCH_TARGETS = 1_024
"""The number of targets evaluated at a time: enough for large matrix products, few enough to stay in the cache."""

SAMPLE_TARGETS = 500_000
"""A training split with more targets is evaluated on a sample, evenly spaced; dev and test with more than `LARGE`."""

FEWEST_IN_RESULT, FEWEST_HELD_OUT, SHARE_OF_RESULT = 50_000, 100_000, 0.04
"""The samples for the result: so many targets of train, of dev and test, or this share of those in all minibatches."""


def dataset(model: LanguageModel, vocabulary: TextVocabulary, items: Sequence[str], *, ends: bool) -> Dataset:
    """Return items as the examples that a model reads.

    Args:
        model: decides between windows and sequences, and the context.
        vocabulary: encodes the items.
        items: the texts.
        ends: whether the end of each item is a target; False for running text.

    Raises:
        VocabularyError: a character is not in the vocabulary.
        DataError: there is no target.
    """
    encoded = vocabulary.encode_items(items, ends=ends)
    kind = Windows if model.reads == "windows" else Sequences
    return kind(encoded, model.context)


def evenly(data: Dataset, targets: int) -> Batch:
    """Return evenly spaced examples with about this many targets, or all examples if there are fewer."""
    size = max(1, min(len(data), targets * len(data) // data.targets))
    return data.batch(np.linspace(0, len(data) - 1, size).astype(np.int64))


class Evaluator(Protocol):
    """Computes the losses of a model with its present weights.

    Attributes:
        batch_targets: the number of targets that it is given at a time.
    """

    batch_targets: int

    def nats(self, batch: Batch, targets: int) -> float:
        """Return the sum of -log p over the `targets` targets of a batch."""


def mean_nll(
    model: LanguageModel,
    data: Dataset,
    *,
    at_most: int | None = None,
    evaluator: Evaluator | None = None,
    group: ProcessGroup = ALONE,
) -> float:
    """Return the negative log-likelihood of the targets, in nats per character.

    Args:
        model: the model; a network is evaluated in its current mode.
        data: the examples.
        at_most: evaluate about this many evenly spaced targets if there are more; None evaluates all.
        evaluator: computes the losses of the model; None uses compiled kernels if possible.
        group: the processes that share the batches out, and all return the loss of all.
    """
    evaluator = evaluator or NativeEvaluator(model)
    per_example = max(1, data.targets // len(data))
    rows = max(1, evaluator.batch_targets // per_example)
    chosen = None
    if at_most is not None and data.targets > at_most:
        chosen = np.linspace(0, len(data) - 1, max(1, at_most // per_example)).astype(np.int64)
    examples = len(data) if chosen is None else len(chosen)
    total, count = 0.0, 0
    for first in range(0, examples, group.size * rows):
        start = first + group.rank * rows
        end = min(start + rows, examples)
        if start < end:
            batch = data.batch(np.arange(start, end) if chosen is None else chosen[start:end])
        else:  # processes that gather weights together must all compute as many batches
            batch = _without_targets(data.batch(np.zeros(1, np.int64)))
        targets = int((batch.y >= 0).sum())
        total += evaluator.nats(batch, targets)
        count += targets
    total, counted = group.sum(total, count)
    return total / counted * targets_per_character(data)


def _without_targets(batch: Batch) -> Batch:
    return Batch(batch.x, np.full_like(batch.y, NOT_A_TARGET))


class NativeEvaluator:
    """Sums nats over batches. From the second batch of a kind on, it uses compiled kernels if possible.

    Args:
        model: the model.
    """

    batch_targets = BATCH_TARGETS

    def __init__(self, model: LanguageModel) -> None:
        self._model = model
        self._network: NeuralModel | None = None
        self._programs: dict[Hashable, Program] = {}
        if isinstance(model, NeuralModel) and model.fixed_graph:
            modes = {module.training for _, module in model.named_modules()}
            if modes == {False}:  # in training mode, a model draws random numbers and updates buffers
                self._network = fold(model) if any(True for _ in model.named_buffers()) else model

    def nats(self, batch: Batch, targets: int) -> float:
        """Return the sum of -log p over the `targets` targets of a batch."""
        if not targets:
            return 0.0
        if self._network is None:
            return float(self._model.nll(batch.x, batch.y).sum(dtype=np.float64))
        inputs = self._network.inputs(batch)
        kind = self._network.kind(inputs)
        if kind in self._programs:
            return self._programs[kind].forward(inputs) * targets
        loss = self._network.loss_of(inputs)
        try:
            self._programs[kind] = Program(loss, inputs, backward=False)
        except UnsuitableError:
            self._network = None
        return float(loss.array) * targets


@contextmanager
def evaluation_weights(
    model: NeuralModel, flat: FlatParameters, average: FloatArray | None, train: Dataset
) -> Iterator[NeuralModel]:
    """Context manager that gives the network the weights that are evaluated and saved, in evaluation mode.

    Averaged weights replace the current ones. The statistics of batch norms are recomputed for the weights that are
    evaluated: those of training belong to other weights, and would cost 0.007 to 0.04 nats with averaged weights and
    0.002 with the current ones (docs/log.md). After the block, weights, statistics and training mode are restored.

    Args:
        model: the network.
        flat: its P parameters.
        average: (P,) the averaged parameters; None if there are none.
        train: the statistics are computed on about 8,000 targets of these examples, evenly spaced.
    """
    last = flat.data.copy()
    running = {name: buffer.array.copy() for name, buffer in model.named_buffers()}
    if average is not None:
        flat.data[...] = average
    model.eval()
    if running:
        update_bn(model, evenly(train, CHUNK_TARGETS).x)
    yield model
    flat.data[...] = last
    for name, buffer in model.named_buffers():
        buffer.array[...] = running[name]
    model.train()


def bits(nats: float) -> float:
    """Convert nats to bits: 1 nat is 1/ln 2 = 1.4427 bits."""
    return nats / math.log(2)
