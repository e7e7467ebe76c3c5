"""Where a model has put the characters."""

from collections.abc import Collection, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke

from backlight.core import FloatArray, ShapeError
from backlight.figures.letters import legible, write_title
from backlight.figures.style import palette


def draw_embedding(
    ax: Axes,
    points: FloatArray,
    labels: Sequence[str],
    *,
    axes_names: tuple[str, str] = ("first axis", "second axis"),
    marked: Collection[int] = (),
    marked_are: str = "",
) -> None:
    """Draw each character at the place of its vector; near each other are those that the model treats alike.

    Args:
        ax: where to draw.
        points: (V, 2), the vectors' first two axes or their first two principal components.
        labels: V visible characters.
        axes_names: what the two axes are.
        marked: ids in another colour.
        marked_are: what they have in common, for the title: "vowels".

    Raises:
        ShapeError: not two numbers for each label.
    """
    if points.shape != (len(labels), 2):
        raise ShapeError(f"{len(labels)} labels need points of shape ({len(labels)}, 2); got {points.shape}.")
    colours = palette(ax)
    size = float(np.clip(90 / np.sqrt(len(labels)), 7, 15))
    inks = [colours.orange if token in marked else colours.ink for token in range(len(labels))]
    for (x, y), label, ink in zip(points.tolist(), labels, inks, strict=True):
        shown = legible(label)
        ax.text(
            x, y, shown, ha="center", va="center_baseline", size=size if len(shown) == 1 else 0.6 * size, color=ink,
            weight="bold", parse_math=False, path_effects=[withStroke(linewidth=2, foreground=colours.paper)],
        )  # fmt: skip
    ax.margins(0.08)
    ax.update_datalim(points)
    ax.autoscale_view()
    ax.grid(visible=True)
    ax.set_xlabel(axes_names[0])
    ax.set_ylabel(axes_names[1])
    among = f" ({marked_are} in orange)" if marked and marked_are else ""
    write_title(ax, f"Where the model has put {len(labels)} characters{among}")
