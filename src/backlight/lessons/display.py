"""Display figures in the notebooks of the course, in the project's style and with a text alternative."""

import base64
import html
import os
import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any, Final, TypeVar

from backlight.explanation.picture import Picture
from backlight.figures import SizedFigure, figure, graph, new_figure
from backlight.studio.displayed import FOR_PAGES

_DOTS = 150
"""Pixels per inch of a figure in the PNG."""

_SHOWN = 80
"""CSS pixels per inch of a figure in a notebook."""

_WIDEST = 880
"""The maximum width of a figure in a notebook, in CSS pixels."""

_UNNAMED: Final = "a figure that illustrates the text above"
"""The text alternative of a figure without words."""

T = TypeVar("T")


@dataclass(frozen=True)
class InlineFigure:
    """A figure that a notebook displays as the value of a cell.

    Attributes:
        png: the bytes of the file.
        about: the text alternative, in one line: what the figure shows, its titles, and its labels.
        dark: the same on a dark background; None if it was not drawn.
    """

    png: bytes
    about: str = ""
    dark: bytes | None = None

    def _repr_png_(self) -> tuple[bytes, dict[str, Any]]:
        width, height = self._size()
        return self.png, {"width": width, "height": height, "alt": self.about}

    def _repr_html_(self) -> str | None:
        if self.dark is None:
            return None  # then the notebook displays the PNG
        width, height = self._size()
        return (
            f'<picture><source media="(prefers-color-scheme: dark)" srcset="{_data(self.dark)}">'
            f'<img src="{_data(self.png)}" alt="{html.escape(self.about, quote=True)}" width="{width}" '
            f'height="{height}"></picture>'
        )

    def _size(self) -> tuple[int, int]:
        width, height = struct.unpack(">II", self.png[16:24])
        scale = min(_SHOWN / _DOTS, _WIDEST / width)
        return round(width * scale), round(height * scale)

    def __repr__(self) -> str:
        width, height = struct.unpack(">II", self.png[16:24])
        return f"<a figure of {width} x {height} pixels; displayed in a notebook>"


def show(
    what: SizedFigure | Picture | Callable[[Any], object], *, width: float | None = None, height: float | None = None
) -> InlineFigure:
    """Draw a figure in the project's style, for a notebook to display.

    Args:
        what: a figure of `backlight.figures` or of the course, the `picture()` of an explanation, or a function that
            draws on matplotlib's axes.
        width: in inches; None for the figure's own, or 8 for a function.
        height: in inches; None for the figure's own, or 4 for a function.
    """
    if isinstance(what, Picture):
        what = graph(what)
    elif not isinstance(what, SizedFigure):
        what = figure()(what)()
    return _inline(replace(what, width=width or what.width, height=height or what.height))


def fast(full: T, quick: T) -> T:
    """Return `full`, or `quick` if BACKLIGHT_FAST is set, as in tests, which run every cell for a short time only."""
    return quick if os.environ.get("BACKLIGHT_FAST") else full


def _inline(what: SizedFigure) -> InlineFigure:
    about = ""

    def draw(drawn: Any) -> None:
        nonlocal about
        what.draw(drawn)
        about = "; ".join(filter(None, (what.about[:1].upper() + what.about[1:], _about(drawn))))

    described = replace(what, draw=draw)
    png = fast(described.to_bytes, lambda: _coarse(described))()
    return InlineFigure(png, about or _UNNAMED, what.to_bytes(dark=True) if os.environ.get(FOR_PAGES) else None)


def _coarse(what: SizedFigure) -> bytes:
    with new_figure(what.width, what.height) as drawn, BytesIO() as buffer:
        what.draw(drawn)
        drawn.set_layout_engine(
            "none"
        )  # for tests: everything is drawn once, at a low resolution, since a table may have a thousand texts
        drawn.savefig(buffer, format="png", dpi=20)
        return buffer.getvalue()


def _about(drawn: Any) -> str:
    """Return the titles and axis labels of a figure, in one line."""
    said = []
    for ax in drawn.axes:
        sides = (ax.get_ylabel(), ax.get_xlabel())
        said += [ax.get_title(loc="left") or ax.get_title(), " against ".join(sides) if all(sides) else "".join(sides)]
    return "; ".join(dict.fromkeys(" ".join(one.split()) for one in said if one.strip()))


def _data(png: bytes) -> str:
    """Return an image as a data URL, reduced to 256 colours, which needs a third of the bytes."""
    from PIL import Image  # with matplotlib; only for pages

    with Image.open(BytesIO(png)) as image, BytesIO() as buffer:
        few = image.convert("RGB").quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
        few.save(buffer, "PNG", optimize=True)
        return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
