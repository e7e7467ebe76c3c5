"""Values from a JSON file, held against the types that a dataclass declares."""

from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints


def wrong_entry(kind: type, values: Mapping[str, Any]) -> str | None:
    """Return what is wrong with the first value that does not fit its field of the dataclass `kind`; None if all fit.

    A value fits as JSON has it: a list for a tuple, an object for a dataclass, a whole number for a float.
    """
    hints = get_type_hints(kind)
    for field in fields(kind):
        if field.name not in values:
            if field.default is MISSING and field.default_factory is MISSING:
                return f"{field.name} is missing"
        elif not _fits(values[field.name], hints[field.name]):
            return f"{field.name} cannot be {values[field.name]!r}"
    unknown = [name for name in values if name not in hints]
    return f"{unknown[0]!r} is unknown" if unknown else None


def _fits(value: Any, hint: Any) -> bool:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in {Union, UnionType}:
        return any(_fits(value, argument) for argument in arguments)
    if origin is Literal:
        return value in arguments
    if origin is tuple:
        return isinstance(value, list | tuple) and _fit(value, arguments)
    if is_dataclass(hint):
        return isinstance(value, Mapping) and wrong_entry(hint, value) is None  # type: ignore[arg-type]
    if hint in {int, float}:
        return isinstance(value, int if hint is int else int | float) and not isinstance(value, bool)
    return hint is Any or isinstance(value, NoneType if hint is None else origin or hint)


def _fit(values: list[Any] | tuple[Any, ...], hints: tuple[Any, ...]) -> bool:
    if hints[-1] is Ellipsis:
        return all(_fits(value, hints[0]) for value in values)
    return len(values) == len(hints) and all(map(_fits, values, hints))
