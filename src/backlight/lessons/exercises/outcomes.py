"""What came out of an answer, taken apart into arrays with names, and the first place where two of them part."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from backlight.autograd import Tensor, Value
from backlight.core import Array, Comparison, ShapeError, compare

Parts = dict[str, Array]
"""Arrays by name, in the order in which they are to be looked at."""


class Unfinished(Exception):  # noqa: N818  (not an error: a stub that nobody has filled in)
    """There is no answer yet."""


class InvalidAnswer(Exception):  # noqa: N818  (what is wrong with the answer, for its writer)
    """What came out cannot be compared with what should; the message says why, in a line."""


_ONE = "the answer"
"""What an answer that has no parts is called."""


@dataclass(frozen=True)
class Mismatch:
    """Where an outcome first differs from what it should be.

    Attributes:
        part: the name of the part.
        ours: the learner's.
        reference: what it should be.
        comparison: of the two; None where their shapes differ.
    """

    part: str
    ours: Array
    reference: Array
    comparison: Comparison | None


def parts_of(
    outcome: Any, names: Sequence[str], reference: Mapping[str, Array] | None = None, *, in_parts: bool = False
) -> Parts:
    """Take an outcome apart.

    Args:
        outcome: a number, an array, a tensor, a Value, a list of these, a tuple, or a dictionary.
        names: what a tuple's parts are called; none if it is one array.
        reference: the parts that there should be, if that is known.
        in_parts: leave out the parts of a dictionary that are not there yet.

    Raises:
        Unfinished: it is None or `...`, or a part is; with `in_parts`, every part is or is missing.
        InvalidAnswer: other parts than there should be, or something that is no numbers.
    """
    if outcome is None or outcome is ...:
        raise Unfinished
    if isinstance(outcome, Mapping) and reference is not None and list(reference) == [_ONE]:
        raise InvalidAnswer(f"it should give numbers in one array; it gives a {type(outcome).__name__}.")
    if isinstance(outcome, Mapping):
        named = dict(outcome)
    elif names:
        named = _named(outcome, names)
    else:
        named = {_ONE: outcome}
    if in_parts and reference is not None:
        named = {name: named[name] for name in reference if named.get(name) is not None and named[name] is not ...}
        if not named and isinstance(outcome, Mapping) and not set(outcome) - set(reference):
            raise Unfinished
        if not named:
            raise InvalidAnswer(f"it should be a dictionary with some of {_listed(reference)}; none of these is in it.")
    elif reference is not None and list(named) != list(reference):
        missing = [name for name in reference if name not in named]
        if missing:
            raise InvalidAnswer(f"it should have {_listed(reference)}; missing: {', '.join(missing)}.")
        named = {name: named[name] for name in reference}
    return {name: _array(name, part) for name, part in named.items()}


def first_mismatch(
    ours: Parts, reference: Parts, *, rtol: float, atol: float
) -> tuple[list[Comparison], Mismatch | None]:
    """Compare part by part, up to the first that is wrong. Parts that are not there yet are passed over.

    Returns: the comparisons of the parts before it, all close, and where it parts; None if it does nowhere.
    """
    close: list[Comparison] = []
    for name, right in reference.items():
        if name not in ours:
            continue
        try:
            comparison = compare(name, ours[name], right, rtol=rtol, atol=atol)
        except ShapeError:
            return close, Mismatch(name, ours[name], right, None)
        if not comparison.close:
            return close, Mismatch(name, ours[name], right, comparison)
        close.append(comparison)
    return close, None


def agree(one: Array, other: Array, *, rtol: float, atol: float) -> bool:
    """Return whether two arrays have the same shape and close numbers, nan at the same places."""
    return one.shape == other.shape and bool(np.allclose(one, other, rtol=rtol, atol=atol, equal_nan=True))


def _named(outcome: Any, names: Sequence[str]) -> dict[str, Any]:
    wanted = f"it should give {len(names)} things, {_listed(names)}"
    if not isinstance(outcome, tuple | list | np.ndarray):
        raise InvalidAnswer(f"{wanted}; it gives one {type(outcome).__name__}.")
    if isinstance(outcome, np.ndarray) and len(outcome) != len(names):
        raise InvalidAnswer(f"{wanted}; it gives one array of shape {outcome.shape}.")
    if len(outcome) != len(names):
        raise InvalidAnswer(f"{wanted}; it gives {len(outcome)}.")
    return dict(zip(names, outcome, strict=True))


def _array(name: str, part: Any) -> Array:
    if part is None or part is ...:
        raise Unfinished
    try:
        array = np.asarray(_plain(part))
    except ValueError:  # rows of different lengths
        raise InvalidAnswer(f"{name} should be numbers; it is a {type(part).__name__} that is no table.") from None
    if array.dtype.kind not in "biuf":
        raise InvalidAnswer(f"{name} should be numbers; it is a {type(part).__name__}.")
    return array.astype(np.float64)


def _plain(part: Any) -> Any:
    """Return numbers for what holds them: a Value, our tensor, PyTorch's, or a list of such."""
    if isinstance(part, Value):
        return float(part.data)
    if isinstance(part, Tensor):
        return part.array
    if isinstance(part, list | tuple):
        return [_plain(one) for one in part]
    return part.detach().numpy() if hasattr(part, "detach") else part


def _listed(names: Any) -> str:
    return ", ".join(names)
