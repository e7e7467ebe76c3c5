"""Compute the shapes of a picture and their positions. They are drawn elsewhere, as SVG or by matplotlib."""

import textwrap
import unicodedata
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from backlight.core import GraphError
from backlight.explanation.layout import Layout, lay_out, layers_of
from backlight.explanation.picture import (
    MOST_NODES,
    Arrangement,
    Arrowhead,
    Box,
    Card,
    Curve,
    Picture,
    Point,
    Text,
)

LETTER: Final = 0.602
"""Width of a letter of a monospaced font (DejaVu Sans Mono), relative to the font size."""

WIDEST: Final = 900.0
"""A graph whose layout from left to right would be wider than this, in points, is laid out from top to bottom."""

_SIZE, _SMALL, _TITLE = 10.0, 8.5, 12.0
_LINE, _PAD, _MARGIN, _RADIUS = 14.5, 9.0, 16.0, 6.0
_BADGE = 15.0
_HEAD = 6.0  # length of an arrowhead
_LONGEST = 26  # most letters of a title
_BETWEEN_LAYERS, _BETWEEN_NODES = 28.0, 15.0
_GLOW = 0.5  # opacity of the strongest highlight


def arranged(picture: Picture) -> Arrangement:
    """Return the shapes of a picture with their positions.

    Raises:
        GraphError: more than `MOST_NODES` nodes.
    """
    if len(picture.cards) > MOST_NODES:
        raise GraphError(
            f"a figure can have at most {MOST_NODES} nodes; got {len(picture.cards):,}. Draw a smaller graph."
        )
    sideways = _Drawing(picture, down=False)
    return (sideways if sideways.size[0] <= WIDEST else _Drawing(picture, down=True)).arrangement()


