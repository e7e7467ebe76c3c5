"""The learning rate as a function of the step, counted from 0."""

import math
from dataclasses import dataclass
from typing import Protocol

from backlight.core import ConfigError
from backlight.core.arguments import check_number, check_whole, shown


class Schedule(Protocol):
    """Says how large the learning rate is at a step."""

    def __call__(self, step: int) -> float:
        """Return the learning rate of a step, counted from 0."""


@dataclass(frozen=True, kw_only=True)
class Constant:
    """The same learning rate throughout."""

    lr: float

    def __post_init__(self) -> None:
        check_number(0, lr=self.lr)

    def __call__(self, step: int) -> float:
        """Return the learning rate, whatever the step."""
        del step
        return self.lr


@dataclass(frozen=True, kw_only=True)
class StepDecay:
    """A learning rate that is multiplied by `factor` at each of the given steps: the lectures' 0.1, later 0.01."""

    lr: float
    at: tuple[int, ...]
    factor: float = 0.1

    def __post_init__(self) -> None:
        check_number(0, lr=self.lr, factor=self.factor)
        if not isinstance(self.at, (tuple, list)):
            raise ConfigError(f"at lists the steps at which the rate falls, as in (1000, 2000); got {shown(self.at)}.")
        check_whole(0, **{f"step {place} of at": step for place, step in enumerate(self.at)})
        if list(self.at) != sorted(self.at):
            raise ConfigError(f"the steps at which the rate falls must be in order; got {self.at}.")

    def __call__(self, step: int) -> float:
        """Return the learning rate of a step."""
        check_whole(0, step=step)
        return self.lr * self.factor ** sum(step >= at for at in self.at)


@dataclass(frozen=True, kw_only=True)
class WarmupCosine:
    """A rise from 0 over `warmup` steps, then half a cosine down to `final` x lr at step `steps`.

    The rise lets Adam's running means fill before full steps are taken; the slow end lets the weights settle.
    Source: Loshchilov & Hutter 2017, arXiv:1608.03983, eq. 5, with the linear warm-up of Goyal et al. 2017.
    """

    lr: float
    steps: int
    warmup: int = 0
    final: float = 0.0

    def __post_init__(self) -> None:
        check_number(0, lr=self.lr, warmup=self.warmup, final=self.final)
        check_whole(steps=self.steps)
        if self.warmup >= self.steps:
            raise ConfigError(f"the warm-up must end before step {self.steps}, the last; got {self.warmup} steps.")

    def __call__(self, step: int) -> float:
        """Return the learning rate of a step."""
        check_whole(0, step=step)
        if step < self.warmup:
            return self.lr * (step + 1) / self.warmup
        done = min(1.0, (step - self.warmup) / (self.steps - self.warmup))
        return self.lr * (self.final + (1 - self.final) * 0.5 * (1 + math.cos(math.pi * done)))
