"""Does the loss tell right answers from one answer for all? Made-up outputs in place of the network's."""

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np

from backlight.core import Array, FloatArray
from backlight.health.trials.subject import Subject, classes, counted
from backlight.watch.replica import LossKind
from backlight.watch.trial import Observation, Part, TrialResult

QUESTION: Final = "Does an output that is right cost less than one that is the same for all examples?"
_NAME: Final = "loss"
_SURE: Final = (1.0, 3.0, 10.0)
"""Logits, up and down, with which an answer is given."""
_LIKELY: Final = (0.6, 0.9, 0.999)
"""The same as probabilities."""
_MOST_CLASSES: Final = 20
_LEAST: Final = 8
_WRONG: Final = 0.1
"""An answer for all has to be wrong for this share of the targets."""
_AS_CHEAP: Final = 0.01
"""It costs as little as the right one: the difference is this share of what answers cost that are all wrong."""
_NOTHING: Final = 0.01
"""What is right costs so little, relative to what is wrong; else it is not known what an output means to the loss."""

Loss = Callable[[FloatArray], float]


def loss(subject: Subject) -> TrialResult:
    """Give the loss outputs that are right, and others that are the same for all, and compare what they cost."""

    def not_run(why: str) -> TrialResult:
        return TrialResult(name=_NAME, question=QUESTION, not_run=why)

    one = subject.copy()
    view = one.view(one.copied(subject.inputs), one.copied(subject.targets))
    one.adapter.set_mode(training=False)
    with one.adapter.recording(on=False):
        result = view.run(None)
    out = one.array(result)
    if view.loss_at is None:
        return not_run("the loss of this network cannot be given another output")
    if view.y is None or out is None or len(out) < _LEAST:
        return not_run(f"it needs an output that is one tensor, and targets of {_LEAST} examples that are one array")
    loss_at = view.loss_at

    def costs(output: FloatArray) -> float:
        with one.adapter.recording(on=False):
            found = loss_at(result, np.ascontiguousarray(output, np.float32))
        return np.nan if found is None else found

    kind = subject.kind
    chosen = None if kind == "mse" else classes(out, view.y, kind or _kind(out, view.y))
    if chosen is not None:
        return _of_classes(costs, out, view.y)
    if view.y.dtype.kind == "f" and len(view.y) == len(out) and view.y.size == out.size:
        return _of_numbers(lambda output: costs(output.reshape(out.shape)), view.y)
    return not_run("it is made where each output is a class, or a number that is to be its target")


def _kind(out: FloatArray, y: Array) -> LossKind:
    return "binary_cross_entropy" if out.size == y.size and set(np.unique(y)) <= {0, 1} else "cross_entropy"


def _of_classes(costs: Loss, out: FloatArray, y: Array) -> TrialResult:
    counts = counted(y)
    known = np.unique(y[counts])
    if not 2 <= len(known) <= _MOST_CLASSES:
        return TrialResult(name=_NAME, question=QUESTION, not_run=f"it needs 2 to {_MOST_CLASSES} classes")
    next_one = known[(np.searchsorted(known, y) + 1) % len(known)]
    right = [costs(one) for one in _answers(out, y)]
    wrong = [costs(one) for one in _answers(out, np.where(counts, next_one, y).astype(y.dtype))]
    for_all = {
        f"class {one:g} for all": [costs(same) for same in _answers(out, np.where(counts, one, y).astype(y.dtype))]
        for one in known
        if (y[counts] != one).mean() >= _WRONG
    }
    return _told(right, wrong, for_all)


def _answers(out: FloatArray, y: Array) -> Iterator[FloatArray]:
    """Yield outputs that give these classes, more and more surely: logits, or probabilities if the network's are."""
    is_one = out.size == y.size
    are_likely = out.min() >= 0 and out.max() <= 1
    if is_one:
        says = (y == 1).reshape(out.shape)
        yield says.astype(np.float32)  # as they are
        for sure in _LIKELY if are_likely else _SURE:
            yield np.where(says, sure, 1 - sure if are_likely else -sure)
        return
    axis = out.ndim - 1 if out.shape[:-1] == y.shape else 1
    says = np.moveaxis(np.arange(out.shape[axis]) == np.expand_dims(y, -1), -1, axis)
    rest = out.shape[axis] - 1
    for sure in _LIKELY if are_likely else _SURE:
        yield np.where(says, sure, (1 - sure) / rest if are_likely else -sure)


def _of_numbers(costs: Loss, y: Array) -> TrialResult:
    right, wrong = costs(y), costs(np.roll(y, len(y) // 2, axis=0))
    same = {"the first target for all": np.broadcast_to(y[:1], y.shape)}
    if y.ndim > 2:
        same["the first place's target at all places"] = np.broadcast_to(y[:, :1], y.shape)
    spread = float(y.std())
    others = {name: one for name, one in same.items() if np.abs(one - y).mean() >= _WRONG * spread > 0}
    return _told([right], [wrong], {name: [costs(one)] for name, one in others.items()})


def _told(right: list[float], wrong: list[float], others: dict[str, list[float]]) -> TrialResult:
    """Say what was seen; each list has what an answer costs if it is given more and more surely."""
    if not np.isfinite([*right, *wrong, *(cost for costs in others.values() for cost in costs)]).all() or not others:
        why = "the loss of made-up outputs is not a number, or one answer is right for nearly all"
        return TrialResult(name=_NAME, question=QUESTION, not_run=why)
    best = min(right)
    if not abs(best) <= _NOTHING * wrong[right.index(best)]:
        why = "outputs that are the targets do not cost nothing: what an output means to this loss is not known"
        return TrialResult(name=_NAME, question=QUESTION, not_run=why)
    cheapest = min(others, key=lambda name: min(others[name]))
    is_cheap = any(
        cost - best <= _AS_CHEAP * max(most - best, 0.0) for cost, most in zip(others[cheapest], wrong, strict=True)
    )
    points: dict[Part, str] = {}
    if is_cheap:
        points["loss"] = (
            f"{cheapest} costs {min(others[cheapest]):.3g}, and what is right {best:.3g}: the loss does not tell them "
            "apart"
        )
    return TrialResult(
        name=_NAME, question=QUESTION,
        done="The loss got made-up outputs in place of the network's: right ones, wrong ones, and the same for all.",
        seen=(
            Observation(what="what is right costs", value=best),
            Observation(what="what is wrong costs", value=max(wrong)),
            *(Observation(what=f"{name} costs", value=min(costs)) for name, costs in others.items()),
        ),
        showed=(
            f"{cheapest} costs as little as what is right"
            if is_cheap
            else "what is right costs less than one answer for all",
        ),
        points_to=points,
    )  # fmt: skip
