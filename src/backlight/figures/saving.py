"""The one place where a picture becomes a file: whole or not at all, and the same bytes for the same data."""

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Final

import matplotlib as mpl
from matplotlib.figure import Figure

from backlight.core import ConfigError
from backlight.figures.pages import Page
from backlight.figures.style import DARK_STYLE, STYLE
from backlight.runs.atomic import write_atomically

# no date and no version: they would change the bytes
_METADATA: Final[dict[str, dict[str, str | None]]] = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": "Backlight"},
}

_MARGIN: Final = 0.12
"""Inches of paper around what is drawn."""

FORMATS: Final = tuple(_METADATA)
"""What a picture can be saved as."""


@contextmanager
def new_figure(width: float = 8.0, height: float = 4.5, *, dark: bool = False) -> Iterator[Figure]:
    """Give an empty figure in the project's style, which holds for the block: make, draw and save inside.

    Args:
        width: inches; at 150 dots each, 8 fill a page's column.
        height: inches.
        dark: light on dark instead of dark on light.
    """
    with mpl.rc_context(DARK_STYLE if dark else STYLE):
        yield Figure(figsize=(width, height), layout="constrained")


def rendered(figure: Figure, kind: str = "png") -> bytes:
    """Return a figure as the bytes of a file.

    Args:
        figure: what was drawn.
        kind: "png" or "svg".

    Raises:
        ConfigError: another kind.
    """
    if kind not in _METADATA:
        raise ConfigError(f"a picture can be saved as {' or '.join(FORMATS)}; got {kind or 'no suffix'!r}. Choose one.")
    buffer = BytesIO()
    with mpl.rc_context({"svg.hashsalt": STYLE["svg.hashsalt"]}):
        # tight: axes whose sides are bound to each other seldom fill their page
        figure.savefig(buffer, format=kind, metadata=_METADATA[kind], bbox_inches="tight", pad_inches=_MARGIN)
    return buffer.getvalue()


def page_bytes(page: Page, kind: str = "png", *, dark: bool = False) -> bytes:
    """Return a page, drawn in the project's style, as the bytes of a file.

    Args:
        page: what to draw.
        kind: "png" or "svg".
        dark: light on dark instead of dark on light.

    Raises:
        ConfigError: another kind.
    """
    with new_figure(page.width, page.height, dark=dark) as figure:
        page.draw(figure)
        return rendered(figure, kind)


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure to a PNG or SVG file, by its suffix; an old file of that name is replaced in one step.

    Args:
        figure: what was drawn.
        path: the file; its folder exists.

    Raises:
        ConfigError: another suffix.
        RunError: the disk refuses.
    """
    write_atomically(path, rendered(figure, path.suffix.lower().lstrip(".")))
