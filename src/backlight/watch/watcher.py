"""What every watcher does, whatever it watches: counts steps, says which are recorded, keeps what was told."""

from abc import ABC, abstractmethod
from dataclasses import replace
from types import TracebackType
from typing import Any, ClassVar, Literal, Self

from backlight.core import ConfigError
from backlight.watch.keeping import Kept, LossSeries, wanted
from backlight.watch.records import EvaluationPoint, Measurements, NonFinite, Probe, SplitFacts, StepRecord

EVERY = 20
"""From how many steps one is recorded, once the first few are over, unless the user says otherwise."""


class Sealed(ABC):
    """A step's measurements, as yet in the arrays that they were computed in: taking numbers out of them costs time."""

    def __init__(self, step: int) -> None:
        self.step = step
        self._record: StepRecord | None = None

    def record(self) -> StepRecord:
        """Return them as a record."""
        if self._record is None:
            self._record = self._opened()
        return self._record

    @abstractmethod
    def _opened(self) -> StepRecord:
        """Take the numbers out."""


class Watcher(ABC):
    """Watches a network learn; see `backlight.health.watch`.

    Args:
        model: the name of the network's class.
        every: from how many steps one is recorded, once the first few are over.
    """

    framework: ClassVar[Literal["backlight", "torch"]]

    def __init__(self, model: str, *, every: int) -> None:
        if every < 1:
            raise ConfigError(f"every is from how many steps one is recorded, 1 or more; got {every}.")
        self.model_name = model
        self.every = every
        self.taken = 0
        self._kept: Kept[Sealed] = Kept(every)
        self._losses = LossSeries()
        self._evaluations: list[EvaluationPoint] = []
        self._probes: list[Probe] = []
        self._split: SplitFacts | None = None
        self._first_nonfinite: NonFinite | None = None
        self._recording = False
        self._watching = False

    def __enter__(self) -> Self:
        self._watching = True
        self._start()
        self._prepare()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop watching and leave nothing behind in the network. What was measured stays. May be called twice."""
        if self._watching:
            try:
                self._stop()
            finally:
                self._watching = False

    def step(self, loss: Any = None) -> None:
        """Tell that a training step is over, after the optimiser's step.

        Args:
            loss: the minibatch's loss, just as it was computed, with its graph: how it was made of the model's output
                is read from that. A plain number says less, None nothing.
        """
        if not self._watching:
            raise ConfigError("step() is told inside `with watch(model) as watcher:`; this watcher is not watching.")
        value = self._value(loss)
        if self._recording:
            self._kept.add(self._seal(loss, value))
        else:
            self._pass_over(loss, value)
        self._losses.add(value)
        self.taken += 1
        self._prepare()

    def evaluation(self, *, dev: float, train: float = float("nan")) -> None:
        """Tell the loss on data that the training does not see, and that on the training data if it is known."""
        self._evaluations.append(EvaluationPoint(step=self.taken, dev=float(dev), train=float(train)))

    def split(self, facts: SplitFacts) -> None:
        """Tell what the training data and the data held out have in common; see `backlight.health.compare_splits`."""
        self._split = facts

    def measurements(self) -> Measurements:
        """Return everything that was measured so far."""
        return replace(
            self._facts(),
            interval=self.every,
            total_steps=self.taken,
            steps=tuple(sealed.record() for sealed in self._kept),
            losses=self._losses.points(),
            evaluations=tuple(self._evaluations),
            split=self._split,
            probes=tuple(self._probes),
            first_nonfinite=self._first_nonfinite,
        )

    def _prepare(self) -> None:
        self._recording = wanted(self.taken, self.every)
        if self._recording:
            self._begin()
        else:
            self._rest()

    @abstractmethod
    def _start(self) -> None:
        """Attach what watches all steps."""

    @abstractmethod
    def _stop(self) -> None:
        """Detach everything."""

    @abstractmethod
    def _begin(self) -> None:
        """Make ready for a step that is recorded."""

    @abstractmethod
    def _rest(self) -> None:
        """Make ready for a step that is not."""

    @abstractmethod
    def _seal(self, loss: Any, value: float) -> Sealed:
        """Measure the recorded step that is over."""

    @abstractmethod
    def _pass_over(self, loss: Any, value: float) -> None:
        """Look at a step that is not recorded."""

    @abstractmethod
    def _value(self, loss: Any) -> float:
        """Return a loss as a number; nan for None."""

    @abstractmethod
    def _facts(self) -> Measurements:
        """Return what is known of the network besides its steps."""
