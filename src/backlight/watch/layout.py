"""Whether pictures are stored in the order of axes in which they are read."""

import numpy as np

from backlight.core import Array, FloatArray
from backlight.watch.records import Probe

_COLOURS = (2, 3, 4)
"""Numbers of channels of pictures."""

_LEAST = 6
"""A shorter side shows nothing."""

_MOST = 200_000
"""So many numbers are enough."""


def layout_probes(x: Array) -> list[Probe]:
    """Return how alike neighbours in a picture are, as it is given and as it would be with its channels last.

    Pictures (N, H, W, C) that are brought to (N, C, H, W) by a reshape keep the order of their numbers, so that
    neighbours in a row are of different channels, and those in a column are far apart. Read in the old order again,
    neighbours are alike.

    Args:
        x: the input, (N, C, H, W) or (N, H, W, C).
    """
    if x.ndim != 4 or x.dtype.kind != "f" or not np.isfinite(x).all():
        return []
    x = x[: max(1, _MOST // max(x[0].size, 1))].astype(np.float64)
    N, C, H, W = x.shape
    if C in _COLOURS and min(H, W) >= _LEAST:
        given, other = _likeness(x), _likeness(x.reshape(N, H, W, C).transpose(0, 3, 1, 2))
        return [Probe(name="layout", changed=other, scale=given)]
    if W in (1, *_COLOURS) and min(C, H) >= _LEAST:
        return [Probe(name="channels last", changed=_likeness(x.transpose(0, 3, 1, 2)), scale=1.0)]
    return []


def _likeness(x: FloatArray) -> float:
    """Return the correlation of neighbours (N, C, H, W) along the axis along which they are less alike."""
    x = x - x.mean((0, 2, 3), keepdims=True)
    variance = float((x**2).mean())
    if variance == 0:
        return 0.0
    return min(float((x[:, :, 1:] * x[:, :, :-1]).mean()), float((x[..., 1:] * x[..., :-1]).mean())) / variance
