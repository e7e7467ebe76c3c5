"""Schedules of the learning rate, with PyTorch's recursive formulas: each step changes the rate of the step before."""

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from backlight.core import ConfigError, OperandError, missing
from backlight.core.arguments import check_number, check_whole, shown
from backlight.torchlike.optim.optimizer import Optimizer

__all__ = [
    "ConstantLR", "CosineAnnealingLR", "ExponentialLR", "LRScheduler", "LambdaLR", "LinearLR", "MultiStepLR",
    "OneCycleLR", "ReduceLROnPlateau", "SequentialLR", "StepLR",
]  # fmt: skip

__path__: list[str] = []  # as of a package, so that an import of a name that is not there is explained
__getattr__ = missing.names_of("torch.optim.lr_scheduler", missing.SCHEDULER)


class LRScheduler:
    """The base class of the schedules; a subclass defines `get_lr()`.

    Args:
        optimizer: whose groups get the learning rates.
        last_epoch: must be -1: a schedule starts at step 0 and is continued by `load_state_dict`.

    Attributes:
        base_lrs: the learning rate of each group at the start.
        last_epoch: the number of steps.

    Raises:
        OperandError: not an optimiser of `torch.optim`.
        ConfigError: another `last_epoch`, or a setting out of range.
    """

    _unsaved: tuple[str, ...] = ("optimizer",)

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        if not isinstance(optimizer, Optimizer):
            raise OperandError(f"a schedule takes an optimiser of torch.optim; got a {type(optimizer).__name__}.")
        if last_epoch != -1:
            raise ConfigError(f"last_epoch must be -1; got {shown(last_epoch)}. Continue by load_state_dict().")
        self.optimizer = optimizer
        for group in optimizer.param_groups:
            group.setdefault("initial_lr", group["lr"])
        self.base_lrs = [group["initial_lr"] for group in optimizer.param_groups]
        self.last_epoch = -1
        self.restart()

    def restart(self) -> None:
        """Set the learning rates of step 0."""
        self.last_epoch = 0
        self._use(self.first_lr())

    def begin(self) -> None:
        """Set the learning rates of step 0 after another schedule, from the initial ones."""
        for group, base in zip(self.optimizer.param_groups, self.base_lrs, strict=True):
            group["lr"] = base
        self.restart()

    def first_lr(self) -> list[float]:
        """Return the learning rate of each group at step 0."""
        return self._rates()

    def get_lr(self) -> list[float]:
        """Return the learning rate of each group at the present step, from those of the step before."""
        raise NotImplementedError(f"{type(self).__name__} must define get_lr().")

    def step(self) -> None:
        """Set the learning rates of the next step."""
        self.last_epoch += 1
        self._use(self.get_lr())

    def get_last_lr(self) -> list[float]:
        """Return the learning rate of each group."""
        return list(self._last_lr)

    def state_dict(self) -> dict[str, Any]:
        """Return the state, without the optimiser and without functions."""
        return {name: value for name, value in vars(self).items() if name not in self._unsaved}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the result of `state_dict()`."""
        vars(self).update(state_dict)

    def _rates(self) -> list[float]:
        return [group["lr"] for group in self.optimizer.param_groups]

    def _use(self, rates: Iterable[float]) -> None:
        for group, lr in zip(self.optimizer.param_groups, rates, strict=True):
            group["lr"] = lr
        self._last_lr = self._rates()


class LambdaLR(LRScheduler):
    """The initial learning rate times a function of the step.

    Args:
        optimizer: see `LRScheduler`.
        lr_lambda: the function, or one for each group.
        last_epoch: must be -1.
    """

    _unsaved = ("optimizer", "lr_lambdas")

    def __init__(self, optimizer: Optimizer, lr_lambda: Any, last_epoch: int = -1) -> None:
        functions = list(lr_lambda) if isinstance(lr_lambda, (list, tuple)) else None
        self.lr_lambdas: list[Callable[[int], float]] = functions or [lr_lambda] * len(optimizer.param_groups)
        if len(self.lr_lambdas) != len(optimizer.param_groups) or not all(map(callable, self.lr_lambdas)):
            raise ConfigError(f"lr_lambda must be a function, or one for each group; got {shown(lr_lambda)}.")
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """Return the initial learning rates times the functions."""
        return [base * f(self.last_epoch) for f, base in zip(self.lr_lambdas, self.base_lrs, strict=True)]

    first_lr = get_lr


class StepLR(LRScheduler):
    """The learning rate times `gamma` after every `step_size` steps."""

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1) -> None:
        check_whole(step_size=step_size)
        check_number(0, gamma=gamma)
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """Return the learning rates, times gamma at a multiple of `step_size`."""
        return self._rates() if self.last_epoch % self.step_size else [lr * self.gamma for lr in self._rates()]


class MultiStepLR(LRScheduler):
    """The learning rate times `gamma` at each of the steps `milestones`."""

    def __init__(
        self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        check_number(0, gamma=gamma)
        self.milestones, self.gamma = Counter(milestones), gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """Return the learning rates, times gamma for each milestone at this step."""
        times = self.milestones[self.last_epoch]
        return [lr * self.gamma**times for lr in self._rates()] if times else self._rates()


class ExponentialLR(LRScheduler):
    """The learning rate times `gamma` after every step."""

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        check_number(0, gamma=gamma)
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """Return the learning rates times gamma."""
        return [lr * self.gamma for lr in self._rates()]


class ConstantLR(LRScheduler):
    """The learning rate times `factor` for the first `total_iters` steps."""

    def __init__(self, optimizer: Optimizer, factor: float = 1 / 3, total_iters: int = 5, last_epoch: int = -1) -> None:
        check_number(0, factor=factor)
        if not 0 < factor <= 1:
            raise ConfigError(f"factor must be above 0 and at most 1; got {shown(factor)}.")
        self.factor, self.total_iters = factor, total_iters
        super().__init__(optimizer, last_epoch)

    def first_lr(self) -> list[float]:
        """Return the learning rates times the factor."""
        return [lr * self.factor for lr in self._rates()]

    def get_lr(self) -> list[float]:
        """Return the learning rates; at `total_iters`, divided by the factor."""
        return [lr * (1.0 / self.factor) for lr in self._rates()] if self._ends() else self._rates()

    def _ends(self) -> bool:
        return self.last_epoch == self.total_iters


class LinearLR(LRScheduler):
    """The learning rate times a factor that goes from `start_factor` to `end_factor` in `total_iters` steps."""

    def __init__(
        self, optimizer: Optimizer, start_factor: float = 1 / 3, end_factor: float = 1.0, total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:  # fmt: skip
        if not 0 < start_factor <= 1 or not 0 <= end_factor <= 1:
            raise ConfigError(
                f"start_factor and end_factor must be from 0 to 1, the first above 0; got {start_factor}, {end_factor}."
            )
        check_whole(total_iters=total_iters)
        self.start_factor, self.end_factor, self.total_iters = start_factor, end_factor, total_iters
        super().__init__(optimizer, last_epoch)

    def first_lr(self) -> list[float]:
        """Return the learning rates times the first factor."""
        return [lr * self.start_factor for lr in self._rates()]

    def get_lr(self) -> list[float]:
        """Return the learning rates times the ratio of this factor to the one before."""
        if self.last_epoch > self.total_iters:
            return self._rates()
        rise = self.end_factor - self.start_factor
        before = self.total_iters * self.start_factor + (self.last_epoch - 1) * rise
        return [lr * (1.0 + rise / before) for lr in self._rates()]


class CosineAnnealingLR(LRScheduler):
    """Half a period of a cosine from the initial learning rate to `eta_min` in `T_max` steps; then it rises again.

    Source: Loshchilov & Hutter 2017, arXiv:1608.03983, eq. 5.
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1) -> None:
        check_number(1, T_max=T_max)
        check_number(eta_min=eta_min)
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """Return the learning rates times the ratio of two cosines."""
        t, T, least = self.last_epoch, self.T_max, self.eta_min
        if (t - 1 - T) % (2 * T) == 0:  # the cosine of the step before is -1, which cannot be divided by
            rise = (1 - math.cos(math.pi / T)) / 2
            return [lr + (base - least) * rise for lr, base in zip(self._rates(), self.base_lrs, strict=True)]
        ratio = (1 + math.cos(math.pi * t / T)) / (1 + math.cos(math.pi * (t - 1) / T))
        return [ratio * (lr - least) + least for lr in self._rates()]


