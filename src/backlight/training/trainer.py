"""The training loop: minibatch, forward, backward, step, with evaluations on the dev split and checkpoints.

The result depends on the seed and the number of steps only, and not on time, printing or interruptions. So a resumed
run is bit-identical to an uninterrupted one.
"""

import math
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from backlight.core import Array, BacklightError, Batch, RunError
from backlight.core.settings import from_json
from backlight.models.neural import NeuralModel
from backlight.runs import RunStore
from backlight.runs.kept import keep
from backlight.text import Dataset, targets_per_character
from backlight.training.config import TrainConfig
from backlight.training.control import Control
from backlight.training.engine import EngineConfig
from backlight.training.engines import engine_of
from backlight.training.evaluate import CHUNK_TARGETS, evaluation_weights, evenly, mean_nll
from backlight.training.group import ALONE, ProcessGroup
from backlight.training.line import WatchedLine
from backlight.training.records import Evaluation, LossRecord, Progress
from backlight.training.run_watcher import RunWatcher
from backlight.training.sharded import ShardedCheckpoints
from backlight.training.state import TrainState
from backlight.watch.backlight_nn import BacklightAdapter
from backlight.watch.records import NonFinite, SplitFacts
from backlight.watch.watcher import Watcher

LOSS_RECORDS = 500
"""A run keeps about this many minibatch losses."""

EVALUATION_SHARE = 0.4
"""All evaluations together have at most this many targets for each target of training, or `FEWEST_DEV_TARGETS` each."""

FEWEST_DEV_TARGETS = 25_000
"""With this many targets, a loss is known to about 0.01 nats, and the difference of two models far better."""

LARGE = 125_000
SHARE_OF_LARGE, FEWEST_OF_LARGE = 0.1, 8_000
"""A dev split with more targets is sampled more sparsely, so that all evaluation takes a tenth of the time."""

UNITS_RECORDS = 40
"""The units on a line are recorded at about this many evaluations."""

PROGRESS_SECONDS = 0.1
PAUSE_SECONDS = 0.02
"""How often a training that is paused looks whether to go on."""

SAVE_SECONDS = 30.0
"""The longest time between two checkpoints."""


class DivergenceError(BacklightError):
    """The loss became infinite or nan."""


def _nothing(_: Any) -> None:
    """Do nothing with a report."""


@dataclass
class _Best:
    """The best evaluation so far."""

    dev_nats: float | None = None
    step: int = 0
    since: int = 0  # evaluations since then


@dataclass(kw_only=True)
class _Facts:
    """The contents of a checkpoint, without its arrays."""

    step: int
    rng: Mapping[str, Any]
    best: _Best
    loss_sum: float
    loss_count: int
    seconds: float
    lr: float | None = None


