"""Pictures inside a notebook."""

import base64
import html
import os
import struct
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Final, TypeVar

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from backlight.explanation.picture import Picture
from backlight.figures import draw_graph, graph_size, new_figure, page_bytes
from backlight.figures.pages import Page

_DOTS = 150
"""An inch of a page, in the PNG."""

_SHOWN = 80
"""An inch of a page, in a notebook, in its own pixels."""

_WIDEST = 880
"""Of such pixels."""

FOR_PAGES: Final = "BACKLIGHT_FOR_PAGES"
"""Where it is set, what is shown is made for the pages of the course: with pictures for dark paper too."""

T = TypeVar("T")


@dataclass(frozen=True)
class Inline:
    """A picture that a notebook shows where the cell's last line gives it.

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
        return f"<a picture of {width} x {height} pixels; a notebook shows it>"


def show(what: Page | Picture | Callable[[Axes], object], *, width: float = 8.0, height: float = 4.0) -> Inline:
    """Draw a picture in the project's style, for a notebook to show.

    Args:
        what: one of `backlight.figures.pages`, the `picture()` of an explanation, or a function that draws on axes.
        width: inches, for a function.
        height: inches, for a function.
    """
    if isinstance(what, Page):
        return _inline(what)
    if isinstance(what, Picture):
        width, height = graph_size(what)
        return _inline(Page(width, height, lambda figure: _graph(figure, what)))
    draw = what  # for the type checker: not a page and not a picture, in the function below too

    def on_axes(figure: Figure) -> None:
        draw(figure.subplots())

    return _inline(Page(width, height, on_axes))


def fast(full: T, quick: T) -> T:
    """Return `full`, or `quick` where BACKLIGHT_FAST is set: for tests, which want every cell run and none for long."""
    return quick if os.environ.get("BACKLIGHT_FAST") else full


def _inline(page: Page) -> Inline:
    about = ""

    def draw(figure: Figure) -> None:
        nonlocal about
        page.draw(figure)
        about = _about(figure)

    drawn = Page(page.width, page.height, draw)
    png = fast(page_bytes, _coarse)(drawn)
    return Inline(png, about, page_bytes(page, dark=True) if os.environ.get(FOR_PAGES) else None)


def _coarse(page: Page) -> bytes:
    with new_figure(page.width, page.height) as figure, BytesIO() as buffer:
        page.draw(figure)
        figure.set_layout_engine("none")  # everything is drawn, but coarsely, and once: a table has a thousand texts
        figure.savefig(buffer, format="png", dpi=20)
        return buffer.getvalue()


def _about(figure: Figure) -> str:
    """Return the titles in a figure and what its axes say, in a line."""
    said = []
    for ax in figure.axes:
        sides = (ax.get_ylabel(), ax.get_xlabel())
        said += [ax.get_title(loc="left") or ax.get_title(), " against ".join(sides) if all(sides) else "".join(sides)]
    return "; ".join(dict.fromkeys(" ".join(one.split()) for one in said if one.strip()))


def _data(png: bytes) -> str:
    """Return a picture as an address that holds all of it, in 256 colours: a third of the bytes."""
    from PIL import Image  # with matplotlib; only for pages

    with Image.open(BytesIO(png)) as picture, BytesIO() as buffer:
        few = picture.convert("RGB").quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
        few.save(buffer, "PNG", optimize=True)
        return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def _graph(figure: Figure, picture: Picture) -> None:
    figure.set_layout_engine("none")
    draw_graph(figure.add_axes((0, 0, 1, 1)), picture)
