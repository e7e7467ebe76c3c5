"""The loop: minibatch, forward, backward, step; now and then a look at the dev split, and everything saved.

What happens depends on the seed and the step alone: never on the time, on what is printed, or on how often the loop was
stopped. So a run that was interrupted ends with the same bits as one that was not.
"""

import math
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from backlight.core import Array, BacklightError, Batch, FloatArray, RunError
from backlight.models.neural import NeuralModel
from backlight.nn import former_names
from backlight.optim import clip_grad_norm, update_ema
from backlight.runs import RunDirectory
from backlight.text import Dataset
from backlight.training.compiled_step import Stepper
from backlight.training.evaluate import CHUNK_TARGETS, evenly, mean_nll
from backlight.training.judging import judged
from backlight.training.postmortem import where_it_broke
from backlight.training.recipe import Recipe
from backlight.training.records import Evaluation, LossRecord, Progress
from backlight.training.run_watcher import RunWatcher
from backlight.watch.records import SplitFacts

LOSS_RECORDS = 500
"""About how many minibatch losses a run keeps."""

PROGRESS_SECONDS = 0.1
SAVE_SECONDS = 30.0
"""A run with long intervals between evaluations is saved at least this often."""


class DivergenceError(BacklightError):
    """The loss is not a number any more."""


def _nothing(_: Any) -> None:
    """Listen to nothing."""


@dataclass
class _Best:
    """The best evaluation so far."""

    dev_nats: float | None = None
    step: int = 0
    since: int = 0  # evaluations since then


