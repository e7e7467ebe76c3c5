"""What the callbacks share: one watched training that never disturbs the training, and its diagnosis."""

import logging
from collections.abc import Callable, Iterable
from typing import Any

from backlight.core import BacklightError
from backlight.health.diagnosis import Diagnosis, diagnose
from backlight.watch.api import watch
from backlight.watch.records import Measurements
from backlight.watch.schedule import EVERY
from backlight.watch.watcher import Watcher

_LOG = logging.getLogger("backlight")


class Session:
    """One watched training.

    Args:
        every: record every N-th step after the first ones; see `watch`.
        record_to: a file that the records are appended to; None for none.
        show: called with the diagnosis as text when the training ends; None for nothing.
    """

    def __init__(self, *, every: int = EVERY, record_to: Any = None, show: Callable[[str], Any] | None = print) -> None:
        self._every, self._record_to, self._show = every, record_to, show
        self._watcher: Watcher | None = None
        self._remove: Callable[[], None] | None = None
        self._loss: Any = None
        self._is_open = False

    def begin(self, model: Any, optimisers: Iterable[Any]) -> None:
        """Begin to watch. A model that cannot be watched is trained all the same, and the log says why."""
        self.close()
        try:
            self._watcher = watch(
                model, optimiser=list(optimisers) or None, every=self._every, record_to=self._record_to
            )
            self._watcher.__enter__()
            self._is_open = True
        except (BacklightError, OSError) as error:
            self._watcher = None
            _LOG.warning("the training is not watched: %s", error)

    def take_losses_of(self, model: Any) -> None:
        """Take what the model's output calls its loss as the loss of the step, for who does not report it."""
        if self._watcher is not None:
            self._remove = model.register_forward_hook(self._on_output).remove

    def _on_output(self, module: Any, inputs: Any, output: Any) -> None:
        del inputs
        if module.training:
            found = output.get("loss") if isinstance(output, dict) else getattr(output, "loss", None)
            self._loss = found if found is not None and getattr(found, "numel", lambda: 0)() == 1 else self._loss

    def step(self, loss: Any = None) -> None:
        """Say that a step of the optimiser was taken."""
        if self._is_open and self._watcher is not None:
            self._watcher.step(self._loss if loss is None else loss)
        self._loss = None

    def evaluated(self, held_out: Any) -> None:
        """Say what the loss on held-out data is; None is passed over."""
        if self._is_open and self._watcher is not None and held_out is not None:
            self._watcher.evaluation(dev=float(held_out))

    def close(self) -> None:
        """Stop watching, and leave nothing behind in the network. What was measured stays."""
        if self._remove is not None:
            self._remove()
            self._remove = None
        if self._watcher is not None:
            self._watcher.close()
        self._is_open = False

    def end(self) -> None:
        """Stop watching and show the diagnosis."""
        if not self._is_open:
            return
        self.close()
        if self._show is not None:
            self._show(str(self.diagnosis))

    @property
    def measurements(self) -> Measurements | None:
        """What was measured; None before a training, and where the model could not be watched."""
        return None if self._watcher is None else self._watcher.measurements()

    @property
    def diagnosis(self) -> Diagnosis | None:
        """What the checks find in that."""
        seen = self.measurements
        return None if seen is None else diagnose(seen)


class Diagnosed:
    """A callback's results: those of its session."""

    _session: Session

    @property
    def measurements(self) -> Measurements | None:
        """What was measured; None before a training, and where the model could not be watched."""
        return self._session.measurements

    @property
    def diagnosis(self) -> Diagnosis | None:
        """What the checks find in that."""
        return self._session.diagnosis
