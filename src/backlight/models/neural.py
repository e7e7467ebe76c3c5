"""The base class of the neural models: the loss, the score and the next character, from their logits."""

from collections.abc import Hashable
from typing import Any

import numpy as np

from backlight.autograd import Parameter, Tensor, as_array, cross_entropy, no_grad
from backlight.autograd.ops.softmax import shifted_log_softmax
from backlight.core import NOT_A_TARGET, Batch, FloatArray, IntArray, OperandError, ShapeError
from backlight.core.arguments import shown
from backlight.models.protocol import Reads
from backlight.nn import Embedding, Module


class NeuralModel(Module):
    """A network that maps ids to logits of the next character.

    A subclass sets `vocabulary_size`, `context` and `reads`, and defines `forward`, which maps (B, T) ids to (B, V)
    logits if it reads windows, or to (B, T, V) logits if it reads sequences.
    """

    config: Any
    vocabulary_size: int
    context: int
    reads: Reads = "windows"
    fixed_graph: bool = False
    """Whether `loss_of` uses the same ops with the same settings for all inputs of one `kind`, so that its graph can be
    compiled. This is a promise: it cannot be tested for all inputs."""

    def __call__(self, x: Any, *more: Any, **settings: Any) -> Tensor:
        """Return `forward(x)` for (B, T) ids: an array, a tensor or nested lists.

        Raises:
            OperandError: a string instead of ids.
            ShapeError: ids that are not integers, or do not have two axes.
        """
        return super().__call__(self._ids(x), *more, **settings)

    def _ids(self, x: Any) -> IntArray:
        """Return ids (B, T) as an array, without a copy if they are one."""
        if isinstance(x, str) or (isinstance(x, (list, tuple)) and any(isinstance(one, str) for one in x)):
            raise OperandError(
                f"{type(self).__name__} reads ids, not text; got {shown(x)}. Encode it first: Vocabulary.encode() "
                "returns the ids of a string."
            )
        ids: IntArray = as_array(x)
        if ids.ndim != 2 or ids.dtype.kind not in "iu":
            raise ShapeError(
                f"{type(self).__name__} reads integer ids of shape (B, T); got {ids.dtype} of shape {ids.shape}. "
                "Make a batch of a single text with ids[None]."
            )
        return ids

    def hidden_matrices(self) -> list[Parameter]:
        """Return the weight matrices of hidden layers: those that neither look up a row nor have an axis of characters.

        Each has two axes, in and out.
        """
        tables = {id(one.weight) for _, one in self.named_modules() if isinstance(one, Embedding)}
        return [
            one for one in self.parameters()
            if one.array.ndim == 2 and id(one) not in tables and self.vocabulary_size not in one.array.shape
        ]  # fmt: skip

    def inputs(self, batch: Batch) -> tuple[Any, ...]:
        """Return the inputs of `loss_of` for a batch: arrays, or None."""
        return batch.x, batch.y

    def masks_drawn(self, batch: Batch) -> int:
        """Return how many random numbers (float32) `loss` draws for a batch in training; 0 without dropout.

        An engine that draws its masks elsewhere skips as many, so that all engines train on the same minibatches.
        """
        del batch
        return 0

    def kind(self, inputs: tuple[Any, ...]) -> Hashable:
        """Return a key for what determines the ops of `loss_of` and their settings: the shapes of its inputs."""
        return tuple(array.shape for array in inputs)

    def loss_of(self, inputs: tuple[Any, ...]) -> Tensor:
        """Return the mean cross-entropy of what `inputs` returned, in nats per target, with its graph."""
        x, y = inputs
        return cross_entropy(self(x), y)

    def loss(self, batch: Batch) -> Tensor:
        """Return the mean cross-entropy of a batch, a scalar in nats per target, with its graph."""
        return self.loss_of(self.inputs(batch))

    def next_logits(self, x_BT: IntArray) -> FloatArray:
        """Return (B, V) logits of the character that follows each row of (B, T) ids, without a graph."""
        with no_grad():
            logits = self(self._whole(x_BT)).array
        return logits if logits.ndim == 2 else logits[:, -1]

    def nll(self, x_BT: IntArray, y: IntArray) -> FloatArray:
        """Return -log p(y | x) in nats for each target, in the shape of y, (B,) or (B, T); 0 for `NOT_A_TARGET`."""
        with no_grad():
            logits = self(self._whole(x_BT)).array
        return nll_of(logits, y)

    def logits_of_targets(self, x_BT: IntArray, y: IntArray) -> FloatArray:
        """Return the logits before each target, (N, V), in the order of `y[y != NOT_A_TARGET]`, without a graph."""
        with no_grad():
            logits: FloatArray = self(self._whole(x_BT)).array[y != NOT_A_TARGET]
        return logits

    def _whole(self, x_BT: Any) -> IntArray:
        """Return ids (B, T) as an array, checked for a length that the model reads."""
        x = self._ids(x_BT)
        if not (x.shape[1] == self.context if self.reads == "windows" else x.shape[1] <= self.context):
            how = "exactly" if self.reads == "windows" else "at most"
            raise ShapeError(
                f"the model reads rows of {how} {self.context} ids, (B, T); got an array of shape {x.shape}."
            )
        return x


def nll_of(logits: FloatArray, y: IntArray) -> FloatArray:
    """Return -log softmax(logits)[y] in nats for each target; 0 for `NOT_A_TARGET`.

    Shape: logits (..., V), y (...) -> (...)

    Raises:
        ShapeError: the shape of y is not that of the logits without their last axis.
    """
    if y.shape != logits.shape[:-1]:
        raise ShapeError(f"targets must have the shape {logits.shape[:-1]}, one for each prediction; got {y.shape}.")
    log_p = shifted_log_softmax(logits)
    counted = y != NOT_A_TARGET
    picked = np.take_along_axis(log_p, np.where(counted, y, 0)[..., None], axis=-1)[..., 0]
    return np.where(counted, -picked, 0)
