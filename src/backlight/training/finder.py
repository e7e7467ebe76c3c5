"""The learning-rate finder: one short training in which the rate grows with every step, and what to read from it.

A rate that is too small changes nothing, one that is too large throws the weights away, and in between the loss falls.
So one sweep, a second or two, shows what a grid of trainings would. Which rate is then taken, and how that compares
with the best of a grid for eight networks, stands in docs/log.md.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

import numpy as np
from threadpoolctl import threadpool_limits

from backlight.core import NOT_A_TARGET, ConfigError, DomainError, FloatArray
from backlight.models.neural import NeuralModel
from backlight.optim import clip_grad_norm
from backlight.text import Dataset
from backlight.training.compiled_step import Stepper
from backlight.training.config import TrainConfig
from backlight.training.evaluate import evenly
from backlight.training.run import Run

Ended = Literal["highest", "burst", "not finite"]

LOWEST: Final = 1e-5
HIGHEST: Final = 10.0
STEPS: Final = 120
"""Twenty for each factor of ten. With more, training itself lowers the loss while the rate is still low, which makes
low rates look better than they are: with 300 steps instead of 100 from 1e-5 to 1, the default MLP's suggestion falls
from 0.0034 to 0.0017."""

FEWEST: Final = 20
"""Steps below which there is nothing to smooth."""

PROBE: Final = 1_000
"""The loss is measured on about this many targets of the training text, the same each time. Losses of minibatches
differ by more than a small rate gains: with 32 examples, the suggestion was from 0.05 to 0.17 by seed, and so from 0.11
to 0.14."""

BURST: Final = 2.0
"""The sweep ends when the loss is this many times the first."""

WIDTH: Final = 0.15
"""Standard deviation of the smoothing, in powers of ten of the rate."""

SHARE: Final = 0.9
"""How much of its fall the loss has made at the rate that is suggested."""

LEAST_FALL: Final = 0.01
"""A fall by a smaller share of the first loss is no fall."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RateSweep:
    """What a sweep of learning rates found.

    Attributes:
        rates: the rate of each step, rising by the same factor each time.
        losses: nats per target before each step, on the same targets of the training text each time; all finite.
        smoothed: the same as a mean over neighbouring rates.
        ended: why there were no more: "highest" rate reached, "burst" (twice the first loss), or a loss "not finite".
        suggestion: the rate to take as a schedule's highest, to two digits; None if no rate made the loss fall.
        reason: why, in a sentence with the numbers.
        optimiser: what stepped.
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
        """How many minibatches there were."""
        return len(self.rates)

    def to_json(self) -> dict[str, Any]:
        """Return plain values, fit for JSON."""
        return {**asdict(self), "steps": self.steps}


def find_rate(run: Run, *, lowest: float = LOWEST, highest: float = HIGHEST, steps: int = STEPS) -> RateSweep:
    """Sweep the learning rate over minibatches of a run's text, from its initial weights, which are put back.

    Optimiser, batch size, weight decay and clipping are the run's; its rate, schedule and averaging are not used.

    Args:
        run: text and network, not trained yet; it may be kept in memory.
        lowest: the first step's rate.
        highest: the last step's.
        steps: minibatches at most; at least 20.

    Raises:
        ConfigError: a model that counts, a range that does not rise from above 0, or too few steps.
        DomainError: the loss is not finite before the first step.
    Source: Smith 2017, "Cyclical Learning Rates for Training Neural Networks", arXiv:1506.01186, section 3.3, with the
        exponential rise of fastai and lecture 3.
    """
    config, model = run.config.train, run.model
    if config is None or not isinstance(model, NeuralModel):
        raise ConfigError(
            f"a learning rate is for what is trained step by step; {run.config.model} is counted. Choose another model."
        )
    if not (0 < lowest < highest < math.inf):
        raise ConfigError(
            f"a sweep rises from a rate above 0 to a higher one; got {lowest:g} to {highest:g}. "
            f"Leave them out for {LOWEST:g} to {HIGHEST:g}."
        )
    if steps < FEWEST:
        raise ConfigError(f"a sweep takes at least {FEWEST} steps; got {steps}. Leave it out for {STEPS}.")
    rates = np.geomspace(lowest, highest, steps)
    with threadpool_limits(config.threads), np.errstate(over="ignore", invalid="ignore"):
        losses, ended = _sweep(model, run.data["train"], config, rates, run.batch_rng())
    if not losses:
        raise DomainError("the loss must be finite before the first step; it is not. Take smaller first weights.")
    return read_sweep(
        rates[: len(losses)].tolist(), losses, ended, optimiser=config.optimiser, batch_size=config.batch_size
    )


def _sweep(
    model: NeuralModel, train: Dataset, config: TrainConfig, rates: FloatArray, rng: np.random.Generator
) -> tuple[list[float], Ended]:
    """Return each step's loss, until it bursts."""
    before = model.state_dict()
    flat = model.flat()
    optimiser, stepper = config.build(flat), Stepper(model)
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
    """Smooth a sweep's losses, and suggest the rate by which they have made nine tenths of their fall.

    That is where, in Smith's words, the gain slows: the highest rate of a schedule. The place of the minimum itself is
    a poor guide, as the valley is flat (a GPT's was at 0.01 with one seed and at 0.04 with another, and nine tenths of
    the fall at 0.005 with both), and the steepest fall comes early, since even a small rate lowers the first loss fast.

    Args:
        rates: rising, at least one.
        losses: as many, all finite.
        ended: why there are no more.
        optimiser: what stepped.
        batch_size: examples in each minibatch.
    """
    smoothed = _smooth(np.log10(rates), np.asarray(losses))
    suggestion, reason = _suggest(np.asarray(rates), smoothed, ended)
    return RateSweep(
        rates=tuple(rates), losses=tuple(losses), smoothed=tuple(smoothed.tolist()), ended=ended,
        suggestion=suggestion, reason=reason, optimiser=optimiser, batch_size=batch_size,
    )  # fmt: skip


def _smooth(places: FloatArray, losses: FloatArray) -> FloatArray:
    """Return each loss as a mean of its neighbours, weighted by a Gaussian of their distance: nothing lags behind."""
    capped = np.minimum(losses, BURST * losses[0])  # or one wild loss would reach far down
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
                "Sweep on, to a higher rate."
            )
        return None, f"From a rate of {rates[0]:.2g} on the loss only rises. Sweep from a lower one."
    rate = float(rates[np.argmax(smoothed <= first - SHARE * fall)])
    end = {"burst": "bursts", "not finite": "is no number any more", "highest": "is measured last"}[ended]
    reason = (
        f"The loss falls from {first:.2f} nats to {low:.2f} at a rate of {rates[at]:.2g} and {end} at {rates[-1]:.2g}. "
        f"At {rate:.2g} it has made {SHARE:.0%} of that fall: a larger rate gains little and risks much."
    )
    if at == len(rates) - 1 and ended == "highest":
        reason += " It was still falling at the end: sweep on, to a higher rate."
    return float(f"{rate:.2g}"), reason
