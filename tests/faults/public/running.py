"""Trains one case under Backlight, as a user would, and says what was found."""

import hashlib
import json
import math
import multiprocessing
import time
import traceback
import warnings
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from tests.faults.public.case import Case, Run, seeded

from backlight.core import BacklightError
from backlight.health import Finding, diagnose, examine, watch

TAIL = 20
"""Steps over which the last loss is a mean."""


@dataclass(kw_only=True)
class Outcome:
    """What one run showed.

    Attributes:
        case, faulty, seed: which run it was.
        examined, watched: the findings of either, as "id:severity".
        naming_examined, naming_watched: those of them that name the cause.
        placed: the parts at which trials point, the likeliest first; empty without trials.
        losses: of the first step and of the last ones.
        quality: how well the net did.
        crash: the end of the traceback, if something broke; of a clear refusal its message.
        refused: whether it was a clear refusal.
        curve: a digest of all losses, to the bit.
        seconds: how long it took.
    """

    case: str
    faulty: bool
    seed: int
    folder: str = ""
    examined: list[str] = field(default_factory=list)
    watched: list[str] = field(default_factory=list)
    naming_examined: list[str] = field(default_factory=list)
    naming_watched: list[str] = field(default_factory=list)
    placed: list[str] = field(default_factory=list)
    losses: tuple[float, float] = (math.nan, math.nan)
    quality: float = math.nan
    crash: str = ""
    refused: bool = False
    curve: str = ""
    seconds: float = 0.0


def outcome_of(case: Case, *, faulty: bool, seed: int, trials: bool = False) -> Outcome:
    """Train under `watch`, after `examine`, and return what was found; with trials, only examine, and make those."""
    told = Outcome(case=case.name, faulty=faulty, seed=seed, folder=case.folder)
    began = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            (_place if trials else _fill)(told, case, seeded(case, faulty=faulty, seed=seed))
        except BacklightError as error:
            told.crash, told.refused = f"{type(error).__name__}: {error}", True
        except Exception:  # noqa: BLE001  (whatever a case breaks with is what it showed)
            told.crash = traceback.format_exc(limit=-2)
    told.seconds = round(time.perf_counter() - began, 1)
    return told


def _fill(told: Outcome, case: Case, run: Run) -> None:
    def note(findings: tuple[Finding, ...], what: str) -> None:
        getattr(told, what).extend(f"{one.id}:{one.severity}" for one in findings)
        getattr(told, f"naming_{what}").extend(one.id for one in findings if case.named_by(one))

    if run.batch is not None:
        note(_examined(run), "examined")
    losses = []
    with watch(run.net, optimiser=run.optimiser, every=run.every, scaler=run.scaler) as watcher:
        for i in range(run.steps):
            loss = run.step(i)
            if loss is not None:
                losses.append(float(loss))
                watcher.step(loss)
            if run.evaluate and (i + 1) % max(1, run.steps // 10) == 0:
                dev, train = run.evaluate()
                watcher.evaluation(dev=dev, train=train)
    note(diagnose(watcher.measurements()).findings, "watched")
    if run.examined_after:
        note(_examined(run), "examined")
    told.curve = digest(losses)
    if losses:
        told.losses = losses[0], sum(losses[-TAIL:]) / len(losses[-TAIL:])
    told.quality = float(run.quality())


def _place(told: Outcome, case: Case, run: Run) -> None:
    if run.batch is None:
        return
    x, y = (*run.batch, None)[:2]
    found = examine(
        run.net,
        x,
        y,
        loss=run.loss,
        causal=run.causal,
        optimiser=run.optimiser,
        data=run.data,
        trials=True,
        minutes=0.5,
    )
    told.examined = [f"{one.id}:{one.severity}" for one in found.findings]
    told.naming_examined = [one.id for one in found.findings if case.named_by(one)]
    told.placed = [one.part for one in found.candidates if one.standing == "pointed at"]


def _examined(run: Run) -> tuple[Finding, ...]:
    assert run.batch is not None
    return examine(run.net, *run.batch, loss=run.loss, causal=run.causal).findings


def digest(losses: list[float]) -> str:
    """Return what is equal for losses that are equal to the bit."""
    return hashlib.sha256(repr(losses).encode()).hexdigest()[:16]


def quality_of(case: Case, *, faulty: bool, seed: int, steps: int | None = None) -> tuple[float, list[float]]:
    """Train without Backlight and return the quality and the losses."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run = seeded(case, faulty=faulty, seed=seed)
        losses = []
        for i in range(run.steps if steps is None else min(steps, run.steps)):
            loss = run.step(i)
            if loss is not None:
                losses.append(float(loss))
            if run.evaluate and (i + 1) % max(1, run.steps // 10) == 0:
                run.evaluate()
        return float(run.quality()), losses


def apart(function: Any, case: Case, **arguments: Any) -> Any:
    """Call a function of this module in a process of its own, so that what dies there dies alone.

    A process that ends without an answer gives an `Outcome` with that crash.
    """
    ours, theirs = multiprocessing.Pipe(duplex=False)
    context: Any = multiprocessing.get_context("fork")

    def work() -> None:
        torch.set_num_threads(1)
        found = function(case, **arguments)
        theirs.send(asdict(found) if isinstance(found, Outcome) else found)

    process = context.Process(target=work)
    process.start()
    theirs.close()
    try:
        found = ours.recv()
    except EOFError:
        found = None
    process.join()
    if found is None:
        told = Outcome(case=case.name, faulty=arguments["faulty"], seed=arguments["seed"], folder=case.folder)
        told.crash = f"the process ended with {process.exitcode}"
        return told
    return Outcome(**found) if isinstance(found, dict) else found


def as_line(told: Outcome) -> str:
    """Return one line of JSON."""
    return json.dumps(asdict(told))
