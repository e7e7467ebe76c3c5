"""The records of a picture of a graph: the content of each node, and the shapes of a drawing."""

import math
from dataclasses import dataclass
from typing import Final, Literal

Point = tuple[float, float]
Colour = Literal["paper", "ink", "muted", "grid", "blue", "orange"]
Kind = Literal["given", "made", "end"]

TIMES: Final = "\N{MULTIPLICATION SIGN}"

MOST_NODES: Final = 60
"""The most nodes of a picture; more would be illegible."""


@dataclass(frozen=True, kw_only=True)
class Card:
    """The content of one node in a picture.

    Attributes:
        title: the name of the node.
        op: the op that computed it, shown as a badge; "" for none.
        lines: pairs of a label and a text, such as ("grad", "0.5").
        kind: "given" for an input, "made" for a computed node, "end" for the explained one.
        glow: the strength of its highlight, 0 to 1, by the size of its gradient relative to the largest in the graph.
    """

    title: str
    op: str
    lines: tuple[tuple[str, str], ...]
    kind: Kind
    glow: float


@dataclass(frozen=True, kw_only=True)
class Picture:
    """Nodes as cards, and arrows from the inputs to the end.

    Attributes:
        cards: one for each node.
        arrows: (from, to, note), where the note, such as the local derivative, is shown on the arrow; "" for none.
        title: a line above; "" for none.
        caption: a line below; "" for none.
    """

    cards: tuple[Card, ...]
    arrows: tuple[tuple[int, int, str], ...]
    title: str = ""
    caption: str = ""


def badge(op: str) -> str:
    """Return the text of an op's badge: an operator as in mathematics, or the name of a function."""
    signs = {"*": TIMES, "/": "÷", "neg": "-", "**": "^"}
    return signs.get(op, f"^{op[2:]}" if op.startswith("**") else op.lower())


def glow(gradient: float, largest: float) -> float:
    """Return the strength of a gradient's highlight, √(|gradient| / largest). The root makes small ones visible."""
    share = abs(gradient) / largest if largest else 0.0
    return math.sqrt(share) if share <= 1 else 0.0  # 0 for infinity and nan


# -- shapes, in points of 1/72 inch, y downward ------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Box:
    """A rectangle with rounded corners.

    Attributes:
        x: its left side.
        y: its top.
        width: its width.
        height: its height.
        radius: the radius of its corners.
        fill: its colour.
        edge: the colour of its outline.
        line: the width of its outline; 0 for none.
        glow: the opacity of an orange layer over the fill.
        part: its name in the picture, see `Arrangement`; "" for none.
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
    """A line of text in a monospaced font.

    Attributes:
        x: its start, middle or end, see `align`.
        y: its middle.
        text: the text.
        size: the font size.
        colour: the colour.
        align: which part of the text is at x.
        bold: whether the font is bold.
        part: its name in the picture, see `Arrangement`; "" for none.
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
    """A path of cubic Bézier curves.

    Attributes:
        points: the start, then two control points and an end for each piece.
        colour: the colour.
        line: the width of the line.
        part: its name in the picture, see `Arrangement`; "" for none.
    """

    points: tuple[Point, ...]
    colour: Colour
    line: float
    part: str = ""


@dataclass(frozen=True, kw_only=True)
class Arrowhead:
    """A filled triangle.

    Attributes:
        tip: its tip.
        down: whether it points down rather than to the right.
        colour: the colour.
        part: its name in the picture, see `Arrangement`; "" for none.
    """

    tip: Point
    down: bool
    colour: Colour
    part: str = ""


@dataclass(frozen=True, kw_only=True)
class Arrangement:
    """A picture as shapes with positions.

    Attributes:
        width: the total width.
        height: the total height.
        down: whether the layers are ordered from top to bottom rather than from left to right.
        shapes: the shapes in the order of drawing. Their parts are named by the index of the card or arrow: "card 0",
            "grad 0" for its line "grad", "arrow 0", "note 0". In SVG, the highlight of a card is "light 0".
        cards: the box of each card, in the order of the picture.
    """

    width: float
    height: float
    down: bool
    shapes: tuple[Box | Text | Curve | Arrowhead, ...]
    cards: tuple[Box, ...]