class OneCycleLR(LRScheduler):
    """A rise to `max_lr`, then a decay, within `total_steps`; momentum moves the other way.

    Args:
        optimizer: see `LRScheduler`.
        max_lr: the highest learning rate, or one for each group.
        total_steps: the number of steps; by default epochs x steps_per_epoch.
        epochs: the number of epochs.
        steps_per_epoch: the number of steps of an epoch.
        pct_start: the share of the steps in which the rate rises.
        anneal_strategy: "cos" or "linear".
        cycle_momentum: whether momentum, or Adam's first beta, falls and rises.
        base_momentum: the lowest momentum.
        max_momentum: the highest momentum.
        div_factor: the first learning rate is max_lr / div_factor.
        final_div_factor: the last one is the first one / final_div_factor.
        three_phase: must be False.
        last_epoch: must be -1.

    Source: Smith & Topin 2017, arXiv:1708.07120.
    """

    def __init__(
        self, optimizer: Optimizer, max_lr: float | list[float], total_steps: int | None = None,
        epochs: int | None = None, steps_per_epoch: int | None = None, pct_start: float = 0.3,
        anneal_strategy: str = "cos", cycle_momentum: bool = True, base_momentum: float = 0.85,
        max_momentum: float = 0.95, div_factor: float = 25.0, final_div_factor: float = 1e4,
        three_phase: bool = False, last_epoch: int = -1,
    ) -> None:  # fmt: skip
        if total_steps is None:
            if epochs is None or steps_per_epoch is None:
                raise ConfigError("OneCycleLR needs total_steps, or epochs and steps_per_epoch; got neither.")
            total_steps = epochs * steps_per_epoch
        check_whole(total_steps=total_steps)
        if anneal_strategy not in {"cos", "linear"} or three_phase or not 0 <= pct_start <= 1:
            raise ConfigError(
                "OneCycleLR supports anneal_strategy 'cos' or 'linear', two phases, and pct_start from 0 to 1; got "
                f"{shown(anneal_strategy)}, three_phase={three_phase}, pct_start={pct_start}."
            )
        groups = optimizer.param_groups
        highest = list(max_lr) if isinstance(max_lr, (list, tuple)) else [max_lr] * len(groups)
        for group, top in zip(groups, highest, strict=True):
            group["initial_lr"], group["max_lr"] = top / div_factor, top
            group["min_lr"] = group["initial_lr"] / final_div_factor
        self.total_steps, self.pct_start, self.anneal_strategy = total_steps, pct_start, anneal_strategy
        self.cycle_momentum, self.base_momentum, self.max_momentum = cycle_momentum, base_momentum, max_momentum
        if cycle_momentum and not {"momentum", "betas"} & optimizer.defaults.keys():
            raise ConfigError("cycle_momentum needs an optimiser with momentum or betas. Use cycle_momentum=False.")
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """Return the learning rates of the phase of this step, and set the momenta."""
        if self.last_epoch > self.total_steps:
            raise ConfigError(f"OneCycleLR ends after {self.total_steps} steps; step {self.last_epoch} is beyond it.")
        top = float(self.pct_start * self.total_steps) - 1
        rising = self.last_epoch <= top
        start, end = (0.0, top) if rising else (top, self.total_steps - 1)
        done = (self.last_epoch - start) / (end - start)
        rates = []
        for group in self.optimizer.param_groups:
            names = ("initial_lr", "max_lr") if rising else ("max_lr", "min_lr")
            rates.append(self._between(group[names[0]], group[names[1]], done))
            if self.cycle_momentum:
                ends = (self.max_momentum, self.base_momentum)
                momentum = self._between(*(ends if rising else ends[::-1]), done)
                if "betas" in group:
                    group["betas"] = (momentum, *group["betas"][1:])
                else:
                    group["momentum"] = momentum
        return rates

    first_lr = get_lr

    def _between(self, start: float, end: float, done: float) -> float:
        if self.anneal_strategy == "linear":
            return (end - start) * done + start
        return end + (start - end) / 2.0 * (math.cos(math.pi * done) + 1)


