"""A callback for Hugging Face's `Trainer`. Needs transformers."""

from collections.abc import Callable
from typing import Any

from transformers import TrainerCallback

from backlight.health.integrations.session import Diagnosed, Session
from backlight.watch.schedule import EVERY


class DoctorCallback(Diagnosed, TrainerCallback):  # type: ignore[misc]
    """Watches the training of a `Trainer` and diagnoses it at the end.

        doctor = DoctorCallback()
        Trainer(model=model, args=args, train_dataset=data, callbacks=[doctor]).train()
        doctor.diagnosis.findings

    A step is a step of the optimiser, also where gradients are accumulated; its loss is that of its last batch, as the
    model's output has it. It does not change the training.

    Args:
        every: record every N-th step after the first ones; see `watch`.
        record_to: a file that the records are appended to; `backlight health FILE` reads it.
        show: called with the diagnosis as text when the training ends; None for nothing.
    """

    def __init__(self, *, every: int = EVERY, record_to: Any = None, show: Callable[[str], Any] | None = print) -> None:
        self._session = Session(every=every, record_to=record_to, show=show)

    def close(self) -> None:
        """Stop watching: after an exception, which `Trainer` does not tell its callbacks of."""
        self._session.close()

    def on_train_begin(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        """Begin to watch."""
        del args, state, control
        optimiser = given.get("optimizer")
        self._session.begin(given["model"], [] if optimiser is None else [getattr(optimiser, "optimizer", optimiser)])
        self._session.take_losses_of(given["model"])

    def on_step_end(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        """Take in a step of the optimiser."""
        del args, state, control, given
        self._session.step()

    def on_evaluate(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        """Take in the loss on held-out data."""
        del args, state, control
        self._session.evaluated((given.get("metrics") or {}).get("eval_loss"))

    def on_train_end(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        """Stop watching and show the diagnosis."""
        del args, state, control, given
        self._session.end()