@dataclass
class Trainer:
    """Trains a network. It can resume where another Trainer stopped.

    Args:
        model: the network, with its initial weights.
        train: the examples to train on.
        dev: the examples to evaluate on.
        config: the training settings.
        rng: the random generator of the minibatches; its state is saved and restored.
        run: stores weights, checkpoint and metrics.
        watch_every: record every N-th step for `backlight health`, after the first few; None records nothing.
            Recording does not change the training: results are bit-identical.
        keep_checkpoints: keep at most this many checkpoints, evenly spaced over the evaluations; None keeps the last
            one only. It does not change the training either.
        split: the overlap of train and dev, which is recorded too.
        engine: what computes the steps.
        group: the processes that train together. All have a `Trainer` of the same arguments, but for their `run`: only
            that of rank 0 writes. They draw the same minibatches, and each computes its share.
        line: a line of text; what the network makes of it is recorded at each evaluation, if steps are.
        control: what others ask of the training; None for what is asked from here on.
        on_progress: called a few times a second.
        on_evaluation: called after each evaluation, while the network has the weights that were evaluated.
        on_pause: called with the step at which another process has asked for a pause; with None when training goes on.
    """

    model: NeuralModel
    train: Dataset
    dev: Dataset
    config: TrainConfig
    rng: np.random.Generator
    run: RunStore
    watch_every: int | None = None
    keep_checkpoints: int | None = None
    split: SplitFacts | None = None
    engine: EngineConfig = field(default_factory=EngineConfig)
    group: ProcessGroup = ALONE
    line: WatchedLine | None = None
    control: Control | None = None
    on_progress: Callable[[Progress], None] = _nothing
    on_evaluation: Callable[[Evaluation], None] = _nothing
    on_pause: Callable[[int | None], None] = _nothing

    def __post_init__(self) -> None:
        self.step = 0
        self._stop = self._agreed_stop = False  # asked of this process; known to all of the group
        self._agreed_save = False
        self._best = _Best()
        self._metrics: list[dict[str, Any]] = []
        self._loss_sum, self._loss_count, self._last_lr = 0.0, 0, self.config.lr
        self._seconds_before = 0.0  # before the run was resumed
        self._started = time.perf_counter()
        self._state = TrainState(self.model, self.config)
        self.lr = self.config.lr
        self._rate = self.config.rate()
        self._control = Control(self.run) if self.control is None else self.control
        self._pause_at: int | None = None
        self._asked_lr = 0.0  # by another process, of the group's next step; 0 for nothing
        self.model.set_rng(self.rng)
        self._engine = engine_of(
            self.engine, self._state, self.config, rng=self.rng, seed=self._seed(), group=self.group
        )
        parts = self._engine.parts
        self._sharded = None if parts is None else ShardedCheckpoints(self.run, parts, self.group)
        self._watcher: RunWatcher | None = None
        if self.watch_every is not None and self.group.rank == 0:
            self._watcher = RunWatcher(self._engine, every=self.watch_every, split=self.split, run=self.run)
        self.dev_targets = self._dev_targets()
        self._kept_every = self.config.kept_every(self.keep_checkpoints)
        self._units_every = self.config.kept_every(UNITS_RECORDS) or 1
        self._log_every = max(1, self.config.steps // LOSS_RECORDS)
        self._per_character = targets_per_character(self.train)
        per_example = self.train.characters / len(self.train)
        self._characters_a_step = self.config.batch_size * per_example

    def _seed(self) -> int:
        seed = self.run.config.get("seed")
        return seed if isinstance(seed, int) else 0

    def _dev_targets(self) -> int | None:
        """Return the number of dev targets of an evaluation; None for all of them.

        It depends on the configuration and the text only, not on time. A target costs about a third of what it costs
        in training.
        """
        evaluations = -(-self.config.steps // self.config.interval) + 1
        large = self.dev.targets > LARGE
        share, fewest = (SHARE_OF_LARGE, FEWEST_OF_LARGE) if large else (EVALUATION_SHARE, FEWEST_DEV_TARGETS)
        most = max(fewest, int(share * self.config.trained_on(self.train) / evaluations))
        return most if most < self.dev.targets else None

    # -- the loop ------------------------------------------------------------------------------------------------------

    def request_stop(self) -> None:
        """Make the loop save and return after its current step. Safe to call from a signal handler."""
        self._stop = True

    def fit(self) -> bool:
        """Train to the end. Returns True, or False if `request_stop` was called.

        Raises:
            DivergenceError: the loss of a minibatch or the dev loss became infinite or nan; the run keeps the best
                weights so far.
            RunError: a file cannot be written.
        """
        self._started = self._marked = self._shown = self._saved = time.perf_counter()
        self._first_step = self._marked_step = self.step
        if self.engine.engine != "native":
            with_whom = {"engine": self.engine.engine, "processes": self.group.size}
            self.run.append_change({"step": self.step, **with_whom})
        # NumPy need not warn of overflow: each loss is checked
        quietly = np.errstate(over="ignore", invalid="ignore")
        with self.group.together(), self._engine.running(), quietly, self._watcher or nullcontext():
            if self.step == 0 and self._best.dev_nats is None:
                self._evaluate()
            while not self.finished:
                self._train_step()
                if self.step % self.config.interval == 0 or self.step == self.config.steps:
                    self._evaluate()
                self._report()
                if self._pause_at is not None and self.step >= self._pause_at and not self.finished:
                    self._pause()
                if (self._stop if self.group.size == 1 else self._agreed_stop) and not self.finished:
                    self.save()
                    return False
            if self._sharded is not None:
                self._sharded.join()
        return True

    def _train_step(self) -> None:
        batch = self.train.minibatch(self.step, self.config.batch_size, self.rng)
        engine = self._engine
        if self._watcher is not None:
            self._watcher.before_step(batch.x)
        asked = float(self._stop), self._asked_lr, float(self._wants_to_save())
        nats, stops, lr, saves = self.group.sum(engine.forward(batch, self.step), *asked)
        self._agree(stop=stops > 0, lr=lr, save=saves > 0)
        if not math.isfinite(nats):
            self._diverged(nats, batch)
        if self._watcher is not None:
            self._watcher.before_backward()
        engine.backward()
        lr = self._rate(self.step)
        engine.update(lr, self._ema_decay())
        if self._watcher is not None:
            self._watcher.after_step(nats, engine.end)
        if self.step % self._log_every == 0:
            self._metrics.append(LossRecord(step=self.step, loss=nats * self._per_character, lr=lr).to_json())
        self._loss_sum += nats * self._per_character
        self._loss_count += 1
        self._last_lr = lr
        self.step += 1

    def _ema_decay(self) -> float | None:
        if self.config.ema_decay is None:
            return None
        # at first the mean of about the last fifth of the steps so far, which soon forgets the first weights
        return min(self.config.ema_decay, self.step / (self.step + 5))

    def _diverged(self, nats: float, batch: Batch) -> None:
        self.run.save_metrics(self._metrics)
        self._engine.pull()
        own = self._watcher if self._watcher is not None and not self._engine.calls_modules else None
        first = (own or Watcher(BacklightAdapter(self.model))).locate(lambda: self.model.loss(batch))
        if self._watcher is not None:
            self._watcher.note_nonfinite(first)
        kept = (
            f"The weights of step {self._best.step} (dev {self._best.dev_nats:.4f}) are kept in {self.run.name}."
            if self._best.dev_nats is not None
            else f"Nothing was kept in {self.run.name}."
        )
        raise DivergenceError(
            f"the loss must stay finite; it became {nats} at step {self.step} with learning rate "
            f"{self._rate(max(self.step - 1, 0)):.2g}: {_described(first, self.model)}. {kept} "
            "Try a smaller learning rate (backlight find-lr finds one), or grad_clip 1."
        )

    # -- what other processes ask --------------------------------------------------------------------------------------

    def _obey(self) -> None:
        """Do what other processes ask."""
        request = self._control.news()
        if request is None:
            return
        self._pause_at, self._stop = request.pause_at, self._stop or request.stop
        if request.lr is not None and request.lr != self.lr:
            if self.group.size == 1:
                self._change_lr(request.lr)
                self.save()
            else:
                self._asked_lr = request.lr

    def _agree(self, *, stop: bool, lr: float, save: bool) -> None:
        """Do what was asked of one process of the group, in all of them at the same step."""
        self._agreed_stop, self._agreed_save = stop, save
        if lr:
            self._asked_lr = 0.0
            self._change_lr(lr)

    def _wants_to_save(self) -> bool:
        """Return whether the process that writes wants all to save after this step: it is time, or before a pause."""
        is_time = time.perf_counter() - self._saved > SAVE_SECONDS
        pauses = self._pause_at is not None and self.step + 1 >= self._pause_at
        return self.group.rank == 0 and (is_time or pauses)

    def _change_lr(self, lr: float) -> None:
        self._set_lr(lr)
        self.run.append_change({"step": self.step, "lr": self.lr})

    def _set_lr(self, lr: float) -> None:
        self.lr = lr
        self._rate = replace(self.config, lr=lr).rate()

    def _pause(self) -> None:
        """Save, and wait until another process asks for more steps. A group first saves together, after a step more."""
        if self.group.size > 1 and not self._agreed_save:
            return
        began = time.perf_counter()
        if self.group.size == 1:
            self.save()
        self._control.tell(paused=True, step=self.step)
        self.on_pause(self.step)
        while not self._stop and self._pause_at is not None and self.step >= self._pause_at:
            time.sleep(PAUSE_SECONDS)
            self._obey()
        waited = time.perf_counter() - began
        self._started, self._marked = self._started + waited, self._marked + waited
        self._control.tell(paused=False, step=self.step)
        if not self._stop:
            self.on_pause(None)

    @property
    def out_of_patience(self) -> bool:
        """Whether `patience` evaluations in a row brought no improvement."""
        return self.config.patience is not None and self._best.since >= self.config.patience

    @property
    def finished(self) -> bool:
        """Whether training is complete: all steps are taken, or `patience` is exhausted."""
        return self.out_of_patience or self.step >= self.config.steps

    # -- evaluating and saving -----------------------------------------------------------------------------------------

    def _evaluate(self) -> None:
        state = self._state
        self._engine.pull()
        with evaluation_weights(self.model, state.flat, state.ema, self.train):
            evaluator = self._engine.evaluator(self.model)
            dev_nats = mean_nll(self.model, self.dev, at_most=self.dev_targets, evaluator=evaluator, group=self.group)
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
                lr=self._last_lr,
                seconds=self._elapsed(),
                characters_per_second=pace,
            )
            self._metrics.append(record.to_json())
            if self._watcher is not None:
                of_target = 1 / self._per_character  # as the losses that it sees
                train_nats = None if record.train_nats is None else record.train_nats * of_target
                self._watcher.evaluation(dev=dev_nats * of_target, train=train_nats)
                if self.line is not None:
                    units = self.step % self._units_every == 0 or self.step == self.config.steps
                    self._watcher.text(self.line.record(self.step, units=units))
            self._loss_sum, self._loss_count = 0.0, 0
            self._marked, self._marked_step = now, self.step
            if best and self.group.rank == 0:
                self.run.save_weights(self.model.state_dict(), {"step": self.step, "dev_nats": dev_nats})
            self.on_evaluation(record)
        self.save(keeping=self.step > 0 and self._kept_every is not None and self.step % self._kept_every == 0)

    def save(self, *, keeping: bool = False) -> None:
        """Write everything on which the next step depends, so that training resumes bit for bit.

        Args:
            keeping: also keep this checkpoint when later ones are written.

        Raises:
            RunError: a file cannot be written.
        """
        if self.group.rank and self._sharded is None:
            return
        self.run.save_metrics(self._metrics)
        if self._sharded is not None:
            buffers = {f"buffer.{name}": buffer.array for name, buffer in self.model.named_buffers()}
            self._sharded.save(buffers, asdict(self._facts()), keep_at=self.step if keeping else None)
            self._saved = time.perf_counter()
            return
        self._engine.pull()
        arrays = self._state.arrays()
        if self._watcher is not None:
            arrays |= {f"watch.{name}": array for name, array in self._watcher.state_dict().items()}
        facts = asdict(self._facts())
        if keeping:  # before the checkpoint: a training that is killed in between comes by here again
            keep(self.run, self.step, arrays, facts)
        self.run.save_checkpoint(arrays, facts)
        self._saved = time.perf_counter()

    def _facts(self) -> _Facts:
        return _Facts(
            step=self.step, rng=self.rng.bit_generator.state, best=self._best, loss_sum=self._loss_sum,
            loss_count=self._loss_count, seconds=self._elapsed(), lr=None if self.lr == self.config.lr else self.lr,
        )  # fmt: skip

    def restore(self) -> None:
        """Restore the state that `save` wrote last.

        Raises:
            RunError: there is no checkpoint, or it is damaged or belongs to another model.
        """
        divided = None if self._sharded is None else self._sharded.load()
        arrays, facts = ({}, divided) if divided is not None else self.run.load_checkpoint()
        watched = {name.removeprefix("watch."): arrays.pop(name) for name in list(arrays) if name.startswith("watch.")}
        try:
            self._restore(arrays, facts)
        except (KeyError, TypeError, ValueError) as error:
            reason = f"there is no {error}" if isinstance(error, KeyError) else str(error).rstrip(".")
            raise RunError(
                f"a checkpoint must belong to its run; that of {self.run.name} does not: {reason}. "
                "Restore the right one, or start a new run."
            ) from error
        # the metrics may be newer than the checkpoint; later records are written again
        self._metrics = [record for record in self.run.load_metrics() if written_before(record, self.step)]
        if self._watcher is not None:
            self._watcher.restore(self.step, watched)

    def _restore(self, arrays: dict[str, Array], facts: dict[str, Any]) -> None:
        state = from_json(_Facts, facts)
        if not 0 <= state.step <= self.config.steps:
            raise RunError(f"its step is {state.step}, of {self.config.steps}")
        if arrays:  # otherwise the engine has read its parts
            self._state.load(arrays)
            self._engine.push()
        self.rng.bit_generator.state = state.rng
        self.step, self._best, self._seconds_before = state.step, state.best, state.seconds
        self._loss_sum, self._loss_count = state.loss_sum, state.loss_count
        if state.lr is not None:
            self._set_lr(state.lr)

    @property
    def best_step(self) -> int:
        """The step of the best evaluation so far, whose weights are saved."""
        return self._best.step

    @property
    def seconds(self) -> float:
        """Training time so far, including the time before the run was resumed."""
        return self._elapsed()

    def _elapsed(self) -> float:
        return self._seconds_before + time.perf_counter() - self._started

    def _report(self) -> None:
        now = time.perf_counter()
        if self._agreed_save if self.group.size > 1 else now - self._saved > SAVE_SECONDS:
            self.save()
        if now - self._shown < PROGRESS_SECONDS:
            return
        self._shown = now
        self._obey()
        taken = self.step - self._first_step
        seconds_a_step = (now - self._started) / taken
        self.on_progress(
            Progress(
                step=self.step,
                steps=self.config.steps,
                loss=self._loss_sum / max(self._loss_count, 1),
                dev_nats=self._best.dev_nats,
                characters_per_second=self._characters_a_step / seconds_a_step,
                seconds_left=(self.config.steps - self.step) * seconds_a_step,
            )
        )


def written_before(record: Mapping[str, Any], step: int) -> bool:
    """Return whether a record of the metrics was written before step `step` was taken."""
    is_evaluation = "dev_nats" in record
    return bool(record["step"] <= step if is_evaluation else record["step"] < step)


def _described(first: NonFinite, model: NeuralModel) -> str:
    """Describe where a non-finite number first occurred."""
    arrays = {name: parameter.array for name, parameter in model.named_parameters()}
    broken = [name for name, array in arrays.items() if not np.isfinite(array).all()]
    if broken:  # gradients flow back from the loss, so the parameter nearest to it was the first
        return f"{len(broken)} of {len(arrays)} parameters are not finite; the one nearest to the loss is {broken[-1]}"
    largest, name = max((float(np.abs(array).max()), name) for name, array in arrays.items())
    where = "the loss is not finite" if first.where == "loss" else f"the output of {first.where} is not finite"
    return f"{where}; the largest weight is {largest:.2g}, in {name}"
