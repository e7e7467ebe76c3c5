"""Can eight examples be overfitted: with the user's own step, with fresh weights, with Adam, with another loss?"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from backlight.health.trials.subject import STEPS, Rightness, Subject, score
from backlight.watch.replica import Replica
from backlight.watch.trial import Observation, Part, TrialResult

QUESTION: Final = "Can the network overfit eight examples?"
_EVERY: Final = 25
_RIGHT, _MOST, _ERROR, _FALL, _STILL = 0.99, 0.75, 0.05, 0.9, 0.02


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One attempt to learn.

    Attributes:
        name: how, in words.
        losses: of every step.
        score: at the end, the better of both modes.
        learnt: whether the examples were learnt; None if the loss's kind, and so what it can come to, is not known.
        failed: why it could not be made; empty if it was.
        cut: whether the time was up before it was over.
    """

    name: str
    losses: tuple[float, ...] = ()
    score: Rightness = field(default_factory=Rightness)
    learnt: bool | None = None
    failed: str = ""
    cut: bool = False

    @property
    def nearly(self) -> bool:
        """Whether most was learnt: one example that is not may be the same as another to the network."""
        return (self.score.accuracy or 0.0) >= _MOST or (self.score.error is not None and self.score.error < 1 - _MOST)

    @property
    def falls(self) -> bool:
        """Whether the loss was still falling at the end."""
        end, middle = self.losses[-_EVERY:], self.losses[-3 * _EVERY : -2 * _EVERY]
        return bool(middle) and float(np.mean(end)) < (1 - _STILL) * float(np.mean(middle))


def by_heart(subject: Subject) -> TrialResult:
    """Let copies of the network learn eight examples, each in another way."""
    if not subject.has_loss:
        return TrialResult(name="by heart", question=QUESTION, not_run="it needs targets, or an output with a loss")
    ways: list[tuple[str, Callable[[Replica], Any]]] = []
    if subject.optimiser is not None or subject.step is not None:
        ways += [("your step", _as_it_is), ("your step, fresh weights", lambda one: one.reset(subject.make))]
    ways += [("Adam at 1e-3", _adam), ("Adam, fresh weights", lambda one: (one.reset(subject.make), one.use_adam()))]
    kind = subject.kind
    if kind is not None:
        ways.append(
            (f"Adam, fresh weights, reference {kind.replace('_', ' ')}",
             lambda one: (one.reset(subject.make), one.use_adam(), one.use_reference_loss(kind)))
        )  # fmt: skip
    attempts = [_attempt(subject, name, prepare) for name, prepare in ways]
    made = [one for one in attempts if not one.failed]
    if not made:
        return TrialResult(name="by heart", question=QUESTION, not_run=attempts[0].failed)
    return _told(attempts, own=subject.optimiser is not None or subject.step is not None)


def _as_it_is(one: Replica) -> None:
    del one


def _adam(one: Replica) -> None:
    one.use_adam()


def _attempt(subject: Subject, name: str, prepare: Callable[[Replica], Any]) -> Attempt:
    if not subject.budget.is_left():
        return Attempt(name=name, failed="the time was up")
    try:
        replica = subject.copy()
        prepare(replica)
        inputs, targets = subject.few(replica)
        losses: list[float] = []
        best = _score(replica, inputs, targets, subject)
        while len(losses) < STEPS and subject.budget.is_left() and not _is_learnt(best, losses):
            for _ in range(_EVERY):
                losses.append(replica.train_step(inputs, targets))
                subject.budget.steps -= 1
            best = _score(replica, inputs, targets, subject)
            if not math.isfinite(losses[-1]) and subject.step is None:
                break
    except Exception as error:  # noqa: BLE001  (a network may raise anything; it is said)
        return Attempt(name=name, failed=f"{type(error).__name__}: {error!s:.120}")
    learnt = _is_learnt(best, losses)
    is_cut = learnt is False and len(losses) < STEPS and not subject.budget.is_left()
    return Attempt(name=name, losses=tuple(losses), score=best, learnt=None if is_cut else learnt, cut=is_cut)


def _score(replica: Replica, inputs: Any, targets: Any, subject: Subject) -> Rightness:
    """Return the better score of both modes: dropout spoils the one, running statistics that lag the other."""
    y = replica.view(inputs, targets).y
    modes = [score(replica.output(inputs, targets, training=mode)[0], y, subject.kind) for mode in (True, False)]
    return max(modes, key=lambda one: (one.accuracy or 0.0, -math.inf if one.error is None else -one.error))


def _is_learnt(one: Rightness, losses: list[float]) -> bool | None:
    if one.accuracy is not None:
        return one.accuracy >= _RIGHT
    if one.error is not None:
        return one.error < _ERROR
    if losses and all(map(math.isfinite, losses)) and losses[0] > 0 and 0 <= losses[-1] < (1 - _FALL) * losses[0]:
        return True  # whatever the loss is, a tenth of it is left
    return None