class SequentialLR(LRScheduler):
    """One schedule after another.

    Args:
        optimizer: see `LRScheduler`.
        schedulers: the schedules, of the same optimiser.
        milestones: the step at which each schedule but the first begins, at its own step 0.
        last_epoch: must be -1.
    """

    _unsaved = ("optimizer", "_schedulers")

    def __init__(
        self, optimizer: Optimizer, schedulers: Sequence[Any], milestones: Sequence[int], last_epoch: int = -1
    ) -> None:
        if not schedulers or len(milestones) != len(schedulers) - 1:
            raise ConfigError(
                f"SequentialLR needs one milestone less than schedules; got {len(milestones)} and {len(schedulers)}."
            )
        if any(isinstance(one, ReduceLROnPlateau) or one.optimizer is not optimizer for one in schedulers):
            raise ConfigError("SequentialLR needs schedules of its own optimiser that step without a metric.")
        self._schedulers, self._milestones = list(schedulers), list(milestones)
        super().__init__(optimizer, last_epoch)

    def first_lr(self) -> list[float]:
        """Return the learning rates of the first schedule."""
        for group in self.optimizer.param_groups:
            group["lr"] = group["initial_lr"]
        for one in self._schedulers[1:]:
            one.last_epoch = -1
        first = self._schedulers[bisect_right(self._milestones, 0)]
        first.restart()
        return first.get_last_lr()  # type: ignore[no-any-return]

    def get_lr(self) -> list[float]:
        """Return the learning rates of the schedule of this step."""
        number = bisect_right(self._milestones, self.last_epoch)
        schedule = self._schedulers[number]
        if number and self._milestones[number - 1] == self.last_epoch:
            schedule.begin()
        else:
            schedule.step()
        return schedule.get_last_lr()  # type: ignore[no-any-return]


