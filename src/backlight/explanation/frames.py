"""The backward pass of an explained graph as a sequence of frames, until every gradient is known."""

from dataclasses import dataclass

from backlight.explanation.scalar import Explanation


@dataclass(frozen=True, kw_only=True)
class Share:
    """The gradient that a node propagates along one arrow.

    Attributes:
        arrow: the index of the arrow in the picture; arrows point in the forward direction.
        to: the index in `Explanation.steps` of the node that receives it.
        formula: the local derivative in names.
        local: the local derivative.
        above: the gradient of the node that propagates it.
        product: local x above.
        so_far: the gradient of the receiving node, with this share and all earlier ones.
        waits: the number of shares that the receiving node still waits for.
        reason: an explanation of the local derivative: a sentence without its full stop.
    """

    arrow: int
    to: int
    formula: str
    local: float
    above: float
    product: float
    so_far: float
    waits: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class Frame:
    """The graph after a part of the backward pass.

    Attributes:
        node: the index in `Explanation.steps` of the node that has propagated its gradient; None in the first frame.
        shares: the shares that it has propagated; empty at the beginning.
        grads: for each node, the gradient that has arrived so far, or None.
        known: for each node, whether its gradient is complete.
        words: what happens, in sentences.
    """

    node: int | None
    shares: tuple[Share, ...]
    grads: tuple[float | None, ...]
    known: tuple[bool, ...]
    words: tuple[str, ...]


def frames(explanation: Explanation) -> tuple[Frame, ...]:
    """Return the backward pass as frames, one for each node that propagates its gradient.

    In the first frame no gradient is known, in the second that of the end, which is 1. Then the computed nodes
    propagate their gradients in the order of the steps, each when its own is complete. In the last frame every gradient
    is known.
    """
    steps = explanation.steps
    count = len(steps)
    grads: list[float | None] = [None] * count
    waits = [len(step.contributions) for step in steps]
    end = explanation.end.name
    start = (
        f"Only the values and, on the arrows, the local derivatives are known so far. What is the derivative of {end} "
        "with respect to each node?"
    )
    found = [Frame(node=None, shares=(), grads=tuple(grads), known=(False,) * count, words=(start,))]
    arrow = 0
    for place, step in enumerate(steps):
        shares = []
        if place == 0:
            grads[0] = step.grad
            found.append(_frame(place, (), grads, waits, (explanation.words(0),)))
        for at in step.inputs:
            path = steps[at].contributions[-waits[at]]  # contributions are in the order of arrival
            waits[at] -= 1
            so_far = (grads[at] or 0.0) + path.product
            grads[at] = so_far
            shares.append(
                Share(
                    arrow=arrow, to=at, formula=path.formula, local=path.local, above=path.above, product=path.product,
                    so_far=so_far, waits=waits[at], reason=path.reason,
                )
            )  # fmt: skip
            arrow += 1
        if shares:
            found.append(_frame(place, tuple(shares), grads, waits, _words(explanation, shares)))
    return tuple(found)


def _frame(
    node: int, shares: tuple[Share, ...], grads: list[float | None], waits: list[int], words: tuple[str, ...]
) -> Frame:
    known = tuple(grad is not None and not left for grad, left in zip(grads, waits, strict=True))
    return Frame(node=node, shares=shares, grads=tuple(grads), known=known, words=words)


def _words(explanation: Explanation, shares: list[Share]) -> tuple[str, ...]:
    """Return each reason once and, for each node with several paths, their sum or how many it still waits for."""
    said = [f"{share.reason}." for share in shares]
    for share in {share.to: share for share in shares}.values():
        if share.waits:
            more = "one more path" if share.waits == 1 else f"{share.waits} more paths"
            said.append(f"{explanation.steps[share.to].name} waits for {more}.")
        elif len(explanation.steps[share.to].contributions) > 1:
            said.append(explanation.meeting(share.to))
    return tuple(dict.fromkeys(said))
