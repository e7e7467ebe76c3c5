"""The style of all figures: a light and a dark theme, with colours that colour-blind people can distinguish.

`matplotlib.rc_context(STYLE)` or `rc_context(DARK_STYLE)` around making, drawing and saving a figure sets its
background, text colour and sizes. Drawing functions take all other colours from `palette(ax)`, which depends on the
background of the axes, so that a drawing on other axes, such as those of a notebook, is legible as well.

The colours of lines are those of Okabe & Ito, "Color Universal Design" (2008), lightened for the dark theme.
"""

from dataclasses import dataclass
from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.colors import Colormap, LinearSegmentedColormap, to_rgba
from matplotlib.font_manager import fontManager


@dataclass(frozen=True, kw_only=True)
class Palette:
    """The colours of one theme, as matplotlib takes them.

    Attributes:
        paper: the background.
        ink: text and axes.
        muted: less important text and lines.
        grid: grid lines, and cells without a value.
        blue: the first series.
        orange: the second series.
        green: the third series.
        purple: the fourth series.
        alarm: limits, and values beyond them.
        amounts: a colour map from nothing (the background) to much.
        signed: a colour map from negative over 0 (nearly the background) to positive.
        depths: a colour map from the first layer to the last, every colour of which contrasts with the background.
    """

    paper: str
    ink: str
    muted: str
    grid: str
    blue: str
    orange: str
    green: str
    purple: str
    alarm: str
    amounts: Colormap
    signed: Colormap
    depths: Colormap


def _map(name: str, *colours: str) -> Colormap:
    return LinearSegmentedColormap.from_list(name, colours)


LIGHT: Final = Palette(
    paper="#ffffff", ink="#1b2a41", muted="#5b6b82", grid="#e1e6ee",
    blue="#0072b2", orange="#d98200", green="#008a63", purple="#a3528a", alarm="#c8400a",
    amounts=_map("amounts", "#ffffff", "#cfe2f3", "#7fb3dc", "#2b7bba", "#08386e"),
    signed=_map("signed", "#8a3800", "#d9780f", "#f6c98f", "#f7f7f7", "#9cc9e8", "#2b7bba", "#083f75"),
    depths=_map("depths", "#e0a030", "#b4562d", "#82307a", "#2a2f86"),
)  # fmt: skip
"""For a white background."""

DARK: Final = Palette(
    paper="#0d1117", ink="#e6edf3", muted="#9aa8b8", grid="#2a3340",
    blue="#56b4e9", orange="#f0a830", green="#2fc490", purple="#d58fbe", alarm="#ff7a45",
    amounts=_map("amounts_dark", "#0d1117", "#12355b", "#1f6aa5", "#56b4e9", "#d8f0ff"),
    signed=_map("signed_dark", "#ffb95c", "#e8891f", "#8a4a0c", "#1a212b", "#155a8a", "#3f9fdc", "#8ad4ff"),
    depths=_map("depths_dark", "#f7d878", "#f08c5a", "#c77cc9", "#7f9cf5"),
)  # fmt: skip
"""For a dark background."""


def palette(ax: Axes) -> Palette:
    """Return the colours that are legible on the background of these axes."""
    figure = ax.get_figure(root=True)
    red, green, blue, alpha = to_rgba(ax.get_facecolor())
    if (alpha == 0 or not ax.patch.get_visible()) and figure is not None:
        red, green, blue, _ = to_rgba(figure.get_facecolor())
    return LIGHT if 0.299 * red + 0.587 * green + 0.114 * blue > 0.5 else DARK


# for scripts that DejaVu Sans, which matplotlib includes, does not support
_FURTHER_FONTS: Final = (
    "Noto Sans CJK JP", "Noto Sans CJK SC", "Noto Sans CJK KR", "Source Han Sans", "Hiragino Sans", "PingFang SC",
    "Yu Gothic", "Microsoft YaHei", "Malgun Gothic", "WenQuanYi Micro Hei", "IPAGothic", "Noto Sans",
    "Noto Sans Devanagari", "Noto Sans Thai", "Noto Sans Bengali", "Noto Sans Tamil", "Arial Unicode MS",
)  # fmt: skip

_INSTALLED: Final = {font.name for font in fontManager.ttflist}


def _style(colours: Palette) -> dict[Any, Any]:
    return {
        "figure.facecolor": colours.paper,
        "savefig.facecolor": colours.paper,
        "axes.facecolor": colours.paper,
        "axes.edgecolor": colours.muted,
        "axes.labelcolor": colours.ink,
        "axes.titlecolor": colours.ink,
        "text.color": colours.ink,
        "xtick.color": colours.muted,
        "ytick.color": colours.muted,
        "xtick.labelcolor": colours.ink,
        "ytick.labelcolor": colours.ink,
        "grid.color": colours.grid,
        "legend.frameon": False,
        "font.family": ["sans-serif"],
        "font.sans-serif": ["DejaVu Sans", *(name for name in _FURTHER_FONTS if name in _INSTALLED)],
        "font.size": 10,
        "axes.titlesize": 13,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.titlepad": 10,
        "axes.labelsize": 11,
        "axes.axisbelow": True,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.linewidth": 0.8,
        "lines.linewidth": 1.8,
        "savefig.dpi": 150,
        "text.usetex": False,
        # the same data gives the same bytes
        "svg.hashsalt": "backlight",
    }


STYLE: Final[dict[Any, Any]] = _style(LIGHT)
"""matplotlib settings of the light theme, for `matplotlib.rc_context(STYLE)`."""

DARK_STYLE: Final[dict[Any, Any]] = _style(DARK)
"""matplotlib settings of the dark theme."""
