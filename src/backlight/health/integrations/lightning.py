"""A callback for Lightning's `Trainer`. Needs lightning, or pytorch_lightning where that is older."""

from collections.abc import Callable
from typing import Any

from lightning.pytorch import Callback

from backlight.health.integrations.session import Diagnosed, Session
from backlight.watch.schedule import EVERY


class Doctor(Diagnosed, Callback):  # type: ignore[misc]
    """Watches the training of a `LightningModule` and diagnoses it at the end.

        doctor = Doctor()
        lightning.Trainer(callbacks=[doctor]).fit(module, loader)
        doctor.diagnosis.findings

    A step is a step of the optimiser, also where gradients are accumulated; its loss is that of its last batch, as
    `training_step` returned it. The held-out loss is what the module logs as `monitor`. The training stays the same.

    Args:
        every: record every N-th step after the first ones; see `watch`.
        record_to: a file that the records are appended to; `backlight health FILE` reads it.
        monitor: name of the logged held-out loss.
        show: called with the diagnosis as text when the training ends; None for nothing.
    """

    def __init__(
        self, *, every: int = EVERY, record_to: Any = None, monitor: str = "val_loss",
        show: Callable[[str], Any] | None = print,
    ) -> None:  # fmt: skip
        super().__init__()
        self._session = Session(every=every, record_to=record_to, show=show)
        self._monitor = monitor
        self._taken = 0

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Begin to watch."""
        self._taken = trainer.global_step
        self._session.begin(pl_module, trainer.optimizers)

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Take in a step, if the optimiser has taken one."""
        del pl_module, batch, batch_idx
        if trainer.global_step == self._taken:
            return  # gradients are accumulated
        self._taken = trainer.global_step
        self._session.step(outputs.get("loss") if isinstance(outputs, dict) else outputs)

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        """Take in the loss on held-out data."""
        del pl_module
        if not trainer.sanity_checking:
            self._session.evaluated(trainer.callback_metrics.get(self._monitor))

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        """Stop watching and show the diagnosis."""
        del trainer, pl_module
        self._session.end()

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        """Stop watching, and leave nothing behind in the network."""
        del trainer, pl_module, exception
        self._session.close()
