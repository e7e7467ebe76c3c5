"""What trials are made on: a network with its batch, loss, optimiser and data, and how long they may take."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from backlight.core import Array, ConfigError, FloatArray
from backlight.watch.replica import LossKind, Replica, Step, distinct_rows

LEARNT: Final = 8
"""Examples that are to be learnt by heart."""

STEPS: Final = 300
"""Steps of one attempt to learn."""

MOST_STEPS: Final = 5_000
"""Steps of all trials together."""

MOST_ROWS: Final = 2_048
"""Examples of the data that are used."""


@dataclass(kw_only=True)
class Budget:
    """How long the trials may take.

    Attributes:
        minutes: of all trials together.
        steps: training steps that are left.
    """

    minutes: float
    steps: int = MOST_STEPS
    began: float = field(default_factory=time.monotonic)

    def is_left(self) -> bool:
        """Return whether there is time, and there are steps, for more."""
        return self.steps > 0 and time.monotonic() - self.began < 60 * self.minutes


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A network and what it is trained with.

    Attributes:
        model: the network.
        inputs, targets: one batch.
        loss: see `backlight.health.examine`.
        optimiser: what steps it; None if none was given.
        step: the user's own training step; None for the usual one.
        data: more examples (inputs, targets); None for the batch alone.
        make: makes a new network; None for the layers' own initialisation.
        causal: whether outputs must not depend on later inputs; None if that is not known.
        kind: of the loss, as its graph shows; None if that is not known.
        copy: makes a replica of the network, for each trial anew; without a step of the user, with the learning rate
            before any schedule.
        budget: how long all trials may take.
    """

    model: Any
    inputs: Any
    targets: Any
    loss: Any
    optimiser: Any
    step: Step | None
    data: tuple[Any, Any] | None
    make: Callable[[], Any] | None
    causal: bool | None
    kind: LossKind | None
    copy: Callable[[], Replica]
    budget: Budget

    @property
    def examples(self) -> tuple[Any, Any]:
        """Inputs and targets of the data, or of the batch if there is no more."""
        return (self.inputs, self.targets) if self.data is None else self.data

    @property
    def has_loss(self) -> bool:
        """Whether there is a loss: of targets, of the user's step, or the one that the network's output has."""
        if self.targets is not None or self.step is not None:
            return True
        return self.copy().output(self.inputs, self.targets, training=False)[1] is not None

    def few(self, replica: Replica, most: int = LEARNT) -> tuple[Any, Any]:
        """Return a few different examples of the batch, of as many labels as there are.

        Raises:
            ConfigError: there are fewer than two, or no targets.
        """
        view = replica.view(self.inputs, self.targets)
        if view.x is None or not view.x.ndim:
            raise ConfigError("the first input must be a tensor with a row for each example.")
        count = len(view.x)
        rows = distinct_rows(view.x, view.y, count, most)
        if len(rows) < 2:
            raise ConfigError(f"at least two different examples are needed; got {len(rows)} in a batch of {count}.")
        return replica.rows(self.inputs, rows, count), replica.rows(self.targets, rows, count)


@dataclass(frozen=True, kw_only=True)
class Rightness:
    """How well outputs go with targets.

    Attributes:
        accuracy: share of the targets that are right; None unless they are classes.
        error: of a squared error, its share of the targets' variance; None otherwise.
        hits: for each counted target whether it is right; None unless they are classes.
    """

    accuracy: float | None = None
    error: float | None = None
    hits: Array | None = None


def score(output: FloatArray | None, y: Array | None, kind: LossKind | None) -> Rightness:
    """Return how well outputs go with targets, as far as the loss's kind says what they mean.

    Args:
        output: (B, V), (B, V, ...) or (B, T, V) logits, (B, ...) logits of one class, or predictions.
        y: the targets.
        kind: of the loss.
    """
    if output is None or y is None or kind is None or not np.isfinite(output).any():
        return Rightness()
    if kind == "mse":
        if output.size != y.size:
            return Rightness()
        spread = float(np.var(y.reshape(len(y), -1), axis=0).mean())
        return Rightness(error=float(np.mean((output.reshape(y.shape) - y) ** 2)) / spread if spread > 0 else None)
    chosen = classes(output, y, kind)
    if chosen is None:
        return Rightness()
    hits = (chosen == y)[counted(y)]
    return Rightness(accuracy=float(hits.mean()) if hits.size else None, hits=hits)


def classes(output: FloatArray, y: Array, kind: LossKind) -> Array | None:
    """Return the class that an output says for each target, in the targets' shape; None if they do not fit."""
    if kind == "binary_cross_entropy":
        if output.size != y.size:
            return None
        flat = output.reshape(y.shape)
        middle = 0.5 if flat.min() >= 0 and flat.max() <= 1 else 0.0  # probabilities, or logits
        return (flat > middle).astype(y.dtype)
    if y.dtype.kind not in "iu":
        return None
    axis = -1 if output.shape[:-1] == y.shape else 1
    if output.ndim < 2 or output.shape[:axis] + (output.shape[2:] if axis == 1 else ()) != y.shape:
        return None
    found: Array = output.argmax(axis)
    return found


def counted(y: Array) -> Array:
    """Return which targets count: those that are not negative, or all that are no whole numbers."""
    return y >= 0 if y.dtype.kind in "iu" else np.ones(y.shape, bool)
