"""On what does the output depend: the other examples, the order along each axis, each part of the input, the future?"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from backlight.core import Array, FloatArray
from backlight.health.trials.subject import Subject, score
from backlight.watch.adapter import BatchView
from backlight.watch.probes import is_sequence, one_target_each, predicts_next
from backlight.watch.replica import Replica
from backlight.watch.sequences import padding_of
from backlight.watch.trial import Observation, Part, TrialResult

QUESTION: Final = "On what does the output depend, and on what does it not?"
_NAME: Final = "dependence"
_ROWS: Final = 32
_PARTS: Final = 12
"""So many parts of an axis are hidden, one at a time."""
_SAME: Final = 1e-4
"""A change of the output below this, relative to its spread, is rounding."""
_ROUNDING: Final = 1e-6
"""Outputs that are so near, relative to their size, are the same."""
_FEWEST: Final = 8
_BETTER: Final = 0.1
"""Accuracy that shifted targets must win."""


@dataclass(kw_only=True)
class _Told:
    seen: list[Observation] = field(default_factory=list)
    showed: list[str] = field(default_factory=list)
    points: dict[Part, str] = field(default_factory=dict)
    excludes: dict[Part, str] = field(default_factory=dict)
    likelier: list[str] = field(default_factory=list)
    less: list[str] = field(default_factory=list)

    def number(self, what: str, value: float) -> float:
        self.seen.append(Observation(what=what, value=value, unit="of the output's spread"))
        return value


@dataclass(frozen=True, kw_only=True)
class _Network:
    """A copy in evaluation mode, with some rows of the batch."""

    replica: Replica
    view: BatchView
    x: Array
    y: Array | None
    out: FloatArray

    def change(self, x: Array, *, at: Callable[[FloatArray], FloatArray] = lambda out: out) -> float:
        """Return how far an output is from that of the batch, relative to its spread."""
        return apart(at(self.replica.run(self.view, x)), at(self.out), self.out)

    @property
    def by_example(self) -> bool:
        """Whether the first axis is surely that of the examples, and these do not belong together."""
        return not self.view.tied and one_target_each(self.x, self.y, self.out)

    @property
    def by_place(self) -> bool:
        """Whether there is an output for each place of a sequence."""
        return is_sequence(self.x, self.out)


def dependence(subject: Subject) -> TrialResult:
    """Change what a copy reads, one thing at a time, and see what changes in what it returns."""
    replica = subject.copy()
    inputs, targets = replica.copied(subject.inputs), replica.copied(subject.targets)
    view = replica.view(inputs, targets)
    if view.x is None or view.x.ndim < 1 or len(view.x) < 2:
        why = "it needs a first input that is a tensor of at least two examples"
        return TrialResult(name=_NAME, question=QUESTION, not_run=why)
    if len(view.x) > _ROWS and (view.y is None or len(view.y) == len(view.x)):
        rows = np.arange(_ROWS)
        count = len(view.x)
        inputs, targets = replica.rows(inputs, rows, count), replica.rows(targets, rows, count)
        view = replica.view(inputs, targets)
    x = view.x
    assert x is not None  # noqa: S101  (some rows of an array)
    out = replica.run(view, x)
    net = _Network(replica=replica, view=view, x=x, y=view.y, out=out)
    told = _Told()
    if not all(replica.is_repeated(inputs, targets)):
        told.showed.append("two passes of the same batch in evaluation mode differ, so little can be said")
    elif not net.change(np.roll(x, 1, axis=0)) > _SAME:
        told.showed.append("the output is the same for all examples, as of a last layer that begins with zeros")
        told.likelier.append("input-ignored")
    else:
        for look in (
            _twins,
            _alone,
            _alone_in_training,
            _order,
            _parts,
            _future,
            _padding,
            _shifted_input,
            _shifted_targets,
        ):
            if not subject.budget.is_left():
                break
            try:
                look(net, subject, told)
            except Exception as error:  # noqa: BLE001  (a network may refuse a shape: that is what it showed)
                told.showed.append(
                    f"{look.__name__.strip('_').replace('_', ' ')}: {type(error).__name__}: {error!s:.100}"
                )
    return TrialResult(
        name=_NAME, question=QUESTION,
        done=f"A copy in evaluation mode read {len(x)} examples, one thing changed at a time, to numbers of the batch.",
        seen=tuple(told.seen), showed=tuple(told.showed), points_to=told.points, excludes=told.excludes,
        likelier=tuple(told.likelier), less_likely=tuple(told.less),
    )  # fmt: skip


def apart(after: FloatArray, before: FloatArray, whole: FloatArray) -> float:
    """Return the largest difference of two outputs relative to the spread of a third; nan if shapes differ."""
    if after.shape != before.shape or not before.size:
        return float("nan")
    spread = float(np.std(whole.astype(np.float64))) or float(np.abs(whole).max()) or 1.0
    return float(np.abs(after.astype(np.float64) - before.astype(np.float64)).max()) / spread


def _twins(net: _Network, subject: Subject, told: _Told) -> None:
    """Outputs that are always the same as another one, though their targets are not."""
    del subject
    if net.y is None or net.y.shape != net.out.shape or net.out.ndim != 2 or len(net.out) < _FEWEST:
        return
    sizes = np.abs(net.out).max(0)
    moves = np.ptp(net.out, 0) > _SAME * sizes
    for one in np.flatnonzero(moves):
        apart_by = np.abs(net.out[:, :one] - net.out[:, one : one + 1]).max(0)
        for other in np.flatnonzero(moves[:one] & (apart_by <= _ROUNDING * sizes[one])):
            if not np.array_equal(net.y[:, one], net.y[:, other]):
                told.showed.append(
                    f"outputs {other} and {one} are the same for all examples, and their targets are not"
                )
                told.points["network"] = "outputs with targets of their own are always the same: they share all layers"
                return


def _alone(net: _Network, subject: Subject, told: _Told) -> None:
    """One example without the others."""
    if len(net.out) != len(net.x):
        return
    count = len(net.x)
    changes = []
    for at in {0, count // 2, count - 1}:
        one = net.replica.rows(subject.inputs, np.array([at]), len(_rows_of(subject, net)))
        target = net.replica.rows(subject.targets, np.array([at]), len(_rows_of(subject, net)))
        view = net.replica.view(one, target)
        changes.append(apart(net.replica.run(view, view.x), net.out[at : at + 1], net.out))
    change = told.number("an example alone, against the same in the batch", max(changes))
    if not change > _SAME:
        told.showed.append("an example alone gives what it gives in the batch")
        told.less.append("examples-mixed")
    else:
        told.showed.append("an example alone gives something else than in the batch, in evaluation mode")
        if net.by_example:
            told.points["network"] = "in evaluation mode, what an example gives depends on the others in its batch"
            told.likelier.append("examples-mixed")


def _alone_in_training(net: _Network, subject: Subject, told: _Told) -> None:
    """One example without the others, in training mode, where batch norm mixes them by design."""
    one = net.replica
    whole, again = (one.output(subject.inputs, subject.targets, training=True)[0] for _ in range(2))
    count = len(_rows_of(subject, net))
    if whole is None or again is None or len(whole) != count or apart(again, whole, whole) > _SAME:
        return  # dropout, say: nothing can be compared
    rows = np.array([0, count - 1])
    some, _ = one.output(one.rows(subject.inputs, rows, count), one.rows(subject.targets, rows, count), training=True)
    if some is None:
        return
    change = told.number("two examples alone in training mode, against the batch", apart(some, whole[rows], whole))
    told.showed.append(
        f"in training mode two examples alone give {'something else than' if change > _SAME else 'what they give'} in "
        "the batch"
    )


def _rows_of(subject: Subject, net: _Network) -> Array:
    x = net.replica.view(subject.inputs, subject.targets).x
    assert x is not None  # noqa: S101  (it had one)
    return x


def _order(net: _Network, subject: Subject, told: _Told) -> None:
    """The entries of each axis in another order."""
    del subject
    for axis in range(1, net.x.ndim):
        order = np.random.default_rng(axis).permutation(net.x.shape[axis])
        other = np.take(net.x, order, axis)
        if np.array_equal(other, net.x, equal_nan=True):
            continue
        change = told.number(f"axis {axis} in another order", net.change(other))
        if not change > _SAME:
            told.showed.append(f"the order along axis {axis} of the input makes no difference")
            if net.x.dtype.kind == "f" and axis == net.x.ndim - 1:
                told.points.setdefault("network", f"the output does not depend on which feature is which (axis {axis})")
                told.likelier.append("input-ignored")


def _parts(net: _Network, subject: Subject, told: _Told) -> None:
    """Each part along each axis replaced by that of another example."""
    del subject
    other = np.roll(net.x, 1, axis=0)
    for axis in range(1, net.x.ndim):
        parts = np.array_split(np.arange(net.x.shape[axis]), min(_PARTS, net.x.shape[axis]))
        changes: dict[str, float] = {}
        for part in parts:
            changed = net.x.copy()
            where = (slice(None),) * axis + (slice(part[0], part[-1] + 1),)
            changed[where] = other[where]
            if not np.array_equal(changed, net.x, equal_nan=True):
                name = f"{part[0]}" if len(part) == 1 else f"{part[0]} to {part[-1]}"
                changes[name] = net.change(changed)
        if not changes:
            continue
        for name, change in changes.items():
            told.number(f"axis {axis}, {name} from another example", change)
        unread = [name for name, change in changes.items() if not change > _SAME]
        if not unread:
            told.showed.append(f"the output depends on every part of axis {axis}")
            told.less.append("input-ignored")
            continue
        told.showed.append(
            f"the output does not depend on axis {axis} at {', '.join(unread)}, which differ between examples"
        )
        if 2 * len(unread) > len(changes):
            told.points.setdefault("network", f"the output does not depend on most of axis {axis} of the input")
            told.likelier.append("input-ignored")


def _future(net: _Network, subject: Subject, told: _Told) -> None:
    """One place of a sequence at a time: which outputs does it reach?"""
    if not net.by_place:
        return
    other = np.roll(net.x, 1, axis=0)
    length = net.x.shape[1]
    earlier, own, later = 0.0, 0.0, 0.0
    for at in sorted({int(one) for one in np.linspace(0, length - 1, min(_PARTS, length))}):
        changed = net.x.copy()
        changed[:, at] = other[:, at]
        if np.array_equal(changed, net.x, equal_nan=True):
            continue
        after = net.replica.run(net.view, changed)
        reached = [apart(after[:, place], net.out[:, place], net.out) for place in range(length)]
        earlier, own = max([earlier, *reached[:at]]), max(own, reached[at])
        later = max([later, *reached[at + 1 :]])
    told.number("earlier outputs, when a place is changed", earlier)
    told.number("its own output, when a place is changed", own)
    told.number("later outputs, when a place is changed", later)
    causal = subject.causal if subject.causal is not None else predicts_next(net.x, net.y)
    if earlier > _SAME:
        told.showed.append("an output depends on later places of the sequence")
        if causal:
            told.points["network"] = "an output depends on later places, which hold what it is to predict"
            told.likelier.append("sees-the-future")
    else:
        told.showed.append("no output depends on later places of the sequence")
        told.less.append("sees-the-future")
    if not own > _SAME and not later > _SAME:
        told.showed.append("no output depends on its own place or on earlier ones")
        told.points.setdefault("network", "no output depends on its own place of the sequence or on earlier ones")
    elif not later > _SAME and length > 1:
        told.showed.append("each output depends on no earlier place: nothing goes from one place to the next")
    elif not own > _SAME:
        told.showed.append("no output depends on its own place")


def _padding(net: _Network, subject: Subject, told: _Told) -> None:
    """Two more places of padding."""
    del subject
    if net.x.ndim != 2 or net.x.dtype.kind not in "iu":
        return
    padding = padding_of(net.x)
    if padding is None:
        told.showed.append("no padding was found in the batch, so none was added")
        return
    pad = net.x[padding][0]
    at_the_end = bool(padding[:, -1].any())
    two = np.full((len(net.x), 2), pad, net.x.dtype)
    after = net.replica.run(net.view, np.concatenate([net.x, two] if at_the_end else [two, net.x], axis=1))
    before = net.out
    if net.by_place:
        after, before = (after[:, :-2] if at_the_end else after[:, 2:])[~padding], before[~padding]
    change = told.number("two more places of padding", apart(after, before, net.out))
    told.showed.append(
        "more padding changes the output" if change > _SAME else "more padding does not change the output"
    )
    if change > _SAME and not net.by_place:  # of places, a convolution or the way back reads padding in many networks
        told.points.setdefault("network", "the output depends on how much padding there is")


def _shifted_input(net: _Network, subject: Subject, told: _Told) -> None:
    """A sequence moved by one place."""
    del subject
    if not net.by_place or net.x.shape[1] < 3:
        return
    after = net.replica.run(net.view, np.roll(net.x, 1, axis=1))
    change = told.number(
        "sequence moved by one place, outputs moved back", apart(after[:, 2:], net.out[:, 1:-1], net.out)
    )
    if not change > _SAME:
        told.showed.append(
            "a sequence that is moved by one place gives outputs moved by one: positions are not told apart"
        )


def _shifted_targets(net: _Network, subject: Subject, told: _Told) -> None:
    """The same outputs against the targets one place earlier or later, and of the row before or after.

    This is said and points nowhere: an untrained network whose output is near its input does so too.
    """
    if net.y is None or subject.kind != "cross_entropy":
        return
    here = score(net.out, net.y, subject.kind).accuracy
    if here is None:
        return
    found = {}
    for axis in range(min(net.y.ndim, 2)):
        for by in (-1, 1):
            found[axis, by] = score(net.out, np.roll(net.y, by, axis=axis), subject.kind).accuracy or 0.0
    told.seen.append(Observation(what="right, as the targets are", value=100 * here, unit="%"))
    for (axis, by), share in found.items():
        told.seen.append(
            Observation(what=f"right, targets moved by {by:+d} along axis {axis}", value=100 * share, unit="%")
        )
    (axis, by), best = max(found.items(), key=lambda one: one[1])
    error = np.sqrt(max(best * (1 - best), 1e-4) / max(net.y.size, 1))
    if best > here + max(_BETTER, 4 * error):
        told.showed.append(f"the outputs go better with targets moved by {by:+d} along axis {axis}")
