"""Lesson 1: derivatives by formula and by difference, the walk back, gradient descent, softmax with Value."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from backlight.autograd import Value
from backlight.core import FloatArray
from backlight.lessons.exercises.exercise import Exercise, Inputs, call, wrong

Three = tuple[float, float, float]
Function = Callable[[float, float, float], float]

_PARTS = ("df/da", "df/db", "df/dc")


# -- 1.1, 1.2, 1.3: the gradient of f -------------------------------------------------------------------------------


def _f(a: float, b: float, c: float) -> float:
    return a**2 * b + math.sin(3 * b) - a / c


def _points(rng: np.random.Generator) -> list[dict[str, float]]:
    points = rng.uniform(0.5, 3, (4, 3)).round(2).tolist()
    return [{"a": 2.0, "b": 3.0, "c": 4.0}, *({"a": a, "b": b, "c": c} for a, b, c in points)]


def _steps(rng: np.random.Generator) -> list[dict[str, Any]]:
    return [{"f": _f, **point, "h": h} for point, h in zip(_points(rng), (0.01, 0.1, 0.01, 0.02, 0.05), strict=True)]


def gradient_by_formula(a: float, b: float, c: float) -> Three:
    return 2 * a * b - 1 / c, a**2 + 3 * math.cos(3 * b), a / c**2


FORMULA = Exercise(
    cases=_points,
    solution=gradient_by_formula,
    parts=_PARTS,
    mistakes=(
        wrong("one path of two", lambda a, b, c: (2 * a * b, a**2, a / c**2),
              says="The letter stands in two terms of f, and each gives a share. The shares add up."),
        wrong("the other path of two", lambda a, b, c: (-1 / c, 3 * math.cos(3 * b), a / c**2),
              says="The letter stands in two terms of f, and each gives a share. The shares add up."),
        wrong("forgot the inner derivative", lambda a, b, c: (2 * a * b - 1 / c, a**2 + math.cos(3 * b), a / c**2),
              says="sin has 3 b inside, not b: by the chain rule its slope is multiplied by the slope of what is "
                   "inside."),
        wrong("wrong sign of the quotient", lambda a, b, c: (2 * a * b + 1 / c, a**2 + 3 * math.cos(3 * b), -a / c**2),
              says="Two things turn a sign here: the minus before a / c, and that 1 / c falls when c grows."),
        wrong("wrong sign of the cosine", lambda a, b, c: (2 * a * b - 1 / c, a**2 - 3 * math.cos(3 * b), a / c**2),
              says="The derivative of the sine is the cosine; it is the cosine's that has a minus."),
        wrong("the power was not lowered", lambda a, b, c: (2 * a**2 * b - 1 / c, a**2 + 3 * math.cos(3 * b), a / c),
              says="A power comes down as a factor and leaves a power one lower: a³ gives 3 a²."),
    ),
    hints=(
        "Take one letter at a time and treat the two others as plain numbers.",
        "The letter a stands in a² b and in a / c. Differentiate each term by a, and add.",
        "For b: the term sin(3 b) gives cos(3 b) times the derivative of 3 b.",
        "For c: -a / c is -a c⁻¹. Bring the power down: -a · (-1) · c⁻².",
    ),
    look="backlight explain 'a**2*b + sin(3*b) - a/c' --at a=2,b=3,c=4",
)  # fmt: skip


def _slopes(
    f: Function, a: float, b: float, c: float, h: float, *, up: float = 1.0, down: float = 0.0,
    times: Callable[[float], float] = lambda h: 1.0, put_back: bool = True,
) -> tuple[float, ...]:  # fmt: skip
    """Return the slope by each letter, between `up` steps of h above and `down` steps below."""
    found = []
    for letter in range(3):
        moved = [one == letter or (one < letter and not put_back) for one in range(3)]
        high, low = (f(*(x + step * m for x, m in zip((a, b, c), moved, strict=True))) for step in (up * h, -down * h))
        found.append(times(h) * (high - low) / ((up + down) * h))
    return tuple(found)


def forward_difference(f: Function, a: float, b: float, c: float, h: float) -> tuple[float, ...]:
    return _slopes(f, a, b, c, h)


def symmetric_difference(
    f: Function, a: float, b: float, c: float, h: float, *, down: float = 1.0, **changed: Any
) -> tuple[float, ...]:
    return _slopes(f, a, b, c, h, down=down, **changed)


_PUT_BACK = "One letter moves at a time: before the next is moved, the last must be where it was."

FORWARD = Exercise(
    cases=_steps,
    solution=forward_difference,
    helper=_slopes,
    parts=_PARTS,
    mistakes=(
        wrong("not divided by h", times=lambda h: h,
              says="A slope is rise over run: the rise alone shrinks with h."),
        wrong("backward difference", up=0, down=1,
              says="That moves the letter down by h. It is as good, but this exercise asks for the step up."),
        wrong("symmetric difference", down=1,
              says="That looks to both sides, which is exercise 1.3. Here f is compared with f where it stands."),
        wrong("wrong way round", times=lambda h: -1, says="It is f after the move less f before it."),
        wrong("did not put the last one back", put_back=False, says=_PUT_BACK),
    ),
    hints=(
        "First for a alone: how much does f change from (a, b, c) to (a + h, b, c)?",
        "Divide that change by h. Then do the same with b moved, and a where it was; then with c moved.",
        "df/da is (f(a + h, b, c) - f(a, b, c)) / h.",
    ),
    look="the picture of the secant in the lesson: the forward difference is the slope from the point to its right "
    "neighbour.",
    rtol=1e-7,
)  # fmt: skip

SYMMETRIC = Exercise(
    cases=_steps,
    solution=symmetric_difference,
    parts=_PARTS,
    mistakes=(
        wrong("divided by h", times=lambda h: 2, says="From h below to h above is a run of 2 h, not of h."),
        wrong("not divided", times=lambda h: 2 * h,
              says="A slope is rise over run: divide by how far the two points are apart."),
        wrong("divided by h, times 2", times=lambda h: 4,
              says="Divide by 2 h: in code that is / (2 * h), since / 2 * h divides by 2 and multiplies by h."),
        wrong("/ 2 * h", times=lambda h: h * h,
              says="Code reads / 2 * h from left to right: divided by 2, then multiplied by h. Use brackets: / (2 * "
                   "h)."),
        wrong("forward difference", down=0,
              says="That looks up only, which is exercise 1.2. Here f stands on either side of the point."),
        wrong("wrong way round", times=lambda h: -1, says="It is f above less f below."),
        wrong("did not put the last one back", put_back=False, says=_PUT_BACK),
    ),
    hints=(
        "Two points this time: one h above, one h below. How far apart are they?",
        "df/da is (f(a + h, b, c) - f(a - h, b, c)) / (2 * h).",
    ),
    look="the picture of the secant in the lesson: the symmetric one is nearly parallel to the tangent.",
    rtol=1e-7,
)  # fmt: skip


# -- 1.4: the walk back -----------------------------------------------------------------------------------------------


def _graphs(rng: np.random.Generator) -> list[dict[str, Any]]:
    """Return graphs as lists of (name, [(parent, local derivative), ...]), each node after its parents."""
    drawn = rng.normal(0, 2, 12).round(1).tolist()
    return [
        {"nodes": [("a", []), ("b", []), ("c", [("a", 4.0), ("b", 3.0)]), ("d", [("c", -2.0)])]},
        {"nodes": [("a", []), ("b", [("a", 1.0), ("a", 1.0)])]},
        {
            "nodes": [
                ("x", []), ("w", []), ("u", [("x", drawn[0]), ("w", drawn[1])]), ("v", [("u", drawn[2])]),
                ("s", [("u", drawn[3]), ("x", drawn[4])]), ("o", [("v", drawn[5]), ("s", drawn[6])]),
            ]
        },
    ]  # fmt: skip


Nodes = Sequence[tuple[str, Sequence[tuple[str, float]]]]


def walk_back(
    nodes: Nodes, *, step: Callable[[float, float, float], float] = lambda old, local, above: old + local * above,
    order: int = -1, end: float = 1.0,
) -> dict[str, float]:  # fmt: skip
    grad = {name: 0.0 for name, _ in reversed(nodes)}
    grad[nodes[-1][0]] = end
    for name, parents in nodes[::order]:
        for parent, local in parents:
            grad[parent] = step(grad[parent], local, grad[name])
    return grad


WALK = Exercise(
    cases=_graphs,
    solution=walk_back,
    mistakes=(
        wrong("= for += where paths meet", step=lambda old, local, above: local * above,
              says="A node that is used twice hears from both: the second share must not overwrite the first."),
        wrong("forgot the gradient from above", step=lambda old, local, above: old + local,
              says="A local derivative says what the next node feels; the end feels that times the next node's "
                   "gradient."),
        wrong("forgot the local derivative", step=lambda old, local, above: old + above,
              says="The gradient from above is not handed on as it is: it is multiplied by the edge's local "
                   "derivative."),
        wrong("the end's own gradient is missing", end=0.0,
              says="The walk begins with the end, whose derivative by itself is 1. From 0 comes nothing but 0."),
        wrong("walked forward", order=1,
              says="A node can hand on its gradient when it has all of it: start at the end, and go backward."),
        wrong("local derivative added, not multiplied", step=lambda old, local, above: old + local + above,
              says="The chain rule multiplies along a path. Only where paths meet is there a sum."),
    ),
    hints=(
        "Start with a gradient of 0 for everybody, and of 1 for the end.",
        "Go through the nodes from the last to the first. Each hands something to each of its parents.",
        "What it hands on is local derivative x its own gradient.",
        "The parent adds it to what it has: +=, as several may hand it something.",
    ),
    look="backlight explain 'c = a*b; d = -2*c; o = d + c' --at a=3,b=4 --walk",
)  # fmt: skip


# -- 1.5: gradient descent --------------------------------------------------------------------------------------------


def _lines(rng: np.random.Generator) -> list[dict[str, Any]]:
    xs = rng.uniform(-1, 1, 5).round(2).tolist()
    return [
        {"w": 0.0, "xs": [1.0, 2.0], "ys": [2.0, 4.0], "rate": 0.05, "steps": 3},
        {"w": 1.0, "xs": xs, "ys": [-3 * x for x in xs], "rate": 0.1, "steps": 4},
    ]


def descend(
    w: float, xs: list[float], ys: list[float], rate: float, steps: int, *, forget: bool = True, share: float = 1.0,
    after: bool = False,
) -> float:  # fmt: skip
    weight = Value(w)
    for _ in range(steps):
        if forget and not after:
            weight.zero_grad()
        loss = sum(((weight * x - y) ** 2 for x, y in zip(xs, ys, strict=True)), Value(0.0))
        loss.backward()
        if after:
            weight.zero_grad()
        weight.data -= rate * share * weight.grad
    return float(weight.data)


DESCEND = Exercise(
    cases=_lines,
    solution=descend,
    mistakes=(
        wrong("forgot to zero the gradient", forget=False,
              says="backward() adds to the gradient that is there. Without zero_grad() every step repeats all steps "
                   "before."),
        wrong("went uphill", share=-1.0, says="The gradient points to where the loss grows: subtract it."),
        wrong("mean for sum", lambda **case: descend(**case, share=1 / len(case["xs"])),
              says="The loss of this exercise is the sum over the pairs, not their mean."),
        wrong("zeroed the gradient before using it", after=True,
              says="w never moves: its gradient is gone when the step is taken. Zero it before backward(), not after."),
        wrong("one step only", steps=1,
              says="The result is that of a single step. Is the return inside the loop, or the update outside?"),
    ),
    hints=(
        "Four things happen in each step, in this order: forget the old gradient, compute the loss, backward(), move.",
        "The gradient is in w.grad after loss.backward(); w.zero_grad() forgets it.",
        "The move is w.data -= rate * w.grad. At the end, return w.data.",
    ),
    look="the table of the loss with and without zero_grad() in the lesson.",
)  # fmt: skip


# -- 1.6: softmax and negative log-likelihood --------------------------------------------------------------------------


def _logits(rng: np.random.Generator) -> list[dict[str, Any]]:
    drawn = rng.normal(0, 1.5, (2, 5)).round(2).tolist()
    return [
        {"logits": [0.0, 3.0, -2.0, 1.0], "target": 3},
        {"logits": drawn[0], "target": 0},
        {"logits": drawn[1][:3], "target": 2},
    ]


def _used(answer: Callable[..., Any], case: Inputs) -> dict[str, Any] | None:
    """Return the loss that an answer gives, and the gradient of it by each logit."""
    logits = [Value(logit) for logit in case["logits"]]
    loss = call(answer, {"logits": logits, "target": case["target"]})
    if loss is None:
        return None
    if isinstance(loss, Value):
        loss.backward()
    return {"the loss": loss, "the logits' gradients": [logit.grad for logit in logits]}


def _sum(values: Sequence[Value]) -> Value:
    return sum(values, Value(0.0))


def softmax_nll(logits: list[Value], target: int) -> Value:
    counts = [logit.exp() for logit in logits]
    return -(counts[target] / _sum(counts)).log()


def _broken_graph(logits: list[Value], target: int) -> float:
    counts: FloatArray = np.exp([logit.data for logit in logits])
    return float(-np.log(counts[target] / counts.sum()))


def _divided_by_logits(logits: list[Value], target: int) -> Value:
    total = _sum(logits)
    return -(logits[target].exp() / total).log() if total.data > 0 else Value(math.nan)


def _mean_of_all(logits: list[Value], target: int) -> Value:
    del target
    counts = [logit.exp() for logit in logits]
    total = _sum(counts)
    return -_sum([(count / total).log() for count in counts]) / len(counts)


SOFTMAX = Exercise(
    cases=_logits,
    solution=softmax_nll,
    use=_used,
    mistakes=(
        wrong("the graph is cut", _broken_graph,
              says="The loss is right, but no gradient comes back: a number was taken out of a Value with .data or "
                   "float()."),
        wrong("log without minus", lambda logits, target: -softmax_nll(logits, target),
              says="The log of a probability is below 0. A loss is what should become small: its negative."),
        wrong("the probability, not its log", lambda logits, target: (-softmax_nll(logits, target)).exp(),
              says="That is the probability at the target. Its negative log is asked for."),
        wrong("not divided by the sum", lambda logits, target: -logits[target],
              says="e to the logits are counts, not probabilities: they do not sum to 1 until they are divided by "
                   "their sum."),
        wrong("divided by the sum of the logits", _divided_by_logits,
              says="The sum below is over e to the logits, not over the logits."),
        wrong("mean over all, not the target's", _mean_of_all,
              says="Only the probability of what came counts; the others are in it already, by the sum."),
    ),
    hints=(
        "Three lines: counts = e to each logit; total = their sum; loss = -log(count at the target / total).",
        "A Value has .exp() and .log(); a list of Values is summed by sum(counts).",
        "Stay with Values to the end: no .data on the way.",
    ),
    look="show(explain(softmax_nll(...)).picture()): each logit's gradient is its probability, less 1 at the target.",
)  # fmt: skip

EXERCISES = (FORMULA, FORWARD, SYMMETRIC, WALK, DESCEND, SOFTMAX)
