"""The watcher of a run's training, and its record stream in the run."""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from backlight.core import Array, DataError, RunError
from backlight.runs import RunStore
from backlight.training.engine import Engine
from backlight.watch.passes import named_inputs
from backlight.watch.records import EvaluationPoint, LossPoint, Measurements, NonFinite, SplitFacts
from backlight.watch.stream import line_of, network_of, records_of
from backlight.watch.stream_reader import kept_bytes, parse
from backlight.watch.watcher import Watcher


class RunWatcher(Watcher):
    """Watches the training of a run. Recording does not change the training: results are bit-identical.

    Of Backlight's own network, hooks are attached during recorded steps only. All other steps and the evaluations are
    computed by compiled programs, which call no modules and so no hooks. A network of PyTorch's is watched as anywhere.

    Args:
        engine: what computes the steps.
        every: record every N-th step after the first few.
        split: the overlap of train and dev; None if it is not known.
        run: the run that stores the stream.
    """

    def __init__(self, engine: Engine, *, every: int, split: SplitFacts | None, run: RunStore) -> None:
        super().__init__(engine.adapter, optimisers=engine.optimisers, every=every, stream=_RunStream(run))
        self._calls_modules = engine.calls_modules
        self._run = run
        self._split = split
        self._resumed = False

    # -- in a step -----------------------------------------------------------------------------------------------------

    def _start(self) -> None:
        if self._calls_modules:
            super()._start()
        else:
            self._optimisers.attach()

    def _attach(self) -> None:
        """Do nothing for Backlight's own network: its hooks are attached when a recorded step begins."""
        if self._calls_modules:
            super()._attach()

    def before_step(self, *inputs: Array) -> None:
        """Report that a training step begins.

        Args:
            inputs: the ids that the network reads, (B, T).
        """
        if self._recording and not self._calls_modules:
            self._passes.inputs[0] = named_inputs(self.adapter, inputs, {})
            self._capture.attach()

    def before_backward(self) -> None:
        """Report that the backward pass begins. Gradients of an earlier pass, which checks a program, are dropped."""
        if self._recording and not self._calls_modules:
            self._capture.forget_gradients()
            self._left_over = None

    def after_step(self, nats: float, loss: Any) -> None:
        """Report that a training step is over.

        Args:
            nats: the loss in nats per target.
            loss: the loss with its graph; None if there is no graph.
        """
        self._reported = True
        if not self._calls_modules:
            self._capture.detach()
        self._end_step(loss, nats)

    def locate(self, run: Callable[[], Any] | None = None) -> NonFinite:
        """Return where a non-finite number first occurs; see `Watcher.locate`."""
        self._capture.detach()
        return super().locate(run)

    # -- the stream ----------------------------------------------------------------------------------------------------

    def _begin_stream(self) -> None:
        if self._resumed:
            return
        super()._begin_stream()
        if self._split is not None:
            self._writer.write("split", self._split)

    def state_dict(self) -> dict[str, Array]:
        """Return the state on which the next records depend, arrays of any shape by name, and flush the stream."""
        self._writer.flush()
        return self._measurer.dead_units.state_dict()

    def restore(self, step: int, state: Mapping[str, Array]) -> None:
        """Restore the state that `state_dict` returned, and cut the stream after this step.

        Args:
            step: number of steps taken.
            state: the arrays that `state_dict` returned.

        Raises:
            RunError: the stream is damaged.
        """
        self.taken = step
        self._measurer.dead_units.load_state_dict(state)
        if not self._run.load_health():
            return
        data = cut(self._run, step)
        self._run.save_health(data)
        self._resumed = bool(data)
        if not data:
            return
        kept = parse(data, _name(self._run))
        self._first_nonfinite = kept.first_nonfinite
        self._not_measured = {one.what: one for one in kept.not_measured}
        if kept.layers:
            self._writer.network = line_of("network", network_of(kept, 0))


class _RunStream:
    """The record stream of a run."""

    def __init__(self, run: RunStore) -> None:
        self._run = run

    def append(self, lines: bytes) -> None:
        """Append whole lines."""
        self._run.append_health(lines)

    def close(self) -> None:
        """Do nothing: the run closes its files itself."""


def load_measurements(run: RunStore) -> Measurements | None:
    """Return what was recorded while a run was trained; None if nothing was.

    Raises:
        RunError: `health.jsonl` is damaged, or `metrics.jsonl`, from which the losses of version 1 are read.
    """
    found = _loaded(run)[1]
    return found if found is None or found.losses else with_losses(found, run)


def cut(run: RunStore, step: int) -> bytes:
    """Return the record stream of a run as it was after `step` steps.

    Raises:
        RunError: it is damaged.
    """
    data, found = _loaded(run)
    if found is None:
        return b""
    if not data.startswith(b'{"type"'):  # version 1
        data = b"".join(line_of(*one) for one in records_of(found))
    return data[: kept_bytes(data, step, _name(run))]


def with_losses(seen: Measurements, run: RunStore) -> Measurements:
    """Return the measurements with the losses and evaluations in `metrics.jsonl`."""
    metrics = run.load_metrics()
    return replace(
        seen,
        losses=tuple(LossPoint(step=one["step"], loss=_number(one["loss"])) for one in metrics if "loss" in one),
        evaluations=tuple(
            EvaluationPoint(step=one["step"], dev=_number(one["dev_nats"]), train=one["train_nats"])
            for one in metrics
            if "dev_nats" in one
        ),
    )


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)


def _loaded(run: RunStore) -> tuple[bytes, Measurements | None]:
    data = run.load_health()
    if not data:
        return data, None
    try:
        return data, parse(data, _name(run))
    except DataError as error:
        raise RunError(f"{error} Or delete it.") from error


def _name(run: RunStore) -> str:
    return f"health.jsonl of {run.name}"
