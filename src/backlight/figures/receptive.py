"""The tree by which WaveNet joins its context, pair by pair."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from backlight.core import FloatArray, ShapeError
from backlight.figures.letters import legible, write_title
from backlight.figures.style import palette


def draw_receptive_field(
    ax: Axes, letters: Sequence[str], levels: Sequence[str], *, outcome: str = "", influence: FloatArray | None = None
) -> None:
    """Draw how a hierarchical network sees its context: characters below, pairs of pairs above, one node on top.

    Args:
        ax: where to draw.
        letters: T visible characters, oldest first; T a power of 2.
        levels: log2(T) + 1 descriptions, of the characters' vectors first, of the node on top last.
        outcome: what the node on top says comes next.
        influence: (T,) how strongly each character bears on that, in any unit; the larger, the larger its dot.

    Raises:
        ShapeError: T is not a power of 2, or not one description for each level, or not one influence for a character.
    """
    T = len(letters)
    if T < 1 or T & (T - 1) or len(levels) != T.bit_length() or (influence is not None and influence.shape != (T,)):
        raise ShapeError(
            f"a tree needs a power of 2 of letters, a level for each doubling and one more, and an influence for each "
            f"letter; got {T} letters, {len(levels)} levels and {None if influence is None else influence.shape}."
        )
    colours = palette(ax)
    shades = colours.depths(np.linspace(0, 1, max(len(levels), 2)))
    x = np.arange(T, dtype=float)
    sizes = np.full(T, 90.0)
    if influence is not None and influence.max() > 0:
        sizes = 12 + 260 * influence / influence.max()
    for level in range(len(levels)):
        ax.scatter(x, np.full(len(x), level), s=sizes if level == 0 else 90, color=shades[level], zorder=3)
        if level + 1 < len(levels):
            above = x.reshape(-1, 2).mean(axis=1)
            edges = [[(a, level), (b, level + 1)] for a, b in zip(x, np.repeat(above, 2), strict=True)]
            ax.add_collection(LineCollection(edges, colors=[colours.muted], linewidths=1, zorder=2))
            x = above
    for place, letter in enumerate(letters):
        shown = legible(letter)
        ax.text(
            place, -0.32, shown, ha="center", va="top", weight="bold", parse_math=False,
            size=15 if len(shown) == 1 else 8, rotation=0 if len(shown) == 1 else 90,
        )  # fmt: skip
    if outcome:
        ax.text(float(x[0]), len(levels) - 1 + 0.25, f"→ {legible(outcome)}", ha="center", va="bottom", size=15,
                weight="bold", color=colours.orange, parse_math=False)  # fmt: skip
    ax.set_xlim(-0.6, T - 0.4)
    ax.set_ylim(-0.75, len(levels) - 0.35)
    ax.set_yticks(range(len(levels)), [legible(level) for level in levels], parse_math=False)
    ax.set_xticks([])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    if influence is not None:
        ax.set_xlabel("larger dots bear more on the outcome", size=10)
    write_title(ax, f"How {T} characters become one prediction")
