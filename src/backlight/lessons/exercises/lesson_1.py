"""Lesson 1: derivatives by formula and by finite differences, the backward pass, gradient descent, softmax."""

import math
from collections.abc import Callable, Mapping, Sequence
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
              says="The variable occurs in two terms of f, and each contributes to the derivative. The contributions "
                   "add up."),
        wrong("the other path of two", lambda a, b, c: (-1 / c, 3 * math.cos(3 * b), a / c**2),
              says="The variable occurs in two terms of f, and each contributes to the derivative. The contributions "
                   "add up."),
        wrong("forgot the inner derivative", lambda a, b, c: (2 * a * b - 1 / c, a**2 + math.cos(3 * b), a / c**2),
              says="The argument of sin is 3 b, not b: by the chain rule, multiply by the derivative of the argument."),
        wrong("wrong sign of the quotient", lambda a, b, c: (2 * a * b + 1 / c, a**2 + 3 * math.cos(3 * b), -a / c**2),
              says="Two things change the sign here: the minus before a / c, and the fact that 1 / c falls when c "
                   "grows."),
        wrong("wrong sign of the cosine", lambda a, b, c: (2 * a * b - 1 / c, a**2 - 3 * math.cos(3 * b), a / c**2),
              says="The derivative of the sine is the cosine. Only the derivative of the cosine has a minus."),
        wrong("the power was not lowered", lambda a, b, c: (2 * a**2 * b - 1 / c, a**2 + 3 * math.cos(3 * b), a / c),
              says="The exponent becomes a factor, and the power is lowered by one: a³ gives 3 a²."),
    ),
    hints=(
        "Take one variable at a time and treat the other two as constants.",
        "The variable a occurs in a² b and in a / c. Differentiate each term with respect to a, and add.",
        "For b: the term sin(3 b) gives cos(3 b) times the derivative of 3 b.",
        "For c: -a / c is -a c⁻¹. Bring the power down: -a · (-1) · c⁻².",
    ),
    look="backlight explain 'a**2*b + sin(3*b) - a/c' --at a=2,b=3,c=4",
)  # fmt: skip


def _slopes(
    f: Function, a: float, b: float, c: float, h: float, *, up: float = 1.0, down: float = 0.0,
    times: Callable[[float], float] = lambda h: 1.0, put_back: bool = True,
) -> tuple[float, ...]:  # fmt: skip
    """Return the slope by each variable, between `up` steps of h above and `down` steps below."""
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


_PUT_BACK = "Change one variable at a time: restore the last one before you change the next."

FORWARD = Exercise(
    cases=_steps,
    solution=forward_difference,
    helper=_slopes,
    parts=_PARTS,
    mistakes=(
        wrong("not divided by h", times=lambda h: h,
              says="A slope is the rise divided by the run. The rise alone shrinks with h."),
        wrong("backward difference", up=0, down=1,
              says="You moved the variable down by h. That is as accurate, but this exercise asks for a step up."),
        wrong("symmetric difference", down=1,
              says="You used both neighbours, which is exercise 1.3. Here, compare f after the step with f at the "
                   "point itself."),
        wrong("wrong way round", times=lambda h: -1, says="Subtract f before the step from f after it, not the other "
                                                          "way round."),
        wrong("the last variable was not restored", put_back=False, says=_PUT_BACK),
    ),
    hints=(
        "First for a alone: how much does f change from (a, b, c) to (a + h, b, c)?",
        "Divide that change by h. Then do the same for b, with a at its old value; then for c.",
        "df/da is (f(a + h, b, c) - f(a, b, c)) / h.",
    ),
    look="the figure of the secants in the lesson: the forward difference is the slope from the point to its right "
         "neighbour.",
    rtol=1e-7,
)  # fmt: skip

