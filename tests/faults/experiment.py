"""One training run, whole: a healthy one as it stands, a sick one with a part replaced."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

import numpy as np
from tests.faults.tasks import Data

from backlight.core import Array

Make = Callable[[np.random.Generator], Any]


def as_it_is(thing: Any) -> None:
    """Change nothing."""


def as_drawn(x: Array, y: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """Hand a minibatch on."""
    del rng
    return x, y


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """How a net is trained.

    Attributes:
        name: of the net and the framework.
        kit: `ours` or `theirs`: what differs between the frameworks.
        data: makes the task.
        net: makes the net.
        optimiser: takes parameters.
        alter: changes the net once it is made.
        batch: changes a minibatch.
        loss: makes the loss of a loss.
        held: the parameters that the optimiser is given; None for all.
        steps, batch_size: how long, with how many examples at a time.
        evaluate_every: steps between looks at the loss on the examples held out.
        training: whether the net is in training mode.
        zeroed: whether gradients are forgotten after each step.
        stepped: whether the optimiser's step is taken.
    """

    name: str
    kit: ModuleType
    data: Callable[[np.random.Generator], Data]
    net: Make
    optimiser: Callable[[Any], Any]
    alter: Callable[[Any], object] = as_it_is
    batch: Callable[[Array, Array, np.random.Generator], tuple[Array, Array]] = as_drawn
    loss: Callable[[Callable[[Any, Any], Any]], Callable[[Any, Any], Any]] = lambda usual: usual
    held: Callable[[Any], list[Any]] | None = None
    steps: int = 200
    batch_size: int = 32
    evaluate_every: int = 50
    training: bool = True
    zeroed: bool = True
    stepped: bool = True

    def but(self, **parts: Any) -> "Experiment":
        """Return the same with parts replaced."""
        return replace(self, **parts)


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A way in which a training run is sick.

    Attributes:
        name: what was done, and to which net.
        experiment: the run.
        accepted: the findings that name this cause, decided before the judges were tried on it.
    """

    name: str
    experiment: Experiment
    accepted: frozenset[str]
