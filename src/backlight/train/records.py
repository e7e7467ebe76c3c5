"""What the loop tells while it runs."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class LossRecord:
    """The loss of one minibatch.

    Attributes:
        step: how many steps had been taken when it was computed, so 0 for the first.
        loss: nats per target.
        lr: the learning rate of the step.
    """

    step: int
    loss: float
    lr: float

    def to_json(self) -> dict[str, Any]:
        """Return a line for metrics.jsonl."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """The loss on the whole dev split.

    Attributes:
        step: after how many steps.
        train_nats: mean minibatch loss since the evaluation before; None at step 0.
        dev_nats: nats per character of the dev split.
        best: whether no evaluation before was as good.
        lr: learning rate of the last step.
        seconds: training time so far, evaluations included, over all sittings.
        characters_per_second: targets trained on per second since the evaluation before; 0 at step 0.
    """

    step: int
    train_nats: float | None
    dev_nats: float
    best: bool
    lr: float
    seconds: float
    characters_per_second: float

    def to_json(self) -> dict[str, Any]:
        """Return a line for metrics.jsonl."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where the loop is, a few times a second.

    Attributes:
        step: steps taken.
        steps: steps in all.
        loss: mean minibatch loss since the last evaluation, nats per character.
        dev_nats: the last evaluation's; None before the first.
        characters_per_second: targets trained on per second in this sitting.
        seconds_left: at the pace of this sitting.
    """

    step: int
    steps: int
    loss: float
    dev_nats: float | None
    characters_per_second: float
    seconds_left: float