SYMMETRIC = Exercise(
    cases=_steps,
    solution=symmetric_difference,
    parts=_PARTS,
    mistakes=(
        wrong("divided by h", times=lambda h: 2, says="From h below to h above, the run is 2 h, not h."),
        wrong("not divided", times=lambda h: 2 * h,
              says="A slope is the rise divided by the run: divide by the distance between the two points."),
        wrong("divided by h, times 2", times=lambda h: 4,
              says="Divide by 2 h: in code that is / (2 * h). Python reads / 2 * h as division by 2, then "
                   "multiplication by h."),
        wrong("/ 2 * h", times=lambda h: h * h,
              says="Python evaluates / 2 * h from left to right: it divides by 2, then multiplies by h. Use "
                   "parentheses: / (2 * h)."),
        wrong("forward difference", down=0,
              says="You stepped up only, which is exercise 1.2. Here, evaluate f on both sides of the point."),
        wrong("wrong way round", times=lambda h: -1, says="Subtract f below the point from f above it, not the other "
                                                          "way round."),
        wrong("the last variable was not restored", put_back=False, says=_PUT_BACK),
    ),
    hints=(
        "Use two points this time: one at h above, one at h below. How far apart are they?",
        "df/da is (f(a + h, b, c) - f(a - h, b, c)) / (2 * h).",
    ),
    look="the figure of the secants in the lesson: the symmetric one is nearly parallel to the tangent.",
    rtol=1e-7,
)  # fmt: skip


# -- 1.4: the backward pass -------------------------------------------------------------------------------------------


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


def _depth_first(nodes: Nodes) -> dict[str, float]:
    """Return what each node gets if it hands on its gradient whenever it receives a share."""
    grad = {name: 0.0 for name, _ in reversed(nodes)}
    parents = dict(nodes)

    def back(name: str) -> None:
        for parent, local in parents[name]:
            grad[parent] += local * grad[name]
            back(parent)

    grad[nodes[-1][0]] = 1.0
    back(nodes[-1][0])
    return grad


def _walked(answer: Callable[..., Any], case: Inputs) -> Any:
    """Return an answer's gradients by name; a list is read in the order of the nodes."""
    names = [name for name, _ in case["nodes"]]
    grad = call(answer, case)
    if isinstance(grad, list | tuple) and len(grad) == len(names):
        grad = dict(zip(names, grad, strict=True))
    if isinstance(grad, Mapping):
        return {name: grad[name] for name in reversed(names) if name in grad}
    return grad


