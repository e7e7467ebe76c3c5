"""The embedding of the characters, in a plane."""

from collections.abc import Collection, Sequence
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke

from backlight.core import FloatArray, ShapeError
from backlight.figures.figure import SizedFigure, figure
from backlight.figures.letters import legible, write_title
from backlight.figures.run_data import NoFigureError, RunData
from backlight.figures.style import palette
from backlight.nn import Embedding

_VOWELS: Final = frozenset("aeiouAEIOU")


@figure("embedding", about="the embedding of the characters, in a plane", size=(7.2, 7.2))
def embedding(
    ax: Axes,
    points: FloatArray,
    labels: Sequence[str],
    *,
    axes_names: tuple[str, str] = ("first axis", "second axis"),
    marked: Collection[int] = (),
    marked_are: str = "",
) -> None:
    """Draw each character at the position of its vector; the model treats nearby characters similarly.

    Args:
        ax: the axes to draw on.
        points: (V, 2), the two numbers of each vector or its first two principal components.
        labels: the V characters, in visible form.
        axes_names: the labels of the two axes.
        marked: ids that are drawn in another colour.
        marked_are: what they have in common, for the title, such as "vowels".

    Raises:
        ShapeError: the points are not (V, 2).
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
    write_title(ax, f"Embedding of {len(labels)} characters{among}")


@embedding.from_run
def _(run: RunData) -> SizedFigure:
    """Return the vectors of the characters, in the plane of their largest variance."""
    tables = (module for _, module in run.network.named_modules() if isinstance(module, Embedding))
    table = next((table for table in tables if table.num_embeddings == run.vocabulary.size), None)
    if table is None or table.embedding_dim < 2:
        raise NoFigureError("it needs an embedding of the characters with at least two dimensions")
    vectors = table.weight.array.astype(np.float64)
    points, shares = (vectors, None) if table.embedding_dim == 2 else principal_plane(vectors)
    names = ("first axis", "second axis")
    if shares is not None:
        names = (f"first principal axis, {shares[0]:.0%} of the variance", f"second principal axis, {shares[1]:.0%}")
    marked = {token for token in range(1, run.vocabulary.size) if run.vocabulary.decode([token]) in _VOWELS}
    if len(marked) < 3:
        marked = set()
    return embedding(points, run.labels, axes_names=names, marked=marked, marked_are="vowels")


def principal_plane(vectors: FloatArray) -> tuple[FloatArray, tuple[float, float]]:
    """Return the first two principal components (V, 2) of vectors (V, E), and their shares of the variance.

    The largest number of a component is positive: its sign is arbitrary, but this makes it reproducible.
    """
    centred = vectors - vectors.mean(axis=0)
    u, s, _ = np.linalg.svd(centred, full_matrices=False)
    points = u[:, :2] * s[:2]
    points *= np.sign(points[np.abs(points).argmax(axis=0), [0, 1]])
    shares = s**2 / max(float((s**2).sum()), 1e-30)
    return points, (float(shares[0]), float(shares[1]))