class _Drawing:
    """Converts a layout into shapes, below the title and inside the margins."""

    def __init__(self, picture: Picture, *, down: bool) -> None:
        self.picture = picture
        self.down = down
        self.pairs = [(source, target) for source, target, _ in picture.arrows]
        self.layers = layers_of(len(picture.cards), self.pairs)
        self.sizes = self._card_sizes()
        self.layout = self._lay_out()
        self.size = (self.layout.height, self.layout.width) if down else (self.layout.width, self.layout.height)
        narrowest = max(self.size[0], 40 * LETTER * _SMALL)
        self.title = _wrapped(picture.title, narrowest, _TITLE)
        self.caption = _wrapped(picture.caption, narrowest, _SMALL)
        texts = [(line, _TITLE) for line in self.title] + [(line, _SMALL) for line in self.caption]
        inside = max([self.size[0], *(_width(line, size) for line, size in texts)])
        self.left = _MARGIN + (inside - self.size[0]) / 2
        self.top = _MARGIN + (len(self.title) * 1.4 * _TITLE + 10 if self.title else 0)
        self.width = inside + 2 * _MARGIN
        below = len(self.caption) * 1.5 * _SMALL + 12 if self.caption else 0
        self.height = self.top + self.size[1] + below + _MARGIN

    def _card_sizes(self) -> list[Point]:
        """Return the size of each card; cards of the same column get the same width."""
        own = [_card_size(card, down=self.down) for card in self.picture.cards]
        if self.down:
            return own
        widest: dict[int, float] = {}
        for layer, (width, _) in zip(self.layers, own, strict=True):
            widest[layer] = max(width, widest.get(layer, 0.0))
        return [(widest[layer], height) for layer, (_, height) in zip(self.layers, own, strict=True)]

    def _lay_out(self) -> Layout:
        """Return the layout of the cards, each including the half of its badge that extends beyond it."""
        slots = []
        for card, (width, height) in zip(self.picture.cards, self.sizes, strict=True):
            out = 0.0 if not card.op else _BADGE / 2 if self.down else _badge_width(card) / 2
            slots.append((height + out, width) if self.down else (width + out, height))
        notes = [_width(note, _SMALL) for *_, note in self.picture.arrows]
        widest = max(notes, default=0.0)
        room = (14.0 if widest else 0.0) if self.down else _SIZE + widest
        return lay_out(slots, self.pairs, between_layers=_BETWEEN_LAYERS + room, between_nodes=_BETWEEN_NODES)

    def arrangement(self) -> Arrangement:
        cards = [self._card(index) for index in range(len(self.picture.cards))]
        curves = [self._curve(index) for index in range(len(self.pairs))]
        heads = [
            Arrowhead(tip=self._at(route[-1]), down=self.down, colour="muted", part=f"arrow {index}")
            for index, route in enumerate(self.layout.routes)
        ]  # fmt: skip
        shapes: list[Box | Text | Curve | Arrowhead] = [*curves, *heads, *self._notes(curves, cards)]
        for index, box in enumerate(cards):
            shapes += [box, *self._texts(box, index)]
        shapes += self._around()
        return Arrangement(
            width=self.width, height=self.height, down=self.down, shapes=tuple(shapes), cards=tuple(cards)
        )

    def _at(self, point: Point) -> Point:
        along, across = point
        x, y = (across, along) if self.down else (along, across)
        return x + self.left, y + self.top

    # -- cards ---------------------------------------------------------------------------------------------------------

    def _card(self, index: int) -> Box:
        card, (width, height) = self.picture.cards[index], self.sizes[index]
        x, y = self._at(self.layout.centres[index])
        out = 0.0 if not card.op else _BADGE / 2 if self.down else _badge_width(card) / 2
        x, y = (x, y + out / 2) if self.down else (x + out / 2, y)
        return Box(
            x=x - width / 2, y=y - height / 2, width=width, height=height, radius=_RADIUS, fill="paper",
            edge="ink" if card.kind == "end" else "blue" if card.kind == "given" else "muted",
            line=1.8 if card.kind == "end" else 1.0, glow=_GLOW * card.glow, part=f"card {index}",
        )  # fmt: skip

    def _texts(self, box: Box, index: int) -> Iterator[Box | Text]:
        card = self.picture.cards[index]
        left = box.x + _left_pad(card, down=self.down)
        right = box.x + box.width - _PAD
        y = box.y + _top_pad(card, down=self.down) + _LINE / 2 - 1
        yield Text(
            x=(left + right) / 2, y=y, text=_cut(card.title), size=_SIZE, colour="ink", align="middle", bold=True
        )
        for word, number in card.lines:
            y += _LINE
            yield Text(x=left, y=y, text=word, size=_SMALL, colour="muted")
            part = f"{word} {index}"
            yield Text(x=right, y=y, text=number, size=_SIZE, colour="ink", align="right", part=part)
        if card.op:
            width = _badge_width(card)
            x, y = (box.x + box.width / 2, box.y) if self.down else (box.x, box.y + box.height / 2)
            yield Box(
                x=x - width / 2, y=y - _BADGE / 2, width=width, height=_BADGE, radius=_BADGE / 2, fill="ink",
                edge="ink", line=0.0,
            )  # fmt: skip
            yield Text(x=x, y=y, text=card.op, size=_SMALL, colour="paper", align="middle", bold=True)

    # -- arrows --------------------------------------------------------------------------------------------------------

    def _curve(self, index: int) -> Curve:
        """Return a route as a curve, level at both ends. Arrows between the same two nodes are bent apart."""
        route = self.layout.routes[index]
        stop = (route[-1][0] - _HEAD + 1, route[-1][1])
        bulge = self._bulge(index) if len(route) == 3 else 0.0
        points = [route[0]]
        for (x, y), (to_x, to_y) in pairwise([*route[:-1], stop]):
            half, aside = (to_x - x) / 2, bulge if len(points) == 1 else 0.0
            points += [(x + half, y + aside), (to_x - half, to_y + aside), (to_x, to_y)]
        return Curve(points=tuple(map(self._at, points)), colour="muted", line=1.1, part=f"arrow {index}")

    def _bulge(self, index: int) -> float:
        alike = [other for other, pair in enumerate(self.pairs) if pair == self.pairs[index]]
        return 36.0 * (alike.index(index) - (len(alike) - 1) / 2)

    def _notes(self, curves: list[Curve], cards: list[Box]) -> Iterator[Box | Text]:
        """Yield a box for each note on its arrow, where it covers no card, no note and as few arrows as possible."""
        taken = list(cards)
        lines = [_dots(curve) for curve in curves]
        for index, (*_, note) in enumerate(self.picture.arrows):
            if note:
                others = [dot for other, dots in enumerate(lines) if other != index for dot in dots]
                box = min(
                    (_note_box(point, note) for point in _along(curves[index])),
                    key=lambda box: 1000 * sum(_overlap(box, other) for other in taken) + _inside(box, others),
                )
                taken.append(box)
                yield box
                yield Text(
                    x=box.x + box.width / 2, y=box.y + box.height / 2, text=note, size=_SMALL, colour="muted",
                    align="middle", part=f"note {index}",
                )  # fmt: skip

    # -- title and caption ---------------------------------------------------------------------------------------------

    def _around(self) -> Iterator[Text]:
        y = _MARGIN + 0.7 * _TITLE
        for line in self.title:
            yield Text(x=_MARGIN, y=y, text=line, size=_TITLE, colour="ink", bold=True)
            y += 1.4 * _TITLE
        y = self.top + self.size[1] + 12 + 0.75 * _SMALL
        for line in self.caption:
            yield Text(x=_MARGIN, y=y, text=line, size=_SMALL, colour="muted")
            y += 1.5 * _SMALL


