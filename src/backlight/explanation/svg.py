"""Draw a picture as SVG for a page or a notebook, without scripts or style sheets, in light or dark colours."""

import html
from typing import Final

from backlight.explanation.arranging import arranged
from backlight.explanation.picture import Arrowhead, Box, Colour, Curve, Picture, Text

_COLOURS: Final[dict[Colour, str]] = {
    # JupyterLab and VS Code define these variables; elsewhere the defaults for a light page are used
    "paper": "var(--jp-layout-color0,var(--vscode-editor-background,#ffffff))",
    "ink": "var(--jp-content-font-color0,var(--vscode-editor-foreground,#1b2a41))",
    "muted": "var(--jp-content-font-color2,var(--vscode-descriptionForeground,#5b6b82))",
    "grid": "var(--jp-border-color2,#e1e6ee)",
    "blue": "#2f86c9",
    "orange": "#e8920c",
}

_ZOOM = 1.25  # pixels per point: text has the size of the notebook's text

_FACE = "'DejaVu Sans Mono',Menlo,Consolas,'Liberation Mono',monospace"
_ANCHOR = {"left": "start", "middle": "middle", "right": "end"}


def to_svg(picture: Picture) -> str:
    """Return a picture as one SVG element.

    Raises:
        GraphError: more than `MOST_NODES` nodes.
    """
    drawing = arranged(picture)
    name = html.escape(picture.title or "graph", quote=True)
    shapes = "".join(map(_element, drawing.shapes))
    size = f'width="{_ZOOM * drawing.width:.0f}" height="{_ZOOM * drawing.height:.0f}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{name}" {size} '
        f'viewBox="0 0 {drawing.width:.1f} {drawing.height:.1f}" style="max-width:100%;height:auto;'
        f'background:{_COLOURS["paper"]};font-family:{_FACE}">{shapes}</svg>'
    )


def _element(shape: Box | Text | Curve | Arrowhead) -> str:
    match shape:
        case Box():
            return _box(shape)
        case Text():
            return _text(shape)
        case Curve():
            start, *others = [f"{x:.1f} {y:.1f}" for x, y in shape.points]
            line = f"fill:none;stroke:{_COLOURS[shape.colour]};stroke-width:{shape.line}"
            return f'<path{_part(shape.part)} d="M{start}C{" ".join(others)}" style="{line}"/>'
        case Arrowhead(tip=(x, y), down=down, part=part):
            corners = f"{x - 3:.1f} {y - 6:.1f} {x + 3:.1f} {y - 6:.1f}" if down else _sideways(x, y)
            return f'<polygon{_part(part)} points="{x:.1f} {y:.1f} {corners}" style="fill:{_COLOURS[shape.colour]}"/>'


def _sideways(x: float, y: float) -> str:
    return f"{x - 6:.1f} {y - 3:.1f} {x - 6:.1f} {y + 3:.1f}"


def _box(box: Box) -> str:
    place = f'x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" height="{box.height:.1f}" rx="{box.radius:.1f}"'
    outline = f";stroke:{_COLOURS[box.edge]};stroke-width:{box.line}" if box.line else ""
    shapes = f'<rect{_part(box.part)} {place} style="fill:{_COLOURS[box.fill]}{outline}"/>'
    if box.glow:
        light = _part(box.part.replace("card", "light"))
        shapes += f'<rect{light} {place} style="fill:{_COLOURS["orange"]};fill-opacity:{box.glow:.3f}"/>'
    return shapes


def _text(text: Text) -> str:
    weight = "font-weight:bold;" if text.bold else ""
    # y is the baseline in SVG: the middle of the letters is about a third of the font size above it
    y = text.y + 0.34 * text.size
    return (
        f'<text{_part(text.part)} x="{text.x:.1f}" y="{y:.1f}" text-anchor="{_ANCHOR[text.align]}" '
        f'style="{weight}fill:{_COLOURS[text.colour]};font-size:{text.size}px;white-space:pre">'
        f"{html.escape(text.text)}</text>"
    )


def _part(name: str) -> str:
    return f' data-part="{html.escape(name, quote=True)}"' if name else ""
