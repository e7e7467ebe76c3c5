"""The watcher that the training of a run carries, and the file that it leaves there."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from backlight.core import Array, RunError
from backlight.nn import Module
from backlight.optim.optimiser import Optimiser
from backlight.runs import RunStore
from backlight.watch import Kept
from backlight.watch.ours.watcher import ModuleWatcher
from backlight.watch.records import EvaluationPoint, LossPoint, Measurements, NonFinite, SplitFacts, StepRecord
from backlight.watch.records_json import from_json, to_json
from backlight.watch.watcher import Sealed

MOST_RECORDS = 60
"""How many records a run keeps besides the latest: a few megabytes, of a large network."""


class RunWatcher(ModuleWatcher):
    """Watches the training of a run and changes no bit of it.

    Its hooks are on during recorded steps only: everything else (the steps between, the evaluations on the dev
    split) runs at full speed, which hooks would prevent.

    Args:
        model: the network.
        optimiser: what steps it.
        every: from how many steps one is recorded, once the first few are over.
        split: what the parts of the text have in common.
    """

    def __init__(self, model: Module, *, optimiser: Optimiser, every: int, split: SplitFacts | None) -> None:
        super().__init__(model, optimiser=optimiser, every=every)
        self._split = split
        self._kept = Kept(every, most=MOST_RECORDS)
        self._lines: dict[int, bytes] = {}
        self._saved_facts: Measurements | None = None

    def _start(self) -> None:
        self._watch_optimiser()

    def _look(self) -> None:
        """Wait until the step begins."""

    def starting(self, *inputs: Array) -> None:
        """Tell that a training step begins, and with which ids."""
        self._given = inputs
        if self._recording:
            self._capture.attach()

    def _seal(self, loss: Any, value: float) -> Sealed:
        self._capture.detach()
        return super()._seal(loss, value)

    def located(self, run: Callable[[], Any] | None = None) -> NonFinite:
        """Return where a number first was not finite; see `ModuleWatcher.located`."""
        self._capture.detach()
        return super().located(run)

    # -- the file ------------------------------------------------------------------------------------------------------

    def save(self, run: RunStore) -> None:
        """Write `health.jsonl`: first what is known of the network, then the records, a line each."""
        if not self._kept and self._saved_facts is None:
            return
        self._lines = {one.step: self._lines.get(one.step) or _line(to_json(one.record())) for one in self._kept}
        facts = replace(self.measurements(), steps=(), losses=(), evaluations=())
        run.save_health([_line(to_json(facts)), *self._lines.values()])

    def restore(self, run: RunStore, step: int) -> None:
        """Continue from what was recorded up to a step, before the run was resumed."""
        self.taken = step
        found = _loaded(run)
        if found is None:
            return
        self._saved_facts = found
        self._kept = Kept(self.every, (_Read(one) for one in found.steps if one.step < step), most=MOST_RECORDS)
        self._first_nonfinite = found.first_nonfinite

    def _facts(self) -> Measurements:
        """Return what is known; of what this sitting has not seen yet, what an earlier one saw."""
        own, saved = super()._facts(), self._saved_facts
        return own if saved is None or self._loss is not None else replace(saved, framework="backlight")


class _Read(Sealed):
    """A record that was read from a file."""

    def __init__(self, record: StepRecord) -> None:
        super().__init__(record.step)
        self._record = record

    def _opened(self) -> StepRecord:
        raise AssertionError  # it is open


def load_measurements(run: RunStore) -> Measurements | None:
    """Return what was measured while a run was trained; None if it was not watched.

    Losses and evaluations are those of `metrics.jsonl`.

    Raises:
        RunError: `health.jsonl` or `metrics.jsonl` is damaged.
    """
    found = _loaded(run)
    if found is None:
        return None
    metrics = run.load_metrics()
    return replace(
        found,
        losses=tuple(LossPoint(step=one["step"], loss=_number(one["loss"])) for one in metrics if "loss" in one),
        evaluations=tuple(
            EvaluationPoint(step=one["step"], dev=_number(one["dev_nats"]), train=_number(one["train_nats"]))
            for one in metrics
            if "dev_nats" in one
        ),
    )


def _loaded(run: RunStore) -> Measurements | None:
    lines = run.load_health()
    if not lines:
        return None
    try:
        facts, *records = lines
        steps = tuple(from_json(StepRecord, one) for one in records)
        return replace(from_json(Measurements, facts), steps=steps)
    except ValueError as error:
        raise RunError(f"health.jsonl of {run.name} cannot be read: {error} Or delete it.") from error


def _line(values: dict[str, Any]) -> bytes:
    return json.dumps(values, allow_nan=False, separators=(",", ":")).encode() + b"\n"


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)
