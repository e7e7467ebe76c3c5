"""How a network is trained: everything but the network and the text."""

import math
from dataclasses import dataclass
from typing import Final, Literal, get_args

from backlight.autograd.flat import FlatParameters
from backlight.core import ConfigError
from backlight.optim import SGD, AdamW, Constant, Optimiser, Schedule, StepDecay, WarmupCosine

OptimiserName = Literal["adamw", "sgd"]
ScheduleName = Literal["cosine", "step", "constant"]

MOST: Final = 1_000_000_000
"""The largest number of steps, examples or threads: more is a slip of the keyboard."""

_WAY_OUT = "Correct it, or leave it out for the model's default."


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Settings of a training run.

    Args:
        steps: how many minibatches.
        batch_size: examples in each, drawn with replacement.
        optimiser: "adamw" or "sgd".
        lr: learning rate at its highest.
        schedule: "cosine" falls to 0 after a linear warm-up; "step" falls to a tenth for the last quarter; "constant".
        warmup: steps of the cosine schedule's rise; more than there are leaves one step at the full rate.
        momentum: of SGD.
        weight_decay: on weight matrices; biases and gains are left alone.
        clip: largest global norm of the gradient; None does not clip.
        average: decay of an exponential average of the weights, which then is what is evaluated and kept; None
            keeps the weights themselves. 0.999 averages over about the last thousand steps.
        evaluate_every: steps between evaluations on the whole dev split; None makes it a twentieth of all steps.
        patience: stop after so many evaluations in a row without a new best; None trains to the end.
        threads: how many threads BLAS may use; part of the recipe since another number rounds sums differently.

    Raises:
        ConfigError: a setting outside its range, or momentum with an optimiser that has none.
    """

    steps: int
    batch_size: int
    lr: float
    optimiser: OptimiserName = "adamw"
    schedule: ScheduleName = "cosine"
    warmup: int = 0
    momentum: float = 0.0
    weight_decay: float = 0.0
    clip: float | None = None
    average: float | None = None
    evaluate_every: int | None = None
    patience: int | None = None
    threads: int = 1

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "threads", "evaluate_every", "patience"):
            count = getattr(self, name)
            if count is not None and not 1 <= count <= MOST:
                raise ConfigError(f"{name} must be from 1 to {MOST:,}; got {count}. {_WAY_OUT}")
        for name, names in (("optimiser", get_args(OptimiserName)), ("schedule", get_args(ScheduleName))):
            if (value := getattr(self, name)) not in names:
                raise ConfigError(f"{name} must be one of {', '.join(names)}; got {value!r}. {_WAY_OUT}")
        self._check_optimiser()
        if self.average is not None and not 0 < self.average < 1:
            raise ConfigError(f"average must be above 0 and below 1; got {self.average}. Try 0.999, or leave it out.")

    def _check_optimiser(self) -> None:
        for name in ("lr", "warmup", "weight_decay"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise ConfigError(f"{name} must be a finite number, 0 or more; got {value}. {_WAY_OUT}")
        if not 0 <= self.momentum < 1:
            raise ConfigError(f"momentum must be at least 0 and below 1; got {self.momentum}. Try 0.9.")
        if self.momentum and self.optimiser != "sgd":
            raise ConfigError(
                f"momentum is a setting of sgd; got momentum {self.momentum} with {self.optimiser}. "
                "Leave it out, or take the optimiser sgd."
            )
        if self.clip is not None and not self.clip > 0:
            raise ConfigError(f"clip must be above 0; got {self.clip}. Try 1, or leave it out.")

    @property
    def interval(self) -> int:
        """Steps from one evaluation to the next."""
        return self.evaluate_every or max(1, self.steps // 20)

    def rate(self) -> Schedule:
        """Return the learning rate as a function of the step."""
        match self.schedule:
            case "cosine":
                return WarmupCosine(lr=self.lr, steps=self.steps, warmup=min(self.warmup, self.steps - 1))
            case "step":
                return StepDecay(lr=self.lr, at=(self.steps * 3 // 4,))
            case "constant":
                return Constant(lr=self.lr)

    def build(self, parameters: FlatParameters) -> Optimiser:
        """Return the optimiser for these parameters."""
        if self.optimiser == "sgd":
            return SGD(parameters, self.lr, momentum=self.momentum, weight_decay=self.weight_decay, decay_vectors=False)
        # β₂ = 0.99 instead of 0.999: a run of a few thousand steps cannot wait a thousand for its second moments
        return AdamW(parameters, self.lr, betas=(0.9, 0.99), weight_decay=self.weight_decay, decay_vectors=False)


RECIPES: Final = {
    # one linear layer: convex, so a large rate is safe and few steps are enough
    "bigram": Recipe(steps=2_000, batch_size=1_024, lr=0.05, warmup=50),
    # few large batches rather than the lecture's 200,000 of 32: a matrix product of 256 rows costs far less than eight
    # of 32; the average of the last thousand steps' weights and the weight decay hold back what is learnt by heart
    "mlp": Recipe(steps=5_000, batch_size=256, lr=5e-3, warmup=100, weight_decay=0.07, average=0.998),
    # much decay: before batch norm the size of the weights changes nothing, and small weights keep the steps large
    "wavenet": Recipe(steps=10_000, batch_size=256, lr=5e-3, warmup=100, weight_decay=0.4, average=0.998),
    # 20 times through the names; twice the steps gain 0.005 nats. The norms before each sum and the clipping allow the
    # large rate
    "gpt": Recipe(steps=8_000, batch_size=64, lr=3e-3, warmup=200, weight_decay=0.1, clip=1.0),
    # twice the steps at half the batch reached a little less loss (docs/log.md); clipped, because a gradient through
    # many steps can burst (Pascanu, Mikolov & Bengio 2013, arXiv:1211.5063), a plain recurrence's most
    "rnn": Recipe(steps=10_000, batch_size=64, lr=2e-3, warmup=200, weight_decay=0.1, clip=1.0),
    "gru": Recipe(steps=10_000, batch_size=64, lr=3e-3, warmup=200, weight_decay=0.1, clip=1.0),
    "lstm": Recipe(steps=10_000, batch_size=64, lr=3e-3, warmup=200, weight_decay=0.1, clip=1.0),
}
"""The default for each kind of network. How they were found, and what did not help: docs/log.md."""
