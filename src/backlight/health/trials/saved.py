"""Training mode against evaluation mode against a network that the saved weights are loaded into."""

import math
from typing import Final

import numpy as np

from backlight.health.trials.dependence import apart
from backlight.health.trials.subject import Subject, score
from backlight.watch.trial import Observation, Part, TrialResult

QUESTION: Final = "Does the network give the same in training mode, in evaluation mode, and after saving and loading?"
_NAME: Final = "modes and saved weights"
_SAME: Final = 1e-4
_STEPS: Final = 10
_WORSE, _FALL = 1.5, 0.2
"""Evaluation mode is worse: its loss is so many times that of training mode, its accuracy so much lower."""


def saved(subject: Subject) -> TrialResult:
    """Run the batch in both modes, and once more on a network that was given the saved weights."""
    one = subject.copy()
    points: dict[Part, str] = {}
    excludes: dict[Part, str] = {}
    seen: list[Observation] = []
    showed: list[str] = []
    likelier: list[str] = []
    evaluated, eval_loss = one.output(subject.inputs, subject.targets, training=False)
    trained, train_loss = subject.copy().output(subject.inputs, subject.targets, training=True)
    if evaluated is None or trained is None:
        return TrialResult(name=_NAME, question=QUESTION, not_run="the network returned no floating-point tensor")
    keeps_nothing, is_sure = one.is_repeated(subject.inputs, subject.targets)
    modes = apart(trained, evaluated, evaluated)
    seen += [
        Observation(what="training mode against evaluation mode", value=modes, unit="of the output's spread"),
    ]
    y = one.view(subject.inputs, subject.targets).y
    right = [score(out, y, subject.kind).accuracy for out in (trained, evaluated)]
    if train_loss is not None and eval_loss is not None:
        seen += [
            Observation(what="loss in training mode", value=train_loss),
            Observation(what="loss in evaluation mode", value=eval_loss),
        ]
    for mode, share in zip(("training", "evaluation"), right, strict=True):
        if share is not None:
            seen.append(Observation(what=f"right in {mode} mode", value=100 * share, unit="%"))
    showed.append(f"the two modes {'agree' if modes <= _SAME else 'differ'}")
    if _is_worse(train_loss, eval_loss, right):
        points["evaluation"] = "the same batch comes out much worse in evaluation mode than in training mode"
        likelier += ["running-statistics", "evaluation-mode", "batch-norm-small-batch", "dropout-too-high"]
    if not keeps_nothing:
        points["network"] = "in evaluation mode the same batch gives something else again: it remembers the pass before"
        likelier.append("state-carried-over")
    elif not is_sure:
        points["evaluation"] = "in evaluation mode the output is random"
        likelier.append("random-in-evaluation")
    lost, loading = _after_loading(subject, seen, showed) if keeps_nothing and is_sure else ([], "")
    if loading:
        points["evaluation"] = loading
    elif not points:
        excludes["evaluation"] = "modes, saving and loading change nothing that matters on this batch"
    return TrialResult(
        name=_NAME, question=QUESTION,
        done=f"The batch in both modes; then {_STEPS} steps, and the saved weights in "
        f"{'a new network' if subject.make else 'a copy whose weights had been reset'}.",
        seen=tuple(seen), showed=tuple(showed), points_to=points, excludes=excludes, likelier=tuple(likelier),
        where=tuple(lost),
    )  # fmt: skip


def _is_worse(train_loss: float | None, eval_loss: float | None, right: list[float | None]) -> bool:
    trained, evaluated = right
    if trained is not None and evaluated is not None:
        return evaluated < trained - _FALL
    if train_loss is None or eval_loss is None or train_loss <= 0:
        return False
    return not math.isfinite(eval_loss) or eval_loss > _WORSE * train_loss


def _after_loading(subject: Subject, seen: list[Observation], showed: list[str]) -> tuple[list[str], str]:
    """Return the names of what is lost by saving, and what that means; nothing where nothing is lost."""
    one = subject.copy()
    lost: list[str] = []
    if one.optimiser is None and one.step is None:
        one.use_adam()
    if subject.has_loss:
        lost = one.unsaved(subject.inputs, subject.targets, _STEPS)
    subject.budget.steps -= _STEPS
    before, _ = one.output(subject.inputs, subject.targets, training=False)
    other, odd = one.reloaded(subject.make)
    fresh = subject.copy()
    fresh.adapter.model = other
    after, _ = fresh.output(subject.inputs, subject.targets, training=False)
    if before is None or after is None:
        return lost, ""
    if not np.isfinite(before).all():
        showed.append("after these steps the output is not finite, so that saving and loading shows nothing")
        return lost, ""
    change = apart(after, before, before)
    seen.append(Observation(what="after saving and loading", value=change, unit="of the output's spread"))
    if lost:
        showed.append(f"training changes {', '.join(lost[:4])}, and a state dict does not hold it")
        return lost, "what training changes, and the output depends on, is not saved"
    if odd:
        showed.append(f"{', '.join(map(str, odd[:4]))} was saved or expected, and not both")
    if not change <= _SAME:
        showed.append("the network gives something else after its weights were saved and loaded")
        return lost, "the network gives something else after its weights were saved and loaded"
    showed.append("saving and loading the weights changes nothing")
    return lost, ""
