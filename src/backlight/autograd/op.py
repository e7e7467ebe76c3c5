"""The base class of all ops: forward and backward side by side, as pure functions of arrays."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np

from backlight.core import Array

OPS: "dict[str, type[Op]]" = {}
"""Every op by name. The gradient checks must cover all of them."""


class Op:
    """A function of arrays together with its derivative. An op is independent of the graph and never instantiated.

    A subclass defines:
        name: the op's name in graphs and in `OPS`.
        formula: one line of mathematics, y = ... and dx = ..., where dy is the gradient of the output.
        forward(*arrays, **settings) -> (y, saved): `saved` is whatever `backward` needs.
        backward(dy, saved) -> one gradient for each of `arrays`, in its shape.
        fits: the rule for the shapes, quoted in the error for shapes that break it; if empty, NumPy's reason is quoted.
        keeps_arrays: whether `saved` has arrays, which PyTorch frees after a backward pass.
        used(saved, needed) -> the part of `saved` that is used for the gradients of the inputs that `needed` marks.
    """

    name: ClassVar[str]
    formula: ClassVar[str]
    fits: ClassVar[str] = ""
    keeps_arrays: ClassVar[bool] = True
    forward: ClassVar[Callable[..., tuple[Array, Any]]]
    backward: ClassVar[Callable[..., tuple[Array, ...]]]

    @staticmethod
    def used(saved: Any, needed: tuple[bool, ...]) -> Any:  # noqa: ARG004  # most ops use all of it
        """Return the part of `saved` that the gradients of the needed inputs are computed from."""
        return saved

    def __init_subclass__(cls) -> None:
        OPS[cls.name] = cls


BROADCAST = "aligned at the last axis, two sizes must be equal, or one of them 1 or missing"


@lru_cache(maxsize=64)
def ones(size: int, dtype: np.dtype[Any]) -> Array:
    """Return a read-only array of ones, (size,). A product with it is a sum, and BLAS is faster than `np.sum`."""
    made = np.ones(size, dtype)
    made.flags.writeable = False
    return made


def sum_to(gradient: Array, shape: tuple[int, ...]) -> Array:
    """Undo broadcasting: sum a gradient over the axes along which an array of `shape` was repeated.

    A repeated element reaches the result along several paths, and the gradients of all paths add up.
    """
    if gradient.shape == shape:
        return gradient
    added = gradient.ndim - len(shape)
    repeated = tuple(range(added)) + tuple(
        added + axis for axis, size in enumerate(shape) if size == 1 and gradient.shape[added + axis] != 1
    )
    return np.add.reduce(gradient, axis=repeated, keepdims=True).reshape(shape)