WALK = Exercise(
    cases=_graphs,
    solution=walk_back,
    use=_walked,
    mistakes=(
        wrong("= for += where paths meet", step=lambda old, local, above: local * above,
              says="A node that is used twice receives two contributions: the second must not overwrite the first."),
        wrong("forgot the gradient from above", step=lambda old, local, above: old + local,
              says="The local derivative is that of the next node. Multiply it by the gradient of the next node to "
                   "get the derivative of the output."),
        wrong("forgot the local derivative", step=lambda old, local, above: old + above,
              says="The gradient from above is not passed on unchanged: multiply it by the local derivative on the "
                   "edge."),
        wrong("the output's own gradient is missing", end=0.0,
              says="The backward pass starts at the output, whose derivative with respect to itself is 1. Starting "
                   "from 0, every gradient is 0."),
        wrong("nothing is passed on", step=lambda old, local, above: old,
              says="Only the output has a gradient: nothing arrived at its parents. The walk begins at the output "
                   "itself, the last node. Each node adds, to each parent's gradient, the local derivative times its "
                   "own."),
        wrong("not in order: shares are handed on twice", _depth_first,
              says="A node passed its gradient on before it was complete, and then again with the next share. Go "
                   "through "
                   "the nodes in reverse order, so that a node is visited once, after all nodes that use it."),
        wrong("walked forward", order=1,
              says="A node can pass its gradient on only when it is complete: start at the output and go backward."),
        wrong("local derivative added, not multiplied", step=lambda old, local, above: old + local + above,
              says="The chain rule multiplies along a path. A sum is formed only where paths meet."),
    ),
    hints=(
        "Start with a gradient of 0 for every node, except 1 for the output.",
        "Go through the nodes from last to first. Each passes something on to each of its parents.",
        "It passes on the local derivative times its own gradient.",
        "The parent adds it to what it has, with +=, since it may receive several contributions.",
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


def _pair_by_pair(w: float, xs: list[float], ys: list[float], rate: float, steps: int) -> float:
    for _ in range(steps):
        for x, y in zip(xs, ys, strict=True):
            w -= rate * 2 * (w * x - y) * x
    return w


def _once(w: float, xs: list[float], ys: list[float], rate: float, steps: int) -> float:
    return w - steps * rate * sum(2 * (w * x - y) * x for x, y in zip(xs, ys, strict=True))


DESCEND = Exercise(
    cases=_lines,
    solution=descend,
    mistakes=(
        wrong("forgot to zero the gradient", forget=False,
              says="backward() adds to the gradient that is already there. Without zero_grad(), every step includes "
                   "the gradients of all earlier steps."),
        wrong("went uphill", share=-1.0, says="The gradient points in the direction in which the loss grows: "
                                              "subtract it."),
        wrong("mean for sum", lambda **case: descend(**case, share=1 / len(case["xs"])),
              says="The loss of this exercise is the sum over the pairs, not their mean."),
        wrong("a step after each pair", _pair_by_pair,
              says="w was moved after each pair. Sum the loss over all pairs first, then take one step."),
        wrong("the loss is computed once, outside of the loop", _once,
              says="The graph was made once, so every step uses the gradient at the first w. Compute the loss anew in "
                   "each "
                   "step."),
        wrong("zeroed the gradient before using it", after=True,
              says="w never changes: its gradient is 0 when the step is taken. Call zero_grad() before backward(), "
                   "not after it."),
        wrong("one step only", steps=1,
              says="This is the result of a single step. Is the return inside the loop, or the update outside of it?"),
    ),
    hints=(
        "Each step does four things, in this order: reset the gradient, compute the loss, call backward(), update w.",
        "The gradient is in w.grad after loss.backward(); w.zero_grad() resets it.",
        "The update is w.data -= rate * w.grad. At the end, return w.data.",
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
    """Return the loss that an answer gives, and its gradient with respect to each logit."""
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
        wrong("the graph is broken", _broken_graph,
              says="The loss is right, but no gradient reaches the logits: a number was taken out of a Value with "
                   ".data or float()."),
        wrong("log without minus", lambda logits, target: -softmax_nll(logits, target),
              says="The log of a probability is negative, and a loss is to be made small: return the negative log."),
        wrong("the probability, not its log", lambda logits, target: (-softmax_nll(logits, target)).exp(),
              says="That is the probability at the target. Return its negative log."),
        wrong("not divided by the sum", lambda logits, target: -logits[target],
              says="The exponentials of the logits are counts, not probabilities: divide them by their sum, so that "
                   "they sum to 1."),
        wrong("divided by the sum of the logits", _divided_by_logits,
              says="The denominator is the sum of the exponentials, not the sum of the logits."),
        wrong("the losses of all targets added up", lambda logits, target: _mean_of_all(logits, target) * len(logits),
              says="Only the probability of the target counts. The other logits are already in it, through the sum."),
        wrong("log to the base 10", lambda logits, target: softmax_nll(logits, target) / math.log(10),
              says="That is the logarithm to the base 10. The natural logarithm, .log(), gives nats."),
        wrong("mean over all, not the target's", _mean_of_all,
              says="Only the probability of the target counts. The other logits are already in it, through the sum."),
    ),
    hints=(
        "Three lines: counts = e to the power of each logit; total = their sum; loss = -log(count at target / total).",
        "A Value has .exp() and .log(); a list of Values is summed by sum(counts).",
        "Compute with Values throughout: do not use .data.",
    ),
    look="show(explain(softmax_nll(...)).picture()): each logit's gradient is its probability, minus 1 at the target.",
)  # fmt: skip

EXERCISES = (FORMULA, FORWARD, SYMMETRIC, WALK, DESCEND, SOFTMAX)
