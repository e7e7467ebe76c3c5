"""Exercises 9.4 and 9.5: the gradient of a batch from its parts, and the learning rate over time."""

import math
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

from backlight.core import FloatArray, IntArray
from backlight.lessons.exercises.exercise import Exercise, wrong
from backlight.lessons.exercises.helpers import mean_nats, softmax

# -- 9.4: gradient accumulation ---------------------------------------------------------------------------------------

Batches = Sequence[tuple[IntArray, IntArray]]
Parts = Sequence[tuple[Any, IntArray]]
"""A value of each micro-batch, and its targets."""


def _micro_batches(rng: np.random.Generator) -> list[dict[str, Any]]:
    cases = []
    for V, rows, hidden in ((5, (4, 4, 2), 0), (6, (3, 3), 5), (4, (2, 2, 2, 1), 1), (3, (2,), 0)):
        batches = [(rng.integers(0, V, (B, 3)), rng.integers(0, V, (B, 3))) for B in rows]
        batches[0][1].flat[:hidden] = -1
        cases.append({"loss_and_gradient": _bigram(rng.normal(size=(V, V))), "batches": batches})
    return cases


def _bigram(W: FloatArray) -> Callable[[IntArray, IntArray], tuple[float, FloatArray]]:
    """Return a function of ids and targets: the mean loss of a bigram model over its targets, and the gradient."""

    def loss_and_gradient(x: IntArray, y: IntArray) -> tuple[float, FloatArray]:
        ids, targets = x[y >= 0], y[y >= 0]
        slopes = softmax(W[ids])
        slopes[np.arange(len(ids)), targets] -= 1
        gradient = np.zeros_like(W)
        np.add.at(gradient, ids, slopes / len(ids))
        return mean_nats(W[ids], targets), gradient

    return loss_and_gradient


def _targets(y: IntArray) -> int:
    return int((y >= 0).sum())


def _by(count: Callable[[IntArray], int]) -> Callable[[Parts], Any]:
    """Return the mean of values, each of which counts as often as `count` says of its targets."""
    return lambda parts: sum(one * count(y) for one, y in parts) / max(sum(count(y) for _, y in parts), 1)


def _summed(parts: Parts) -> Any:
    return sum(one for one, _ in parts)


def _divided_twice(parts: Parts) -> Any:
    return _summed(parts) / len(parts) ** 2


def _and_by_batches(parts: Parts) -> Any:
    return _weighted(parts) / len(parts)


def _halved(parts: Parts) -> Any:
    value = parts[0][0]
    for one, _ in parts[1:]:
        value = (value + one) / 2
    return value


def _total(parts: Parts) -> Any:
    return sum(one * _targets(y) for one, y in parts)


def _over_places(parts: Parts) -> Any:
    return _total(parts) / sum(y.size for _, y in parts)


_weighted = _by(_targets)
_mean_of_means = _by(lambda _: 1)
_by_places = _by(lambda y: y.size)
_but_zero = _by(lambda y: int((y > 0).sum()))


def accumulate(
    loss_and_gradient: Callable[[IntArray, IntArray], tuple[float, FloatArray]], batches: Batches, *,
    loss: Callable[[Parts], Any] = _weighted, gradient: Callable[[Parts], Any] = _weighted,
) -> tuple[float, FloatArray]:  # fmt: skip
    found = [(*loss_and_gradient(x, y), y) for x, y in batches]
    return loss([(one, y) for one, _, y in found]), gradient([(one, y) for _, one, y in found])


_LAST: Final[Callable[[Parts], Any]] = lambda parts: parts[-1][0]  # noqa: E731

_MEANS: Final = (
    "The mean of the means gives a target in a small micro-batch more weight than one in a large one. Weight each "
    "micro-batch by its number of targets, and divide by the number of all targets."
)
_TWICE: Final = "It is divided by the number of micro-batches twice, once for each and once at the end."
_ZEROED: Final = (
    "The gradients were set to 0 between the micro-batches, so only the last one counts. They are set to 0 once, "
    "before the first."
)
_PLACES: Final = (
    "Each mean is over the targets that are not -1. Weight it by their number, (y >= 0).sum(), not by the number of "
    "rows or of all places."
)

