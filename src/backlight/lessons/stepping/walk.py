"""The data of the slider as plain values: the drawing, and for each step the texts that change in it."""

import json
import os
from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property
from importlib import resources
from typing import Any

from backlight.explanation import Explanation
from backlight.explanation.frames import Frame, Share, frames
from backlight.explanation.numbers import short
from backlight.explanation.picture import Picture
from backlight.explanation.svg import to_svg
from backlight.lessons.stepping.forward import UNKNOWN, forward_steps, guess
from backlight.studio.displayed import FOR_PAGES

_MORE = "…"
_LEGEND = f"arrow: local derivative;  grad: sum so far;  {UNKNOWN} nothing yet;  {_MORE} incomplete"


class Walk:
    """A backward pass in single steps. On its own, a notebook displays it as a still figure of its end.

    Args:
        explanation: the explanation of a Value.
        title: a line above the graph.
        forward: whether the steps begin before the forward pass, with one step for each computed value.

    Raises:
        GraphError: the graph has more nodes than a figure can show.
    """

    def __init__(self, explanation: Explanation, title: str = "", *, forward: bool = False) -> None:
        self._explanation = explanation
        self._title = title
        self._forward = forward
        self.still = f"<div>{to_svg(explanation.picture(title))}</div>"

    def __repr__(self) -> str:
        steps, boxes = len(self.steps) - 1, len(self._explanation.steps)
        return f"<{steps} steps back through {boxes} boxes; displayed in a notebook>"

    def _repr_html_(self) -> str:
        return self.for_page() if os.environ.get(FOR_PAGES) else self.still

    def for_page(self) -> str:
        """Return the still figure with the data of all steps, for a page whose script replaces it by the slider."""
        steps = json.dumps({"drawing": self.drawing, "steps": self.steps}, ensure_ascii=False)
        steps = steps.replace("<", "\\u003c")  # so that it can contain neither "</script>" nor a comment
        return f'{self.still}<script type="application/json" class="walk">{steps}</script>'

    @cached_property
    def steps(self) -> list[dict[str, Any]]:
        """What changes in each step, from "No gradient is known yet" to "all gradients known".

        `node` is the index of the box that passes its gradient back, `arrows` are the arrows along which and `to` the
        boxes to which it does, and `grads` holds every box's text. `head`, `rows` and `words` are displayed below the
        graph: a headline; for each contribution its receiver, local derivative, gradient from above, product, and sum
        so far; and an explanation in sentences. `guess` is a question whose answer is one number of the step, with
        that number and a hint; None for none.

        With a forward pass, `values` has every box's value as text, and `hidden` the arrows whose local derivatives
        are not known yet.
        """
        backward = [self._step(frame) for frame in frames(self._explanation)]
        if not self._forward:
            return backward
        values = [short(step.data) for step in self._explanation.steps]
        return [*forward_steps(self._explanation), *({**one, "values": values, "hidden": []} for one in backward)]

    @cached_property
    def drawing(self) -> str:
        """The graph as SVG, wide enough for the texts of every step; its parts are named by `data-part`."""
        picture = self._explanation.picture(self._title, _LEGEND)
        texts = zip(*(step["grads"] for step in self.steps), strict=True)
        return to_svg(_with_room(picture, (max(column, key=len) for column in texts)))

    def _step(self, frame: Frame) -> dict[str, Any]:
        grads = zip(frame.grads, frame.known, strict=True)
        return {
            "node": frame.node,
            "arrows": [share.arrow for share in frame.shares],
            "to": sorted({share.to for share in frame.shares}),
            "grads": [
                UNKNOWN if grad is None else short(grad) + ("" if known else _MORE) for grad, known in grads
            ],
            "known": list(frame.known),
            "head": self._head(frame),
            "rows": [self._row(share) for share in frame.shares],
            "words": list(frame.words),
            "guess": self._guess(frame),
        }  # fmt: skip

    def _guess(self, frame: Frame) -> dict[str, Any] | None:
        if frame.node is None:
            return None
        step = self._explanation.steps[frame.node]
        if not frame.shares:
            return guess(f"What is the gradient of {step.name}, the end?", 1.0, "It changes exactly as much as itself.")
        share = frame.shares[0]
        to = self._explanation.steps[share.to].name
        return guess(
            f"{step.name} passes its gradient back. What does {to} receive?",
            share.product,
            f"Multiply the number on the arrow, {short(share.local)}, by the gradient of {step.name}, "
            f"{short(share.above)}.",
        )

    def _head(self, frame: Frame) -> str:
        if frame.node is None:
            return "No gradient is known yet"
        step = self._explanation.steps[frame.node]
        if not frame.shares:
            return f"{step.name}: start of the backward pass"
        made = f"{step.name} = {step.expression}"
        return f"{made} passes its gradient back" + (": all gradients known" if all(frame.known) else "")

    def _row(self, share: Share) -> list[str]:
        number = short(share.local)
        local = number if share.formula == number else f"{share.formula} = {number}"
        so_far = short(share.so_far) + (_MORE if share.waits else "")
        return [self._explanation.steps[share.to].name, local, short(share.above), short(share.product), so_far]


def _with_room(picture: Picture, widest: Iterable[str]) -> Picture:
    """Return the picture with these texts in the "grad" lines of its cards."""
    cards = (
        replace(card, lines=tuple((word, text if word == "grad" else number) for word, number in card.lines))
        for card, text in zip(picture.cards, widest, strict=True)
    )
    return replace(picture, cards=tuple(cards))


def asset(name: str) -> str:
    """Return the text of "stepping.js" or "stepping.css"."""
    return resources.files("backlight.lessons.stepping").joinpath(name).read_text(encoding="utf-8")
