"""The graph of a computation: a card for each node, and arrows from the inputs to the output."""

from dataclasses import replace
from functools import partial

from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch, PathPatch, Polygon
from matplotlib.path import Path

from backlight.explanation.arranging import arranged
from backlight.explanation.picture import Arrangement, Arrowhead, Box, Curve, Picture, Text
from backlight.figures.figure import figure
from backlight.figures.letters import legible
from backlight.figures.style import Palette, palette

_FACE = ["DejaVu Sans Mono", "sans-serif"]


def graph_size(picture: Picture) -> tuple[float, float]:
    """Return the width and height of a picture in inches, at which its text has the intended size.

    Raises:
        GraphError: the graph has more nodes than a figure can show.
    """
    drawing = arranged(_legible(picture))
    return drawing.width / 72, drawing.height / 72


@figure(size=graph_size, axes=lambda figure: figure.add_axes((0, 0, 1, 1)), layout=None)
def graph(ax: Axes, picture: Picture) -> None:
    """Draw a graph in layers, the output last; nodes with a large gradient have a darker background.

    Args:
        ax: the axes to draw on. The picture is scaled to the current size of the axes, text included, and keeps its
            proportions.
        picture: `Explanation.picture()` or `TensorExplanation.picture()`.

    Raises:
        GraphError: the graph has more nodes than a figure can show.
    """
    drawing = arranged(_legible(picture))
    ax.set_xlim(0, drawing.width)
    ax.set_ylim(drawing.height, 0)
    ax.set_aspect("equal")
    ax.set_axis_off()
    colours, points = palette(ax), _points(ax, drawing)
    for place, shape in enumerate(drawing.shapes):
        # matplotlib draws patches before texts by default; here each shape is drawn over the ones before it
        order = 1 + place / len(drawing.shapes)
        match shape:
            case Box():
                _draw_box(ax, shape, colours, points, order)
            case Text():
                _draw_text(ax, shape, colours, points, order)
            case Curve():
                _draw_curve(ax, shape, colours, points, order)
            case Arrowhead(tip=(x, y), down=down):
                corners = [(x - 3, y - 6), (x + 3, y - 6)] if down else [(x - 6, y - 3), (x - 6, y + 3)]
                head = getattr(colours, shape.colour)
                ax.add_patch(Polygon([(x, y), *corners], facecolor=head, edgecolor="none", zorder=order))


def _legible(picture: Picture) -> Picture:
    """Return the picture with names that can be written in the fonts of the current style."""
    cards = tuple(replace(card, title=legible(card.title)) for card in picture.cards)
    return replace(picture, cards=cards, title=legible(picture.title))


def _points(ax: Axes, drawing: Arrangement) -> float:
    """Return the size of a unit of the picture on these axes, in points: 1 on axes of `graph_size`."""
    figure = ax.get_figure(root=True)
    assert figure is not None  # noqa: S101  (axes that can be drawn on are on a figure)
    place = ax.get_position()
    width, height = figure.get_size_inches()
    return float(72 * min(place.width * width / drawing.width, place.height * height / drawing.height))


def _draw_box(ax: Axes, box: Box, colours: Palette, points: float, order: float) -> None:
    shaped = partial(
        FancyBboxPatch, (box.x, box.y), box.width, box.height,
        boxstyle=f"round,pad=0,rounding_size={box.radius}", mutation_aspect=1, zorder=order,
    )  # fmt: skip
    edge = getattr(colours, box.edge) if box.line else "none"
    ax.add_patch(shaped(facecolor=getattr(colours, box.fill), edgecolor=edge, linewidth=box.line * points))
    if box.glow:
        ax.add_patch(shaped(facecolor=colours.orange, edgecolor="none", alpha=box.glow))


def _draw_text(ax: Axes, text: Text, colours: Palette, points: float, order: float) -> None:
    ax.text(
        text.x, text.y, text.text, size=text.size * points, color=getattr(colours, text.colour), family=_FACE,
        weight="bold" if text.bold else "normal", ha="center" if text.align == "middle" else text.align,
        va="center_baseline", parse_math=False, zorder=order,
    )  # fmt: skip


def _draw_curve(ax: Axes, curve: Curve, colours: Palette, points: float, order: float) -> None:
    path = Path(curve.points, [Path.MOVETO] + [Path.CURVE4] * (len(curve.points) - 1))
    edge = getattr(colours, curve.colour)
    ax.add_patch(PathPatch(path, fill=False, edgecolor=edge, linewidth=curve.line * points, zorder=order))
