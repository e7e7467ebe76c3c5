"""The forward pass of a graph in single steps, and the question that precedes a step."""

import math
from typing import Any, Final

from backlight.explanation import Explanation
from backlight.explanation.numbers import short

UNKNOWN: Final = "?"


def guess(ask: str, answer: float, hint: str) -> dict[str, Any] | None:
    """Return a question about a number as plain values, with its answer and a hint; None if it is not finite."""
    return {"ask": ask, "answer": answer, "shown": short(answer), "hint": hint} if math.isfinite(answer) else None


def forward_steps(explanation: Explanation) -> list[dict[str, Any]]:
    """Return the steps from the inputs to the value before the end, in the form of `Walk.steps`.

    The step in which the end is computed is the last of them; then the backward pass begins.
    """
    steps = explanation.steps
    known = {place for place, step in enumerate(steps) if not step.inputs}
    start = "Only the inputs are known. Each other box is computed from those whose arrows lead to it."
    found = [_step(explanation, known, None, "Nothing is computed yet", start)]
    for place in sorted(set(range(len(steps))) - known, reverse=True):  # a step is listed before its inputs
        step = steps[place]
        known = known | {place}
        made = f"{step.name} = {step.expression}"
        given = ", ".join(f"{steps[at].name} is {short(steps[at].data)}" for at in dict.fromkeys(step.inputs))
        one = _step(explanation, known, place, made, f"{given}, so {step.name} is {short(step.data)}.")
        one["guess"] = guess(f"{made}. What is {step.name}?", step.data, f"{given}.")
        found.append(one)
    return found


def _step(explanation: Explanation, known: set[int], node: int | None, head: str, words: str) -> dict[str, Any]:
    steps = explanation.steps
    arrows = [place for place, step in enumerate(steps) for _ in step.inputs]  # where each arrow leads
    return {
        "node": node,
        "arrows": [],
        "to": [],
        "grads": [UNKNOWN] * len(steps),
        "known": [False] * len(steps),
        "values": [short(step.data) if place in known else UNKNOWN for place, step in enumerate(steps)],
        "hidden": [arrow for arrow, place in enumerate(arrows) if place not in known],
        "head": head,
        "rows": [],
        "words": [words],
        "guess": None,
    }
