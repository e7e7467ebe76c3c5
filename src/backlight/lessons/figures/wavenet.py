"""The figures of lesson 6."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgb

from backlight.core import FloatArray
from backlight.figures import figure, palette


@figure()
def mean_losses(ax: Axes, runs: Mapping[str, Sequence[float]], window: int) -> None:
    """Draw each run's loss, averaged over windows of this many steps; for a single run also that of every step.

    Args:
        ax: the axes to draw on.
        runs: the loss of every step, by name of the run.
        window: the number of steps of a mean.
    """
    colours = palette(ax)
    lines = (colours.blue, colours.orange, colours.green, colours.purple)
    for (name, losses), colour in zip(runs.items(), lines, strict=False):
        whole = np.asarray(losses)[: len(losses) // window * window]
        means: FloatArray = whole.reshape(-1, window).mean(1)
        middles = window * (np.arange(len(means)) + 0.5)
        alone = len(runs) == 1
        if alone:
            ax.plot(losses, color=colours.muted, linewidth=0.5, alpha=0.6, label="one minibatch")
        shown = (colours.orange, f"mean of {window}") if alone else (colour, name)
        ax.plot(middles, means, color=shown[0], label=shown[1])
    ax.set_xlabel("step")
    ax.set_ylabel("nats per character")
    ax.legend()


@figure(size=(8, 3.6))
def dilations(ax: Axes, text: Sequence[str], levels: int) -> None:
    """Draw a stack of causal convolutions of kernel size 2 over a text, and highlight the tree of the last position.

    Args:
        ax: the axes to draw on.
        text: the characters.
        levels: the number of layers; their dilations are 1, 2, 4, ...
    """
    colours = palette(ax)
    n, faint = len(text), (*to_rgb(colours.muted), 0.35)
    used = [{n - 1}]  # the positions that the last output depends on, from the top down
    for level in reversed(range(levels)):
        used.insert(0, {place - step for place in used[0] for step in (0, 2**level)})
    shades = colours.depths(np.linspace(0, 1, levels + 1))
    for level in range(levels + 1):
        dots = [shades[level] if place in used[level] else faint for place in range(n)]
        ax.scatter(range(n), [level] * n, s=90, color=dots, zorder=3)
        if level < levels:
            arrows = [(back, to) for to in range(n) for back in (to - 2**level, to) if back >= 0]
            edges = [[(back, level), (to, level + 1)] for back, to in arrows]
            lit = [to in used[level + 1] for _, to in arrows]
            inks, widths = [colours.ink if one else faint for one in lit], [1.6 if one else 1.0 for one in lit]
            ax.add_collection(LineCollection(edges, colors=inks, linewidths=widths))
    for place, letter in enumerate(text):
        ax.text(place, -0.35, letter, ha="center", va="top", size=13, weight="bold")
    names = ["vectors", *(f"dilation {2**level}" for level in range(levels))]
    ax.set_yticks(range(levels + 1), names)
    ax.set_xticks([])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set_xlim(-0.6, n - 0.4)
    ax.set_ylim(-0.8, levels + 0.35)
    ax.set_title("The tree of the last letter among those of all letters")
