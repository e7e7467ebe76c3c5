"""Whether a network learns: checks of gradients and rates depend on it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from backlight.core import FloatArray, IntArray
from backlight.health.thresholds import limit
from backlight.watch.records import Measurements, StepRecord


@dataclass(frozen=True, kw_only=True)
class LossTrend:
    """How the loss went, in nats per target for a classifier, in squared units for a regression.

    Attributes:
        steps: taken under watch.
        start: the first minibatch's loss.
        opening: mean over the first twentieth of the steps, of at least five.
        middle: mean over the second quarter of the steps.
        late: mean over the last quarter.
        noise: standard error of `late` - `middle`; nan where there are too few points.
        spread: standard deviation of the single losses of the last quarter.
        guess: the loss of a network that knows how often each target occurs and ignores its input; None if too few
            targets are known, or if the reported loss is something else than the mean over the targets. For a
            classifier, the entropy of the labels; for a regression, the targets' variance.
        usual_opening: lower quartile over the first twentieth of the steps, of at least five.
        usual_late: lower quartile over the last quarter.
        last_finite: where the loss is not finite in the end, the largest of the last three that were; else None.

    Losses that are not finite are left out of these means, unless most of the last quarter are such.
    """

    steps: int
    start: float
    opening: float
    middle: float
    late: float
    noise: float
    spread: float
    guess: float | None
    usual_opening: float = math.nan
    usual_late: float = math.nan
    last_finite: float | None = None

    @property
    def long_enough(self) -> bool:
        """Whether there were enough steps to judge how they went."""
        return self.steps >= limit("steps for a verdict")

    @property
    def learns(self) -> bool:
        """Whether the loss is well below that of guessing or, where that is not known, below its start."""
        return self._is_below_guessing(limit("margin below guessing"))

    @property
    def learns_little(self) -> bool:
        """Whether, after enough steps, the loss is hardly below that of guessing, or not at all."""
        return self.long_enough and not self._is_below_guessing(limit("margin of a network that learns well"))

    def _is_below_guessing(self, margin: float) -> bool:
        # without a guess, the opening; but a loss that has jumped up there and came down again has learnt nothing
        level = min(self.opening, self.start + self.spread) if self.guess is None else self.guess
        return math.isfinite(self.late) and self.late < level - margin * abs(level)

    @property
    def few_outweigh(self) -> bool:
        """Whether a few minibatches make most of the loss, and that of the others has become much smaller."""
        much = limit("fall of the usual loss")
        return self.spread > abs(self.late) and 0 <= self.usual_late < (1 - much) * self.usual_opening

    @property
    def fell(self) -> bool:
        """Whether the loss has fallen by more than it differs from minibatch to minibatch."""
        return self.opening - self.late > self.spread

    @property
    def falling(self) -> bool:
        """Whether the loss still falls, by more than chance would have it and enough to matter."""
        by_chance, that_matters = (
            limit("fall beyond chance") * self.noise,
            limit("fall that matters") * abs(self.middle),
        )
        return self.late < self.middle - max(by_chance, that_matters)

    @property
    def stuck(self) -> bool:
        """Whether, after enough steps, the loss is no better than guessing."""
        return self.long_enough and not self.learns


def progress_of(seen: Measurements) -> LossTrend | None:
    """Return how the loss went; None if no loss was reported, or none that was finite.

    It is the reported loss that counts, whatever it is made of. Only where most of what was reported is not finite and
    the cross-entropies of the logits are, as of a loss that smooths over classes that are masked, these take its place.
    """
    steps, losses = _reported(seen)
    if not losses:
        return None
    is_another = _is_another_loss(seen.steps)
    if not _mostly_finite(losses):
        own = _cross_entropies(seen.steps)
        if len(own[1]) > len(seen.steps) / 2 and _mostly_finite(own[1]):
            (steps, losses), is_another = own, False
        elif not any(map(math.isfinite, losses)):
            return None
    total = max(seen.total_steps, steps[-1] + 1)
    places = np.array(steps) / max(total - 1, 1)
    values = np.array(losses)
    late = values[places >= 0.75] if len(values) > 3 else values[-1:]
    middle = values[(places >= 0.25) & (places < 0.5)]
    errors = [float(np.var(part) / len(part)) if len(part) > 3 else math.nan for part in map(_finite, (middle, late))]
    ended = _mean(late if len(late) else values[-1:])
    opening = values[: max(5, len(values) // 20)]
    return LossTrend(
        steps=total,
        start=float(values[0]),
        opening=_mean(opening),
        usual_opening=_quartile(opening),
        usual_late=_quartile(late),
        middle=_mean(middle) if len(middle) else float(values[0]),
        late=ended,
        noise=math.sqrt(sum(errors)),
        spread=float(np.std(_finite(late))) if len(_finite(late)) else 0.0,
        guess=None if is_another else _guess(seen),
        last_finite=None if math.isfinite(ended) else float(max(_finite(values)[-3:], default=math.nan)),
    )


def _finite(values: FloatArray) -> FloatArray:
    return values[np.isfinite(values)]


def _quartile(values: FloatArray) -> float:
    """Return the lower quartile of the finite ones; nan if there are none."""
    finite = _finite(values)
    return float(np.quantile(finite, 0.25)) if len(finite) else math.nan


def _mean(values: FloatArray) -> float:
    """Return the mean of the finite ones; if they are fewer than the others, the mean of all, which is not finite."""
    finite = _finite(values)
    return float(np.mean(finite if len(finite) * 2 >= len(values) and len(finite) else values))


def _mostly_finite(losses: Sequence[float]) -> bool:
    return sum(map(math.isfinite, losses)) * 2 > len(losses)


def label_counts(seen: Measurements) -> IntArray | None:
    """Return how often each class was a target, over all recorded steps; None if the targets are not known."""
    counts = [record.logits.targets for record in seen.steps if record.logits and record.logits.targets]
    if not counts or len({len(one) for one in counts}) > 1:
        return None
    total: IntArray = np.sum(np.array(counts, np.int64), axis=0)
    return total


def _guess(seen: Measurements) -> float | None:
    counts = label_counts(seen)
    if counts is not None and counts.sum() >= limit("labels for their entropy"):
        seen_counts = counts[counts > 0]
        p = seen_counts / counts.sum()
        # the entropy of a sample is too small by about (classes - 1) / 2N: Miller 1955
        return float(-(p * np.log(p)).sum() + (len(p) - 1) / (2 * counts.sum()))
    moments = [(r.target_mean, r.target_std) for r in seen.steps if r.target_std is not None]
    known = [(mean, std) for mean, std in moments if mean is not None and std is not None]
    if not known:
        return None
    means, stds = np.array(known, np.float64).T
    return float(np.mean(stds**2) + np.var(means))


def _reported(seen: Measurements) -> tuple[list[int], list[float]]:
    if seen.losses:
        return [point.step for point in seen.losses], [point.loss for point in seen.losses]
    known = [(record.step, record.loss) for record in seen.steps if record.loss is not None]
    return [step for step, _ in known], [loss for _, loss in known]


def _cross_entropies(records: Sequence[StepRecord]) -> tuple[list[int], list[float]]:
    known = [
        (record.step, record.logits.nats) for record in records if record.logits and record.logits.nats is not None
    ]
    return [step for step, _ in known], [nats for _, nats in known]


def _is_another_loss(records: Sequence[StepRecord]) -> bool:
    """Return whether the reported loss is something else than the cross-entropy of the logits."""
    pairs = [
        (r.loss, r.logits.nats)
        for r in records
        if r.logits and r.logits.nats is not None and r.loss is not None and math.isfinite(r.loss)
    ]
    apart = [not math.isclose(loss, nats, rel_tol=0.05, abs_tol=0.01) for loss, nats in pairs]
    return bool(apart) and sum(apart) > len(apart) / 2
