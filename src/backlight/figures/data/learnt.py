"""Pictures of weights: what a bigram network's table has become, and where a model has put the characters."""

import numpy as np

from backlight.autograd.ops.softmax import shifted_log_softmax
from backlight.core import FloatArray
from backlight.figures import pages
from backlight.figures.data.counted import check_size
from backlight.figures.data.source import NoPictureError, Source
from backlight.figures.pages import Page
from backlight.models.bigram import Bigram
from backlight.nn import Embedding

_VOWELS = frozenset("aeiouAEIOU")


def weights(source: Source) -> Page:
    """Return a bigram network's W beside the logs of the counts that it stands for."""
    network = _bigram(source)
    counted = source.counts / np.maximum(source.counts.sum(axis=1, keepdims=True), 1)
    with np.errstate(divide="ignore"):
        return pages.weights_beside_log_counts(
            shifted_log_softmax(network.table.weight.array), np.log(counted), source.labels
        )


def weight_gradient(source: Source) -> Page:
    """Return the gradient of a bigram network's W for one batch."""
    network = _bigram(source)
    network.zero_grad()
    network.loss(source.batch).backward()
    gradient = network.table.weight.grad
    assert gradient is not None  # noqa: S101  (the loss is made of nothing else)
    return pages.weight_gradient(gradient.array.copy(), source.labels)


def embedding(source: Source) -> Page:
    """Return the vectors of the characters, in the plane in which they differ most."""
    tables = (module for _, module in source.network.named_modules() if isinstance(module, Embedding))
    table = next((table for table in tables if table.count == source.vocabulary.size), None)
    if table is None or table.size < 2:
        raise NoPictureError("it needs a table with a vector of two numbers or more for each character")
    vectors = table.weight.array.astype(np.float64)
    points, shares = (vectors, None) if table.size == 2 else principal_plane(vectors)
    names = ("first axis", "second axis")
    if shares is not None:
        names = (f"first principal axis, {shares[0]:.0%} of the variance", f"second principal axis, {shares[1]:.0%}")
    marked = {token + 1 for token, character in enumerate(source.vocabulary.characters) if character in _VOWELS}
    if len(marked) < 3:
        marked = set()
    return pages.embedding(points, source.labels, axes_names=names, marked=marked, marked_are="vowels")


def principal_plane(vectors: FloatArray) -> tuple[FloatArray, tuple[float, float]]:
    """Return points (V, 2) in the plane in which vectors (V, E) differ most, and the share of variance on its axes.

    An axis points to where its largest number is above 0: which way it points means nothing, but is the same each time.
    """
    centred = vectors - vectors.mean(axis=0)
    u, s, _ = np.linalg.svd(centred, full_matrices=False)
    points = u[:, :2] * s[:2]
    points *= np.sign(points[np.abs(points).argmax(axis=0), [0, 1]])
    shares = s**2 / max(float((s**2).sum()), 1e-30)
    return points, (float(shares[0]), float(shares[1]))


def _bigram(source: Source) -> Bigram:
    if not isinstance(source.network, Bigram):
        raise NoPictureError(f"it needs a bigram network; this run's model is {source.config.model}")
    check_size(source)
    return source.network
