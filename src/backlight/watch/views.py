"""What a reshape does to axes: whether it keeps their order, and which axis ends up where."""

import math
from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise, permutations
from typing import Final

Shape = tuple[int, ...]

_MOST_AXES: Final = 5
"""Groups of more axes than this are not looked into."""

_USUAL_COST: Final = 2
"""Cuts and joins of a reshape that is meant: one and one, as where heads become part of the batch."""


def moves_axes(before: Sequence[int], after: Sequence[int]) -> bool:
    """Return whether a reshape stands where axes were to change places.

    A reshape keeps numbers in their order: it can cut an axis and join neighbours. (B, T, C) to (B, H, T, C / H) is one
    that reads as if T and a part of C had changed places, while no cutting and joining gives each axis a meaning, or
    only one by chance. It is reported where an exchange of axes with one cut or one join explains the shapes, and more
    cuts and joins, or impossible ones, would be needed without an exchange.

    Args:
        before: the shape that is read.
        after: the shape that is made of it.
    """
    return any(
        _cost(one, other) > _USUAL_COST and (_joins_exchanged(one, other) or _joins_exchanged(other, one))
        for one, other in _groups(before, after)
        if 1 < len(one) <= _MOST_AXES and 1 < len(other) <= _MOST_AXES
    )


def reshaped(labels: Sequence[int | None], before: Sequence[int], after: Sequence[int]) -> list[int | None]:
    """Return the labels of a reshape's axes: an axis that stays whole keeps its own, all others have None."""
    if tuple(before) == tuple(after):
        return list(labels)
    found: list[int | None] = [None] * len(after)
    at = [i for i, size in enumerate(before) if size != 1]
    to = [i for i, size in enumerate(after) if size != 1]
    for one, other in _groups(before, after):
        if len(one) == len(other) == 1:
            found[to[0]] = labels[at[0]]
        at, to = at[len(one) :], to[len(other) :]
    return found


def _groups(before: Sequence[int], after: Sequence[int]) -> Iterator[tuple[Shape, Shape]]:
    """Yield the smallest runs of axes of equal product, without axes of length 1."""
    one, other = ([size for size in shape if size != 1] for shape in (before, after))
    if math.prod(one) != math.prod(other) or 0 in one:
        return
    while one:
        i = j = 1
        while (left := math.prod(one[:i])) != (right := math.prod(other[:j])):
            i, j = (i + 1, j) if left < right else (i, j + 1)
        yield tuple(one[:i]), tuple(other[:j])
        one, other = one[i:], other[j:]


def _cost(before: Shape, after: Shape) -> float:
    """Return how many cuts and joins turn axes into others in their order; infinite if none do."""
    ends = [set(accumulate(shape, int.__mul__)) for shape in (before, after)]
    marks = sorted(ends[0] | ends[1])
    if any(high % low for low, high in pairwise(marks)):
        return math.inf
    return len(ends[0] ^ ends[1])


def _joins_exchanged(axes: Shape, joined: Shape) -> bool:
    """Return whether some exchange of axes, and one join of neighbours, gives the other shape."""
    length = len(axes) - len(joined) + 1  # of the run that is joined
    return length >= 1 and any(
        (*order[:at], math.prod(order[at : at + length]), *order[at + length :]) == joined
        for order in set(permutations(axes))
        for at in range(len(joined))
    )
