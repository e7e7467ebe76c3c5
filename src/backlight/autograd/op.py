"""What an op is: forward and backward side by side, as pure functions of arrays."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np

from backlight.core import Array

OPS: "dict[str, type[Op]]" = {}
"""Every op by name: what the oracle suite must cover and what explain can show."""


class Op:
    """A function on arrays together with its derivative. It knows nothing of graphs, and is never instantiated.

    A subclass gives:
        name: what a graph shows.
        formula: one line of mathematics, y = ... and dx = ..., where dy stands for the gradient from above.
        forward(*arrays, **settings) -> (y, saved): `saved` is whatever backward needs.
        backward(dy, saved) -> one gradient for each of `arrays`, in its shape.
        fits: which shapes go together, for the error when they do not; without it NumPy's reason is given.
    """

    name: ClassVar[str]
    formula: ClassVar[str]
    fits: ClassVar[str] = ""
    forward: ClassVar[Callable[..., tuple[Array, Any]]]
    backward: ClassVar[Callable[..., tuple[Array, ...]]]

    def __init_subclass__(cls) -> None:
        OPS[cls.name] = cls


BROADCAST = "counted from the last, two axes must be equally long, or one of them 1 long or absent"


@lru_cache(maxsize=64)
def ones(size: int, dtype: np.dtype[Any]) -> Array:
    """Return (size,) ones that nobody may change. A product with them is a sum, and BLAS's is the faster one."""
    made = np.ones(size, dtype)
    made.flags.writeable = False
    return made


def sum_to(gradient: Array, shape: tuple[int, ...]) -> Array:
    """Undo broadcasting: sum a gradient over the axes along which an array of `shape` was repeated.

    A number that was used n times reached the result by n paths, and paths add.
    """
    if gradient.shape == shape:
        return gradient
    added = gradient.ndim - len(shape)
    repeated = tuple(range(added)) + tuple(
        added + axis for axis, size in enumerate(shape) if size == 1 and gradient.shape[added + axis] != 1
    )
    return np.add.reduce(gradient, axis=repeated, keepdims=True).reshape(shape)
