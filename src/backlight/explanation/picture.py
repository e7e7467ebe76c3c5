"""A graph as a picture: what it says of each node, and the shapes that a drawing of it is made of."""

import math
from dataclasses import dataclass
from typing import Final, Literal

Point = tuple[float, float]
Colour = Literal["paper", "ink", "muted", "grid", "blue", "orange"]
Kind = Literal["given", "made", "end"]

TIMES: Final = "\N{MULTIPLICATION SIGN}"

MOST_NODES: Final = 60
"""A picture of more nodes than this cannot be read."""


@dataclass(frozen=True, kw_only=True)
class Card:
    """What a picture says of one node.

    Attributes:
        title: its name.
        op: the op that made it, as its badge; "" for none.
        lines: a word and what it is, each, as ("grad", "0.5").
        kind: "given", "made", or "end" for the one that was explained.
        glow: how strongly it is lit from behind, 0 to 1: its gradient's size beside the largest in the graph.
    """

    title: str
    op: str
    lines: tuple[tuple[str, str], ...]
    kind: Kind
    glow: float


@dataclass(frozen=True, kw_only=True)
class Picture:
    """Cards, and the arrows from what was given to the end.

    Attributes:
        cards: one for each node.
        arrows: (from, to, note): the note stands beside the arrow, as the local derivative does; "" for none.
        title: above; "" for none.
        caption: below; "" for none.
    """

    cards: tuple[Card, ...]
    arrows: tuple[tuple[int, int, str], ...]
    title: str = ""
    caption: str = ""


def badge(op: str) -> str:
    """Return a Value's op as its badge has it: what stands between two names on paper, or the function's name."""
    signs = {"*": TIMES, "/": "÷", "neg": "-", "**": "^"}
    return signs.get(op, f"^{op[2:]}" if op.startswith("**") else op.lower())


def glow(gradient: float, largest: float) -> float:
    """Return how strongly a gradient shines beside the largest: the root, so that a hundredth is still seen."""
    share = abs(gradient) / largest if largest else 0.0
    return math.sqrt(share) if share <= 1 else 0.0  # neither for infinity nor for nan


# -- shapes, in points of 1/72 inch, y downward ------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Box:
    """A rectangle with round corners.

    Attributes:
        x: of its left side.
        y: of its top.
        width: of the whole.
        height: of the whole.
        radius: of its corners.
        fill: its colour.
        edge: the colour of its outline.
        line: the outline's width; 0 for none.
        glow: opacity of the light, orange, that is laid over the fill.
        part: what of the picture it is, as Arrangement says; "" for what no one asks for.
    """

    x: float
    y: float
    width: float
    height: float
    radius: float
    fill: Colour
    edge: Colour
    line: float
    glow: float = 0.0
    part: str = ""


@dataclass(frozen=True, kw_only=True)
class Text:
    """One line of letters of equal width.

    Attributes:
        x: where it begins, or its middle or end, as `align` says.
        y: of its middle.
        text: the letters.
        size: of the letters.
        colour: of the letters.
        align: which part of it is at x.
        bold: whether the letters are.
        part: what of the picture it is, as Arrangement says; "" for what no one asks for.
    """

    x: float
    y: float
    text: str
    size: float
    colour: Colour
    align: Literal["left", "middle", "right"] = "left"
    bold: bool = False
    part: str = ""


@dataclass(frozen=True, kw_only=True)
class Curve:
    """A line of cubic Bézier pieces.

    Attributes:
        points: the start, then two handles and an end for each piece.
        colour: of the line.
        line: its width.
        part: what of the picture it is, as Arrangement says; "" for what no one asks for.
    """

    points: tuple[Point, ...]
    colour: Colour
    line: float
    part: str = ""


@dataclass(frozen=True, kw_only=True)
class Arrowhead:
    """A filled triangle.

    Attributes:
        tip: where it points.
        down: whether it points down, rather than to the right.
        colour: of the triangle.
        part: what of the picture it is, as Arrangement says; "" for what no one asks for.
    """

    tip: Point
    down: bool
    colour: Colour
    part: str = ""


@dataclass(frozen=True, kw_only=True)
class Arrangement:
    """A picture as shapes at their places.

    Attributes:
        width: of the whole.
        height: of the whole.
        down: whether the layers go from top to bottom, rather than from left to right.
        shapes: in the order of drawing. Their parts have the places of cards and arrows in the picture: "card 0", its
            number in the line "grad" is "grad 0"; "arrow 0", beside it "note 0". In SVG, a card's glow is "light 0".
        cards: the box of each card, in the order of the picture's.
    """

    width: float
    height: float
    down: bool
    shapes: tuple[Box | Text | Curve | Arrowhead, ...]
    cards: tuple[Box, ...]
