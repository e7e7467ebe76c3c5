"""The comparison of an array with a reference, which checks the answers to exercises."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from backlight.core.arrays import Array
from backlight.core.errors import ShapeError


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """The result of comparing an array with a reference.

    Attributes:
        name: what was compared.
        shape: shape of both arrays.
        exact: whether all elements are equal.
        close: whether every element is within atol + rtol |reference|.
        difference: the largest |ours - reference|; 0 for empty arrays, nan if only one side is nan.
        at: index of the largest difference; None for empty arrays.
        ours: our element at that index.
        reference: the reference's element at that index.
        scale: the largest finite magnitude in either array, to which the difference can be compared.
    """

    name: str
    shape: tuple[int, ...]
    exact: bool
    close: bool
    difference: float
    at: tuple[int, ...] | None
    ours: float
    reference: float
    scale: float

    @property
    def relative(self) -> float:
        """The largest difference divided by the scale; inf if only one side is nan or infinite."""
        if self.difference == 0:
            return 0.0
        return self.difference / self.scale if np.isfinite(self.difference) else float("inf")

    def __str__(self) -> str:
        if self.exact:
            return f"{self.name}: exact"
        where = f" at {self.at}" if self.at else ""
        found = f"largest difference {self.difference:.1e}{where}"
        if self.close:
            return f"{self.name}: close, {found}"
        return f"{self.name}: wrong, {found}: {self.ours:.6g}, should be {self.reference:.6g}"


def compare(name: str, ours: Any, reference: Any, *, rtol: float = 1e-5, atol: float = 1e-8) -> Comparison:
    """Compare an array with a reference, element by element. Two nans at the same index are equal.

    Args:
        name: what is compared, for the message.
        ours: an array, a tensor or a number.
        reference: the expected values, of the same shape. Nothing is broadcast, since a gradient has the shape of its
            variable.
        rtol: relative tolerance.
        atol: absolute tolerance.

    Raises:
        ShapeError: the shapes differ.
    Source: lecture 5 of "Neural Networks: Zero to Hero", whose check reports exact, approximate and largest difference;
        tolerances as in `torch.allclose`.
    """
    mine, theirs = np.asarray(ours), np.asarray(reference)
    if mine.shape != theirs.shape:
        raise ShapeError(
            f"{name} must have the shape of its reference, {theirs.shape}; got {mine.shape}. "
            "Is a sum missing along an axis that was broadcast, or a keepdims?"
        )
    same = (mine == theirs) | ((mine != mine) & (theirs != theirs))  # noqa: PLR0124  (only nan differs from itself)
    with np.errstate(invalid="ignore", over="ignore"):
        apart = np.where(same, 0.0, np.abs(np.subtract(mine, theirs, dtype=np.float64)))
        close = same | (np.isfinite(theirs) & (apart <= atol + rtol * np.abs(theirs)))
    at = np.unravel_index(int(np.argmax(apart)), apart.shape) if apart.size else None  # nan counts as the largest
    return Comparison(
        name=name,
        shape=mine.shape,
        exact=bool(same.all()),
        close=bool(close.all()),
        difference=float(apart[at]) if at is not None else 0.0,
        at=None if at is None else tuple(map(int, at)),
        ours=float(mine[at]) if at is not None else 0.0,
        reference=float(theirs[at]) if at is not None else 0.0,
        scale=max(_largest(mine), _largest(theirs)),
    )


def _largest(numbers: Array) -> float:
    """Return the largest finite magnitude, or 0."""
    finite = np.abs(numbers[np.isfinite(numbers)])
    return float(finite.max()) if finite.size else 0.0
