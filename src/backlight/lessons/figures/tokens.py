"""The figures of lesson 8."""

from collections.abc import Mapping, Sequence
from itertools import cycle

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from backlight.figures import figure, palette


@figure(size=lambda cuts: (9.5, 0.4 + 0.75 * len(cuts)))
def cut_texts(ax: Axes, cuts: Mapping[str, Sequence[str]]) -> None:
    """Draw texts that are cut into tokens, a row each, with a box around each token.

    Args:
        ax: the axes to draw on.
        cuts: the tokens of a text, by the name of the row.
    """
    colours = palette(ax)
    widest = max(sum(map(len, tokens)) for tokens in cuts.values())
    for row, (name, tokens) in enumerate(cuts.items()):
        begin = 0
        for token, colour in zip(tokens, cycle((colours.blue, colours.orange)), strict=False):
            ax.add_patch(
                Rectangle((begin + 0.04, row - 0.3), len(token) - 0.08, 0.6, facecolor=colour, alpha=0.25, linewidth=0)
            )
            for place, character in enumerate(token):
                shown = "\N{OPEN BOX}" if character == " " else character
                ax.text(begin + place + 0.5, row, shown, ha="center", va="center", family="monospace", size=9)
            begin += len(token)
        ax.text(0, row - 0.37, f"{name}: {len(tokens)} tokens", size=8, va="bottom")
    ax.set_xlim(-0.2, widest + 0.2)
    ax.set_ylim(len(cuts) - 0.5, -0.75)
    ax.set_axis_off()
