"""The first gradient of a backward pass: which logits of a batch are pushed down, and which are pulled up."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.colors import FuncNorm

from backlight.core import FloatArray, ShapeError
from backlight.figures.letters import letter_ticks, write_title
from backlight.figures.style import palette
from backlight.figures.weights import largest, signed_root, signed_square


def draw_dlogits(ax: Axes, dlogits: FloatArray, labels: Sequence[str]) -> None:
    """Draw dloss/dlogits of one batch: softmax less the one-hot target, divided by the batch's size.

    In each row the probabilities push down, in blue, and the target pulls up, in orange, exactly as hard as all others
    together.

    Args:
        ax: where to draw.
        dlogits: (N, V), nats.
        labels: V visible characters.

    Raises:
        ShapeError: not one column for each label.
    """
    if dlogits.ndim != 2 or dlogits.shape[1] != len(labels) or not dlogits.size:
        raise ShapeError(f"{len(labels)} labels need dlogits of shape (N, {len(labels)}); got {dlogits.shape}.")
    most = largest(dlogits)
    norm = FuncNorm((signed_root, signed_square), vmin=-most, vmax=most)
    image = ax.imshow(dlogits, cmap=palette(ax).signed, norm=norm, aspect="auto", interpolation="nearest")
    letter_ticks(ax.xaxis, labels)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set_xlabel("character")
    ax.set_ylabel("example")
    bar = ax.figure.colorbar(image, ax=ax, shrink=0.9, label="dloss/dlogit, nats")
    ticks = (-most, -most / 10, 0, most / 10, most)
    bar.set_ticks(ticks, labels=[f"{tick:.1g}" for tick in ticks])
    write_title(ax, "dlogits of one batch: orange is pulled up, blue pushed down")