_MODES: Final = ("min", "max")


class ReduceLROnPlateau:
    """The learning rate times `factor` when a metric has not improved for more than `patience` steps.

    Args:
        optimizer: whose groups get the learning rates.
        mode: "min" for a metric that should fall, "max" for one that should rise.
        factor: below 1.
        patience: the number of steps without improvement that are accepted.
        threshold: the improvement that counts, as a share of the best value or in its units.
        threshold_mode: "rel" or "abs".
        cooldown: the number of steps after a reduction in which none is counted.
        min_lr: the lowest learning rate, or one for each group.
        eps: the smallest reduction that is made.

    Raises:
        ConfigError: a setting out of range.
    """

    def __init__(
        self, optimizer: Optimizer, mode: str = "min", factor: float = 0.1, patience: int = 10,
        threshold: float = 1e-4, threshold_mode: str = "rel", cooldown: int = 0, min_lr: float | list[float] = 0,
        eps: float = 1e-8,
    ) -> None:  # fmt: skip
        if mode not in _MODES or threshold_mode not in {"rel", "abs"} or not 0 <= factor < 1:
            raise ConfigError(
                "mode must be 'min' or 'max', threshold_mode 'rel' or 'abs', and factor below 1; got "
                f"{shown(mode)}, {shown(threshold_mode)}, {shown(factor)}."
            )
        if not isinstance(optimizer, Optimizer):
            raise OperandError(f"a schedule takes an optimiser of torch.optim; got a {type(optimizer).__name__}.")
        self.optimizer = optimizer
        self.mode, self.factor, self.patience, self.threshold = mode, factor, patience, threshold
        self.threshold_mode, self.cooldown, self.eps = threshold_mode, cooldown, eps
        groups = optimizer.param_groups
        self.min_lrs = list(min_lr) if isinstance(min_lr, (list, tuple)) else [min_lr] * len(groups)
        self.best = math.inf if mode == "min" else -math.inf
        self.cooldown_counter = self.num_bad_epochs = self.last_epoch = 0
        self._last_lr = [group["lr"] for group in groups]

    def step(self, metrics: Any) -> None:
        """Count a step with this value of the metric, and reduce the learning rates if it is time."""
        value = float(metrics)
        self.last_epoch += 1
        if self._is_better(value):
            self.best, self.num_bad_epochs = value, 0
        else:
            self.num_bad_epochs += 1
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            for group, least in zip(self.optimizer.param_groups, self.min_lrs, strict=True):
                reduced = max(group["lr"] * self.factor, least)
                if group["lr"] - reduced > self.eps:
                    group["lr"] = reduced
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0
        self._last_lr = [group["lr"] for group in self.optimizer.param_groups]

    def _is_better(self, value: float) -> bool:
        sign = -1 if self.mode == "min" else 1
        bar = self.best * (1 + sign * self.threshold) if self.threshold_mode == "rel" else (
            self.best + sign * self.threshold
        )  # fmt: skip
        return value < bar if self.mode == "min" else value > bar

    def get_last_lr(self) -> list[float]:
        """Return the learning rate of each group."""
        return list(self._last_lr)

    def state_dict(self) -> dict[str, Any]:
        """Return the state, without the optimiser."""
        return {name: value for name, value in vars(self).items() if name != "optimizer"}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the result of `state_dict()`."""
        vars(self).update(state_dict)
