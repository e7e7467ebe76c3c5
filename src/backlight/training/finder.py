"""The learning-rate finder: a short training in which the rate grows at every step.

A rate that is too low changes nothing, one that is too high makes the loss diverge, and in between the loss falls. So a
sweep of a second or two shows what a grid of trainings would. docs/log.md compares the suggested rate with the best of
a grid for eight networks.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

import numpy as np

from backlight.core import NOT_A_TARGET, ConfigError, DomainError, FloatArray
from backlight.models.neural import NeuralModel
from backlight.optim import clip_grad_norm
from backlight.text import Dataset
from backlight.training.compiled_step import Stepper, threads_for
from backlight.training.config import TrainConfig
from backlight.training.evaluate import evenly
from backlight.training.run import Run

Ended = Literal["highest", "burst", "not finite"]

LOWEST: Final = 1e-5
HIGHEST: Final = 10.0
STEPS: Final = 120
"""Twenty steps for each factor of ten. With more, the loss falls while the rate is still low, and low rates look better
than they are: with 300 instead of 100 steps from 1e-5 to 1, the suggestion for the default MLP falls from 0.0034 to
0.0017."""

FEWEST: Final = 20
"""The minimum number of steps: with fewer, there is nothing to smooth."""

PROBE: Final = 1_000
"""The loss is measured on about this many targets of the training text, the same ones at each step. Losses of
minibatches vary by more than a low rate gains: with 32 examples, the suggestion ranged from 0.05 to 0.17 over seeds,
and with a fixed probe from 0.11 to 0.14."""

BURST: Final = 2.0
"""The sweep ends when the loss exceeds the first one by this factor."""

WIDTH: Final = 0.15
"""Standard deviation of the smoothing kernel, in decades of the rate."""

SHARE: Final = 0.9
"""The suggested rate is the first at which this fraction of the loss's total fall is reached."""

LEAST_FALL: Final = 0.01
"""A fall by a smaller fraction of the first loss is ignored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RateSweep:
    """The result of a sweep of learning rates.

    Attributes:
        rates: the rate of each step, which grows by a constant factor.
        losses: nats per target before each step, on the same targets of the training text; all finite.
        smoothed: the losses, smoothed over neighbouring rates.
        ended: why the sweep ended: the "highest" rate was reached, the loss doubled ("burst"), or it was "not finite".
        suggestion: the suggested peak rate, to two digits; None if no rate made the loss fall.
        reason: the reason for the suggestion, with the numbers.
        optimiser: the name of the optimiser.
        batch_size: examples in each minibatch.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    smoothed: tuple[float, ...]
    ended: Ended
    suggestion: float | None
    reason: str
    optimiser: str
    batch_size: int

    @property
    def steps(self) -> int:
        """Number of minibatches."""
        return len(self.rates)

    def to_json(self) -> dict[str, Any]:
        """Return the fields and `steps` as plain values for JSON."""
        return {**asdict(self), "steps": self.steps}


def find_rate(run: Run, *, lowest: float = LOWEST, highest: float = HIGHEST, steps: int = STEPS) -> RateSweep:
    """Sweep the learning rate over minibatches of a run's text, from its initial weights, which are restored.

    Optimiser, batch size, weight decay and clipping are those of the run; rate, schedule and averaging are not used.

    Args:
        run: a run that is not trained yet; it may be in memory.
        lowest: learning rate of the first step.
        highest: learning rate of the last step.
        steps: maximum number of minibatches; at least 20.

    Raises:
        ConfigError: an n-gram model, rates that are not 0 < lowest < highest, or too few steps.
        DomainError: the loss is not finite before the first step.
    Source: Smith 2017, "Cyclical Learning Rates for Training Neural Networks", arXiv:1506.01186, section 3.3, with the
        exponential rise of fastai and lecture 3.
    """
    config, model = run.config.train, run.network
    if config is None or model is None:
        raise ConfigError(
            f"a sweep needs a model that is trained step by step; {run.config.model} counts n-grams. Choose another."
        )
    if not (0 < lowest < highest < math.inf):
        raise ConfigError(
            f"a sweep must go from a rate above 0 to a higher one; got {lowest:g} to {highest:g}. "
            f"Leave them out for {LOWEST:g} to {HIGHEST:g}."
        )
    if steps < FEWEST:
        raise ConfigError(f"a sweep needs at least {FEWEST} steps; got {steps}. Leave it out for {STEPS}.")
    rates = np.geomspace(lowest, highest, steps)
    with threads_for(model, config.threads), np.errstate(over="ignore", invalid="ignore"):
        losses, ended = _sweep(model, run.network_data["train"], config, rates, run.batch_rng())
    if not losses:
        raise DomainError("the loss must be finite before the first step; it is not. Use smaller initial weights.")
    return read_sweep(
        rates[: len(losses)].tolist(), losses, ended, optimiser=config.optimiser, batch_size=config.batch_size
    )