def _told(attempts: list[Attempt], *, own: bool) -> TrialResult:
    by_name = {one.name: one for one in attempts}
    own_one, fresh_own = by_name.get("your step"), by_name.get("your step, fresh weights")
    adam, fresh_adam = by_name["Adam at 1e-3"], by_name["Adam, fresh weights"]
    reference = next((one for one in attempts if "reference" in one.name), None)
    first = own_one or adam
    points: dict[Part, str] = {}
    excludes: dict[Part, str] = {}
    likelier: tuple[str, ...] = ()
    less: tuple[str, ...] = ()
    if first.learnt:
        excludes["loss"] = f"eight examples were learnt by heart in {len(first.losses)} steps of this loss"
        less = ("no-step", "no-graph", "vanishing-gradients", "loss-sign")
        if own:
            excludes["loop"] = "the same step learnt eight examples by heart"
            less += ("learning-rate-too-low", "learning-rate-too-high", "gradients-not-zeroed")
    elif first.learnt is False and not first.nearly:
        points, likelier = _cause(own_one, fresh_own, adam, fresh_adam, reference)
    return TrialResult(
        name="by heart", question=QUESTION,
        done=f"Copies of the network took up to {STEPS} steps on the same eight examples, each in another way.",
        seen=tuple(number for one in attempts if not one.failed for number in _numbers(one)),
        showed=tuple(map(_sentence, attempts)), points_to=points, excludes=excludes, likelier=likelier,
        less_likely=less,
    )  # fmt: skip


def _cause(
    own: Attempt | None, fresh_own: Attempt | None, adam: Attempt, fresh_adam: Attempt, reference: Attempt | None
) -> tuple[dict[Part, str], tuple[str, ...]]:  # fmt: skip
    """Return where the fault lies, and findings that this makes likelier, if the first attempt has not learnt.

    An attempt that was still falling may be slow only.
    """
    first, fresh = own or adam, fresh_own or fresh_adam
    if _learnt(fresh) and not first.falls:
        return {"network": "fresh weights learn the examples, the present ones do not: they are what hinders"}, (
            "dead-units", "saturated-units", "overconfident-start", "vanishing-signal", "identical-units",
        )  # fmt: skip
    if own is not None and (_learnt(adam) or _learnt(fresh_adam)):
        if own.falls:
            return {}, ()
        return {"loop": "the usual step with Adam at 1e-3 learns the examples, your step does not"}, (
            "learning-rate-too-low", "learning-rate-too-high", "no-step", "not-in-optimiser", "gradients-not-zeroed",
            "adam-epsilon", "weight-decay-dominates",
        )  # fmt: skip
    if _learnt(reference):
        reason = "with the reference loss on the same outputs the examples are learnt, with yours they are not"
        return {"loss": reason}, ("softmax-twice", "loss-sign", "single-output", "loss-broadcast")
    tried = [one for one in (own, fresh_own, adam, fresh_adam, reference) if one is not None and not one.failed]
    if all(one.learnt is False for one in tried) and not any(one.falls for one in tried):
        return {"network": "no weights, optimiser or loss that was tried learns eight examples by heart"}, (
            "not-reached-by-gradient", "no-graph", "input-ignored", "identical-units",
        )  # fmt: skip
    return {}, ()


def _learnt(one: Attempt | None) -> bool:
    return one is not None and one.learnt is True


def _numbers(one: Attempt) -> list[Observation]:
    found = [Observation(what=f"{one.name}: steps", value=len(one.losses))]
    if one.losses:
        found += [
            Observation(what=f"{one.name}: loss at first", value=one.losses[0]),
            Observation(what=f"{one.name}: loss at the end", value=one.losses[-1]),
        ]
    if one.score.accuracy is not None:
        found.append(Observation(what=f"{one.name}: right", value=100 * one.score.accuracy, unit="%"))
    if one.score.error is not None:
        found.append(
            Observation(what=f"{one.name}: squared error, of the variance", value=100 * one.score.error, unit="%")
        )
    return found


def _sentence(one: Attempt) -> str:
    if one.failed:
        return f"{one.name}: not tried ({one.failed})"
    unknown = "not learnt when the time was up" if one.cut else "its end is not known, as the loss's kind is not"
    outcome = {True: "learnt", False: "not learnt", None: unknown}[one.learnt]
    course = f", the loss went from {one.losses[0]:.4g} to {one.losses[-1]:.4g}" if one.losses else ""
    still = ", and was still falling" if one.learnt is not True and one.falls else ""
    return f"{one.name}: {outcome} in {len(one.losses)} steps{course}{still}"