ACCUMULATE = Exercise(
    cases=_micro_batches,
    solution=accumulate,
    parts=("the loss", "the gradient"),
    mistakes=(
        wrong("not divided by the number of micro-batches", loss=_summed, gradient=_summed,
              says="Each micro-batch's loss is a mean, and their sum is as many times too large as there are "
                   "micro-batches. The learning rate would be that much too large."),
        wrong("the gradients are not divided", gradient=_summed,
              says="The gradients of the micro-batches are added, as backward() does. Each is that of a mean, so the "
                   "sum is too large by about the number of micro-batches."),
        wrong("the loss is not divided", loss=_summed,
              says="The losses of the micro-batches are added, and each is a mean, so the sum is too large by about "
                   "the number of micro-batches."),
        wrong("the mean of the means", loss=_mean_of_means, gradient=_mean_of_means, says=_MEANS),
        wrong("the gradient is the mean of the means", gradient=_mean_of_means, says=_MEANS),
        wrong("the loss is the mean of the means", loss=_mean_of_means, says=_MEANS),
        wrong("divided twice", loss=_divided_twice, gradient=_divided_twice, says=_TWICE),
        wrong("the gradient is divided twice", gradient=_divided_twice, says=_TWICE),
        wrong("weighted, and divided by the number of micro-batches besides",
              loss=_and_by_batches, gradient=_and_by_batches,
              says="With the number of all targets as the divisor it is a mean already. Do not divide by the number of "
                   "micro-batches as well."),
        wrong("halved with each micro-batch", loss=_halved, gradient=_halved,
              says="(old + new) / 2 in each round gives the last micro-batch half of the weight, the one before it a "
                   "quarter, and so on. Add them up, and divide once at the end."),
        wrong("weighted, but not divided by the number of targets", loss=_total, gradient=_total,
              says="This is the sum over all targets. Divide by their number."),
        wrong("weighted by targets, divided by places", loss=_over_places, gradient=_over_places,
              says="The divisor counts targets of -1, too. Divide by the number of targets that count."),
        wrong("only the last micro-batch", loss=_LAST, gradient=_LAST, says=_ZEROED),
        wrong("the gradient of the last micro-batch", gradient=_LAST, says=_ZEROED),
        wrong("the loss of the last micro-batch", loss=_LAST,
              says="The loss that is returned is that of the last micro-batch only. It is a mean over all targets, as "
                   "the gradient is."),
        wrong("targets of 0 do not count", loss=_but_zero, gradient=_but_zero,
              says="0 is an id like any other. Only -1 is no target: count y >= 0."),
        wrong("weighted by places, not by targets", loss=_by_places, gradient=_by_places, says=_PLACES),
        wrong("the gradient is weighted by places", gradient=_by_places, says=_PLACES),
    ),
    hints=(
        "A mean times the number of its targets is a sum, and sums can be added.",
        "For each micro-batch: n = (y >= 0).sum(), then total += n * loss, and the same for the gradient.",
        "At the end divide both by the number of all targets.",
    ),
    look="the comparison below the exercise: in four parts and in one piece, the gradient is the same.",
)  # fmt: skip


# -- 9.5: warm-up and cosine ------------------------------------------------------------------------------------------


def _steps(rng: np.random.Generator) -> list[dict[str, Any]]:
    del rng
    settings = {"highest": 6e-4, "lowest": 6e-5, "warmup": 10, "steps": 60}
    return [
        *({"step": step, **settings} for step in (0, 4, 9, 10, 22, 35, 59, 60, 66, 75)),
        *({"step": step, "highest": 2e-3, "lowest": 1e-3, "warmup": 4, "steps": 24} for step in (0, 13)),
    ]


def rate_at(
    step: int, highest: float, lowest: float, warmup: int, steps: int, *, first: int = 1, longer: int = 0,
    done: Callable[[int, int, int], float] = lambda step, warmup, steps: (step - warmup) / (steps - warmup),
    half: float = 0.5, one: float = 1.0, turn: float = math.pi, floor: bool = True, scaled: bool = True,
    after: Callable[[float], float] | None = lambda lowest: lowest, shape: Callable[[float], float] = math.cos,
    start: Callable[[float], float] = lambda lowest: 0.0, warm: bool = True,
) -> float:  # fmt: skip
    if warm and step < warmup:
        begin = start(lowest)
        return begin + (highest - begin) * (step + first) / (warmup + longer)
    if after is not None and step > steps:
        return after(lowest)
    share = half * (one + shape(turn * done(step, warmup, steps)))
    return (lowest if floor else 0.0) + share * (highest - (lowest if scaled else 0.0))


def _straight(step: int, highest: float, lowest: float, warmup: int, steps: int) -> float:
    if step < warmup:
        return highest * (step + 1) / warmup
    return highest - (highest - lowest) * min(1.0, (step - warmup) / (steps - warmup))


