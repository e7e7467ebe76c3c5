"""All trials, one after the other, within a time; and what they leave of the explanations."""

import warnings
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, Final

from backlight.core import BacklightError, ConfigError
from backlight.health.trials.answer import QUESTION as IN_THE_INPUTS
from backlight.health.trials.answer import answer
from backlight.health.trials.by_heart import QUESTION as BY_HEART
from backlight.health.trials.by_heart import by_heart
from backlight.health.trials.dependence import QUESTION as DEPENDENCE
from backlight.health.trials.dependence import dependence
from backlight.health.trials.gradient import QUESTION as GRADIENT
from backlight.health.trials.gradient import gradient
from backlight.health.trials.loss import QUESTION as LOSS
from backlight.health.trials.loss import loss as loss_of_answers
from backlight.health.trials.outcome import QUESTION as OUTCOME
from backlight.health.trials.outcome import outcome
from backlight.health.trials.saved import QUESTION as SAVED
from backlight.health.trials.saved import saved
from backlight.health.trials.subject import MOST_ROWS, Budget, Subject
from backlight.health.trials.weights import QUESTION as WEIGHTS
from backlight.health.trials.weights import weights
from backlight.watch.adapter import Adapter, Guard
from backlight.watch.replica import LossKind, Replica, Step
from backlight.watch.trial import TrialResult

TRIALS: Final[tuple[tuple[str, str, Callable[[Subject], TrialResult]], ...]] = (
    ("weights", WEIGHTS, weights),
    ("gradient", GRADIENT, gradient),
    ("loss", LOSS, loss_of_answers),
    ("modes and saved weights", SAVED, saved),
    ("outcome", OUTCOME, outcome),
    ("dependence", DEPENDENCE, dependence),
    ("by heart", BY_HEART, by_heart),
    ("answer in the inputs", IN_THE_INPUTS, answer),
)
"""Each trial with its name and question; those that cost least come first."""

KINDS: Final = frozenset({"cross_entropy", "binary_cross_entropy", "mse"})


def run_trials(
    adapter: Adapter, inputs: Any, targets: Any, *, loss: Any = None, optimiser: Any = None, step: Step | None = None,
    data: Any = None, make: Callable[[], Any] | None = None, causal: bool | None = None, kind: str | None = None,
    minutes: float = 1.0,
) -> tuple[TrialResult, ...]:  # fmt: skip
    """Make every trial on copies of a network. What cannot be made says why; nothing that a network does raises.

    Args:
        adapter: the network and its framework.
        inputs: of the batch; for these and what follows see `backlight.health.examine`.
        targets: of the batch.
        loss: of output and targets.
        optimiser: what steps the network.
        step: the training step.
        data: more examples.
        make: makes a new network.
        causal: whether an output must not depend on later inputs.
        kind: of the loss, as its graph shows; None if that is not known.
        minutes: how long all trials may take.

    Raises:
        ConfigError: minutes that are not above 0.
    """
    if not minutes > 0:
        raise ConfigError(f"trials need some time: minutes must be above 0; got {minutes}.")
    if targets is None and isinstance(inputs, (tuple, list)) and len(inputs) == 2:
        inputs, targets = inputs
    replica, rows_of, undo, threads = _framework(adapter.framework)
    known: LossKind | None = kind if kind in KINDS else None  # type: ignore[assignment]
    notes: list[TrialResult] = []
    put_back = undo(optimiser) if step is not None else None
    with Guard(adapter), threads(adapter.model), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a schedule's copy warns that its optimiser's step is another
        try:
            if step is not None and _touches(adapter, replica, inputs, targets, optimiser, loss, step):
                notes.append(_NOT_ITS_OWN)
                step = None
            more, why = _data(data, rows_of)
            notes += [] if not why else [TrialResult(name="data", question="What is the data?", not_run=why)]

            def made() -> Replica:
                one = replica(adapter.model, optimiser=optimiser, loss=loss, step=step)
                if step is None:
                    one.use_full_rate()
                return one

            subject = Subject(
                model=adapter.model, inputs=inputs, targets=targets, loss=loss, optimiser=optimiser, step=step,
                data=more, make=make, causal=causal, kind=known, budget=Budget(minutes=minutes),
                copy=made,
            )  # fmt: skip
            return (*notes, *(_made(name, question, trial, subject) for name, question, trial in TRIALS))
        finally:
            if put_back is not None:
                put_back()


_NOT_ITS_OWN: Final = TrialResult(
    name="your step",
    question="Does the step train the network that it is given?",
    not_run="step(model, optimiser, inputs, targets) trained another network than the one that it was given. "
    "Use its arguments only; the usual step was used instead",
)


def _made(name: str, question: str, trial: Callable[[Subject], TrialResult], subject: Subject) -> TrialResult:
    if not subject.budget.is_left():
        why = f"the {subject.budget.minutes:g} minutes, or the steps, of all trials were used up: pass more minutes="
        return TrialResult(name=name, question=question, not_run=why)
    try:
        return trial(subject)
    except Exception as error:  # noqa: BLE001  (whatever a network, a loss or a step raises is what was seen)
        return TrialResult(name=name, question=question, not_run=_reason(error))


def _framework(framework: str) -> tuple[Callable[..., Replica], Callable[[Any, int], tuple[Any, Any]], Any, Any]:
    """Return what copies a network, what reads data, what keeps an optimiser's state, and the threads to run on."""
    if framework == "torch":
        from backlight.watch.torch_nn.replica import TorchReplica, as_rows, one_thread, undo_of

        return TorchReplica, as_rows, undo_of, one_thread
    from backlight.watch.backlight_nn.replica import BacklightReplica
    from backlight.watch.backlight_nn.replica import as_rows as own_rows

    return BacklightReplica, own_rows, lambda _: lambda: None, nullcontext


def _data(data: Any, rows_of: Callable[[Any, int], tuple[Any, Any]]) -> tuple[tuple[Any, Any] | None, str]:
    if data is None:
        return None, ""
    try:
        return rows_of(data, MOST_ROWS), ""
    except Exception as error:  # noqa: BLE001  (a dataset may raise anything)
        return None, _reason(error)


def _reason(error: Exception) -> str:
    """Return what an error says, as a part of a sentence."""
    return str(error).rstrip(".") if isinstance(error, BacklightError) else f"{type(error).__name__}: {error!s:.160}"


def _touches(
    adapter: Adapter, replica: Callable[..., Replica], inputs: Any, targets: Any, optimiser: Any, loss: Any, step: Step
) -> bool:  # fmt: skip
    """Return whether a step changes the network itself, though it was given a copy."""
    before = [(one, adapter.version(one)) for one in adapter.named_parameters().values()]
    try:
        replica(adapter.model, optimiser=optimiser, loss=loss, step=step).train_step(inputs, targets)
    except Exception:  # noqa: BLE001  (the trials say what it raises)
        return False
    return any(adapter.version(one) != version for one, version in before)
