"""What a notebook of the course shows: figures in the project's style, with a text for those who cannot see them."""

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

_DOTS = 150
"""An inch of a figure, in the PNG."""

_SHOWN = 80
"""An inch of a figure, in a notebook, in its own pixels."""

_WIDEST = 880
"""Of such pixels."""

FOR_PAGES: Final = "BACKLIGHT_FOR_PAGES"
"""Where it is set, what is shown is made for the pages of the course: for dark paper too."""

T = TypeVar("T")


@dataclass(frozen=True)
class InlineFigure:
    """A figure that a notebook shows where the cell's last line gives it.

    Attributes:
        png: the bytes of the file.
        about: what it shows, in a line, for those who cannot see it; "" if nothing is written in it.
        dark: the same on dark paper; None if it was not drawn.
    """

    png: bytes
    about: str = ""
    dark: bytes | None = None

    def _repr_png_(self) -> tuple[bytes, dict[str, Any]]:
        width, height = self._size()
        return self.png, {"width": width, "height": height, "alt": self.about}

    def _repr_html_(self) -> str | None:
        if self.dark is None:
            return None  # then the PNG is shown
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
        return f"<a figure of {width} x {height} pixels; a notebook shows it>"


def show(
    what: SizedFigure | Picture | Callable[[Any], object], *, width: float | None = None, height: float | None = None
) -> InlineFigure:
    """Draw a figure in the project's style, for a notebook to show.

    Args:
        what: a figure of `backlight.figures` or of the course, the `picture()` of an explanation, or a function that
            draws on matplotlib's axes.
        width: inches; None for the figure's own, and 8 for a function.
        height: inches; None for the figure's own, and 4 for a function.
    """
    if isinstance(what, Picture):
        what = graph(what)
    elif not isinstance(what, SizedFigure):
        what = figure()(what)()
    return _inline(replace(what, width=width or what.width, height=height or what.height))


def fast(full: T, quick: T) -> T:
    """Return `full`, or `quick` where BACKLIGHT_FAST is set: for tests, which want every cell run and none for long."""
    return quick if os.environ.get("BACKLIGHT_FAST") else full


def _inline(what: SizedFigure) -> InlineFigure:
    about = ""

    def draw(drawn: Any) -> None:
        nonlocal about
        what.draw(drawn)
        about = _about(drawn)

    described = replace(what, draw=draw)
    png = fast(described.to_bytes, lambda: _coarse(described))()
    return InlineFigure(png, about, what.to_bytes(dark=True) if os.environ.get(FOR_PAGES) else None)


def _coarse(what: SizedFigure) -> bytes:
    with new_figure(what.width, what.height) as drawn, BytesIO() as buffer:
        what.draw(drawn)
        drawn.set_layout_engine("none")  # everything is drawn, but coarsely, and once: a table has a thousand texts
        drawn.savefig(buffer, format="png", dpi=20)
        return buffer.getvalue()


def _about(drawn: Any) -> str:
    """Return the titles in a figure and what its axes say, in a line."""
    said = []
    for ax in drawn.axes:
        sides = (ax.get_ylabel(), ax.get_xlabel())
        said += [ax.get_title(loc="left") or ax.get_title(), " against ".join(sides) if all(sides) else "".join(sides)]
    return "; ".join(dict.fromkeys(" ".join(one.split()) for one in said if one.strip()))


def _data(png: bytes) -> str:
    """Return an image as an address that holds all of it, in 256 colours: a third of the bytes."""
    from PIL import Image  # with matplotlib; only for pages

    with Image.open(BytesIO(png)) as image, BytesIO() as buffer:
        few = image.convert("RGB").quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
        few.save(buffer, "PNG", optimize=True)
        return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
