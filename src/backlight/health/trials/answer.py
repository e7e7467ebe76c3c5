"""Is the answer in the inputs? A linear model and the nearest neighbour on the data that the network gets."""

import math
from typing import Any, Final

import numpy as np

from backlight.core import Array, FloatArray, IntArray
from backlight.health.trials.subject import STEPS, Subject
from backlight.watch.relation import MOST_FEATURES, beyond_chance, columns, simple_predictions
from backlight.watch.replica import LossKind, Replica
from backlight.watch.trial import Observation, Part, TrialResult

QUESTION: Final = "Can the targets be told from the inputs, and does the network do at least as well as simple models?"
_NAME: Final = "answer in the inputs"
_LEAST: Final = 64
_BATCH: Final = 32
_OWN: Final = "fresh weights, your step"
_ADAM: Final = "fresh weights, Adam at 1e-3"
_REFERENCE: Final = "fresh weights, Adam at 1e-3, the usual loss of such targets"
_TOLD, _NOT_TOLD = 4.0, 2.0
"""Standard errors above guessing: the targets are told from the inputs; they are not."""


def answer(subject: Subject) -> TrialResult:
    """Compare the network with simple models, all trained on one half of the examples and tried on the other."""
    replica = subject.copy()
    inputs, targets = subject.examples
    view = replica.view(inputs, targets)
    why = _unsuitable(view.x, view.y, subject)
    if why:
        return TrialResult(name=_NAME, question=QUESTION, not_run=why)
    assert view.x is not None  # noqa: S101  (it is suitable)
    assert view.y is not None  # noqa: S101
    rows = _different(view.x)
    if len(rows) < _LEAST:
        return TrialResult(
            name=_NAME, question=QUESTION,
            not_run=f"it needs {_LEAST} different examples, and has {len(rows)}: pass data=(inputs, targets)",
        )  # fmt: skip
    is_class = view.y.dtype.kind in "iu"
    y = view.y.reshape(len(view.y), -1)
    known = np.unique(y) if is_class else None
    x = view.x[rows].reshape(len(rows), -1)
    table = columns(x[:, :: max(1, -(-x.shape[1] // MOST_FEATURES))])
    wanted, half = _wanted(y[rows], known), len(rows) // 2
    linear, nearest = simple_predictions(table, wanted)
    reference = _reference(subject, view.y, replica)
    networks = _of_networks(subject, rows, known, reference)
    found = {"a linear model": linear, "the nearest neighbour": nearest} | networks
    scores = {name: beyond_chance(one, wanted[half:], is_class) for name, one in found.items()}
    moved = {}
    for shift in (-1, 1):  # the targets of the row before, and of the row after
        other = _wanted(y[(rows + shift) % len(y)], known)
        moved[shift] = max(beyond_chance(one, other[half:], is_class) for one in simple_predictions(table, other))
    return _told(scores, _shares(found, wanted[half:], is_class), moved, count=len(rows), is_class=is_class)


def _reference(subject: Subject, y: Array, replica: Replica) -> LossKind | None:
    """Return the usual loss of such targets and outputs, if the network is trained with another one."""
    output, _ = replica.output(*subject.examples, training=False)
    if subject.loss is None or subject.kind is not None or output is None or len(output) != len(y):
        return None
    width = output.size // len(output)
    if y.dtype.kind in "iu" and y.size == len(y) and y.min() >= 0 and y.max() < width:
        return "cross_entropy"
    if y.size != output.size:
        return None
    return "binary_cross_entropy" if set(np.unique(y)) == {0, 1} else "mse"


def _wanted(y: Array, known: Array | None) -> FloatArray:
    """Return what is to be predicted: a column for each class, or the numbers."""
    return (y == known).astype(np.float64) if known is not None else y.astype(np.float64)


def _unsuitable(x: Array | None, y: Array | None, subject: Subject) -> str:
    if x is None or y is None:
        return "it needs inputs and targets that are one tensor each"
    if len(x) != len(y) or not (y.ndim == 1 or (y.ndim == 2 and y.dtype.kind == "f")):
        return "it is made where each example has one target, a class or a row of numbers"
    if y.dtype.kind in "iu" and y.ndim == 1 and subject.kind == "mse":
        return "the loss is a squared error of whole-numbered targets"
    if not np.isfinite(x).all() or not np.isfinite(y).all():
        return "inputs or targets are not all finite"
    return ""


def _different(x: Array) -> IntArray:
    _, first = np.unique(x.reshape(len(x), -1), axis=0, return_index=True)
    chosen: IntArray = np.random.default_rng(0).permutation(np.sort(first))
    return chosen


def _of_networks(
    subject: Subject, rows: IntArray, known: Array | None, reference: LossKind | None
) -> dict[str, FloatArray]:
    """Return what the network says of the second half: as it is, and with fresh weights trained on the first half."""
    half = len(rows) // 2
    found: dict[str, FloatArray] = {}
    as_it_is = subject.copy()
    found["the network as it is"] = _predictions(as_it_is, subject, rows[half:], known)
    ways = [(_OWN, False)] if subject.optimiser is not None or subject.step is not None else []
    ways.append((_ADAM, True))
    if reference is not None:
        ways.append((_REFERENCE, True))
    for name, adam in ways:
        if not subject.budget.is_left():
            break
        one = subject.copy()
        one.reset(subject.make)
        if adam:
            one.use_adam()
        if name == _REFERENCE and reference is not None:
            one.use_reference_loss(reference)
        if not _train(one, subject, rows[:half]):
            break
        found[name] = _predictions(one, subject, rows[half:], known)
    return {name: one for name, one in found.items() if one.size}


def _train(replica: Replica, subject: Subject, rows: IntArray) -> bool:
    """Take all steps, and return whether there was time for them."""
    inputs, targets = subject.examples
    count = len(_first(replica, inputs, targets))
    rng = np.random.default_rng(0)
    for _ in range(STEPS):
        if not subject.budget.is_left():
            return False
        some = rng.choice(rows, min(_BATCH, len(rows)), replace=False)
        replica.train_step(replica.rows(inputs, some, count), replica.rows(targets, some, count))
        subject.budget.steps -= 1
    return True


def _predictions(replica: Replica, subject: Subject, rows: IntArray, known: Array | None) -> FloatArray:
    """Return predictions (N, K): a number for each class or target; empty if the output does not go with them."""
    inputs, targets = subject.examples
    count = len(_first(replica, inputs, targets))
    output, _ = replica.output(replica.rows(inputs, rows, count), replica.rows(targets, rows, count), training=False)
    none = np.empty(0)
    if output is None or len(output) != len(rows) or not np.isfinite(output).all():
        return none
    output = output.reshape(len(rows), -1).astype(np.float64)
    if known is None:
        return output
    if subject.kind == "binary_cross_entropy" and output.shape[1] == 1 and len(known) == 2:
        return np.concatenate([-output, output], axis=1)
    if known.max() >= output.shape[1] or known.min() < 0:
        return none
    return output[:, known]


def _first(replica: Replica, inputs: Any, targets: Any) -> Array:
    x = replica.view(inputs, targets).x
    assert x is not None  # noqa: S101  (it is suitable)
    return x


def _shares(found: dict[str, FloatArray], wanted: FloatArray, is_class: bool) -> dict[str, float]:
    if is_class:
        return {name: float((one.argmax(1) == wanted.argmax(1)).mean()) for name, one in found.items()}
    spread = float(wanted.var(0).mean())
    return {
        name: float(np.mean((one - wanted) ** 2)) / spread if one.shape == wanted.shape and spread > 0 else math.nan
        for name, one in found.items()
    }


def _told(
    scores: dict[str, float], shares: dict[str, float], moved: dict[int, float], *, count: int, is_class: bool
) -> TrialResult:  # fmt: skip
    simple = {name: scores.pop(name) for name in ("a linear model", "the nearest neighbour")}
    best, network = max(simple, key=lambda name: simple[name]), max(scores.values(), default=-math.inf)
    points: dict[Part, str] = {}
    excludes: dict[Part, str] = {}
    likelier: tuple[str, ...] = ()
    less: tuple[str, ...] = ()
    shift = max(moved, key=lambda one: moved[one])
    if max(simple[best], network) > _TOLD:
        who = f"{best} tells" if simple[best] >= network else "the network tells"
        excludes["labels"] = (
            f"{who} them from the inputs, {max(simple[best], network):.1f} standard errors above guessing"
        )
        excludes["inputs"] = excludes["labels"]
        less = ("labels-unrelated", "labels-constant", "duplicates")
        points |= _behind(scores, simple[best])
        likelier = ("not-learning", "input-ignored") if points else ()
    elif moved[shift] > _TOLD:
        row = "before" if shift < 0 else "after"
        points["labels"] = (
            f"the inputs tell the target of the row {row} theirs, and not their own: the pairs are shifted"
        )
        likelier = ("labels-unrelated",)
    elif is_class and max(simple[best], network) < _NOT_TOLD:  # numbers may spread in ways that no mean shows
        points["labels"] = "neither a linear model, the nearest neighbour nor the network tells them from the inputs"
        likelier = ("labels-unrelated",)
    what, unit = ("right", "%") if is_class else ("squared error, of the variance", "%")
    return TrialResult(
        name=_NAME, question=QUESTION,
        done=f"Half of {count} different examples were learnt from, the other half predicted; networks took up to "
        f"{STEPS} steps.",
        seen=(
            *(Observation(what=f"{name}: {what}", value=100 * one, unit=unit) for name, one in shares.items()),
            *(
                Observation(what=f"{name}: above guessing", value=one, unit="standard errors")
                for name, one in (simple | scores).items()
            ),
            *(
                Observation(what=f"targets shifted by {by:+d} row: above guessing", value=one, unit="standard errors")
                for by, one in moved.items()
            ),
        ),
        showed=tuple(f"{name} is {one:.1f} standard errors above guessing" for name, one in (simple | scores).items()),
        points_to=points, excludes=excludes, likelier=likelier, less_likely=less,
    )  # fmt: skip


def _behind(scores: dict[str, float], simple: float) -> dict[Part, str]:
    """Return what it means if networks that were trained anew predict worse than another model, clearly."""
    own, adam, usual = scores.get(_OWN), scores.get(_ADAM), scores.get(_REFERENCE)
    if usual is not None and adam is not None and usual > 2 * max(_TOLD, adam, own or 0.0):
        return {"loss": f"trained with the usual loss of such targets a fresh network is {usual:.1f} standard errors "
                f"above guessing, with your loss {max(adam, own or 0.0):.1f}"}  # fmt: skip
    behind = [one is not None and one < _NOT_TOLD and simple > 2 * _TOLD for one in (own, adam)]
    if own is not None and behind == [True, False] and adam is not None:
        return {"loop": "trained with Adam at 1e-3 a fresh network predicts the targets, with your step it does not"}
    if adam is not None and behind[1]:
        return {"network": f"a simple model is {simple:.1f} standard errors above guessing, and a freshly trained "
                "network is not above it"}  # fmt: skip
    return {}