@dataclass
class Trainer:
    """Trains a network, and can go on where another Trainer stopped.

    Args:
        model: the network, with its first weights.
        train: what it learns from.
        dev: what it is judged by.
        recipe: how.
        rng: draws the minibatches; its state is saved and restored.
        run: where everything is kept.
        watch_every: from how many steps one is recorded for `backlight health`, once the first few are over; None
            records nothing. Recording changes no bit of what is learnt.
        split: what train and dev have in common; recorded too.
        on_progress: called a few times a second.
        on_evaluation: called after each evaluation, with the weights that were evaluated in place.
    """

    model: NeuralModel
    train: Dataset
    dev: Dataset
    recipe: Recipe
    rng: np.random.Generator
    run: RunDirectory
    watch_every: int | None = None
    split: SplitFacts | None = None
    on_progress: Callable[[Progress], None] = _nothing
    on_evaluation: Callable[[Evaluation], None] = _nothing

    def __post_init__(self) -> None:
        self.step = 0
        self._stop = False
        self._best = _Best()
        self._metrics: list[dict[str, Any]] = []
        self._loss_sum, self._loss_count = 0.0, 0
        self._seconds_before = 0.0  # in earlier sittings
        self._started = time.perf_counter()
        self._flat = self.model.flat()
        self._optimiser = self.recipe.build(self._flat)
        self._rate = self.recipe.rate()
        self.model.set_rng(self.rng)
        self._stepper = Stepper(self.model)
        self._watcher: RunWatcher | None = None
        if self.watch_every is not None:
            self._watcher = RunWatcher(
                self.model, optimiser=self._optimiser, every=self.watch_every, split=self.split, run=self.run
            )
        self._average: FloatArray | None = None if self.recipe.average is None else self._flat.data.copy()
        self._log_every = max(1, self.recipe.steps // LOSS_RECORDS)
        per_example = self.train.targets / len(self.train)
        self._characters_a_step = self.recipe.batch_size * per_example

    # -- the loop ------------------------------------------------------------------------------------------------------

    def request_stop(self) -> None:
        """Ask the loop to save and return after the step that it is in. Safe to call from a signal handler."""
        self._stop = True

    def fit(self) -> bool:
        """Train to the end of the recipe. Returns whether it was reached: False after `request_stop`.

        Raises:
            DivergenceError: a minibatch's loss or the dev loss became infinite or not a number; the best weights so far
                stay in the run.
            RunError: the disk refused.
        """
        self._started = self._marked = self._shown = self._saved = time.perf_counter()
        self._first_step = self._marked_step = self.step
        # no warning from NumPy for what overflows: each loss is checked
        quietly = np.errstate(over="ignore", invalid="ignore")
        with threadpool_limits(self.recipe.threads), quietly, self._watcher or nullcontext():
            if self.step == 0 and self._best.dev_nats is None:
                self._evaluate()
            while not self.finished:
                self._train_step()
                if self.step % self.recipe.interval == 0 or self.step == self.recipe.steps:
                    self._evaluate()
                if self._stop and not self.finished:
                    self.save()
                    return False
                self._tell()
        return True

    def _train_step(self) -> None:
        batch = self.train.sample(self.recipe.batch_size, self.rng)
        optimiser = self._optimiser
        if self._watcher is not None:
            self._watcher.before_step(batch.x)
        nats = self._stepper.forward(batch)
        optimiser.lr = self._rate(self.step)
        if not math.isfinite(nats):
            self._diverged(nats, batch)
        if self._watcher is not None:
            self._watcher.before_backward()
        self._stepper.backward()
        if self.recipe.clip is not None:
            clip_grad_norm(self._flat, self.recipe.clip)
        optimiser.step()
        if self._watcher is not None:
            self._watcher.after_step(nats, self._stepper.end)
        if self._average is not None:
            self._move_average()
        if self.step % self._log_every == 0:
            self._metrics.append(LossRecord(step=self.step, loss=nats, lr=optimiser.lr).to_json())
        self._loss_sum += nats
        self._loss_count += 1
        self.step += 1

    def _move_average(self) -> None:
        assert self._average is not None  # noqa: S101  (only called with an average)
        assert self.recipe.average is not None  # noqa: S101
        # at first a plain mean of all steps so far, so that the first random weights do not linger
        decay = min(self.recipe.average, self.step / (self.step + 1))
        update_ema(self._average, self._flat.data, decay)

    def _diverged(self, nats: float, batch: Batch) -> None:
        self.run.save_metrics(self._metrics)
        if self._watcher is not None:
            self._watcher.note_nonfinite(self._watcher.locate(lambda: self.model.loss(batch)))
        kept = (
            f"The weights of step {self._best.step} (dev {self._best.dev_nats:.4f}) are kept in {self.run.path}."
            if self._best.dev_nats is not None
            else f"Nothing was kept in {self.run.path}."
        )
        raise DivergenceError(
            f"the loss must stay finite; it became {nats} at step {self.step} with learning rate "
            f"{self._rate(max(self.step - 1, 0)):.2g}: {where_it_broke(self.model, batch)}. {kept} "
            "Try a smaller --lr (backlight find-lr finds one), or --clip 1."
        )

    @property
    def finished(self) -> bool:
        """Whether there is nothing left to do: all steps taken, or patience at its end."""
        out_of_patience = self.recipe.patience is not None and self._best.since >= self.recipe.patience
        return out_of_patience or self.step >= self.recipe.steps

    # -- looking and saving --------------------------------------------------------------------------------------------

    def _evaluate(self) -> None:
        with judged(self.model, self._flat, self._average, self.train):
            dev_nats = mean_nll(self.model, self.dev)
            now = time.perf_counter()
            if not math.isfinite(dev_nats):
                self._diverged(dev_nats, evenly(self.dev, CHUNK_TARGETS))
            best = self._best.dev_nats is None or dev_nats < self._best.dev_nats
            since = self._best.since + 1
            self._best = _Best(dev_nats, self.step) if best else replace(self._best, since=since)
            pace = (self.step - self._marked_step) * self._characters_a_step / max(now - self._marked, 1e-9)
            record = Evaluation(
                step=self.step,
                train_nats=self._loss_sum / self._loss_count if self._loss_count else None,
                dev_nats=dev_nats,
                best=best,
                lr=self._optimiser.lr,
                seconds=self._elapsed(),
                characters_per_second=pace,
            )
            self._metrics.append(record.to_json())
            if self._watcher is not None:
                self._watcher.evaluation(dev=dev_nats, train=record.train_nats)
            self._loss_sum, self._loss_count = 0.0, 0
            self._marked, self._marked_step = now, self.step
            if best:
                self.run.save_weights(self.model.state_dict(), {"step": self.step, "dev_nats": dev_nats})
            self.on_evaluation(record)
        self.save()

    def save(self) -> None:
        """Write everything that the next step depends on, so that `restore` continues with the same bits."""
        self.run.save_metrics(self._metrics)
        arrays: dict[str, Array] = {"parameters": self._flat.data}
        if self._average is not None:
            arrays["average"] = self._average
        arrays |= {f"buffer.{name}": buffer.array for name, buffer in self.model.named_buffers()}
        arrays |= {f"optimiser.{name}": array for name, array in self._optimiser.state_dict().items()}
        if self._watcher is not None:
            arrays |= {f"watch.{name}": array for name, array in self._watcher.state_dict().items()}
        facts: dict[str, Any] = {
            "step": self.step,
            "rng": self.rng.bit_generator.state,
            "best": {"dev_nats": self._best.dev_nats, "step": self._best.step, "since": self._best.since},
            "loss_sum": self._loss_sum,
            "loss_count": self._loss_count,
            "seconds": self._elapsed(),
        }
        self.run.save_checkpoint(arrays, facts)
        self._saved = time.perf_counter()

    def restore(self) -> None:
        """Take the state that `save` wrote last.

        Raises:
            RunError: there is no checkpoint, or it is damaged or of another model.
        """
        arrays, facts = self.run.load_checkpoint()
        if arrays["parameters"].shape != self._flat.data.shape:
            raise RunError(
                f"a checkpoint must belong to its run's model, of {self._flat.data.size:,} parameters; that of "
                f"{self.run.path} has {arrays['parameters'].size:,}. Put the right one back, or start a new run."
            )
        self._flat.data[...] = arrays.pop("parameters")
        current = {f"buffer.{former}": f"buffer.{name}" for former, name in former_names(self.model).items()}
        arrays = {current.get(name, name): array for name, array in arrays.items()}
        if self._average is not None:
            self._average[...] = arrays.pop("average")
        for name, buffer in self.model.named_buffers():
            buffer.array[...] = arrays.pop(f"buffer.{name}")
        watched = {name: arrays.pop(name) for name in list(arrays) if name.startswith("watch.")}
        prefix = "optimiser."
        self._optimiser.load_state_dict({name.removeprefix(prefix): array for name, array in arrays.items()})
        self.step = facts["step"]
        self.rng.bit_generator.state = facts["rng"]
        self._best = _Best(**facts["best"])
        self._loss_sum, self._loss_count = facts["loss_sum"], facts["loss_count"]
        self._seconds_before = facts["seconds"]
        # the metrics may be newer than the checkpoint: what came after it will come again
        records = self.run.load_metrics()
        if not all(isinstance(record.get("step"), int) for record in records):
            raise RunError(
                f"each line of metrics.jsonl must tell its step; one of {self.run.path} does not. "
                "Delete that file to go on without what it held."
            )
        self._metrics = [record for record in records if _before(record, self.step)]
        if self._watcher is not None:
            self._watcher.restore(self.step, {name.removeprefix("watch."): one for name, one in watched.items()})

    @property
    def best_step(self) -> int:
        """After how many steps the kept weights were reached."""
        return self._best.step

    @property
    def seconds(self) -> float:
        """Training time so far, over all sittings."""
        return self._elapsed()

    def _elapsed(self) -> float:
        return self._seconds_before + time.perf_counter() - self._started

    def _tell(self) -> None:
        now = time.perf_counter()
        if now - self._saved > SAVE_SECONDS:
            self.save()
        if now - self._shown < PROGRESS_SECONDS:
            return
        self._shown = now
        taken = self.step - self._first_step
        seconds_a_step = (now - self._started) / taken
        self.on_progress(
            Progress(
                step=self.step,
                steps=self.recipe.steps,
                loss=self._loss_sum / max(self._loss_count, 1),
                dev_nats=self._best.dev_nats,
                characters_per_second=self._characters_a_step / seconds_a_step,
                seconds_left=(self.recipe.steps - self.step) * seconds_a_step,
            )
        )


def _before(record: dict[str, Any], step: int) -> bool:
    """Return whether a line of metrics was written by the time that `step` steps had been taken."""
    is_evaluation = "dev_nats" in record
    return bool(record["step"] <= step if is_evaluation else record["step"] < step)
