"""Pictures inside a notebook."""

import os
import struct
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import Any, TypeVar

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from backlight.autograd.explain.picture import Picture
from backlight.figures import draw_graph, graph_size, new_figure, page_bytes
from backlight.figures.pages import Page

_DOTS = 150
"""An inch of a page, in the PNG."""

_SHOWN = 80
"""An inch of a page, in a notebook, in its own pixels."""

_WIDEST = 880
"""Of such pixels."""

T = TypeVar("T")


@dataclass(frozen=True)
class Inline:
    """A picture that a notebook shows where the cell's last line gives it.

    Attributes:
        png: the bytes of the file.
    """

    png: bytes

    def _repr_png_(self) -> tuple[bytes, dict[str, Any]]:
        width, height = struct.unpack(">II", self.png[16:24])
        scale = min(_SHOWN / _DOTS, _WIDEST / width)
        return self.png, {"width": round(width * scale), "height": round(height * scale)}

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
    if not fast(full=False, quick=True):
        return Inline(page_bytes(page))
    with new_figure(page.width, page.height) as figure, BytesIO() as buffer:
        page.draw(figure)
        figure.set_layout_engine("none")  # everything is drawn, but coarsely, and once: a table has a thousand texts
        figure.savefig(buffer, format="png", dpi=20)
        return Inline(buffer.getvalue())


def _graph(figure: Figure, picture: Picture) -> None:
    figure.set_layout_engine("none")
    draw_graph(figure.add_axes((0, 0, 1, 1)), picture)
