"""Records that the training loop reports."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class LossRecord:
    """The loss of one minibatch.

    Attributes:
        step: number of steps taken before it, so 0 for the first minibatch.
        loss: nats per character.
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
    """The loss on the dev split, or on evenly spaced targets of a large one (`Trainer.dev_targets`).

    Attributes:
        step: number of steps taken.
        train_nats: mean minibatch loss since the previous evaluation, in nats per character; None at step 0.
        dev_nats: loss on the dev split, in nats per character.
        best: whether it is better than all evaluations before it.
        lr: learning rate of the last step.
        seconds: training time so far, including evaluations and the time before the run was resumed.
        characters_per_second: targets trained on per second since the previous evaluation; 0 at step 0.
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
    """The loss before the first step, and that of a uniform guess, as lecture 4 compares them.

    Attributes:
        expected: ln V, the loss of equal logits, times the number of targets per character.
        measured: the loss on the dev split with the initial weights; None if unknown, as for an n-gram model.
    """

    TOLERANCE: ClassVar[float] = 0.1

    expected: float
    measured: float | None

    @classmethod
    def of(
        cls, vocabulary_size: int, metrics: Iterable[Mapping[str, Any]], *, per_character: float = 1.0
    ) -> "FirstLoss":
        """Return the first loss recorded in a run's metrics.

        Args:
            vocabulary_size: V.
            metrics: the records.
            per_character: number of targets per character.
        """
        first = (record["dev_nats"] for record in metrics if record.get("step") == 0 and "dev_nats" in record)
        return cls(expected=math.log(vocabulary_size) * per_character, measured=next(first, None))

    @property
    def warning(self) -> str | None:
        """The cause and remedy if the two losses differ by more than a tenth; None if they do not."""
        if self.measured is None or abs(self.measured - self.expected) <= self.TOLERANCE * self.expected:
            return None
        found = f"The initial loss should be that of a uniform guess, {self.expected:.2f}; it is {self.measured:.2f}."
        if self.measured < self.expected:
            return f"{found} The initial weights already predict the text. Were they trained before?"
        return (
            f"{found} The initial logits are overconfident, which the first steps have to undo. "
            "Scale down the initial weights of the last layer."
        )

    def to_json(self) -> dict[str, Any]:
        """Return the entries for a run's result."""
        return {"expected_initial_nats": self.expected, "initial_nats": self.measured}


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """The progress of a training, reported a few times a second.

    Attributes:
        step: number of steps taken.
        steps: total number of steps.
        loss: mean minibatch loss since the last evaluation, in nats per character.
        dev_nats: the best dev loss so far, in nats per character; None before the first evaluation.
        characters_per_second: targets trained on per second, since training was started or resumed.
        seconds_left: estimated time left, at that rate.
    """

    step: int
    steps: int
    loss: float
    dev_nats: float | None
    characters_per_second: float
    seconds_left: float
