"""The loss of a model on a whole split, each target counted once, and the weights to evaluate with."""

import math
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from backlight.autograd.flat import FlatParameters
from backlight.autograd.native import Program, UnsuitableError
from backlight.core import Batch, FloatArray
from backlight.models import LanguageModel
from backlight.models.neural import NeuralModel
from backlight.nn import fold, update_bn
from backlight.text import Dataset, Sequences, Windows
from backlight.text.vocabulary import Vocabulary

CHUNK_TARGETS = 8_192
"""Targets that are enough for a large matrix product, or to speak for a whole split."""

BATCH_TARGETS = 1_024
"""Targets evaluated at a time: enough for large matrix products, few enough to stay in the cache."""

SAMPLE_TARGETS = 500_000
"""A training split with more targets than this is evaluated on about this many of them, evenly spaced."""


def dataset(model: LanguageModel, vocabulary: Vocabulary, items: Sequence[str], *, ends: bool) -> Dataset:
    """Return items as the examples that the model reads."""
    encoded = vocabulary.encode_items(items, ends=ends)
    kind = Windows if model.reads == "windows" else Sequences
    return kind(encoded, model.context)


def evenly(data: Dataset, targets: int) -> Batch:
    """Return examples with about this many targets, evenly spaced and always the same; all if there are no more."""
    size = max(1, min(len(data), targets * len(data) // data.targets))
    return data.batch(np.linspace(0, len(data) - 1, size).astype(np.int64))


def mean_nll(model: LanguageModel, data: Dataset, *, at_most: int | None = None) -> float:
    """Return the mean of -log p over the targets, in nats per character.

    Args:
        model: the model; a network is evaluated in the mode that it is in.
        data: the examples.
        at_most: about how many targets to take, evenly spaced, if there are more; None takes all.
    """
    per_example = max(1, data.targets // len(data))
    rows = max(1, BATCH_TARGETS // per_example)
    if at_most is None or data.targets <= at_most:
        batches = data.chunks(rows)
    else:
        chosen = np.linspace(0, len(data) - 1, max(1, at_most // per_example)).astype(np.int64)
        batches = (data.batch(chosen[i : i + rows]) for i in range(0, len(chosen), rows))
    total, count = 0.0, 0
    evaluator = _Evaluator(model)
    for batch in batches:
        targets = int((batch.y >= 0).sum())
        total += evaluator.nats(batch, targets)
        count += targets
    return total / count


class _Evaluator:
    """Sums nats over batches: with compiled kernels, if the model has them, from the second batch of a kind on.

    Args:
        model: the model, left as it is.
    """

    def __init__(self, model: LanguageModel) -> None:
        self._model = model
        self._network: NeuralModel | None = None
        self._programs: dict[Hashable, Program] = {}
        if isinstance(model, NeuralModel) and model.fixed_graph:
            modes = {module.training for _, module in model.named_modules()}
            if modes == {False}:  # in training, a model draws and keeps things
                self._network = fold(model) if any(True for _ in model.named_buffers()) else model

    def nats(self, batch: Batch, targets: int) -> float:
        """Return the sum of -log p over a batch's `targets` targets."""
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
    """Within the block, give the network the weights that are evaluated and saved; restore training mode after it.

    Averaged weights take the place of the last ones. Batch norms get the statistics of the weights that are evaluated:
    those that training left belong to other weights, and cost 0.04 to 0.007 nats with averaged ones, and 0.002 with the
    last ones (docs/log.md).

    Args:
        model: the network.
        flat: its parameters.
        average: the averaged ones, if there are any.
        train: about 8,000 of these examples, evenly spaced and always the same, are what the statistics come from.
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
    """Return nats in bits: 1 nat is 1/ln 2 = 1.4427 bits."""
    return nats / math.log(2)
