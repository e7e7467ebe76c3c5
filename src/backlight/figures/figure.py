"""What a figure is. Each is declared once: the function that draws it, its name and size, and what makes its data.

    @figure("surprise", about="the cost of each character of a text", size=(8, 3.3))
    def surprise(ax, labels, nats):
        ...                                          # draws plain data; neither computes nor saves

    @surprise.from_run
    def _(run):
        ...
        return surprise(labels, nats)

`surprise(labels, nats)` is a figure of the size that suits the data: a notebook shows it, and `save` writes it.
`surprise.of(run)` is the same from a run, and `surprise.draw(ax, labels, nats)` draws on axes of your own.
"""

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
        width: inches.
        height: inches.
        draw: draws it on an empty matplotlib figure of that size.
        layout: matplotlib's layout engine for it.
    """

    width: float
    height: float
    draw: Callable[[Figure], None]
    layout: Layout = "constrained"

    def with_note(self, note: str) -> "SizedFigure":
        """Return the figure with a line of text below it; the same figure for an empty line."""
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
            ConfigError: another kind.
        """
        with new_figure(self.width, self.height, dark=dark, layout=self.layout) as figure:
            self.draw(figure)
            return rendered(figure, kind)

    def save(self, path: Path | str, *, dark: bool = False) -> None:
        """Write the figure to a PNG or SVG file, by its suffix; an old file of that name is replaced in one step.

        Args:
            path: the file; its folder exists.
            dark: light on dark instead of dark on light.

        Raises:
            ConfigError: another suffix.
            RunError: the file cannot be written.
        """
        path = Path(path)
        write_atomically(path, self.to_bytes(path.suffix.lower().lstrip("."), dark=dark))

    def _repr_png_(self) -> bytes:
        return self.to_bytes()


Size = tuple[float, float]


class FigureSpec(Generic[P]):
    """A declared figure; `figure` makes one. Called with data, it gives a `SizedFigure`.

    Attributes:
        name: on the command line and of its files.
        about: what it shows, in a line.
        draw: draws data on axes.
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
        """Return the figure of this data, which is what `draw` takes after the axes."""

        def draw(figure: Figure) -> None:
            self.draw(self._axes(figure), *args, **kwargs)

        data = signature(self.draw).bind(None, *args, **kwargs)
        data.apply_defaults()
        if not callable(self._size):
            return SizedFigure(*self._size, draw, self._layout)
        with new_figure():  # a size may depend on the fonts
            size = self._size(**{name: data.arguments[name] for name in signature(self._size).parameters})
        return SizedFigure(*size, draw, self._layout)

    def from_run(self, data: Callable[[RunData], SizedFigure]) -> Callable[[RunData], SizedFigure]:
        """Declare how the figure is made from a run (a decorator)."""
        self._from_run = data
        return data

    def from_measurements(self, data: Callable[[Measurements], SizedFigure]) -> Callable[[Measurements], SizedFigure]:
        """Declare how the figure is made from what was measured on a network, ours or PyTorch's (a decorator)."""
        self._from_measurements = data
        return data

    def of(self, source: RunData | Measurements) -> SizedFigure:
        """Return the figure of a run, or of a network that was watched or examined.

        Raises:
            NoFigureError: it cannot be made from this source.
        """
        if isinstance(source, RunData) and self._from_run is not None:
            return self._from_run(source)
        if self._from_measurements is not None:
            return self._from_measurements(source.measurements if isinstance(source, RunData) else source)
        raise NoFigureError("it needs a run" if self._from_run else "it is drawn from plain data only")


def one_axes(figure: Figure) -> Any:
    """Return the one pair of axes of a figure."""
    return figure.subplots()


def whole(figure: Figure) -> Figure:
    """Return the figure itself, for what makes its own axes."""
    return figure


def figure(
    name: str = "", *, about: str = "", size: Size | Callable[..., Size] = (8.0, 4.0),
    axes: Callable[[Figure], Any] = one_axes, layout: Layout = "constrained",
) -> Callable[[Callable[Concatenate[Any, P], object]], FigureSpec[P]]:  # fmt: skip
    """Declare a figure (a decorator for the function that draws it).

    Args:
        name: on the command line; figures with a name stand in `backlight.figures.FIGURES`.
        about: what it shows, in a line.
        size: width and height in inches; or a function that gives them, whose arguments are named like data of the
            figure.
        axes: makes what is drawn on from an empty matplotlib figure; by default one pair of axes.
        layout: matplotlib's layout engine; "compressed" where the sides of the axes are bound to each other.
    """
    return lambda draw: FigureSpec(draw, name=name, about=about, size=size, axes=axes, layout=layout)
