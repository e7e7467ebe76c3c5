"""The one place where a figure becomes a file: whole or not at all, and the same bytes for the same data."""

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Final, Literal

import matplotlib as mpl
from matplotlib.figure import Figure

from backlight.core import ConfigError
from backlight.figures.style import DARK_STYLE, STYLE

# no date and no version: they would change the bytes
_METADATA: Final[dict[str, dict[str, str | None]]] = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": "Backlight"},
}

_MARGIN: Final = 0.12
"""Inches of paper around what is drawn."""

FORMATS: Final = tuple(_METADATA)
"""What a figure can be saved as."""

Layout = Literal["constrained", "compressed"] | None


@contextmanager
def new_figure(
    width: float = 8.0, height: float = 4.5, *, dark: bool = False, layout: Layout = "constrained"
) -> Iterator[Figure]:
    """Give an empty figure in the project's style, which holds for the block: make, draw and save inside.

    The user's own settings of matplotlib do not count in the block: a figure of the same data is the same everywhere.

    Args:
        width: inches; at 150 dots each, 8 fill a page's column.
        height: inches.
        dark: light on dark instead of dark on light.
        layout: matplotlib's layout engine.
    """
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(DARK_STYLE if dark else STYLE)
        yield Figure(figsize=(width, height), layout=layout)


def rendered(figure: Figure, kind: str = "png") -> bytes:
    """Return a figure as the bytes of a file. Call it in the block of `new_figure`.

    Args:
        figure: what was drawn.
        kind: "png" or "svg".

    Raises:
        ConfigError: another kind.
    """
    if kind not in _METADATA:
        raise ConfigError(f"a figure can be saved as {' or '.join(FORMATS)}; got {kind or 'no suffix'!r}. Choose one.")
    buffer = BytesIO()
    # tight: axes whose sides are bound to each other seldom fill their page
    figure.savefig(buffer, format=kind, metadata=_METADATA[kind], bbox_inches="tight", pad_inches=_MARGIN)
    return buffer.getvalue()
