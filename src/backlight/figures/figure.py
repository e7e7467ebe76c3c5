"""Declaring figures. Each is declared once: the function that draws it, its name and size, and how its data is made.

    @figure("surprise", about="the loss of each character of a text", size=(8, 3.3))
    def surprise(ax, labels, nats):
        ...                                          # draws plain data; neither computes nor saves

    @surprise.from_run
    def _(run):
        ...
        return surprise(labels, nats)

`surprise(labels, nats)` is a figure of a size that suits the data: a notebook displays it, and `save` writes it.
`surprise.of(run)` makes the same from a run, and `surprise.draw(ax, labels, nats)` draws on your own axes.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from inspect import signature
from pathlib import Path
from typing import Any, Concatenate, Generic, ParamSpec

from matplotlib.figure import Figure

from backlight.figures.files import Layout, new_figure, rendered
from backlight.figures.run_data import NoFigureError, RunData
from backlight.runs.atomic import write_atomically
from backlight.watch.records import Measurements

P = ParamSpec("P")


@dataclass(frozen=True)
class SizedFigure:
    """A figure with its data, ready to be drawn.

    Attributes:
        width: in inches.
        height: in inches.
        draw: draws it on an empty matplotlib figure of that size.
        layout: matplotlib's layout engine.
        about: what it shows, in one line; "" if that is not known.
    """

    width: float
    height: float
    draw: Callable[[Figure], None]
    layout: Layout = "constrained"
    about: str = ""

    def with_note(self, note: str) -> "SizedFigure":
        """Return the figure with a line of text below it; the figure itself if the line is empty."""
        if not note:
            return self

        def draw(figure: Figure) -> None:
            self.draw(figure)
            figure.supxlabel(note, size=9, x=0.99, ha="right")

        return replace(self, height=self.height + 0.3, draw=draw)

    def to_bytes(self, kind: str = "png", *, dark: bool = False) -> bytes:
        """Return the figure as the bytes of a file.

        Args:
            kind: "png" or "svg".
            dark: light on dark instead of dark on light.

        Raises:
            ConfigError: the kind is neither "png" nor "svg".
        """
        with new_figure(self.width, self.height, dark=dark, layout=self.layout) as figure:
            self.draw(figure)
            return rendered(figure, kind)

    def save(self, path: Path | str, *, dark: bool = False) -> None:
        """Write the figure to a PNG or SVG file, by its suffix; an old file of that name is replaced in one step.

        Args:
            path: the file, in an existing folder.
            dark: light on dark instead of dark on light.

        Raises:
            ConfigError: the suffix is neither .png nor .svg.
            RunError: the file cannot be written.
        """
        path = Path(path)
        write_atomically(path, self.to_bytes(path.suffix.lower().lstrip("."), dark=dark))

    def _repr_png_(self) -> bytes:
        return self.to_bytes()


Size = tuple[float, float]


class FigureSpec(Generic[P]):
    """A declared figure, made by the decorator `figure`. Called with data, it returns a `SizedFigure`.

    Attributes:
        name: its name on the command line and of its files.
        about: what it shows, in one line.
        draw: the function that draws data on axes.
    """

    def __init__(
        self, draw: Callable[Concatenate[Any, P], object], *, name: str, about: str, size: Size | Callable[..., Size],
        axes: Callable[[Figure], Any], layout: Layout,
    ) -> None:  # fmt: skip
        self.name = name
        self.about = about
        self.draw = draw
        self.__doc__ = draw.__doc__
        self._size = size
        self._axes = axes
        self._layout = layout
        self._from_run: Callable[[RunData], SizedFigure] | None = None
        self._from_measurements: Callable[[Measurements], SizedFigure] | None = None

    def __repr__(self) -> str:
        return f"<figure {self.name or self.draw.__name__}: {self.about or 'of plain data'}>"

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> SizedFigure:
        """Return the figure of this data; the arguments are those of `draw` without the axes."""

        def draw(figure: Figure) -> None:
            self.draw(self._axes(figure), *args, **kwargs)

        data = signature(self.draw).bind(None, *args, **kwargs)
        data.apply_defaults()
        if not callable(self._size):
            return SizedFigure(*self._size, draw, self._layout, self._shows())
        with new_figure():  # a size may depend on the fonts
            size = self._size(**{name: data.arguments[name] for name in signature(self._size).parameters})
        return SizedFigure(*size, draw, self._layout, self._shows())

    def _shows(self) -> str:
        """Return what it shows: `about`, or the first line of the docstring, without "Draw" and shapes of arrays."""
        first = (self.__doc__ or "").strip().partition("\n")[0].removeprefix("Draw ").rstrip(".")
        return self.about or re.sub(r" \([A-Z][^)]*\)", "", first)

    def from_run(self, data: Callable[[RunData], SizedFigure]) -> Callable[[RunData], SizedFigure]:
        """Declare how the figure is made from a run (a decorator)."""
        self._from_run = data
        return data

    def from_measurements(self, data: Callable[[Measurements], SizedFigure]) -> Callable[[Measurements], SizedFigure]:
        """Declare how the figure is made from measurements of a network of this package or of PyTorch (a decorator)."""
        self._from_measurements = data
        return data

    def of(self, source: RunData | Measurements) -> SizedFigure:
        """Return the figure of a run, or of the measurements of a network that was watched or examined.

        Raises:
            NoFigureError: the figure cannot be made from this source.
        """
        if isinstance(source, RunData) and self._from_run is not None:
            return self._from_run(source)
        if self._from_measurements is not None:
            return self._from_measurements(source.measurements if isinstance(source, RunData) else source)
        raise NoFigureError("it needs a run" if self._from_run else "it can only be drawn from plain data")


def one_axes(figure: Figure) -> Any:
    """Return single axes that fill the figure."""
    return figure.subplots()


def whole(figure: Figure) -> Figure:
    """Return the figure itself, for a function that makes its own axes."""
    return figure


def figure(
    name: str = "", *, about: str = "", size: Size | Callable[..., Size] = (8.0, 4.0),
    axes: Callable[[Figure], Any] = one_axes, layout: Layout = "constrained",
) -> Callable[[Callable[Concatenate[Any, P], object]], FigureSpec[P]]:  # fmt: skip
    """Declare a figure (a decorator for the function that draws it).

    Args:
        name: its name on the command line; figures with a name are listed in `backlight.figures.FIGURES`.
        about: what it shows, in one line.
        size: width and height in inches; or a function that returns them, whose arguments have the names of arguments
            of the figure.
        axes: makes the object to draw on from an empty matplotlib figure; by default single axes.
        layout: matplotlib's layout engine; use "compressed" for axes with a fixed aspect ratio.
    """
    return lambda draw: FigureSpec(draw, name=name, about=about, size=size, axes=axes, layout=layout)
