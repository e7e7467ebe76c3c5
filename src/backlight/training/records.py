"""What the training loop reports."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar


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
        seconds: training time so far, including evaluations, and the time before the run was resumed.
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
class FirstLoss:
    """The loss before the first step beside that of a guess: lecture 4's rehearsal.

    Attributes:
        expected: ln V, what equal logits give, in nats per character.
        measured: on the dev split with the first weights; None where it is not known, as for what is counted.
    """

    TOLERANCE: ClassVar[float] = 0.1

    expected: float
    measured: float | None

    @classmethod
    def of(cls, vocabulary_size: int, metrics: Iterable[Mapping[str, Any]]) -> "FirstLoss":
        """Return it from a run's metrics."""
        first = (record["dev_nats"] for record in metrics if record.get("step") == 0 and "dev_nats" in record)
        return cls(expected=math.log(vocabulary_size), measured=next(first, None))

    @property
    def warning(self) -> str | None:
        """What it means that the two differ by more than a tenth, and what to do; None if they do not."""
        if self.measured is None or abs(self.measured - self.expected) <= self.TOLERANCE * self.expected:
            return None
        found = f"The initial loss should be that of a uniform guess, {self.expected:.2f}; it is {self.measured:.2f}."
        if self.measured < self.expected:
            return f"{found} The initial weights know something about the text already. Were they trained before?"
        return (
            f"{found} The first logits are overconfident, and the first steps are spent on unlearning that. "
            "Scale down the initial weights of the last layer."
        )

    def to_json(self) -> dict[str, Any]:
        """Return its entries of a run's result."""
        return {"expected_initial_nats": self.expected, "initial_nats": self.measured}


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where the loop is, a few times a second.

    Attributes:
        step: steps taken.
        steps: steps in all.
        loss: mean minibatch loss since the last evaluation, nats per character.
        dev_nats: the last evaluation's; None before the first.
        characters_per_second: targets trained on per second, since training was started or resumed.
        seconds_left: at that pace.
    """

    step: int
    steps: int
    loss: float
    dev_nats: float | None
    characters_per_second: float
    seconds_left: float
