"""The form of a case: a training run that goes wrong as a public report says, and the same run with nothing wrong."""

import importlib
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from backlight.health import Finding

HERE = Path(__file__).parent
FOLDERS = ("handed", "situations", "reports", "healthy", "second", "set_aside", "set_aside_2", "set_aside_3")
PARTS = ("inputs", "labels", "loss", "network", "loop", "evaluation")
SET_ASIDE = "set_aside_4"
"""Whoever improves the doctor does not read these; the last score is made with them too. The cases that were set aside
before have been read since: those of the first collection are in `reports` and `healthy`, those of the others in
`set_aside`, `set_aside_2` and `set_aside_3`."""


KNOWN = frozenset({
    "adam-epsilon", "batch-norm-small-batch", "bias-before-batch-norm", "dead-units", "dropout-too-high",
    "duplicates", "evaluation-mode", "examples-mixed", "exploding-gradients", "exploding-signal",
    "gradients-not-zeroed", "identical-units", "input-ignored", "input-not-finite", "input-scale", "labels-constant",
    "labels-unrelated", "learning-rate-too-high", "learning-rate-too-low", "loss-broadcast", "loss-sign",
    "loss-summed", "no-nonlinearity", "no-step", "not-finite", "not-in-optimiser", "not-learning",
    "not-reached-by-gradient", "overconfident-start", "overfitting", "random-in-evaluation", "saturated-units",
    "sees-the-future", "single-output", "softmax-twice", "target-scale", "unused-layer", "vanishing-gradients",
    "vanishing-signal", "weight-decay-dominates",
})  # fmt: skip
"""The findings that there were when the cases were written: what each of them claims is known."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """One training run, ready to start.

    Attributes:
        net: the module that is examined and watched.
        step: does one training step, given its number, and returns the loss, or None if nothing is reported.
        quality: how well the net does, whatever the loss says: larger is better.
        optimiser: what is given to `watch`; None lets it be found.
        batch: inputs and targets for `examine`; None if it is not called.
        loss, causal: given to `examine`.
        data: all examples, for the trials.
        steps: how many are taken.
        every, scaler: given to `watch`.
        evaluate: the held-out loss and the training loss, measured ten times during the run.
        examined_after: whether `examine` is called again at the end.
    """

    net: Any
    step: Callable[[int], Any]
    quality: Callable[[], Any]
    optimiser: Any = None
    batch: tuple[Any, ...] | None = None
    loss: Any = None
    causal: bool | None = None
    data: tuple[Any, ...] | None = None
    steps: int = 300
    every: int = 20
    scaler: Any = None
    evaluate: Callable[[], tuple[float, float]] | None = None
    examined_after: bool = False


@dataclass(frozen=True, kw_only=True)
class Case:
    """A fault with its healthy twin, or a healthy run that is unusual.

    Attributes:
        name: the same for both.
        make: builds the run; it is told whether to build the fault in.
        what: in a sentence, what is wrong; of a healthy case, what is unusual.
        faulty: whether there is a fault. A healthy case is made with `make(False)` only.
        reports: public reports, as "owner/repository#number".
        names: ids of findings that name the cause, written down before the doctor was asked.
        says: what such a finding should say, where its id is only proposed here.
        words: a pattern; a finding of a new id names the cause too if its title or first advice has it.
        part: where the cause is, for what is placed and not named: one of `PARTS`; empty where there is no report.
        also: ids of findings that are true of the fault, or of the healthy run, without being its cause.
        enough: the quality that the healthy run reaches and the faulty one does not.
        refusable: whether one clear error is as good as a verdict.
        alone: whether it runs in a process of its own even in the unit tests.
        needs: a package without which it is skipped.
        folder: of the file that it is in.
    """

    name: str
    make: Callable[[bool], Run]
    what: str
    faulty: bool
    reports: tuple[str, ...] = ()
    names: frozenset[str] = frozenset()
    says: str = ""
    words: str = ""
    part: str = ""
    also: frozenset[str] = frozenset()
    enough: float = 0.0
    refusable: bool = False
    alone: bool = False
    needs: str = ""
    folder: str = ""

    def named_by(self, finding: Finding) -> bool:
        """Return whether a finding names the cause."""
        if finding.id in KNOWN or not self.words:
            return finding.id in self.names
        text = f"{finding.title} {finding.try_this[0] if finding.try_this else ''}"
        return finding.id in self.names or bool(re.search(self.words, text, re.IGNORECASE))


Make = Callable[[bool], Run]


def fault(
    *reports: str, what: str, enough: float, names: Collection[str], also: Collection[str] = (), **more: Any
) -> Callable[[Make], Case]:
    """Make a case of a function that is told whether to build the fault in."""

    def decorate(make: Make) -> Case:
        return Case(
            name=_name(make), make=make, what=what, faulty=True, reports=reports, enough=enough, names=frozenset(names),
            also=frozenset(also), **more,
        )  # fmt: skip

    return decorate


def healthy(*reports: str, what: str, enough: float, also: Collection[str] = (), **more: Any) -> Callable[..., Case]:
    """Make a case of a function without arguments: nothing is wrong with the run that it builds."""

    def decorate(make: Callable[[], Run]) -> Case:
        return Case(
            name=_name(make), make=lambda _: make(), what=what, faulty=False, reports=reports, enough=enough,
            also=frozenset(also), **more,
        )  # fmt: skip

    return decorate


def _name(make: Callable[..., Any]) -> str:
    return make.__name__.strip("_").replace("_", "-")


def cases(*folders: str) -> Iterator[Case]:
    """Yield the cases in these folders, in the order of their files."""
    for folder in folders:
        for path in sorted((HERE / folder).glob("*.py")):
            module = importlib.import_module(f"tests.faults.public.{folder}.{path.stem}")
            for thing in vars(module).values():
                for case in thing if isinstance(thing, tuple) else (thing,):
                    if isinstance(case, Case):
                        yield replace(case, folder=folder)


def seeded(case: Case, *, faulty: bool, seed: int) -> Run:
    """Build a run with this seed."""
    torch.manual_seed(seed)
    return case.make(faulty)
