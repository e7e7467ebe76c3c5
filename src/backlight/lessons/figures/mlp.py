"""The figures of lesson 3."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from backlight.core import FloatArray
from backlight.figures import figure, palette
from backlight.figures.placing import place_names


@figure(size=(10, 4.2))
def network_diagram(ax: Axes, parameters: Sequence[FloatArray], context: Sequence[int], labels: Sequence[str]) -> None:
    """Draw the forward pass of one context: letters, joined vectors, hidden units, logits.

    Args:
        ax: the axes to draw on.
        parameters: C (V, E), W1 (T E, h), b1 (h,), W2 (h, V) and b2 (V,).
        context: T ids.
        labels: the V characters.
    """
    C, W1, b1, W2, b2 = parameters
    vectors = C[list(context)]
    hidden = np.tanh(vectors.reshape(-1) @ W1 + b1)
    logits = hidden @ W2 + b2
    letters, guess = [labels[id_] for id_ in context], labels[int(logits.argmax())]
    colours = palette(ax)
    T, E = vectors.shape
    levels = (
        (1.5, vectors.reshape(-1), 8.0, "the vectors, joined by view"),
        (3.0, hidden, 10.0, f"tanh(x @ W1 + b1): {len(hidden)} hidden units"),
        (4.5, logits, 8.0, f"h @ W2 + b2: {len(logits)} logits; {guess} has the highest"),
    )
    for y, numbers, width, text in levels:
        _cells(ax, numbers, y=y, width=width)
        ax.text(5.6, y + 0.25, text, va="center", size=10)
    side = 8.0 / T
    for place, letter in enumerate(letters):
        middle = -4.0 + side * (place + 0.5)
        ax.text(middle, 0, letter, ha="center", va="center", size=15, weight="bold")
        ax.annotate("", (middle, 1.42), (middle, 0.35), arrowprops={"arrowstyle": "->", "color": colours.ink})
    ax.text(5.6, 0.85, f"each selects its row of C: {E} numbers", va="center", size=10)
    ax.text(5.6, 0, f"{T} letters", va="center", size=10)
    for low, high in ((2.1, 2.95), (3.6, 4.45)):
        ax.annotate("", (0, high), (0, low), arrowprops={"arrowstyle": "->", "color": colours.ink})
    ax.set_xlim(-5.2, 13.5)
    ax.set_ylim(-0.5, 5.3)
    ax.set_axis_off()
    ax.set_title("The forward pass of one context (blue: positive, orange: negative)")


def _cells(ax: Axes, numbers: FloatArray, *, y: float, width: float) -> None:
    """Draw numbers as a centred row of coloured cells."""
    colours = palette(ax)
    limit = float(np.abs(numbers).max()) or 1.0
    side = width / len(numbers)
    for place, share in enumerate((numbers / limit / 2 + 0.5).tolist()):
        ax.add_patch(Rectangle((-width / 2 + place * side, y), side, 0.5, facecolor=colours.signed(share), linewidth=0))
    ax.add_patch(Rectangle((-width / 2, y), width, 0.5, fill=False, edgecolor=colours.muted, linewidth=0.8))


@figure()
def rate_losses(ax: Axes, rates: FloatArray, losses: FloatArray) -> None:
    """Draw the loss (steps,) of each step over its learning rate (steps,), and a running mean, in nats.

    Args:
        ax: the axes to draw on.
        rates: (steps,), increasing.
        losses: (steps,), in nats.
    """
    width = len(losses) // 20
    smoothed = [float(np.mean(losses[max(0, i - width) : i + width + 1])) for i in range(len(losses))]
    colours = palette(ax)
    ax.plot(rates, losses, color=colours.blue, linewidth=0.6, alpha=0.35)
    ax.plot(rates, smoothed, color=colours.blue)
    ax.set_xscale("log")
    ax.set_xlim(rates[0], rates[-1])
    ax.set_ylim(0, smoothed[0] * 1.3)
    ax.set_xlabel("learning rate of the step")
    ax.set_ylabel("nats per character")


@figure(size=(10, 4))
def train_dev_losses(ax: Axes, curves: Mapping[str, Sequence[Sequence[float]]]) -> None:
    """Draw the losses of each network over its steps: on train as a dotted line, and on dev as a solid one."""
    colours = palette(ax)
    inks = (colours.blue, colours.orange, colours.green)
    for (name, (steps, on_train, on_dev)), ink in zip(curves.items(), inks, strict=False):
        ax.plot(steps, on_dev, color=ink, label=f"{name}, dev")
        ax.plot(steps, on_train, color=ink, linestyle=":", label=f"{name}, train")
    ax.set_xlabel("step")
    ax.set_ylabel("nats per character")
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))


@figure(size=(11, 5.6), axes=lambda figure: figure.subplots(1, 2))
def embeddings(
    axes: Sequence[Axes], before: FloatArray, after: FloatArray, labels: Sequence[str], *, marked: Sequence[int]
) -> None:
    """Draw the embeddings of letters (V, 2) before and after training.

    Args:
        axes: two axes to draw on.
        before: (V, 2) before training.
        after: (V, 2) after training.
        labels: the V characters.
        marked: ids of characters that are highlighted.
    """
    for ax, points, title in zip(axes, (before, after), ("Before training", "After training"), strict=True):
        ax.plot(*points.T, ".", color=palette(ax).muted)
        ax.grid(visible=True)
        ax.margins(0.08)
        ax.set_xlabel("first number")
        ax.set_ylabel("second number")
        ax.set_title(title)
    for ax, points in zip(axes, (before, after), strict=True):
        colours = palette(ax)
        inks = [colours.orange if i in marked else colours.ink for i in range(len(labels))]
        for note in place_names(ax, points, labels, size=12, colours=inks):
            note.set_fontweight("bold")