RATE = Exercise(
    cases=_steps,
    solution=rate_at,
    atol=1e-10,
    mistakes=(
        wrong("the warm-up begins at 0", first=0,
              says="Step 0 would have the rate 0 and change nothing. Step number 0 is the first of warmup steps: it "
                   "has highest * 1 / warmup."),
        wrong("divided by warmup + 1", longer=1,
              says="This is nanoGPT's form, in which the last step of the warm-up stays below the highest rate. In the "
                   "lecture's it reaches it: divide by warmup."),
        wrong("divided by warmup - 1", longer=-1,
              says="Step 0 has the rate highest * 1 / warmup, so step number warmup - 1, the last of the warm-up, has "
                   "the highest: divide by warmup."),
        wrong("the warm-up begins at the lowest rate", start=lambda lowest: lowest,
              says="The warm-up rises in proportion to the number of steps, from almost nothing. lowest is for the end "
                   "of the training only."),
        wrong("the warm-up is not below the lowest rate",
              lambda **case: max(rate_at(**case), case["lowest"]),
              says="lowest is for the end of the training only. In the warm-up the rate may be, and is, below it."),
        wrong("no warm-up", warm=False,
              says="The first warmup steps rise in a straight line to the highest rate."),
        wrong("the warm-up is one step too long", lambda step, highest, warmup, **case:
              highest * (step + 1) / warmup if step == warmup
              else rate_at(step=step, highest=highest, warmup=warmup, **case),
              says="Step number warmup is the first after the warm-up, since step 0 was its first: step < warmup."),
        wrong("the end is counted from the warm-up",
              lambda **case: rate_at(**case, after=None if case["step"] <= case["warmup"] + case["steps"]
                                     else lambda lowest: lowest),
              says="steps is the number of all steps, with those of the warm-up. From there on the rate is lowest."),
        wrong("the decay is counted over all steps", done=lambda step, warmup, steps: step / steps,
              says="The cosine begins after the warm-up: its share is (step - warmup) / (steps - warmup), so that it "
                   "starts at 0 and ends at 1."),
        wrong("the decay takes as long as all steps", done=lambda step, warmup, steps: (step - warmup) / steps,
              says="The cosine has steps - warmup steps to go down, not steps: as it is, it does not reach the end."),
        wrong("the decay is not shifted by the warm-up", done=lambda step, warmup, steps: step / (steps - warmup),
              says="The cosine begins when the warm-up has ended: subtract warmup from the step."),
        wrong("the decay is one step ahead",
              done=lambda step, warmup, steps: (step + 1 - warmup) / (steps - warmup),
              says="Step number warmup is the first of the decay, whose share is 0: the rate there is the highest."),
        wrong("the decay ends one step early",
              done=lambda step, warmup, steps: min(1.0, (step - warmup) / (steps - warmup - 1)),
              says="The lowest rate is reached at step number steps, not one before it."),
        wrong("the minimum is not kept after the end", after=None,
              says="After the last step the cosine rises again. From there on the rate is the lowest."),
        wrong("0 after the end", after=lambda lowest: 0.0,
              says="After the last step the rate stays at the lowest; it does not fall to 0."),
        wrong("the highest rate after the end", lambda **case: case["highest"] if case["step"] > case["steps"]
              else rate_at(**case),
              says="After the last step the rate stays at the lowest."),
        wrong("the half is missing", half=1.0,
              says="1 + cos goes from 2 to 0. Half of it goes from 1 to 0."),
        wrong("1 + is missing", half=1.0, one=0.0,
              says="cos goes from 1 to -1, so the rate would become negative. (1 + cos) / 2 goes from 1 to 0."),
        wrong("half of a cosine without 1 +", one=0.0,
              says="cos / 2 goes from 1/2 to -1/2. (1 + cos) / 2 goes from 1 to 0."),
        wrong("π is missing", turn=1.0,
              says="The angle goes from 0 to π, half a turn: multiply the share by π."),
        wrong("degrees", turn=180.0,
              says="math.cos takes radians: half a turn is π, not 180."),
        wrong("a quarter of a turn", turn=math.pi / 2,
              says="With π / 2 the cosine ends at 0, and half of 1 + cos at 1/2. Half a turn, π, takes it down to -1."),
        wrong("a whole turn", turn=2 * math.pi,
              says="With 2 π the cosine comes back up at the end. Half a turn, π, goes down once."),
        wrong("a sine", shape=math.sin,
              says="A sine begins in the middle and rises. A cosine begins at 1 and falls."),
        wrong("the cosine rises", shape=lambda angle: -math.cos(angle),
              says="1 - cos goes from 0 up to 2. The rate should fall: 1 + cos."),
        wrong("the lowest rate is not added", floor=False,
              says="The part that falls is highest - lowest, on top of the lowest rate: add it."),
        wrong("the lowest rate is added on top of the highest", scaled=False,
              says="At the end of the warm-up this is highest + lowest. Only highest - lowest is multiplied by the "
                   "cosine."),
        wrong("down to 0", floor=False, scaled=False,
              says="The rate falls to 0. It should stop at the lowest: lowest + ... * (highest - lowest)."),
        wrong("down to 0, and cut off at the lowest rate",
              lambda **case: max(rate_at(**case, floor=False, scaled=False),
                                 case["lowest"] if case["step"] >= case["warmup"] else 0.0),
              says="The cosine falls to 0 here, and max() stops it at the lowest rate on the way. It should fall to "
                   "the lowest: lowest + ... * (highest - lowest)."),
        wrong("a straight line", _straight,
              says="The rate falls in a straight line. Half a cosine falls slowly at first, and slowly at the end."),
    ),
    hints=(
        "There are three cases, for which return comes early: step < warmup, step > steps, and between them.",
        "In the warm-up: highest * (step + 1) / warmup.",
        "share = (step - warmup) / (steps - warmup), and 0.5 * (1 + math.cos(math.pi * share)) goes from 1 to 0.",
    ),
    look="the curve below the exercise: where does it begin, where is it highest, and where does it end?",
)  # fmt: skip