def _card_size(card: Card, *, down: bool) -> Point:
    rows = [_width(_cut(card.title), _SIZE)]
    rows += [_width(word, _SMALL) + 12 + _width(number, _SIZE) for word, number in card.lines]
    width = max(rows) + _left_pad(card, down=down) + _PAD
    return width, (1 + len(card.lines)) * _LINE + _top_pad(card, down=down) + _PAD - 3


def _left_pad(card: Card, *, down: bool) -> float:
    return _PAD if down or not card.op else max(_PAD, _badge_width(card) / 2 + 5)


def _top_pad(card: Card, *, down: bool) -> float:
    return _PAD + 3 if down and card.op else _PAD


def _badge_width(card: Card) -> float:
    return max(_BADGE, _width(card.op, _SMALL) + 9)


def _note_box(middle: Point, note: str) -> Box:
    width, height = _width(note, _SMALL) + 4, _SMALL + 3
    return Box(
        x=middle[0] - width / 2, y=middle[1] - height / 2, width=width, height=height, radius=2.0, fill="paper",
        edge="paper", line=0.0,
    )  # fmt: skip


def _pieces(curve: Curve) -> list[tuple[Point, ...]]:
    return [curve.points[at : at + 4] for at in range(0, len(curve.points) - 1, 3)]


def _along(curve: Curve) -> Iterator[Point]:
    """Yield positions on an arrow for its note, the best first: in the last piece between two layers, or the first."""
    pieces = _pieces(curve)
    for piece in (pieces[-2], pieces[0]):
        for t in (0.45, 0.4, 0.5, 0.35, 0.55, 0.3, 0.6, 0.25, 0.65, 0.2, 0.7):
            yield _bezier(piece, t)


def _dots(curve: Curve) -> list[Point]:
    """Return points along an arrow, closer together than the size of a note."""
    return [_bezier(piece, step / 12) for piece in _pieces(curve) for step in range(13)]


def _inside(box: Box, dots: list[Point]) -> int:
    right, bottom = box.x + box.width, box.y + box.height
    return sum(box.x <= x <= right and box.y <= y <= bottom for x, y in dots)


def _bezier(piece: tuple[Point, ...], t: float) -> Point:
    a, b, c, d = (1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3
    (ax, ay), (bx, by), (cx, cy), (dx, dy) = piece
    return a * ax + b * bx + c * cx + d * dx, a * ay + b * by + c * cy + d * dy


def _overlap(a: Box, b: Box) -> bool:
    return a.x < b.x + b.width and b.x < a.x + a.width and a.y < b.y + b.height and b.y < a.y + a.height


def _width(text: str, size: float) -> float:
    """Return the width of a line. Wide East Asian characters count twice, combining marks not at all."""
    letters = sum(
        0 if unicodedata.combining(char) else 1 + (unicodedata.east_asian_width(char) in {"W", "F"}) for char in text
    )
    return LETTER * size * letters


def _cut(text: str) -> str:
    """Return a title, shortened if it is too long; of a dotted name, the end is kept."""
    if len(text) > _LONGEST and "." in text:
        return "…" + text[1 - _LONGEST :]
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _wrapped(text: str, width: float, size: float) -> list[str]:
    return textwrap.wrap(text, max(20, int(width / (LETTER * size))), max_lines=3, placeholder=" …")
