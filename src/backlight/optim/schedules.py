"""The learning rate as a function of the step, counted from 0."""

import math
from dataclasses import dataclass
from typing import Protocol

from backlight.core import ConfigError
from backlight.core.arguments import check_number, check_whole, shown


class Schedule(Protocol):
    """A function that returns the learning rate of a step."""

    def __call__(self, step: int) -> float:
        """Return the learning rate of a step, counted from 0."""


@dataclass(frozen=True, kw_only=True)
class Constant:
    """A constant learning rate.

    Args:
        lr: the learning rate.
    """

    lr: float

    def __post_init__(self) -> None:
        check_number(0, lr=self.lr)

    def __call__(self, step: int) -> float:
        """Return the learning rate, whatever the step."""
        del step
        return self.lr


@dataclass(frozen=True, kw_only=True)
class StepDecay:
    """A learning rate that is multiplied by `factor` at each of the given steps, as the lectures' 0.1 and then 0.01.

    Args:
        lr: the initial learning rate.
        at: the steps, in ascending order.
        factor: the factor.

    Raises:
        ConfigError: a negative number, or steps that are not in order.
    """

    lr: float
    at: tuple[int, ...]
    factor: float = 0.1

    def __post_init__(self) -> None:
        check_number(0, lr=self.lr, factor=self.factor)
        if not isinstance(self.at, (tuple, list)):
            raise ConfigError(f"at must list the steps at which lr changes, as in (1000, 2000); got {shown(self.at)}.")
        check_whole(0, **{f"step {index} of at": step for index, step in enumerate(self.at)})
        if list(self.at) != sorted(self.at):
            raise ConfigError(f"the steps of at must be in ascending order; got {self.at}.")

    def __call__(self, step: int) -> float:
        """Return the learning rate of a step."""
        check_whole(0, step=step)
        return self.lr * self.factor ** sum(step >= at for at in self.at)


@dataclass(frozen=True, kw_only=True)
class WarmupCosine:
    """Linear warm-up over `warmup` steps, then a cosine decay to `final` x lr at step `steps`.

    The warm-up keeps steps small while Adam's running means are inaccurate.

    Args:
        lr: the highest learning rate.
        steps: the total number of steps.
        warmup: the number of warm-up steps.
        final: the last learning rate, as a fraction of lr.

    Raises:
        ConfigError: a negative number, or a warm-up that does not end before `steps`.
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
            raise ConfigError(f"warmup must be below steps, {self.steps}; got {self.warmup}.")

    def __call__(self, step: int) -> float:
        """Return the learning rate of a step."""
        check_whole(0, step=step)
        if step < self.warmup:
            return self.lr * (step + 1) / self.warmup
        done = min(1.0, (step - self.warmup) / (self.steps - self.warmup))
        return self.lr * (self.final + (1 - self.final) * 0.5 * (1 + math.cos(math.pi * done)))
