"""The backward pass of an explained graph as a row of frames, from nothing known to every gradient known."""

from dataclasses import dataclass

from backlight.explanation.scalar import Explanation


@dataclass(frozen=True, kw_only=True)
class Share:
    """What a node passes back along one arrow.

    Attributes:
        arrow: its place in the picture's arrows, which lead the other way.
        to: the place of the node that gets it, in `Explanation.steps`.
        formula: the local derivative in names.
        local: its number.
        above: the gradient of the node that passes it back.
        product: local x above.
        so_far: the gradient of the node that gets it, with this share and all earlier ones.
        waits: how many more shares that node waits for.
        reason: why the local derivative is what it is: a sentence without its stop.
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
        node: the place of the node that is differentiated, in `Explanation.steps`; None where nothing has happened.
        shares: what it has just passed back; none where the backward pass begins.
        grads: of each node, what has arrived so far; None where nothing has.
        known: of each node, whether everything has arrived.
        words: what happens, in sentences.
    """

    node: int | None
    shares: tuple[Share, ...]
    grads: tuple[float | None, ...]
    known: tuple[bool, ...]
    words: tuple[str, ...]


def frames(explanation: Explanation) -> tuple[Frame, ...]:
    """Return the backward pass, a frame for each node that passes something back.

    The first frame knows nothing, the second the end's derivative by itself. Then the computed nodes pass their
    gradients back, in the order of the steps: each once its own is complete. In the last frame every gradient is known.
    """
    steps = explanation.steps
    count = len(steps)
    grads: list[float | None] = [None] * count
    waits = [len(step.contributions) for step in steps]
    end = explanation.end.name
    start = (
        f"Nothing is known yet but the numbers and, on the arrows, the local derivatives. How does {end} feel each box?"
    )
    found = [Frame(node=None, shares=(), grads=tuple(grads), known=(False,) * count, words=(start,))]
    arrow = 0
    for place, step in enumerate(steps):
        shares = []
        if place == 0:
            grads[0] = step.grad
            found.append(_frame(place, (), grads, waits, (explanation.words(0),)))
        for at in step.inputs:
            one = steps[at].contributions[-waits[at]]  # they stand there in the order of arrival
            waits[at] -= 1
            so_far = (grads[at] or 0.0) + one.product
            grads[at] = so_far
            shares.append(
                Share(
                    arrow=arrow, to=at, formula=one.formula, local=one.local, above=one.above, product=one.product,
                    so_far=so_far, waits=waits[at], reason=one.reason,
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
    """Return each reason once, and of each node where paths meet, what they add up to or how many it waits for."""
    said = [f"{share.reason}." for share in shares]
    for share in {share.to: share for share in shares}.values():
        if share.waits:
            more = "one more path" if share.waits == 1 else f"{share.waits} more paths"
            said.append(f"{explanation.steps[share.to].name} waits for {more}.")
        elif len(explanation.steps[share.to].contributions) > 1:
            said.append(explanation.meeting(share.to))
    return tuple(dict.fromkeys(said))
