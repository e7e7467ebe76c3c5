"""Rendering figures to the bytes of a file: the same data gives the same bytes."""

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
"""The margin around the drawing, in inches."""

FORMATS: Final = tuple(_METADATA)
"""The file formats of a figure."""

Layout = Literal["constrained", "compressed"] | None


@contextmanager
def new_figure(
    width: float = 8.0, height: float = 4.5, *, dark: bool = False, layout: Layout = "constrained"
) -> Iterator[Figure]:
    """Yield an empty figure in the project's style (a context manager). Draw and save the figure inside the block.

    The user's settings of matplotlib have no effect in the block, so that the same data gives the same figure.

    Args:
        width: in inches, at 150 dots per inch.
        height: in inches.
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
        figure: the figure.
        kind: "png" or "svg".

    Raises:
        ConfigError: the kind is neither "png" nor "svg".
    """
    if kind not in _METADATA:
        raise ConfigError(f"a figure must be saved as {' or '.join(FORMATS)}; got {kind or 'no suffix'!r}. Choose one.")
    buffer = BytesIO()
    # tight: axes with a fixed aspect ratio rarely fill the figure
    figure.savefig(buffer, format=kind, metadata=_METADATA[kind], bbox_inches="tight", pad_inches=_MARGIN)
    return buffer.getvalue()