def _sweep(
    model: NeuralModel, train: Dataset, config: TrainConfig, rates: FloatArray, rng: np.random.Generator
) -> tuple[list[float], Ended]:
    """Return the loss before each step, until it diverges, and why the sweep ended."""
    before = model.state_dict()
    flat = model.flat()
    optimiser, stepper = config.build(model), Stepper(model)
    model.set_rng(rng)
    probe = evenly(train, PROBE)
    targets = np.count_nonzero(probe.y != NOT_A_TARGET)
    losses: list[float] = []
    ended: Ended = "highest"
    for rate in rates.tolist():
        nats = float(model.nll(probe.x, probe.y).sum()) / targets
        if not math.isfinite(nats):
            ended = "not finite"
            break
        losses.append(nats)
        if nats > BURST * losses[0]:
            ended = "burst"
            break
        stepper.forward(train.sample(config.batch_size, rng))
        stepper.backward()
        if config.grad_clip is not None:
            clip_grad_norm(flat, config.grad_clip)
        optimiser.lr = rate
        optimiser.step()
    model.load_state_dict(before)
    flat.zero_grad()
    return losses, ended


def read_sweep(
    rates: Sequence[float], losses: Sequence[float], ended: Ended, *, optimiser: str, batch_size: int
) -> RateSweep:
    """Smooth the losses of a sweep, and suggest the rate at which they have reached nine tenths of their fall.

    There, in Smith's words, the gain slows, which makes it the peak of a schedule. The minimum itself is flat and
    varies (for a GPT it was at 0.01 with one seed and at 0.04 with another, and nine tenths of the fall at 0.005 with
    both), and the steepest fall comes early, since even a low rate lowers the initial loss fast.

    Args:
        rates: rising learning rates, at least one.
        losses: the finite loss at each rate, in nats per target.
        ended: why the sweep ended.
        optimiser: the name of the optimiser.
        batch_size: examples in each minibatch.
    """
    smoothed = _smooth(np.log10(rates), np.asarray(losses))
    suggestion, reason = _suggest(np.asarray(rates), smoothed, ended)
    return RateSweep(
        rates=tuple(rates), losses=tuple(losses), smoothed=tuple(smoothed.tolist()), ended=ended,
        suggestion=suggestion, reason=reason, optimiser=optimiser, batch_size=batch_size,
    )  # fmt: skip


def _smooth(places: FloatArray, losses: FloatArray) -> FloatArray:
    """Return each loss as a Gaussian-weighted mean of its neighbours on both sides, so that it does not lag."""
    capped = np.minimum(losses, BURST * losses[0])  # so that one huge loss does not dominate its neighbourhood
    weights = np.exp(-0.5 * ((places[:, None] - places) / WIDTH) ** 2)
    smoothed: FloatArray = weights @ capped / weights.sum(1)
    return smoothed


def _suggest(rates: FloatArray, smoothed: FloatArray, ended: Ended) -> tuple[float | None, str]:
    first, at = float(smoothed[0]), int(np.argmin(smoothed))
    low = float(smoothed[at])
    fall = first - low
    if fall < LEAST_FALL * first:
        if ended == "highest":
            return None, (
                f"No rate up to {rates[-1]:.2g} makes the loss fall by more than {LEAST_FALL:.0%} of {first:.2f} nats. "
                "Sweep to a higher rate."
            )
        return None, f"From a rate of {rates[0]:.2g} on, the loss only rises. Sweep from a lower rate."
    rate = float(rates[np.argmax(smoothed <= first - SHARE * fall)])
    end = {"burst": " and diverges at", "not finite": " and is not finite after", "highest": "; the sweep ends at"}[
        ended
    ]
    reason = (
        f"The loss falls from {first:.2f} to {low:.2f} nats at a rate of {rates[at]:.2g}{end} {rates[-1]:.2g}. "
        f"At {rate:.2g} it has reached {SHARE:.0%} of that fall; a higher rate gains little and risks divergence."
    )
    if at == len(rates) - 1 and ended == "highest":
        reason += " It was still falling at the end: sweep to a higher rate."
    return float(f"{rate:.2g}"), reason
