"""The result of an answer as named arrays, and the first one that differs from the reference."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from backlight.autograd import Tensor, Value
from backlight.core import Array

Parts = dict[str, Array]
"""Arrays by name, in the order in which they are compared."""


class Unfinished(Exception):  # noqa: N818  (not an error: a stub that nobody has filled in)
    """There is no answer yet."""


class InvalidAnswer(Exception):  # noqa: N818  (what is wrong with the answer, for its writer)
    """The result cannot be compared with the reference; the message says why, in one line.

    Args:
        said: the message.
        name: the name of the mistake, if it has one.
    """

    def __init__(self, said: str, *, name: str | None = None) -> None:
        super().__init__(said)
        self.name = name


_ONE = "the answer"
"""The name of an answer without parts."""


def parts_of(
    outcome: Any, names: Sequence[str], reference: Mapping[str, Array] | None = None, *, in_parts: bool = False
) -> Parts:
    """Return the result of an answer as named float64 arrays, each in its own shape.

    Args:
        outcome: a number, an array, a tensor, a Value, a list of these, a tuple, or a dictionary.
        names: the names of the elements of a tuple; empty if it is one array.
        reference: the parts of the right answer, if known.
        in_parts: accept a dictionary with only some of the parts.

    Raises:
        Unfinished: it is None or `...`, or one of its parts is; with `in_parts`, all of them are or are missing.
        InvalidAnswer: it has other parts than the reference, or a part does not consist of numbers.
    """
    if outcome is None or outcome is ...:
        raise Unfinished
    if isinstance(outcome, Mapping) and reference is not None and list(reference) == [_ONE]:
        raise InvalidAnswer(f"the result should be a number or an array; it is {_a(type(outcome).__name__)}.")
    if isinstance(outcome, Mapping):
        named = _by_order(dict(outcome), names)
    elif not (names or in_parts or reference is None) and _is_list_of(outcome, list(reference)):
        named = dict(zip(reference, outcome, strict=True))
    elif names:
        named = _named(outcome, names)
    else:
        named = {_ONE: outcome}
    if in_parts and reference is not None:
        named = _those_there(named, outcome, reference)
    elif reference is not None and list(named) != list(reference):
        missing = [name for name in reference if name not in named]
        if missing:
            raise InvalidAnswer(f"the result should have {_listed(reference)}; missing: {', '.join(missing)}.")
        named = {name: named[name] for name in reference}
    return {name: _array(name, part) for name, part in named.items()}


def agree(one: Array, other: Array, *, rtol: float, atol: float) -> bool:
    """Return whether two arrays have the same shape and close numbers, with nan at the same positions.

    Args:
        one: an array of any shape.
        other: another one.
        rtol: relative tolerance.
        atol: absolute tolerance.
    """
    return one.shape == other.shape and bool(np.allclose(one, other, rtol=rtol, atol=atol, equal_nan=True))


def _those_there(named: dict[str, Any], outcome: Any, reference: Mapping[str, Array]) -> dict[str, Any]:
    """Return the parts that are filled in."""
    there = {name: named[name] for name in reference if named.get(name) is not None and named[name] is not ...}
    if not there and isinstance(outcome, Mapping) and not set(outcome) - set(reference):
        raise Unfinished
    if not there:
        raise InvalidAnswer(f"the result should be a dictionary with some of {_listed(reference)}; it has none.")
    return there


def _by_order(named: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Return a dictionary with the names of the parts; one with as many other keys is read in its order."""
    if names and len(named) == len(names) and not set(named) & set(names):
        return dict(zip(names, named.values(), strict=True))
    return named


def _is_list_of(outcome: Any, names: list[str]) -> bool:
    several = isinstance(outcome, tuple | list) and not hasattr(outcome, "_asdict")
    return names != [_ONE] and several and len(outcome) == len(names)


def _named(outcome: Any, names: Sequence[str]) -> dict[str, Any]:
    wanted = f"the result should be a tuple of {len(names)}: {_listed(names)}"
    if hasattr(outcome, "detach") or isinstance(outcome, Tensor):
        outcome = np.asarray(plain(outcome))
    if not isinstance(outcome, tuple | list | np.ndarray):
        raise InvalidAnswer(f"{wanted}; it is {_a(type(outcome).__name__)}.")
    if isinstance(outcome, np.ndarray) and (outcome.ndim == 0 or len(outcome) != len(names)):
        raise InvalidAnswer(f"{wanted}; it is one array of shape {outcome.shape}.")
    if len(outcome) != len(names):
        raise InvalidAnswer(f"{wanted}; it has {len(outcome)}.")
    return dict(zip(names, outcome, strict=True))


def _array(name: str, part: Any) -> Array:
    if part is None or part is ...:
        raise Unfinished
    try:
        array = np.asarray(plain(part))
    except ValueError:  # rows of different lengths
        raise InvalidAnswer(
            f"the rows of {name} should have equal lengths; those of this {type(part).__name__} do not."
        ) from None
    if array.dtype.kind == "O":
        array = _of_objects(name, part, array)
    if array.dtype.kind not in "biuf":
        what = {"c": "complex numbers", "U": "text", "S": "bytes", "M": "dates"}.get(array.dtype.kind, str(array.dtype))
        raise InvalidAnswer(f"the values of {name} should be numbers; this {type(part).__name__} holds {what}.")
    if array.dtype == np.float16:
        raise InvalidAnswer(
            f"the values of {name} are in float16, which is too coarse to check. Use float32 or float64."
        )
    return array.astype(np.float64)


def _of_objects(name: str, part: Any, array: Array) -> Array:
    """Return an array of objects, such as Values or tensors of one number, as an array of their numbers."""
    numbers = np.asarray(plain(array.tolist()))
    if numbers.dtype.kind == "O":
        kind = next((type(one).__name__ for one in array.flat if not isinstance(one, int | float)), "object")
        raise InvalidAnswer(f"the values of {name} should be numbers; this {type(part).__name__} holds {_a(kind)}.")
    return numbers


def _a(noun: str) -> str:
    return f"an {noun}" if noun[:1].lower() in "aeiou" else f"a {noun}"


def plain(part: Any) -> Any:
    """Return the numbers of a Value, of a tensor of this package or of PyTorch, or of a list of them."""
    if isinstance(part, Value):
        return float(part.data)
    if isinstance(part, Tensor):
        return part.array
    if isinstance(part, np.ndarray) and part.dtype.kind == "O":
        part = part.tolist()
    if isinstance(part, list | tuple):
        return [plain(one) for one in part]
    if not hasattr(part, "detach"):
        return part
    part = part.detach()
    if str(part.dtype) in {"torch.bfloat16", "torch.float16"}:
        raise InvalidAnswer(f"a tensor of {part.dtype} is too coarse to check. Use float32 or float64.")
    return part.cpu().numpy() if hasattr(part, "cpu") else part.numpy()


def _listed(names: Any) -> str:
    return ", ".join(names)
